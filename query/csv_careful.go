package query

import (
	"bytes"
	"io"
	"slices"
)

// maxReadings bounds the search for the ways to read a record.
const maxReadings = 20_000

// A carefulReader reader splits text into records after any dialect. Where the rules leave open where a cell
// ends, it looks for the readings that give the record as many cells as there are headings: one is taken; of
// several, none is. It is slower than the tokenizer, and for files that the tokenizer cannot read without
// doubt.
type carefulReader struct {
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

func newCareful(r io.Reader, d dialect, width int) *carefulReader {
	return &carefulReader{tokenizer: newTokenizer(r, d.delim, d.crEnds), d: d, width: width}
}

// next returns the next record, or io.EOF.
func (c *carefulReader) next() (record, error) {
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
	rec := c.accept(*chosen)
	if c.d.quote != 0 && swallows(rec, c.d.delim, c.width) {
		c.start = start
		return c.badLine()
	}
	return rec, nil
}

// choose returns the one reading of the right width or, where there is none, the first other one. Readings
// that leave quotes in unquoted cells count only where there is no other.
func (c *carefulReader) choose() (chosen *reading, many bool) {
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

// accept makes a record of a reading.
func (c *carefulReader) accept(r reading) record {
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

// cell tries all ways for the cell at pos to end, and continues after each of them.
func (c *carefulReader) cell(pos, index int) {
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

// follow continues after a cell.
func (c *carefulReader) follow(s span, next, index int) {
	c.path = append(c.path[:index], s)
	if c.has(next) && c.at(next) == c.d.delim {
		c.cell(next+1, index+1)
		return
	}
	end, wide := c.rowEnd(next)
	c.found = append(c.found, reading{append([]span(nil), c.path[:index+1]...), next, end, wide})
}

// plainEnd returns where the unquoted cell at pos ends.
func (c *carefulReader) plainEnd(pos int) (end int, bare bool) {
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
func (c *carefulReader) quotedCell(from, index int) {
	s := span{from: from, quoted: true}
	escaped := false // a quote here follows a backslash
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
func (c *carefulReader) blanksBehind(pos int) int {
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
func (c *carefulReader) findAny(pos int) int {
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
