package query

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"unicode/utf8"

	"holdall/schemas"
)

// columnStats is what the scan learns of a column.
type columnStats struct {
	bytes      int64 // of all its values
	filled     int64 // values that are neither empty nor blank; see isBlankText
	dates      dateEvidence
	semicolons int64         // values with a semicolon
	plainLists int64         // values that are lists of nothing unusual; see isPlainList
	brackets   int64         // values that begin with [
	excel      int64         // values that a spreadsheet program has damaged: 4.47E+11, ="0044"
	nuls       int64         // values with a NUL byte
	nulls      int64         // values that are \N
	plain      plainEvidence // of a column that is not known
	tight      int64         // values with no blank at either end, where the layout matters
	samples    []string      // some of the values, where the layout matters
	wants      wants         // what its type asks to be looked at
	numbers    numberEvidence
	notation   notation
	decidedBy  string // what the notation was decided by, where not by the column itself
}

// wants says what of a column's values decides how they are read. Texts, of which there are the most, need
// none of it.
type wants uint8

const (
	wantDates wants = 1 << iota
	wantNumbers
	wantLists
	wantType    // the column is not known
	wantSamples // its values are not kept as text
)

// wantsOf says what the values of a type are looked at for.
func wantsOf(typ string) wants {
	switch {
	case typ == "VARCHAR":
		return 0
	case typ == "VARCHAR[]":
		return wantLists | wantSamples
	case expected(typ) == classDate:
		return wantDates | wantSamples
	case expected(typ) == classNumber:
		return wantNumbers | wantSamples
	}
	return wantSamples
}

// A scanned file is a CSV after the one pass that decides how it is read.
type scanned struct {
	encoding encodingReport
	knows    recogniser
	table    schemas.Table // that the file is; with no name if it is none that is known
	d        dialect
	ev       *evidence // how the dialect was decided; nil for a file that leaves no doubt
	decided  string    // the same in words
	rival    string    // another dialect that explains the file as well, and gives other cells; or empty
	skip     int64     // bytes before the headings, in UTF-8: a byte order mark, notes, a "sep=;" line
	above    int       // lines before the headings
	unusual  bool      // the delimiter is none of those that files commonly have
	ends     [4]int64  // by rowEnd
	headings []string
	again    headingSet
	records  int64 // all of them, without the headings and blank lines
	loadable int64 // those of the right width
	faults   map[string]int64
	lacking  int64 // records that are loaded although they have fewer cells than headings
	longest  int
	columns  []columnStats
	unclean  string     // why DuckDB cannot read it as it is; empty if it can
	check    *utf8Check // of what the first scan reads; nil where the encoding is known
}

// records yields a file's records, headings first.
type records interface {
	next() (record, error)
}

// scanFile looks at a whole CSV. text holds its content as UTF-8. A file that leaves a doubt is looked at
// again after every dialect that may explain it.
func scanFile(ctx context.Context, text *os.File, e encodingReport, knows recogniser) (*scanned, error) {
	s := &scanned{encoding: e, knows: knows}
	return s, s.scanAll(ctx, text)
}

// errNotUTF8 says that a file that was scanned as UTF-8 is in another encoding, or has bytes of another.
var errNotUTF8 = errors.New("it is not UTF-8")

// scanAsUTF8 is scanFile for a file whose encoding is not known yet but is most likely UTF-8. It finds out in
// the same pass, and fails with errNotUTF8 if it is not.
func scanAsUTF8(ctx context.Context, text *os.File, e encodingReport, knows recogniser) (*scanned, error) {
	s := &scanned{encoding: e, knows: knows, check: &utf8Check{}}
	return s, s.scanAll(ctx, text)
}

func (s *scanned) scanAll(ctx context.Context, text *os.File) error {
	found, err := s.scanOnce(ctx, text)
	if err != nil || !s.isDoubtful(found) {
		return err
	}
	if err := s.decideDialect(ctx, text, found); err != nil {
		return err
	}
	_, err = s.scan(ctx, text)
	return err
}

func (s *scanned) isDoubtful(found doubts) bool { return found.any() && len(s.headings) > 0 }

// scanOnce reads the file from beginning to end, after the dialect that its headings suggest.
func (s *scanned) scanOnce(ctx context.Context, text io.ReaderAt) (found doubts, err error) {
	if s.encoding.name == encUTF8BOM && s.encoding.foreign == 0 {
		s.skip = 3
	}
	from := s.skip
	if err := s.findHeadings(text); err != nil {
		return found, err
	}
	if s.check != nil { // what is above the headings is text, too
		if _, err := io.Copy(
			io.Discard, s.check.reading(io.NewSectionReader(text, from, s.skip-from)),
		); err != nil {
			return found, err
		}
	}
	found, err = s.scan(ctx, text)
	if err == nil && s.check != nil {
		n := s.check.count()
		if n.invalid > 0 {
			return found, errNotUTF8
		}
		s.encoding.garbled, s.check = n.garbled, nil
	}
	return found, err
}

// scan reads the file once after its dialect.
func (s *scanned) scan(ctx context.Context, text io.ReaderAt) (found doubts, err error) {
	s.headings, s.columns, s.records, s.loadable, s.longest, s.unclean = nil, nil, 0, 0, 0, ""
	s.ends, s.faults, s.lacking = [4]int64{}, map[string]int64{}, 0
	s.table, _ = s.knows.table(nil)
	t := s.tokens(text)
	head, err := t.next()
	if err != nil {
		return found, ignoreEOF(err)
	}
	s.readHeadings(head, &found)
	j := recordChecker{s: s}
	for {
		rec, err := t.next()
		if errors.Is(err, io.EOF) {
			s.decideClean()
			for _, c := range s.columns {
				found.nulls += c.nulls
			}
			return found, nil
		}
		if err != nil {
			return found, err
		}
		if s.records%1024 == 0 && ctx.Err() != nil {
			return found, ctx.Err()
		}
		s.addRecord(rec, &j, &found)
	}
}

// tokens returns a reader of the file's records, headings first.
func (s *scanned) tokens(text io.ReaderAt) records {
	from := io.NewSectionReader(text, s.skip, 1<<62)
	if s.ev == nil {
		return newSplitter(newTokenizer(s.check.reading(from), s.d.delim, s.d.crEnds))
	}
	return newCareful(from, s.d, s.ev.width)
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (s *scanned) readHeadings(head record, found *doubts) {
	s.ends[head.end]++
	cells := head.cells
	if head.bad {
		cells = []cell{{text: head.raw}}
	}
	asReceived := true
	for _, c := range cells {
		v := cleanText(c.value())
		s.headings = append(s.headings, cleanHeading(v))
		asReceived = asReceived && len(v) == len(s.headings[len(s.headings)-1])
	}
	s.columns = make([]columnStats, len(s.headings))
	for i := range s.columns {
		s.columns[i].wants = wantDates | wantType | wantSamples
	}
	if table, ok := s.knows.table(s.headings); ok {
		s.table = table
		for i, c := range table.Match(s.headings) {
			if c >= 0 {
				s.columns[i].wants = wantsOf(table.Columns[c].Type)
			}
		}
	}
	s.again = newHeadingSet(s.table, s.headings)
	if head.bare || head.bad {
		found.add(head, s.d.delim, len(head.cells))
	}
	if head.bad {
		found.blanks++ // behind the quote that ends a cell of several lines
	}
	if c := head.cells; len(c) > 1 && !c[0].quoted && len(c[0].text) > 1 && c[0].text[0] == '\'' {
		found.singles++
	}
	switch {
	case s.above > 0:
		s.unclean = "lines before the headings"
	case head.bare || head.bad || head.marked || !asReceived || bytes.ContainsAny(head.raw, "\r\n"):
		s.unclean = "the headings"
	}
}

// addRecord records what one record shows.
func (s *scanned) addRecord(rec record, j *recordChecker, found *doubts) {
	if s.isBlank(rec) {
		s.unclean = "blank lines"
		return
	}
	s.records++
	if rec.end != endNone {
		s.ends[rec.end]++
	}
	s.longest = max(s.longest, len(rec.raw))
	if fault := j.fault(rec); fault != "" {
		s.unclean = "rows that are not loaded"
		s.faults[fault]++
		if fault != faultHeadings && fault != faultBelow {
			found.add(rec, s.d.delim, len(s.headings))
		}
		return
	}
	s.loadable++
	if n := len(rec.cells); n < len(s.headings) && !areUnnamed(s.headings[n:]) {
		s.lacking++
	}
	found.noteBackslashes(rec, s.d.delim)
	if s.ev != nil || rec.bare || rec.marked || rec.slash || len(rec.cells) != len(s.headings) {
		s.unclean = "quotes"
		found.add(rec, s.d.delim, len(s.headings))
	} else if swallows(rec, s.d.delim, len(s.headings)) {
		found.swallow++
	}
	for i := range min(len(rec.cells), len(s.columns)) {
		if c := rec.cells[i]; len(c.text) > 0 {
			s.columns[i].add(c)
		}
	}
	if bytes.IndexByte(rec.raw, 0) >= 0 {
		s.countNULs(rec)
	}
}

// countNULs counts the values of a record that have a NUL byte.
func (s *scanned) countNULs(rec record) {
	for i := range min(len(rec.cells), len(s.columns)) {
		if bytes.IndexByte(rec.cells[i].text, 0) >= 0 {
			s.columns[i].nuls++
		}
	}
}

func (s *scanned) isBlank(rec record) bool { return isBlank(rec, len(s.headings)) }

func (c *columnStats) add(v cell) {
	c.bytes += int64(v.size())
	if isBlankText(v.text) {
		return
	}
	c.filled++
	switch first := v.text[0]; {
	case first == '\\' && string(v.text) == `\N`:
		c.nulls++
	case first == '=' || first == '-' || first >= '0' && first <= '9':
		if v.size() <= 64 && isExcelDamage(v.value()) {
			c.excel++
		}
	}
	if c.wants == 0 {
		return
	}
	if c.wants&wantSamples != 0 {
		if v.text[0] >= '0' && v.text[len(v.text)-1] >= '0' {
			c.tight++
		}
		if (c.filled <= 16 || c.filled&(c.filled-1) == 0) && v.size() <= 64 {
			c.samples = append(c.samples, string(v.value()))
		}
	}
	if c.wants&wantType != 0 {
		c.plain.add(v.text)
	}
	if c.wants&wantDates != 0 {
		c.dates.add(v.text)
	}
	if c.wants&wantLists != 0 {
		if v.text[0] == '[' {
			c.brackets++
		}
		if bytes.IndexByte(v.text, ';') >= 0 {
			c.semicolons++
		}
		if isPlainList(v.text) {
			c.plainLists++
		}
	}
	if c.wants&wantNumbers != 0 {
		c.numbers.add(v.text)
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

// cleanText returns v as valid UTF-8.
func cleanText(v []byte) string {
	if utf8.Valid(v) {
		return string(v)
	}
	return string(bytes.ToValidUTF8(v, []byte("\uFFFD")))
}
