package query

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"

	"holdall/schemas"
)

// How far into a file its headings are looked for.
const (
	headBytes = 256 << 10
	headLines = 60
)

// A recogniser knows the tables that a file may be.
type recogniser struct {
	tables []schemas.Table
	file   string // its name as received
}

// table returns the table that a file with these headings is: by its name, else by its columns.
func (r recogniser) table(headings []string) (schemas.Table, bool) {
	if t, ok := schemas.ByFile(r.tables, r.file); ok {
		return t, true
	}
	return schemas.ByColumns(r.tables, headings)
}

// score returns how many of the cells name a column of the table that the file may be.
func (r recogniser) score(cells []string) int {
	tables := r.tables
	if t, ok := schemas.ByFile(r.tables, r.file); ok {
		tables = []schemas.Table{t}
	}
	most := 0
	for _, t := range tables {
		n := 0
		for _, column := range t.Match(cells) {
			if column >= 0 {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// sepLine is the hint that Excel takes a delimiter from, as programs write it: in any case, in quotes, with
// blanks or delimiters after it.
var sepLine = pattern(`^(?i)\s*["']?sep=(.)["']?[ ,;|\t]*$`)

// A headLine is a line that may be the headings.
type headLine struct {
	at, line int
	delim    byte
	cells    []string
	score    int
	filled   int
	quoted   int
}

// findHeadings finds the line of the headings, and the delimiter: the line that names the most columns of a
// known table, as long as these are at least half of its cells. In a file of no known table it is the first
// line, or the first that is as wide as most lines are.
func (s *scanned) findHeadings(text io.ReaderAt) error {
	s.d = dialect{delim: ',', quote: '"'}
	head := make([]byte, headBytes)
	n, err := text.ReadAt(head, s.skip)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	head = head[:n]
	lines, delims := headLinesOf(head)
	if len(lines) == 0 {
		s.d.crEnds = firstRowEndIsCR(head)
		return nil
	}
	best := s.bestLine(head, lines, delims)
	if len(best.cells) < 2 && best.score == 0 {
		if h, ok := s.unusualDelimiter(head, lines); ok {
			best, s.unusual = h, true
		}
	}
	s.d.delim = best.delim
	s.skip += int64(best.at)
	s.above = best.line
	s.d.crEnds = firstRowEndIsCR(head[best.at:])
	return nil
}

// headLinesOf returns where the lines begin that may be headings, and the delimiters that may be the file's.
// Blank lines and sep= lines are none.
func headLinesOf(head []byte) (lines [][2]int, delims []byte) {
	delims = []byte(",;\t|")
	for at, number := 0, 0; at < len(head) && number < headLines; number++ {
		end := bytes.IndexAny(head[at:], "\r\n")
		next := len(head)
		if end < 0 {
			end = len(head)
		} else {
			end += at
			next = end + 1
			if head[end] == '\r' && next < len(head) && head[next] == '\n' {
				next++
			}
		}
		line := bytes.TrimPrefix(head[at:end], []byte(byteOrderMark))
		switch m := sepLine().FindSubmatch(line); {
		case m != nil && len(lines) == 0:
			delims = m[1]
		case len(bytes.Trim(line, " ,;\t|\"\x00")) > 0, bytes.Count(line, []byte{'"'})%2 > 0:
			lines = append(lines, [2]int{at, number})
		}
		at = next
	}
	return withoutComments(head, lines), delims
}

// withoutComments leaves out the lines at the top that begin with # and have no delimiter, if the line below
// them has one.
func withoutComments(head []byte, lines [][2]int) [][2]int {
	for i, l := range lines {
		line := head[l[0]:]
		if end := bytes.IndexAny(line, "\r\n"); end >= 0 {
			line = line[:end]
		}
		separated := bytes.ContainsAny(line, ",;\t|")
		switch {
		case len(line) > 1 && line[0] == '#' && !separated:
		case separated:
			return lines[i:]
		default:
			return lines
		}
	}
	return lines
}

// bestLine chooses the headings among the lines.
func (s *scanned) bestLine(head []byte, lines [][2]int, delims []byte) headLine {
	var first, best headLine
	for i, l := range lines {
		for _, d := range delims {
			h := s.headLine(head, l, d)
			if i == 0 && len(h.cells) > len(first.cells) {
				first = h
			}
			wider := h.line == best.line && len(h.cells) > len(best.cells)
			if h.score > best.score || h.score == best.score && wider {
				best = h
			}
		}
		if i == 0 && best.isHeadings() {
			return best
		}
	}
	if best.isHeadings() && best.score > first.score {
		return best
	}
	if first.score > 0 {
		return first
	}
	return s.widestLine(head, lines, delims, first)
}

func (h headLine) isHeadings() bool {
	return h.score >= 3 && 2*h.score >= h.filled || h.score >= 1 && h.score == h.filled && h.line == 0 ||
		h.score == 2 && h.filled == 2
}

// areNames reports whether a line's cells are as headings are: three or more, none empty, none twice, and all
// words.
func (h headLine) areNames() bool {
	seen := map[string]bool{}
	for _, c := range h.cells {
		if c == "" || seen[c] || len(c) > 60 || classOf([]byte(c)) != classText {
			return false
		}
		seen[c] = true
	}
	return len(seen) >= 3
}

// isFull reports whether no cell of a line is empty, but for one that a delimiter at its end makes.
func (h headLine) isFull() bool {
	n := len(h.cells)
	return h.filled == n || h.filled == n-1 && n > 2 && h.cells[n-1] == ""
}

// headLine reads the record at a line's beginning.
func (s *scanned) headLine(head []byte, l [2]int, delim byte) headLine {
	h := headLine{at: l[0], line: l[1], delim: delim}
	rec, err := headTokens(head[l[0]:], delim).next()
	if err == nil && (rec.bad || rec.bare && hasBlankAtQuote(rec.raw, delim)) {
		d := dialect{delim: delim, quote: '"', blanks: true}
		careful := &carefulReader{tokenizer: headTokens(head[l[0]:], delim), d: d}
		if blanks, err := careful.next(); err == nil && !blanks.bad {
			rec = blanks
		}
	}
	if err != nil {
		return h
	}
	for _, c := range rec.cells {
		h.cells = append(h.cells, cleanHeading(string(c.value())))
		if h.cells[len(h.cells)-1] != "" {
			h.filled++
		}
		if c.quoted || len(c.text) > 1 && c.text[0] == '\'' && c.text[len(c.text)-1] == '\'' {
			h.quoted++
		}
	}
	h.score = s.knows.score(h.cells)
	return h
}

// headTokens reads records from the beginning of a file, which is all there is to read.
func headTokens(head []byte, delim byte) *tokenizer {
	all := head[:len(head):len(head)]
	return &tokenizer{delim: delim, crEnds: firstRowEndIsCR(head), buf: all, err: io.EOF}
}

// widestLine chooses the headings of a file that no table is known for: first, unless most of the records
// below it agree on another width, which a later line is the first to have.
func (s *scanned) widestLine(head []byte, lines [][2]int, delims []byte, first headLine) headLine {
	if first.areNames() {
		return first
	}
	best, most := first, 0
	if first.filled < 2 { // a title, unless nothing below has more cells
		for _, l := range lines[1:] {
			for _, d := range delims {
				if h := s.headLine(head, l, d); h.filled > max(1, best.filled) && h.isFull() {
					best = h
				}
			}
			if best.filled > 1 {
				return best
			}
		}
	}
	for _, d := range slices.Concat([]byte{first.delim}, delims) {
		t := headTokens(head[first.at:], d)
		widths, total := map[int]int{}, 0
		for ; total < 4*headLines; total++ {
			rec, err := t.next()
			if err != nil {
				break
			}
			widths[len(rec.cells)]++
		}
		for width, n := range widths {
			if width < 2 || 2*n <= total || n < 2 || n*width <= most || 2*width < len(first.cells) {
				continue
			}
			if n := len(first.cells); d == first.delim && n > 1 && (width == n || width == n+1) {
				return first
			}
			for _, l := range lines {
				h := s.headLine(head, l, d)
				if len(h.cells) == width || len(h.cells) == width-1 && width > 2 {
					best, most = h, n*width
					break
				}
			}
		}
	}
	return best
}

// cleanHeading returns a heading as people would read it: without NUL bytes, as fields of a fixed width have
// them, and without byte order marks.
func cleanHeading(heading string) string {
	return strings.Map(func(r rune) rune {
		if r == 0 || r == '\ufeff' {
			return -1
		}
		return r
	}, heading)
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

// A headingSet recognises headings that are repeated among the rows.
type headingSet struct {
	exact    []string // normalised, if the table is known
	spelling map[string]bool
	table    schemas.Table
	data     bool // the table is not known, and its first line looks like a row, which rows may repeat
}

func newHeadingSet(table schemas.Table, headings []string) headingSet {
	h := headingSet{spelling: map[string]bool{}, table: table}
	for _, s := range headings {
		n := schemas.Normalize(s)
		if table.Name == "" {
			h.exact = append(h.exact, s)
		} else {
			h.exact = append(h.exact, n)
		}
		h.spelling[n] = n != ""
		h.data = h.data || table.Name == "" && classOf([]byte(s)) != classText
	}
	for _, c := range table.Columns {
		for _, s := range append([]string{c.Name, c.Heading}, c.Aliases...) {
			h.spelling[schemas.Normalize(s)] = true
		}
	}
	return h
}

// What a record is, as far as headings go.
type headingKind uint8

const (
	notHeadings   headingKind = iota
	sameHeadings              // the file's headings again
	otherHeadings             // headings of another layout: the rows below are not in these columns
)

// kind says whether a record is headings. Only a record whose first cells are names of columns costs more
// than a look.
func (h headingSet) kind(rec record) headingKind {
	if h.data || rec.bad || len(rec.cells) < 2 || !h.mayName(rec.cells[0].text) {
		return notHeadings
	}
	names, filled, same := 0, 0, len(rec.cells) >= len(h.exact)
	for i, c := range rec.cells {
		n := ""
		if len(c.text) <= 80 {
			n = schemas.Normalize(string(c.value()))
		}
		if len(c.text) > 0 {
			filled++
		}
		if h.spelling[n] {
			names++
		}
		if i < len(h.exact) && !h.repeats(i, n, c) || i >= len(h.exact) && n != "" {
			same = false
		}
	}
	switch {
	case same && names >= 2:
		return sameHeadings
	case names >= 3 && 5*names >= 4*filled:
		return otherHeadings
	}
	return notHeadings
}

// repeats reports whether a cell, n if normalised, is the heading of column i. In a table that is not known
// it has to be written the same: a row "a, b" below the headings "A, B" is a row.
func (h headingSet) repeats(i int, n string, c cell) bool {
	if h.table.Name == "" {
		n = cleanHeading(string(c.value()))
	}
	return n == h.exact[i]
}

// mayName is a cheap check whether a record's first cell can be a heading.
func (h headingSet) mayName(v []byte) bool {
	if len(v) == 0 || len(v) > 60 {
		return false
	}
	for _, b := range v {
		if b >= '0' && b <= '9' {
			return false
		}
	}
	return h.spelling[schemas.Normalize(string(v))]
}
