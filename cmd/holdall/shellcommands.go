package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"holdall/query"
)

// shellHelp is what .help prints.
const shellHelp = `SQL, over one or several lines, is run at its semicolon. Ctrl-C ends what runs, Ctrl-R
searches what was typed before, Tab completes.
  .tables          lists the tables
  .schema TABLE    lists a table's columns, with types and what they mean
  .mode FORMAT     how results are shown: table, line (one line a value), csv, tsv, json, jsonl, markdown
  .once FILE       the next result goes to FILE, in the format of its suffix
  .pager on|off    whether long results go through $PAGER
  .history         lists what was typed before
  .quit            leaves; so does Ctrl-D
  "holdall help sql" says what can be asked
`

// commands are the names that Tab completes.
var shellCommands = []string{".help", ".history", ".mode", ".once", ".pager", ".quit", ".schema", ".tables"}

// isCommand reports whether a line is one to the shell and not to the database: those of this shell, and what
// people type who know another one.
func isCommand(line string) bool {
	switch strings.ToLower(strings.TrimSuffix(line, ";")) {
	case "help", "quit", "exit", "?":
		return true
	}
	return strings.HasPrefix(line, ".") || strings.HasPrefix(line, `\`)
}

// command carries out a line that isCommand, and reports whether it was the last.
func (s *shell) command(ctx context.Context, line string) (leave bool, err error) {
	name, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	switch strings.ToLower(name) {
	case ".quit", ".exit", ".q", "quit", "exit", `\q`:
		return true, nil
	case ".help", "help", "?", ".?", `\?`, `\h`:
		_, err = io.WriteString(s.env.stdout, shellHelp)
	case ".tables", `\d`, `\dt`:
		err = listTables(s.env, s.tables)
	case ".columns", ".schema", ".describe":
		err = s.schema(rest)
	case ".mode":
		err = s.setMode(rest)
	case ".once", ".output":
		err = s.setOnce(rest)
	case ".pager":
		err = s.setPager(rest)
	case ".history":
		for _, text := range s.history.lines {
			fmt.Fprintln(s.env.stdout, strings.ReplaceAll(text, "\n", " "))
		}
	default:
		err = withHint(
			fmt.Errorf("there is no command %s", name), ".help lists the commands; SQL ends with a semicolon",
		)
	}
	return false, err
}

func (s *shell) schema(name string) error {
	for _, t := range s.tables {
		if strings.EqualFold(t.Table, name) {
			return listColumns(s.env, t)
		}
	}
	return withHint(errors.New("name one of the tables"), ".tables lists them")
}

// shellModes are the formats that a terminal can show.
var shellModes = []query.Format{
	query.Table, query.Line, query.CSV, query.TSV, query.JSON, query.JSONL, query.Markdown,
}

func (s *shell) setMode(name string) error {
	if name == "" {
		_, err := fmt.Fprintln(s.env.stdout, s.mode)
		return err
	}
	if !slices.Contains(shellModes, query.Format(strings.ToLower(name))) {
		return withHint(
			fmt.Errorf("there is no mode %q", name),
			"use table, line, csv, tsv, json, jsonl or markdown; .once FILE.xlsx writes a file",
		)
	}
	s.mode = query.Format(strings.ToLower(name))
	return nil
}

func (s *shell) setOnce(path string) error {
	file := &outputFile{path: strings.Trim(path, `"'`)}
	if file.path == "" {
		return withHint(errors.New("name a file"), ".once answer.xlsx")
	}
	if _, err := formatOf(file.path); err != nil {
		return err
	}
	if _, err := os.Lstat(file.path); err == nil {
		return withHint(fmt.Errorf("%s exists", file.path), "choose another name")
	}
	if err := file.check(); err != nil {
		return err
	}
	s.once = file
	return nil
}

func (s *shell) setPager(value string) error {
	switch value {
	case "on", "off":
		s.pager = value == "on"
		return nil
	}
	return withHint(errors.New("say .pager on or .pager off"), "HOLDALL_PAGER or PAGER names the program")
}
