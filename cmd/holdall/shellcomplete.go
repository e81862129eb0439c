package main

import (
	"context"
	"strings"
	"time"

	"github.com/reeflective/readline"
)

// complete returns what may replace the word at the end of a text: for SQL as DuckDB's own shell
// does, for commands their names and what they take.
func (s *shell) complete(ctx context.Context, text string) readline.Completions {
	if isCommand(strings.TrimSpace(text)) {
		return s.completeCommand(text)
	}
	ctx, stop := context.WithTimeout(ctx, 2*time.Second) // a hint, not worth waiting for
	defer stop()
	suggestions, err := s.db.Complete(ctx, text)
	if err != nil || len(suggestions) == 0 {
		return readline.Completions{}
	}
	var values []string
	for _, suggestion := range suggestions {
		values = append(values, suggestion.Text)
	}
	c := readline.CompleteValues(values...).NoSort()
	c.PREFIX = text[suggestions[0].Start:]
	return c
}

func (s *shell) completeCommand(text string) readline.Completions {
	name, word, more := strings.Cut(strings.TrimLeft(text, " "), " ")
	if !more {
		c := readline.CompleteValues(shellCommands...)
		c.PREFIX = name
		return c
	}
	var values []string
	switch strings.ToLower(name) {
	case ".schema", ".columns", ".describe":
		for _, t := range s.tables {
			values = append(values, t.Table)
		}
	case ".mode":
		for _, f := range shellModes {
			values = append(values, string(f))
		}
	case ".pager":
		values = []string{"on", "off"}
	}
	c := readline.CompleteValues(values...)
	c.PREFIX = strings.TrimLeft(word, " ")
	return c
}
