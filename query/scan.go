package query

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"unicode/utf8"
)

// columnStats is what the scan learns of a column.
type columnStats struct {
	bytes      int64 // of all its values
	filled     int64 // values that are neither empty nor blank
	dates      dateEvidence
	semicolons int64 // values with a semicolon
	brackets   int64 // values that begin with [
	excel      int64 // values that a spreadsheet program has damaged: 4.47E+11, ="0044"
	nuls       int64 // values with a NUL byte
}

// A scanned file is a CSV after the one pass that decides how it is read.
type scanned struct {
	encoding encodingReport
	delim    byte
	skip     int64 // bytes before the headings, in UTF-8: a byte order mark, a "sep=;" line
	crEnds   bool
	ends     [4]int64 // by rowEnd
	headings []string
	records  int64 // all of them, without the headings and blank lines
	loadable int64 // those of the right width
	longest  int
	columns  []columnStats
	unclean  string // why DuckDB cannot read it as it is; empty if it can
}

// scanFile looks at a whole CSV. text holds its content as UTF-8.
func scanFile(ctx context.Context, text *os.File, e encodingReport) (*scanned, error) {
	s := &scanned{encoding: e}
	if e.name == encUTF8BOM && e.foreign == 0 {
		s.skip = 3
	}
	if err := s.decideFormat(text); err != nil {
		return nil, err
	}
	t := s.tokens(text)
	head, err := t.next()
	if errors.Is(err, io.EOF) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	s.readHeadings(head)
	for {
		rec, err := t.next()
		if errors.Is(err, io.EOF) {
			s.decideClean()
			return s, nil
		}
		if err != nil {
			return nil, err
		}
		if s.records%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		s.look(rec)
	}
}

// tokens returns a tokenizer over the file's records, headings first.
func (s *scanned) tokens(text *os.File) *tokenizer {
	return newTokenizer(io.NewSectionReader(text, s.skip, 1<<62), s.delim, s.crEnds)
}

// decideFormat finds the delimiter, and what ends a row, by the first record.
func (s *scanned) decideFormat(text *os.File) error {
	s.delim = ','
	head := make([]byte, 64<<10)
	n, err := text.ReadAt(head, s.skip)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	head = head[:n]
	s.crEnds = firstRowEndIsCR(head)
	if line, _, ok := bytes.Cut(head, []byte("\n")); ok && bytes.HasPrefix(line, []byte("sep=")) && len(bytes.TrimRight(line, "\r")) == 5 {
		s.delim = line[4]
		s.skip += int64(len(line)) + 1
		s.unclean = "a sep= line"
		return nil
	}
	most := 0
	for _, d := range []byte(",;\t|") {
		rec, err := newTokenizer(io.NewSectionReader(text, s.skip, 1<<62), d, s.crEnds).next()
		if err != nil {
			return ignoreEOF(err)
		}
		if len(rec.cells) > most {
			most, s.delim = len(rec.cells), d
		}
	}
	return nil
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// firstRowEndIsCR reports whether the first row end outside quotes is a lone CR.
func firstRowEndIsCR(head []byte) bool {
	inQuotes := false
	for i, b := range head {
		switch {
		case b == '"':
			inQuotes = !inQuotes
		case inQuotes:
		case b == '\n':
			return false
		case b == '\r':
			return i+1 < len(head) && head[i+1] != '\n'
		}
	}
	return false
}

func (s *scanned) readHeadings(head record) {
	s.ends[head.end]++
	if head.bad {
		s.headings = []string{string(head.raw)}
	}
	for _, c := range head.cells {
		s.headings = append(s.headings, string(c.value()))
	}
	s.columns = make([]columnStats, len(s.headings))
	if head.bare || head.bad || bytes.ContainsAny(head.raw, "\r\n") {
		s.unclean = "the headings"
	}
}

// look takes account of one record.
func (s *scanned) look(rec record) {
	if s.isBlank(rec) {
		s.unclean = "blank lines"
		return
	}
	s.records++
	if rec.end != endNone {
		s.ends[rec.end]++
	}
	s.longest = max(s.longest, len(rec.raw))
	if s.fault(rec) != "" {
		s.unclean = "rows of the wrong width"
		return
	}
	s.loadable++
	if rec.bare || len(rec.cells) != len(s.headings) {
		s.unclean = "quotes"
	}
	for i := range min(len(rec.cells), len(s.columns)) {
		if c := rec.cells[i]; len(c.text) > 0 {
			s.columns[i].look(c)
		}
	}
}

// isBlank reports whether a record is an empty line, which says nothing unless it is the one cell of a one-column file.
func (s *scanned) isBlank(rec record) bool {
	return len(rec.raw) == 0 && !rec.bad && len(s.headings) > 1
}

// fault says why a record cannot be loaded; "" if it can. Cells that are missing or too many do no harm as long as they
// have no heading and no content.
func (s *scanned) fault(rec record) string {
	if rec.bad {
		return "its quotes make no sense"
	}
	for i := len(rec.cells); i < len(s.headings); i++ {
		if s.headings[i] != "" {
			return "too few cells"
		}
	}
	for i := len(s.headings); i < len(rec.cells); i++ {
		if len(rec.cells[i].text) > 0 {
			return "too many cells"
		}
	}
	return ""
}

func (c *columnStats) look(v cell) {
	c.bytes += int64(v.size())
	if len(bytes.Trim(v.text, " ")) == 0 {
		return
	}
	c.filled++
	c.dates.add(v.text)
	if v.text[0] == '[' {
		c.brackets++
	}
	if bytes.IndexByte(v.text, ';') >= 0 {
		c.semicolons++
	}
	if isExcelDamage(v.value()) {
		c.excel++
	}
	if bytes.IndexByte(v.text, 0) >= 0 {
		c.nuls++
	}
}

// decideClean says whether DuckDB may read the file as it is.
func (s *scanned) decideClean() {
	kinds := 0
	for _, n := range s.ends[endLF:] {
		if n > 0 {
			kinds++
		}
	}
	switch e := s.encoding; {
	case s.unclean != "":
	case e.name != encUTF8 && e.name != encUTF8BOM || e.foreign > 0:
		s.unclean = "the encoding"
	case kinds > 1 || s.ends[endCR] > 0:
		s.unclean = "mixed row ends"
	case len(s.headings) == 1:
		s.unclean = "a single column" // whose empty cells look like blank lines
	}
}

// lineEnd returns what TableReport.LineEnd says.
func (s *scanned) lineEnd() string {
	names, found := [...]string{endLF: "lf", endCRLF: "crlf", endCR: "cr"}, ""
	for end := endLF; end <= endCR; end++ {
		switch {
		case s.ends[end] == 0:
		case found != "":
			return "mixed"
		default:
			found = names[end]
		}
	}
	return found
}

// isExcelDamage recognises numbers in scientific notation, and texts wrapped to survive a spreadsheet program.
func isExcelDamage(v []byte) bool {
	if len(v) < 4 || len(v) > 64 {
		return false
	}
	if v[0] == '=' {
		return len(v) > 4 && v[1] == '"' && v[len(v)-1] == '"'
	}
	if v[0] == '-' {
		v = v[1:]
	}
	a, rest := leadingDigits(v)
	if a != 1 || len(rest) < 4 {
		return false
	}
	if rest[0] == '.' || rest[0] == ',' {
		_, rest = leadingDigits(rest[1:])
	}
	if len(rest) < 4 || rest[0] != 'E' || rest[1] != '+' && rest[1] != '-' {
		return false
	}
	n, rest := leadingDigits(rest[2:])
	return n >= 2 && len(rest) == 0
}

// cleanText returns v as valid UTF-8.
func cleanText(v []byte) string {
	if utf8.Valid(v) {
		return string(v)
	}
	return string(bytes.ToValidUTF8(v, []byte("\uFFFD")))
}
