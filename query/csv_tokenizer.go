package query

import (
	"bytes"
	"errors"
	"io"
)

// maxRecord is the longest record that is believed. A longer one is an opening quote that is never closed.
const maxRecord = 64 << 20

// A rowEnd is what follows a record.
type rowEnd uint8

const (
	endNone rowEnd = iota // the end of the file
	endLF
	endCRLF
	endCR
)

// A cell is one field of a record, without the quotes around it.
type cell struct {
	text    []byte // as it is in the file
	quoted  bool
	escapes int  // doubled quotes within
	bare    bool // a quote within that is not doubled, or is in an unquoted cell
	null    bool // the file says that there is no value
	escaped bool // a backslash within took away the meaning of what follows it
}

// size returns the length of the cell's value.
func (c cell) size() int { return len(c.text) - c.escapes }

// value returns what the cell says. It may share memory with the record.
func (c cell) value() []byte {
	if c.escapes == 0 {
		return c.text
	}
	return bytes.ReplaceAll(c.text, []byte(`""`), []byte(`"`))
}

// A record is one record of a CSV. It is valid until the next one is read.
type record struct {
	raw     []byte // as it is in the file, without its row end
	cells   []cell
	end     rowEnd
	bare    bool // a cell has a bare quote
	slash   bool // a quoted cell ends after a backslash, or would if backslashes escaped quotes
	doubled bool // a quote is doubled
	marked  bool // a byte order mark precedes it
	bad     bool // its quotes make no sense; raw is its first line, and there are no cells
	unclear bool // as bad, because they make sense in more than one way
}

// byteOrderMark is U+FEFF in UTF-8.
const byteOrderMark = "\ufeff"

// A tokenizer splits UTF-8 text into records after RFC 4180, and keeps every byte of every cell, row ends
// included. It passes a byte order mark in front of a record, which files have that were joined. It bends in
// one point: a quote inside a quoted cell that is neither doubled nor followed by a delimiter or a row end is
// taken as it is, if the record is a single line. Where it is not, the first line is a bad record and reading
// continues after it, so that one stray quote cannot swallow what follows. A file in which it bends is read
// again by a carefulReader.
type tokenizer struct {
	r      io.Reader
	delim  byte
	crEnds bool // a lone CR ends a row, as in files of old Macs

	buf   []byte // what has been read and not yet been taken begins at start
	start int
	err   error // why there is no more to read
	spans []span
	cells []cell
}

// A span is a cell by its place after tokenizer.start, which holds when the buffer moves.
type span struct {
	from, to int
	quoted   bool
	escapes  int
	bare     bool
	slash    bool // it ends after a backslash, or would if backslashes escaped quotes
}

// mark returns the length of the byte order marks at the front.
func (t *tokenizer) mark() int {
	n := 0
	for t.has(n) && t.at(n) == byteOrderMark[0] && t.has(n+2) && string(t.unread()[n:n+3]) == byteOrderMark {
		n += 3
	}
	return n
}

func newTokenizer(r io.Reader, delim byte, crEnds bool) *tokenizer {
	return &tokenizer{r: r, delim: delim, crEnds: crEnds, buf: make([]byte, 0, 256<<10)}
}

// next returns the next record, or io.EOF.
func (t *tokenizer) next() (record, error) {
	if !t.has(0) {
		return record{}, t.err
	}
	t.spans = t.spans[:0]
	from := t.mark()
	rec := record{marked: from > 0}
	for pos := from; ; pos++ {
		s, next, ok := t.span(pos)
		if t.err != nil && !errors.Is(t.err, io.EOF) {
			return record{}, t.err
		}
		if !ok {
			return t.badLine()
		}
		t.spans = append(t.spans, s)
		rec.bare = rec.bare || s.bare
		rec.slash = rec.slash || s.slash
		rec.doubled = rec.doubled || s.escapes > 0
		pos = next
		if t.has(pos) && t.at(pos) == t.delim {
			continue
		}
		end, width := t.rowEnd(pos)
		rec.end, rec.raw, rec.cells = end, t.unread()[:pos], t.cut()
		t.start += pos + width
		return rec, nil
	}
}

// span finds the cell at pos and the position after it. It is not ok if its quotes make no sense.
func (t *tokenizer) span(pos int) (s span, next int, ok bool) {
	if !t.has(pos) || t.at(pos) != '"' {
		end, bare := t.unquotedEnd(pos)
		return span{from: pos, to: end, bare: bare}, end, true
	}
	s = span{from: pos + 1, quoted: true}
	for pos++; ; {
		quote := t.find('"', pos)
		if quote < 0 {
			return s, 0, false
		}
		if t.ends(quote + 1) {
			s.slash = s.slash || t.at(quote-1) == '\\'
			s.to = quote
			// A bare quote counts only if the whole record is one line.
			return s, quote + 1, !s.bare || !t.isMultiline(quote)
		}
		if t.at(quote+1) == '"' {
			s.escapes++
			pos = quote + 2
			s.slash = s.slash || t.at(quote-1) == '\\' && t.ends(pos)
			continue
		}
		s.bare = true
		if t.isMultiline(quote) {
			return s, 0, false
		}
		pos = quote + 1
	}
}

// unquotedEnd returns where the unquoted cell at pos ends, and whether there is a quote in it.
func (t *tokenizer) unquotedEnd(pos int) (end int, bare bool) {
	for t.has(pos) {
		for _, b := range t.unread()[pos:] {
			if b > '"' && b != t.delim {
				pos++
				continue
			}
			if b == t.delim || b == '\n' || b == '\r' && t.ends(pos) {
				return pos, bare
			}
			bare = bare || b == '"'
			pos++
		}
	}
	return pos, bare
}

// ends reports whether a cell can end at pos: before a delimiter, a row end or the end of the file.
func (t *tokenizer) ends(pos int) bool {
	if !t.has(pos) || t.at(pos) == t.delim {
		return true
	}
	end, _ := t.rowEnd(pos)
	return end != endNone
}

// rowEnd returns the row end at pos and its width.
func (t *tokenizer) rowEnd(pos int) (rowEnd, int) {
	switch {
	case !t.has(pos):
		return endNone, 0
	case t.at(pos) == '\n':
		return endLF, 1
	case t.at(pos) != '\r':
		return endNone, 0
	case t.has(pos+1) && t.at(pos+1) == '\n':
		return endCRLF, 2
	case t.crEnds:
		return endCR, 1
	}
	return endNone, 0
}

// isMultiline reports whether the record has a row end, in quotes, before pos.
func (t *tokenizer) isMultiline(pos int) bool {
	text := t.unread()[:pos]
	return bytes.IndexByte(text, '\n') >= 0 || t.crEnds && bytes.IndexByte(text, '\r') >= 0
}

// badLine takes the first line of what is unread, whatever its quotes say.
func (t *tokenizer) badLine() (record, error) {
	pos := 0
	for t.has(pos) {
		if end, width := t.rowEnd(pos); end != endNone {
			rec := record{raw: t.unread()[:pos], end: end, bad: true}
			t.start += pos + width
			return rec, nil
		}
		pos++
	}
	rec := record{raw: t.unread()[:pos], bad: true}
	t.start += pos
	return rec, nil
}

// cut turns the spans into cells.
func (t *tokenizer) cut() []cell {
	t.cells = t.cells[:0]
	text := t.unread()
	for _, s := range t.spans {
		c := cell{text: text[s.from:s.to:s.to], quoted: s.quoted, escapes: s.escapes, bare: s.bare}
		t.cells = append(t.cells, c)
	}
	return t.cells
}

func (t *tokenizer) unread() []byte { return t.buf[t.start:] }

func (t *tokenizer) at(pos int) byte { return t.buf[t.start+pos] }

// has reports whether there is a byte at pos, and reads on to find out.
func (t *tokenizer) has(pos int) bool {
	for t.start+pos >= len(t.buf) {
		if !t.fill() {
			return false
		}
	}
	return true
}

// find returns the position of the next b at or after pos; -1 if there is none within maxRecord.
func (t *tokenizer) find(b byte, pos int) int {
	for t.has(pos) && pos < maxRecord {
		if i := bytes.IndexByte(t.unread()[pos:], b); i >= 0 {
			return pos + i
		}
		pos = len(t.unread())
	}
	return -1
}

// fill reads more, and reports whether it got any.
func (t *tokenizer) fill() bool {
	if t.err != nil {
		return false
	}
	if len(t.buf) == cap(t.buf) {
		t.makeRoom()
	}
	for {
		n, err := t.r.Read(t.buf[len(t.buf):cap(t.buf)])
		t.buf = t.buf[:len(t.buf)+n]
		t.err = err
		if n > 0 || err != nil {
			return n > 0
		}
	}
}

// makeRoom moves what is unread to the front of the buffer, or to a bigger one.
func (t *tokenizer) makeRoom() {
	unread := t.unread()
	if len(unread) > cap(t.buf)/2 {
		grown := make([]byte, len(unread), 2*cap(t.buf))
		copy(grown, unread)
		t.buf = grown
	} else {
		t.buf = t.buf[:copy(t.buf[:cap(t.buf)], unread)]
	}
	t.start = 0
}
