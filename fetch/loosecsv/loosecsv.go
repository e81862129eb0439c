// Package loosecsv reads small tables that people and mail programs have had their hands on. Quotes are
// honoured where they make sense, nothing is an error, and each cell remembers where it stood.
package loosecsv

import (
	"regexp"
	"strings"

	"holdall/fetch/link"
)

// A Table is a table read leniently: quotes are honoured where they make sense, nothing is an error, and each
// cell remembers where it stood.
type Table struct{ Rows [][]Cell }

type Cell struct {
	Text       string // without quotes
	Start, End int    // in the file, quotes included
}

// Read reads a table with the delimiter that it seems to have: a comma, a semicolon or a tab.
func Read(text string) *Table { return ReadWith(text, Delimiter(text)) }

// ReadWith reads a table with a delimiter.
func ReadWith(text string, delim byte) *Table {
	g := &Table{}
	var row []Cell
	for at := 0; at < len(text); {
		cell, next := scanCell(text, at, delim)
		row = append(row, cell)
		switch {
		case next < len(text) && text[next] == delim:
			at = next + 1
			if at == len(text) {
				row = append(row, Cell{Start: at, End: at})
			}
		default:
			g.Rows = append(g.Rows, row)
			row = nil
			at = next
			for at < len(text) && (text[at] == '\r' || text[at] == '\n') {
				at++
			}
		}
	}
	if row != nil {
		g.Rows = append(g.Rows, row)
	}
	return g
}

// scanCell reads the cell that begins at at. next is where its delimiter or line end stands.
func scanCell(text string, at int, delim byte) (cell Cell, next int) {
	i := at
	for i < len(text) && text[i] == ' ' {
		i++
	}
	if i < len(text) && text[i] == '"' {
		if end, ok := closingQuote(text, i+1); ok {
			next := plainEnd(text, end+1, delim)
			s := strings.ReplaceAll(text[i+1:end], `""`, `"`) + strings.TrimRight(text[end+1:next], " ")
			return Cell{s, at, next}, next
		}
	}
	next = plainEnd(text, at, delim)
	return Cell{strings.TrimSpace(text[at:next]), at, next}, next
}

func closingQuote(text string, i int) (int, bool) {
	for ; i < len(text); i++ {
		if text[i] != '"' {
			continue
		}
		if i+1 < len(text) && text[i+1] == '"' {
			i++
			continue
		}
		return i, true
	}
	return 0, false
}

var entity = regexp.MustCompile(`&(?:amp|lt|gt|quot|#\d{1,5}|#x[0-9a-fA-F]{1,5})$`)

// plainEnd returns where an unquoted cell ends. A semicolon that ends an HTML entity does not end the cell.
func plainEnd(text string, i int, delim byte) int {
	for start := i; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\n' || c == '\r':
			return i
		case c == delim && !(c == ';' && entity.MatchString(text[max(start, i-10):i])):
			return i
		}
	}
	return i
}

// Delimiter looks at the first line without a link, else at what is before the links.
func Delimiter(text string) byte {
	const candidates = ",;\t"
	best, most := byte(','), 0
	count := func(s string) {
		for i := range candidates {
			if n := strings.Count(s, candidates[i:i+1]); n > most {
				best, most = candidates[i], n
			}
		}
	}
	for line := range strings.Lines(text) {
		if !link.In(line) {
			count(line)
		}
		if most > 0 {
			return best
		}
	}
	for _, at := range link.Scheme.FindAllStringIndex(text, -1) {
		before := strings.TrimRight(text[max(0, at[0]-24):at[0]], `" =(HYPERLINKhyperlink`)
		if before != "" {
			count(before[len(before)-1:])
		}
		if most > 0 {
			return best
		}
	}
	return best
}
