package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/reeflective/readline"

	"holdall/internal/term"
	"holdall/query"
)

// A shell asks for SQL on a terminal, statement by statement, until it is left.
type shell struct {
	env     *env
	export  *export
	db      *query.DB
	ledger  bool // is attached
	tables  []query.TableReport
	editor  *readline.Shell
	history *history

	mode  query.Format // of results
	once  *outputFile  // where the next result goes
	pager bool
}

// runShell opens the shell.
func runShell(ctx context.Context, e *env, x *export, db *query.DB) error {
	if e.stdin != io.Reader(os.Stdin) || !term.Is(e.stdout) {
		return usagef("add SQL as an argument, -f FILE, or - for standard input", "no SQL given")
	}
	tables, err := db.Tables(ctx)
	if err != nil {
		return err
	}
	s := &shell{env: e, export: x, db: db, tables: tables, mode: query.Table, pager: true,
		history: openHistory()}
	defer s.history.Close()
	if s.history.fresh {
		e.talk("what is typed is remembered in %s; \"holdall clean\" removes it", s.history.path)
	}
	e.talk(
		"%s: SQL ends with a semicolon; .tables lists the tables, .help the rest, .quit or Ctrl-D leaves",
		x.bag.ID(),
	)
	s.newEditor(ctx)
	// Ctrl-C ends what is running, and never the shell.
	e.interrupt(func() {})
	defer e.interrupt(nil)
	for {
		text, err := s.editor.Readline()
		switch {
		case errors.Is(err, readline.ErrInterrupt):
			continue
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		leave, err := s.enter(ctx, text)
		if leave || ctx.Err() != nil {
			return err
		}
		if err != nil {
			e.fail(e.explainSQL(ctx, db, err)) // and the shell goes on
		}
	}
}

// newEditor makes the line editor: statements over several lines, history with search (Ctrl-R), completion.
// The user's ~/.inputrc applies here as well.
func (s *shell) newEditor(ctx context.Context) {
	ed := readline.NewShell()
	ed.Config.Set("completion-ignore-case", true)
	ed.Prompt.Primary(func() string { return "holdall> " })
	ed.Prompt.Secondary(func() string { return "    ...> " })
	ed.AcceptMultiline = func(line []rune) bool { return isWhole(string(line)) }
	ed.Completer = func(line []rune, cursor int) readline.Completions {
		return s.complete(ctx, string(line[:cursor]))
	}
	ed.History.Delete()
	ed.History.Add("statements", s.history)
	s.editor = ed
}

// isWhole reports whether what was typed can be run: a command, or SQL up to a semicolon that is in no text
// or comment.
func isWhole(text string) bool {
	text = strings.TrimSpace(text)
	return text == "" || isCommand(text) || strings.HasSuffix(text, ";") && query.IsClosed(text)
}

// enter carries out what was typed.
func (s *shell) enter(ctx context.Context, text string) (leave bool, err error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return false, nil
	case isCommand(text):
		return s.command(ctx, strings.TrimSpace(strings.TrimSuffix(text, ";")))
	case query.IsEmpty(text):
		return false, nil
	}
	return false, s.answer(ctx, text)
}

// answer runs statements and shows what they answer, how many rows that is, and how long it took. Ctrl-C ends
// it.
func (s *shell) answer(ctx context.Context, sql string) error {
	running, stop := context.WithCancel(ctx)
	defer stop()
	s.env.interrupt(stop)
	defer s.env.interrupt(func() {})
	began := time.Now()
	err := s.write(running, sql)
	took := time.Since(began).Round(time.Millisecond)
	if running.Err() != nil && ctx.Err() == nil {
		s.env.say("stopped after %s", took)
		return nil
	}
	if err == nil {
		s.env.talk("%s", took)
	}
	return err
}

func (s *shell) write(ctx context.Context, sql string) error {
	if !s.ledger && needsLedger(sql) {
		if err := s.export.attachLedger(ctx, s.env, s.db, ""); err != nil {
			return err
		}
		s.ledger = true
	}
	statements, err := s.db.Statements(ctx, sql, nil)
	if err != nil {
		return err
	}
	o := query.WriteOptions{Format: s.mode, Width: term.Width(s.env.stdout)}
	if s.mode == query.Table || s.mode == query.Line {
		o.Limit = defaultRows
	}
	out := func(do func(io.Writer) error) error { return do(s.env.stdout) }
	if s.pager {
		out = func(do func(io.Writer) error) error { return paged(s.env, do) }
	}
	if file := s.once; file != nil {
		s.once = nil
		o = query.WriteOptions{}
		if o.Format, err = formatOf(file.path); err != nil {
			return err
		}
		out = func(do func(io.Writer) error) error { return file.write(s.env, do) }
	}
	var all []query.Written
	err = out(func(w io.Writer) (err error) {
		all, err = s.results(ctx, w, statements, o)
		return err
	})
	for _, done := range all { // when a pager has given the terminal back
		s.say(done, o)
	}
	return err
}

// results writes the result of each statement.
func (s *shell) results(
	ctx context.Context, w io.Writer, statements []query.Statement, o query.WriteOptions,
) (all []query.Written, err error) {
	for i, one := range statements {
		if i > 0 {
			fmt.Fprintln(w)
		}
		done, err := answerOne(ctx, w, s.db, one, o)
		if err != nil {
			return all, err
		}
		all = append(all, done)
	}
	return all, nil
}

// say says how many rows a result has, and what of it is not shown.
func (s *shell) say(done query.Written, o query.WriteOptions) {
	rows := count(int(done.Rows), "row", "rows")
	if done.Cut {
		rows = fmt.Sprintf("the first %s rows; there are more", group(done.Rows))
		done.Cut = false
	}
	if done.Hidden > 0 {
		rows += fmt.Sprintf(
			"; %s not shown: .mode line has all", count(done.Hidden, "column is", "columns are"),
		)
		done.Hidden = 0
	}
	s.env.talk("%s", rows)
	reportWrittenAs(s.env, "", done, o)
}
