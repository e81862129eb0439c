package query

import "bytes"

// A splitter reads the same records as its tokenizer, and most of them several times as fast: those that are
// in the buffer as a whole and that RFC 4180 explains to the last byte. At the first sign of anything else (a
// bare quote, a backslash before a quote, a mark, the end of the buffer) it leaves the record to the
// tokenizer. FuzzSplitter compares the two.
type splitter struct {
	*tokenizer
	stops [256]bool // bytes that an unquoted cell may end at, or that are odd in one
}

func newSplitter(t *tokenizer) *splitter {
	s := &splitter{tokenizer: t}
	for _, b := range []byte{t.delim, '\n', '\r', '"'} {
		s.stops[b] = true
	}
	return s
}

// next returns the next record, or io.EOF.
func (s *splitter) next() (record, error) {
	if rec, ok := s.quick(); ok {
		return rec, nil
	}
	return s.tokenizer.next()
}

// quick takes the record at the front if it is a plain one.
func (s *splitter) quick() (rec record, ok bool) {
	text := s.unread()
	if s.crEnds || len(text) == 0 || text[0] == byteOrderMark[0] {
		return rec, false
	}
	s.cells = s.cells[:0]
	for pos := 0; ; pos++ {
		c, end := s.cell(text, pos)
		if end < 0 {
			return rec, false
		}
		rec.doubled = rec.doubled || c.escapes > 0
		s.cells = append(s.cells, c)
		pos = end
		if text[pos] == s.delim {
			continue
		}
		width := 1
		rec.end = endLF
		if text[pos] == '\r' {
			width, rec.end = 2, endCRLF
		}
		rec.raw, rec.cells = text[:pos:pos], s.cells
		s.start += pos + width
		return rec, true
	}
}

// cell returns the cell at pos and where the delimiter or row end after it lies; -1 where it is not plain.
func (s *splitter) cell(text []byte, pos int) (cell, int) {
	if pos < len(text) && text[pos] == '"' {
		return s.quotedCell(text, pos+1)
	}
	for end := pos; end < len(text); end++ {
		if !s.stops[text[end]] {
			continue
		}
		if text[end] == '"' {
			break
		}
		if text[end] == '\r' && text[end] != s.delim {
			if end+1 >= len(text) {
				break
			}
			if text[end+1] != '\n' {
				continue // a lone CR is content
			}
		}
		return cell{text: text[pos:end:end]}, end
	}
	return cell{}, -1
}

// quotedCell does the same after an opening quote.
func (s *splitter) quotedCell(text []byte, from int) (cell, int) {
	c := cell{quoted: true}
	for pos := from; ; {
		i := bytes.IndexByte(text[pos:], '"')
		if i < 0 {
			return c, -1
		}
		quote := pos + i
		if text[quote-1] == '\\' || quote+1 >= len(text) {
			return c, -1
		}
		switch next := text[quote+1]; {
		case next == s.delim || next == '\n',
			next == '\r' && quote+2 < len(text) && text[quote+2] == '\n':
			c.text = text[from:quote:quote]
			return c, quote + 1
		case next != '"':
			return c, -1
		}
		c.escapes++
		pos = quote + 2
	}
}
