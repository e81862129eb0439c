package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/term"

	"holdall/query"
)

// shell reads SQL from the terminal, statement by statement, with history and completion of names.
func shell(ctx context.Context, e *env, db *query.DB, id string) error {
	in, ok := e.stdin.(*os.File)
	if !ok {
		return usagef("add SQL as an argument, -f FILE, or - for standard input", "there is no SQL to run")
	}
	tables, err := db.Tables(ctx)
	if err != nil {
		return err
	}
	words := completions(tables)
	history := openHistory()
	defer history.Close()
	if history.fresh {
		e.talk("what is typed is remembered in %s; \"holdall clean\" removes it", history.file.Name())
	}
	e.talk("%s: SQL ends with a semicolon; .tables lists the tables, .help the rest, .quit or Ctrl-D leaves", id)
	for {
		statement, err := readStatement(in, e.stdout, words, history)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if statement = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(statement), ";")); statement == "" {
			continue
		}
		if isCommand(statement) {
			if leave := shellCommand(e, statement, tables); leave {
				return nil
			}
			continue
		}
		if err := shellAnswer(ctx, e, db, statement); err != nil {
			if ctx.Err() != nil {
				return err
			}
			e.fail(err) // told; the shell goes on
		}
	}
}

func shellAnswer(ctx context.Context, e *env, db *query.DB, sql string) error {
	statements, err := db.Statements(ctx, sql, nil)
	if err != nil {
		return err
	}
	return writeAnswers(ctx, e, e.stdout, db, statements, query.WriteOptions{Format: query.Table, Limit: defaultRows})
}

// shellHelp is what .help prints.
const shellHelp = `SQL, over one or several lines, is run at its semicolon. Tab completes the names of tables and columns.
  .tables          lists the tables
  .columns TABLE   lists a table's columns
  .quit            leaves; so does Ctrl-D
  "holdall help sql" says what can be asked
`

// isCommand reports whether a line is one to the shell and not to the database: those of this shell, and what people type
// who know another one.
func isCommand(line string) bool {
	switch strings.ToLower(strings.TrimSuffix(line, ";")) {
	case "help", "quit", "exit", "?":
		return true
	}
	return strings.HasPrefix(line, ".") || strings.HasPrefix(line, `\`)
}

// shellCommand carries out a line that isCommand, and reports whether it was the last.
func shellCommand(e *env, line string, tables []query.TableReport) (leave bool) {
	words := strings.Fields(strings.TrimSuffix(line, ";"))
	var err error
	switch strings.ToLower(words[0]) {
	case ".quit", ".exit", ".q", "quit", "exit", `\q`:
		return true
	case ".help", "help", "?", ".?", `\?`, `\h`:
		_, err = io.WriteString(e.stdout, shellHelp)
	case ".tables", `\d`, `\dt`:
		err = listTables(e, tables)
	case ".columns", ".schema", ".describe":
		err = shellColumns(e, words[1:], tables)
	default:
		err = withHint(fmt.Errorf("there is no command %s", words[0]), ".help lists the commands; SQL ends with a semicolon")
	}
	if err != nil {
		e.fail(err)
	}
	return false
}

func shellColumns(e *env, names []string, tables []query.TableReport) error {
	for _, t := range tables {
		if len(names) == 1 && strings.EqualFold(t.Table, names[0]) {
			return listColumns(e, t)
		}
	}
	return withHint(errors.New("name one of the tables"), ".tables lists them")
}

// readStatement reads lines up to one that ends with a semicolon or is a command. The terminal is raw only
// while a line is typed, so that Ctrl-C stops a running query.
func readStatement(in *os.File, out io.Writer, words []string, history *history) (string, error) {
	state, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return "", err
	}
	defer term.Restore(int(in.Fd()), state)
	t := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{in, out}, "holdall> ")
	t.History = history
	t.AutoCompleteCallback = func(line string, pos int, key rune) (string, int, bool) {
		if key != '\t' {
			return "", 0, false
		}
		return complete(line, pos, words)
	}
	if w, h, err := term.GetSize(int(in.Fd())); err == nil && w > 0 {
		t.SetSize(w, h)
	}
	var lines []string
	for {
		line, err := t.ReadLine()
		if err != nil {
			return "", err
		}
		lines = append(lines, line)
		text := strings.TrimSpace(strings.Join(lines, "\n"))
		if text == "" || strings.HasSuffix(text, ";") || isCommand(text) {
			return text, nil
		}
		t.SetPrompt("    ...> ")
	}
}

// complete finishes the word before pos as far as all words that begin like it agree.
func complete(line string, pos int, words []string) (string, int, bool) {
	start := pos
	for start > 0 && (line[start-1] == '_' || line[start-1] >= '0' && line[start-1] <= '9' || line[start-1]|0x20 >= 'a' && line[start-1]|0x20 <= 'z') {
		start--
	}
	prefix := line[start:pos]
	if prefix == "" {
		return "", 0, false
	}
	common := ""
	for _, w := range words {
		if !strings.HasPrefix(w, strings.ToLower(prefix)) {
			continue
		}
		if common == "" {
			common = w
		}
		for !strings.HasPrefix(w, common) {
			common = common[:len(common)-1]
		}
	}
	if len(common) <= len(prefix) {
		return "", 0, false
	}
	return line[:start] + common + line[pos:], start + len(common), true
}

func completions(tables []query.TableReport) []string {
	words := []string{"select", "from", "where", "group", "order", "limit", "join", "using", "count", "distinct", "having", "describe", "summarize"}
	for _, t := range tables {
		words = append(words, t.Table)
		for _, c := range t.Columns {
			words = append(words, c.Column)
		}
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// history keeps the lines typed, newest first, also between shells; without a place for it, only in memory.
type history struct {
	lines []string
	file  *os.File
	fresh bool // the file has just been made
}

const historyLines = 1000

func historyFile() (string, error) { return cacheDir("history") }

func openHistory() *history {
	h := &history{}
	path, err := historyFile()
	if err != nil || os.MkdirAll(filepath.Dir(path), 0o700) != nil {
		return h
	}
	_, err = os.Stat(path)
	h.fresh = errors.Is(err, fs.ErrNotExist)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		h.fresh = false
		return h
	}
	for s := bufio.NewScanner(f); s.Scan(); {
		h.lines = append(h.lines, s.Text())
	}
	slices.Reverse(h.lines)
	h.lines = h.lines[:min(len(h.lines), historyLines)]
	h.file = f
	return h
}

// Add implements term.History.
func (h *history) Add(line string) {
	if strings.TrimSpace(line) == "" || len(h.lines) > 0 && h.lines[0] == line {
		return
	}
	h.lines = slices.Insert(h.lines, 0, line)
	if h.file != nil {
		fmt.Fprintln(h.file, line)
	}
}

// Len implements term.History.
func (h *history) Len() int { return len(h.lines) }

// At implements term.History; 0 is the newest line.
func (h *history) At(i int) string { return h.lines[i] }

// Close releases the file.
func (h *history) Close() error {
	if h.file == nil {
		return nil
	}
	return h.file.Close()
}
