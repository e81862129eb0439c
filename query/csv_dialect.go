package query

import (
	"fmt"
	"strings"
)

// An escaping is how a writer marks that a quote inside a quoted cell does not end it.
type escaping uint8

const (
	escDoubled   escaping = iota // "" is ", as in RFC 4180
	escBackslash                 // \" is ", and a backslash takes away other meanings, too
	escPHP                       // "" is ", but \" are two characters of the content
)

// A dialect is how a file is written: what separates its rows and cells.
type dialect struct {
	delim  byte
	quote  byte // 0: there are no quotes, and a quotation mark is content
	escape escaping
	blanks bool // blanks between a delimiter and a quote, or the cell after it, are not content
	crEnds bool // a lone CR ends a row, as in files of old Macs
	// symbols says that \n, \t and the like stand for the control characters, and that every backslash is
	// doubled.
	symbols bool
	// bareSlashes says that backslashes are not doubled: two of them are content.
	bareSlashes bool
}

// plain reports whether RFC 4180 says all there is to say about the dialect, so that the fast tokenizer reads
// it.
func (d dialect) plain() bool { return d.quote == '"' && d.escape == escDoubled && !d.blanks }

// quoting names the dialect's quoting, as TableReport.Quoting does.
func (d dialect) quoting() string {
	var words []string
	switch {
	case d.quote == 0:
		words = append(words, "none")
	case d.quote == '\'':
		words = append(words, "single")
	}
	switch d.escape {
	case escDoubled:
		if d.quote == '"' {
			words = append(words, "doubled")
		}
	case escBackslash:
		words = append(words, "backslash")
	case escPHP:
		words = append(words, "php")
	}
	if d.blanks {
		words = append(words, "blanks")
	}
	return strings.Join(words, "-")
}

// describe says in words how quotes are read.
func (d dialect) describe() string {
	var s string
	switch {
	case d.quote == 0:
		s = "quotation marks are content"
	case d.escape == escPHP:
		s = "a quote after a backslash does not end a cell, and other quotes are doubled, as PHP writes them"
	case d.escape == escBackslash:
		s = "a backslash takes away the meaning of a quote"
	case d.quote == '\'':
		s = "cells are in single quotes"
	default:
		s = "quotes within quotes are doubled"
	}
	if d.quote == 0 && d.escape == escBackslash {
		s = "there are no quotes, and a backslash takes away the meaning of a delimiter or row end"
	}
	if d.blanks {
		s += ", blanks after delimiters are not content"
	}
	return fmt.Sprintf("delimiter %q; %s", string(d.delim), s)
}
