package query

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
)

// An escaping is how a writer marks that a quote inside a quoted cell does not end it.
type escaping uint8

const (
	escDoubled   escaping = iota // "" stands for ", as in RFC 4180
	escBackslash                 // \" stands for ", and a backslash before anything else takes away its meaning too
	escPHP                       // "" stands for ", but a quote behind a backslash stays single, and both are content
)

// A dialect is how a file is written: what its rows and cells are told apart by.
type dialect struct {
	delim  byte
	quote  byte // 0: there are no quotes, and a quotation mark is content
	escape escaping
	blanks bool // blanks between a delimiter and a quote, or the cell behind it, are no content
	crEnds bool // a lone CR ends a row, as in files of old Macs
	// symbols says that \n, \t and the like stand for the control characters, and that every backslash is doubled.
	symbols bool
	// bareSlashes says that backslashes are not doubled: two of them are content.
	bareSlashes bool
}

// plain reports whether RFC 4180 says all there is to say about the dialect, so that the fast tokenizer reads it.
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
		s = "a quote behind a backslash does not end a cell, and other quotes are doubled, as PHP writes them"
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
		s += ", blanks behind delimiters are not content"
	}
	return fmt.Sprintf("delimiter %q; %s", string(d.delim), s)
}

// maxReadings bounds the search for the ways to read a record.
const maxReadings = 20_000

// A careful reader splits text into records after any dialect. Where the rules leave open where a cell ends, it looks for
// the readings that give the record as many cells as there are headings: one is taken; of several, none is. It is slower
// than the tokenizer, and for files that the tokenizer cannot read without doubt.
type careful struct {
	*tokenizer
	d     dialect
	width int // cells of a record; 0: not known yet

	steps   int
	found   []reading
	path    []span
	text    []byte // decoded cells of the last record
	doubled int64  // quotes that are doubled, so far
}

// A reading is one way to take the text at the front for a record.
type reading struct {
	spans []span
	next  int // where its row end begins
	end   rowEnd
	wide  int // bytes of the row end
}

func newCareful(r io.Reader, d dialect, width int) *careful {
	return &careful{tokenizer: newTokenizer(r, d.delim, d.crEnds), d: d, width: width}
}

// next returns the next record, or io.EOF.
func (c *careful) next() (record, error) {
	if !c.has(0) {
		return record{}, c.err
	}
	from := c.mark()
	c.found, c.path, c.steps = c.found[:0], c.path[:0], 0
	c.cell(from, 0)
	if c.err != nil && c.err != io.EOF {
		return record{}, c.err
	}
	chosen, many := c.choose()
	switch {
	case many || c.steps > maxReadings:
		rec, err := c.badLine()
		rec.unclear = true
		return rec, err
	case chosen == nil && c.d.escape == escDoubled && c.d.quote != 0:
		return c.bareLine(from)
	case chosen == nil:
		return c.badLine()
	}
	start := c.start
	rec := c.take(*chosen)
	if c.d.quote != 0 && swallows(rec, c.d.delim, c.width) {
		c.start = start
		return c.badLine()
	}
	return rec, nil
}

// choose returns the one reading of the right width or, where there is none, the first other one. Readings that leave quotes in
// unquoted cells count only where there is no other.
func (c *careful) choose() (chosen *reading, many bool) {
	readings := c.found
	if proper := slices.DeleteFunc(slices.Clone(c.found), reading.isBare); len(proper) > 0 {
		readings = proper
	}
	exact := -1
	for i, r := range readings {
		if len(r.spans) != c.width {
			continue
		}
		if exact >= 0 {
			return nil, true
		}
		exact = i
	}
	if len(readings) == 0 {
		return nil, false
	}
	return &readings[max(exact, 0)], false
}

func (r reading) isBare() bool {
	return slices.ContainsFunc(r.spans, func(s span) bool { return s.bare })
}

// take makes a record of a reading.
func (c *careful) take(r reading) record {
	rec := record{end: r.end, raw: c.unread()[:r.next]}
	c.cells, c.text = c.cells[:0], c.text[:0]
	for _, s := range r.spans {
		rec.bare = rec.bare || s.bare && s.quoted
		c.cells = append(c.cells, c.decode(s))
	}
	rec.cells = c.cells
	c.start += r.next + r.wide
	return rec
}

// cell tries all ways for the cell at pos to end, and goes on behind each of them.
func (c *careful) cell(pos, index int) {
	if c.steps++; c.steps > maxReadings || len(c.found) > 8 || c.width > 0 && index > 4*c.width+64 {
		return
	}
	if c.d.blanks {
		for p := pos; c.has(p); p++ {
			if b := c.at(p); b != ' ' && b != '\t' || b == c.d.delim {
				if b == c.d.quote {
					pos = p
				}
				break
			}
		}
	}
	if c.d.quote == 0 || !c.has(pos) || c.at(pos) != c.d.quote {
		end, bare := c.plainEnd(pos)
		c.follow(span{from: pos, to: end, bare: bare}, end, index)
		return
	}
	c.quotedCell(pos+1, index)
}

// follow goes on behind a cell.
func (c *careful) follow(s span, next, index int) {
	c.path = append(c.path[:index], s)
	if c.has(next) && c.at(next) == c.d.delim {
		c.cell(next+1, index+1)
		return
	}
	end, wide := c.rowEnd(next)
	c.found = append(c.found, reading{append([]span(nil), c.path[:index+1]...), next, end, wide})
}

// plainEnd returns where the unquoted cell at pos ends.
func (c *careful) plainEnd(pos int) (end int, bare bool) {
	if c.d.escape != escBackslash {
		return c.unquotedEnd(pos)
	}
	for ; c.has(pos); pos++ {
		switch b := c.at(pos); {
		case b == '\\':
			if c.has(pos + 1) {
				pos++
			}
		case b == c.d.quote && b != 0:
			bare = true
		case c.ends(pos):
			return pos, bare
		}
	}
	return pos, bare
}

// quotedCell tries the places where the quoted cell that begins at from can end.
func (c *careful) quotedCell(from, index int) {
	s := span{from: from, quoted: true}
	escaped := false // a quote here is behind a backslash
	for pos := from; c.steps <= maxReadings && pos-from < maxRecord; pos++ {
		if !escaped {
			if pos = c.findAny(pos); pos < 0 {
				return
			}
		}
		if !c.has(pos) {
			return
		}
		b := c.at(pos)
		switch {
		case b == '\\' && c.d.escape == escBackslash:
			pos++
			continue
		case b == '\\' && c.d.escape == escPHP:
			escaped = true
			continue
		case b != c.d.quote:
			escaped = false
			continue
		}
		next := c.blanksBehind(pos + 1)
		switch {
		case c.ends(next):
			closed := s
			closed.to = pos
			c.follow(closed, next, index)
			if !escaped {
				return
			}
		case escaped:
		case c.has(pos+1) && c.at(pos+1) == c.d.quote:
			pos++
		default:
			return // a quote that is neither doubled nor at the end
		}
		escaped = false
	}
}

// blanksBehind passes the blanks between a quote and what ends its cell, where the dialect has such.
func (c *careful) blanksBehind(pos int) int {
	if !c.d.blanks {
		return pos
	}
	for p := pos; c.has(p); p++ {
		if c.ends(p) {
			return p
		}
		if c.at(p) != ' ' && c.at(p) != '\t' {
			break
		}
	}
	return pos
}

// findAny returns the position of the next quote or, where it matters, backslash; -1 if there is none.
func (c *careful) findAny(pos int) int {
	set := string(c.d.quote)
	if c.d.escape != escDoubled {
		set += `\`
	}
	for c.has(pos) && pos < maxRecord {
		if i := bytes.IndexAny(c.unread()[pos:], set); i >= 0 {
			return pos + i
		}
		pos = len(c.unread())
	}
	return -1
}

// decode returns what a cell says.
func (c *careful) decode(s span) cell {
	v := c.unread()[s.from:s.to]
	out := cell{quoted: s.quoted, bare: s.bare}
	if c.d.blanks && !s.quoted {
		v = bytes.TrimLeft(v, " ")
	}
	from := len(c.text)
	switch {
	case c.d.escape == escBackslash:
		if !s.quoted && string(v) == `\N` {
			out.null = true
			break
		}
		out.escaped = c.unescape(v, s.quoted)
	case s.quoted:
		c.undouble(v)
	default:
		c.text = append(c.text, v...)
	}
	out.text = c.text[from:len(c.text):len(c.text)]
	return out
}

// undouble takes every second of two quotes away.
func (c *careful) undouble(v []byte) {
	escaped := false
	for i := 0; i < len(v); i++ {
		b := v[i]
		c.text = append(c.text, b)
		switch {
		case b == '\\' && c.d.escape == escPHP:
			escaped = true
			continue
		case b == c.d.quote && !escaped && i+1 < len(v) && v[i+1] == b:
			i++
			c.doubled++
		}
		escaped = false
	}
}

// unescape takes away the backslashes that take something's meaning away, and reports whether there are any; others are
// content.
func (c *careful) unescape(v []byte, quoted bool) (any bool) {
	for i := 0; i < len(v); i++ {
		b := v[i]
		switch {
		case b == '\\' && i+1 < len(v) && c.isEscapable(v[i+1]):
			i++
			c.text = append(c.text, c.meaning(v[i]))
			any = true
		case quoted && b == c.d.quote && i+1 < len(v) && v[i+1] == b:
			c.text = append(c.text, b)
			i++
		default:
			c.text = append(c.text, b)
		}
	}
	return any
}

// isEscapable reports whether a backslash before b is not content.
func (c *careful) isEscapable(b byte) bool {
	switch b {
	case '"', '\'':
		return b == c.d.quote || c.d.quote == 0 && !c.d.bareSlashes
	case '\\':
		return !c.d.bareSlashes
	case '\n', '\r', c.d.delim:
		return true
	case '0', 'n', 'r', 't', 'b', 'Z':
		return c.d.symbols
	}
	return false
}

// meaning returns what a backslash and b stand for.
func (c *careful) meaning(b byte) byte {
	switch b {
	case '0':
		return 0
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case 'Z':
		return 0x1a
	}
	return b
}

// bareLine reads a line in which a quoted cell has a quote that is neither doubled nor at its end: the cell may end at
// every quote that a delimiter or the row end follows. Only the one reading of the right width is taken.
func (c *careful) bareLine(from int) (record, error) {
	end := from
	for c.has(end) {
		if e, _ := c.rowEnd(end); e != endNone {
			break
		}
		end++
	}
	c.found, c.path, c.steps = c.found[:0], c.path[:0], 0
	c.bareCell(from, end, 0)
	if len(c.found) != 1 || c.steps > maxReadings || len(c.found[0].spans) != c.width {
		rec, err := c.badLine()
		rec.unclear = len(c.found) > 1
		return rec, err
	}
	rec := c.take(c.found[0])
	rec.bare = true
	return rec, nil
}

// bareCell is cell for a line that ends at end.
func (c *careful) bareCell(pos, end, index int) {
	if c.steps++; c.steps > maxReadings || index > c.width {
		return
	}
	line := c.unread()[:end]
	if pos >= end || line[pos] != c.d.quote {
		to := pos
		for to < end && line[to] != c.d.delim {
			if line[to] == c.d.quote {
				return
			}
			to++
		}
		c.followBare(span{from: pos, to: to}, to, end, index)
		return
	}
	for q := pos + 1; q < end; q++ {
		if line[q] == c.d.quote && (q+1 == end || line[q+1] == c.d.delim) {
			c.followBare(span{from: pos + 1, to: q, quoted: true}, q+1, end, index)
		}
	}
}

func (c *careful) followBare(s span, next, end, index int) {
	c.path = append(c.path[:index], s)
	if next < end {
		c.bareCell(next+1, end, index+1)
		return
	}
	// A delimiter too many at the end is no rare mistake: a reading that has one is as good.
	if n := index + 1; (n == c.width || n == c.width+1 && s.from == s.to) && len(c.found) < 2 {
		rowEnd, wide := c.rowEnd(end)
		c.found = append(c.found, reading{append([]span(nil), c.path[:index+1]...), end, rowEnd, wide})
	}
}
