package query

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
	"io"
	"os"
	"regexp"
	"strings"
)

// doubts are what the first look at a file found that RFC 4180 does not explain.
type doubts struct {
	bare    int64 // records with a quote that is neither doubled nor at the end of its cell
	bad     int64 // records whose quotes make no sense
	ragged  int64 // records that have more or fewer cells than headings
	slashes int64 // records with a cell that ends behind a backslash, or would if backslashes escaped quotes
	nulls   int64 // cells that are \N
	blanks  int64 // cells that are a blank and something in quotes
	singles int64 // cells in single quotes
	swallow int64 // records with a cell that looks like further records
	quotes  int64 // records in doubt that have a quotation mark
	escapes int64 // records in doubt that have a backslash
	pairs   int64 // backslashes that another or a line break follows
	content bool  // a backslash stands alone or a quote is doubled: backslashes are content
	lastCR  bool  // a record is full of lone CRs: the row ends may be those
}

func (d doubts) any() bool {
	return d.bare+d.bad+d.ragged+d.slashes+d.nulls+d.blanks+d.singles+d.swallow > 0 || d.areDoubled()
}

// areDoubled reports whether backslashes may have been doubled by a writer that escapes with them.
func (d doubts) areDoubled() bool { return d.pairs > 0 && !d.content }

// mayEscape reports whether backslashes may take the meaning of what follows them away.
func (d doubts) mayEscape() bool { return d.escapes+d.nulls > 0 || d.areDoubled() }

// noteBackslashes takes account of the backslashes of a record, until one shows that they are content.
func (d *doubts) noteBackslashes(rec record, delim byte) {
	if d.content {
		return
	}
	if rec.doubled {
		d.content = true
		return
	}
	if bytes.IndexByte(rec.raw, '\\') >= 0 {
		pairs, lone := countBackslashes(rec.raw, delim)
		d.pairs += pairs
		d.content = lone > 0
	}
}

// countBackslashes counts the backslashes that another backslash or a line break follows, and those that nothing follows
// whose meaning they could take away.
func countBackslashes(raw []byte, delim byte) (pairs, lone int64) {
	for i := bytes.IndexByte(raw, '\\'); i >= 0 && i+1 < len(raw); {
		switch b := raw[i+1]; b {
		case '\\':
			pairs++
			i++
		case '\n', '\r':
			pairs++
		case '"', '\'', delim, '0', 'N', 'n', 'r', 't', 'b', 'Z':
		default:
			lone++
		}
		i++
		next := bytes.IndexByte(raw[i:], '\\')
		if next < 0 {
			break
		}
		i += next
	}
	return pairs, lone
}

// note takes account of one record.
func (d *doubts) note(rec record, delim byte, width int) {
	before := d.bare + d.bad + d.ragged + d.slashes + d.swallow
	switch {
	case rec.bad:
		d.bad++
	case len(rec.cells) != width:
		d.noteRagged(rec)
	}
	if rec.slash {
		d.slashes++
	}
	if swallows(rec, delim, width) {
		d.swallow++
	}
	if rec.bare {
		d.bare++
		for _, c := range rec.cells {
			if v := bytes.TrimLeft(c.text, " \t"); c.bare && !c.quoted && len(v) < len(c.text) && len(v) > 0 && v[0] == '"' {
				d.blanks++
			}
		}
	}
	if before == d.bare+d.bad+d.ragged+d.slashes+d.swallow {
		return
	}
	if bytes.IndexByte(rec.raw, '"') >= 0 {
		d.quotes++
	}
	if bytes.IndexByte(rec.raw, '\\') >= 0 {
		d.escapes++
	}
}

// noteRagged takes account of a record of another width.
func (d *doubts) noteRagged(rec record) {
	d.ragged++
	d.lastCR = d.lastCR || bytes.Count(rec.raw, []byte("\r")) > 1
	for _, c := range rec.cells {
		if !c.quoted && len(c.text) > 1 && c.text[0] == '\'' {
			d.singles++
		}
	}
}

// swallows reports whether a quoted cell of a record looks like the end of it, whole records and the beginning of another:
// two quotes that are content have then been taken for the beginning and the end of a cell.
func swallows(rec record, delim byte, width int) bool {
	if width < 2 || len(rec.cells) == 0 {
		return false
	}
	for _, c := range rec.cells {
		if !c.quoted || bytes.IndexByte(c.text, '\n') < 0 && bytes.IndexByte(c.text, '\r') < 0 {
			continue
		}
		if bytes.Count(c.text, []byte{delim}) >= width-1 && hasRecordBegin(c.text, rec.cells[0].text, delim) {
			return true
		}
	}
	return false
}

// hasRecordBegin reports whether a line in text begins with a cell like first, where that is no mere word.
func hasRecordBegin(text, first []byte, delim byte) bool {
	for len(first) > 0 {
		i := bytes.IndexAny(text, "\r\n")
		if i < 0 {
			return false
		}
		text = text[i+1:]
		to := bytes.IndexByte(text, delim)
		if to < 0 {
			return false
		}
		begin := bytes.Trim(text[:to], `"' `)
		if len(begin) != len(first) && (len(begin) == 0 || begin[0] < '0' || begin[0] > '9' || len(begin) > 20) {
			continue
		}
		if class := classOf(begin); class != classText && class == classOf(first) && (class == classNumber || len(begin) == len(first)) {
			return true
		}
	}
	return false
}

// A cellClass is what a cell looks like.
type cellClass uint8

const (
	classText cellClass = iota
	classNumber
	classDate
	classFlag
	classEmail
	classID
	classes
)

// classOf looks at a cell. Only what few texts look like by chance has a class.
func classOf(v []byte) cellClass {
	v = bytes.TrimSpace(v)
	if len(v) == 0 || len(v) > 80 {
		return classText
	}
	if shape, _, _ := shapeOfDate(v); shape != shapeNone {
		return classDate
	}
	if looksNumeric(v) {
		return classNumber
	}
	switch strings.ToLower(string(v)) {
	case "true", "false", "yes", "no", "y", "n":
		return classFlag
	}
	if at := bytes.IndexByte(v, '@'); at > 0 && bytes.IndexByte(v[at:], '.') > 0 && !bytes.ContainsAny(v, " ,;") {
		return classEmail
	}
	digits, letters := 0, 0
	for _, b := range v {
		switch {
		case b >= '0' && b <= '9':
			digits++
		case b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '-' || b == '_':
			letters++
		default:
			return classText
		}
	}
	if digits >= 3 && letters > 0 {
		return classID
	}
	return classText
}

// looksNumeric reports whether a cell is digits with at most signs, a currency and separators around them.
func looksNumeric(v []byte) bool {
	digits := 0
	for _, b := range v {
		switch {
		case b >= '0' && b <= '9':
			digits++
		case b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || strings.IndexByte(`"'@/:;_\`, b) >= 0:
			return false
		}
	}
	return digits > 0
}

// expected is the class that a column's type asks of its cells.
func expected(typ string) cellClass {
	switch {
	case typ == "DATE" || typ == "TIMESTAMP":
		return classDate
	case typ == "BIGINT" || typ == "INTEGER" || strings.HasPrefix(typ, "DECIMAL"):
		return classNumber
	case typ == "BOOLEAN":
		return classFlag
	}
	return classText
}

// agrees reports whether a cell of class c may stand in a column whose cells are of class want.
func agrees(want, c cellClass) bool {
	return want == classText || want == c || want == classFlag && c == classNumber || want == classDate && c == classNumber ||
		want == classID && c == classNumber || want == classNumber && c == classDate
}

// evidence is what a whole file says for or against a dialect.
type evidence struct {
	d        dialect
	headings []string
	records  int64
	faults   int64 // records that are bad, unclear or of another width
	bare     int64 // records with a bare quote in a quoted cell
	wrapped  int64 // cells in quotation marks that are content
	openings int64 // cells that begin with a quotation mark that is content
	quoted   int64 // cells in quotes
	misfits  int64 // cells that their columns' types do not fit
	doubled  int64 // quotes that are doubled
	nulls    int64
	open     int64 // cells with content that are not in quotes, and are not \N
	widths   map[int]int64
	width    int       // cells of most records: as many as headings, or more if the writer ends records with delimiters
	lone     int64     // backslashes that take nothing's meaning away
	pairs    int64     // backslashes that take another's meaning away
	short    int64     // records with fewer cells than headings
	rests    int64     // of these, how many look like the rest of the record before
	footers  int64     // and how many sum the table up
	broken   bitset    // records that are bad or too short
	rest     bitset    // records that look like the rest of the one before: a text with a line break that nobody quoted
	begins   bitset    // records behind a broken one that begin as that one does, so that they are records
	behind   bitset    // records behind a broken one whose first cell is of another kind than that one's
	first    cellClass // of the first cell of the record before
	classes  [][classes]int64
	want     []cellClass
	singles  bool // the headings are in single quotes
	cells    hash.Hash64
}

// A bitset is a set of small numbers.
type bitset []uint64

func (b *bitset) add(n int64) {
	for int64(len(*b)) <= n>>6 {
		*b = append(*b, 0)
	}
	(*b)[n>>6] |= 1 << (n & 63)
}

func (b bitset) has(n int64) bool {
	return n >= 0 && n>>6 < int64(len(b)) && b[n>>6]&(1<<(n&63)) != 0
}

// cost says how badly a dialect explains a file.
func (e *evidence) cost() int64 {
	n := 4*e.faults + 2*e.bare + 2*e.wrapped + e.misfits + e.strangers()
	for width, records := range e.widths {
		if width != e.width {
			n += 2 * records
		}
	}
	return n
}

// strangers counts the cells that are not what nearly all others in their column are.
func (e *evidence) strangers() int64 {
	var n int64
	for i := range e.classes {
		if c := e.learned(i); e.want[i] == classText && c != classText {
			for other := range classes {
				if !agrees(c, other) {
					n += e.classes[i][other]
				}
			}
		}
	}
	return n
}

// gather reads a whole file after a dialect; twice where its records have other cells than its headings.
func gather(ctx context.Context, text *os.File, skip int64, d dialect, knows recogniser) (*evidence, error) {
	e, err := gatherWidth(ctx, text, skip, d, knows, 0)
	if err == nil && e.width != len(e.headings) {
		return gatherWidth(ctx, text, skip, d, knows, e.width)
	}
	return e, err
}

func gatherWidth(ctx context.Context, text *os.File, skip int64, d dialect, knows recogniser, width int) (*evidence, error) {
	e := &evidence{d: d, cells: fnv.New64a(), widths: map[int]int64{}}
	r := newCareful(io.NewSectionReader(text, skip, 1<<62), d, 0)
	head, err := r.next()
	if err != nil {
		return e, ignoreEOF(err)
	}
	for _, c := range head.cells {
		e.headings = append(e.headings, cleanHeading(string(c.value())))
	}
	e.singles = len(e.headings) > 0 && strings.HasPrefix(e.headings[0], "'")
	e.expect(knows)
	table, _ := knows.table(e.headings)
	again := newHeadingSet(table, e.headings)
	e.width = max(width, len(e.headings))
	r.width = e.width
	for {
		rec, err := r.next()
		if errors.Is(err, io.EOF) {
			e.doubled = r.doubled
			e.settleWidth()
			return e, nil
		}
		if err != nil {
			return nil, err
		}
		if e.records%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if isBlank(rec, len(e.headings)) {
			continue
		}
		if e.records++; again.kind(rec) == notHeadings {
			e.look(rec)
		}
	}
}

// settleWidth finds out whether the writer ends records with further delimiters: nearly all of those that have none too few
// and none too many cells with content have then the same number of cells, which is more than there are headings.
func (e *evidence) settleWidth() {
	e.width = len(e.headings)
	var all int64
	for _, n := range e.widths {
		all += n
	}
	for width, n := range e.widths {
		if width > len(e.headings) && 20*n >= 19*all && n >= 2 {
			e.width = width
		}
	}
}

// expect asks of the columns what the table's types ask of them.
func (e *evidence) expect(knows recogniser) {
	e.want = make([]cellClass, len(e.headings))
	e.classes = make([][classes]int64, len(e.headings))
	table, ok := knows.table(e.headings)
	if !ok {
		return
	}
	for i, c := range table.Match(e.headings) {
		if c >= 0 {
			e.want[i] = expected(table.Columns[c].Type)
		}
	}
}

func (e *evidence) look(rec record) {
	width := len(e.headings)
	first := classText
	if len(rec.cells) > 0 {
		first = classOf(rec.cells[0].text)
	} else if to := bytes.IndexByte(rec.raw, e.d.delim); to > 0 {
		first = classOf(rec.raw[:to])
	}
	switch {
	case !e.broken.has(e.records-1) || e.first == classText:
	case e.first == first:
		e.begins.add(e.records)
	default:
		e.behind.add(e.records)
	}
	defer func() { e.first = first }()
	for _, c := range rec.cells {
		switch {
		case c.quoted:
			e.quoted++
		case !c.escaped && len(c.text) > 0 && c.text[0] == '"':
			e.openings++
		}
	}
	switch {
	case rec.bad:
		e.faults++
		e.broken.add(e.records)
	case len(rec.cells) > width && !isEmpty(rec.cells[width:]):
		e.faults++
	case len(rec.cells) < width && areUnnamed(e.headings[len(rec.cells):]):
	case len(rec.cells) < width:
		e.faults++
		e.short++
		e.broken.add(e.records)
		if footer.Match(rec.raw) {
			e.footers++
		} else if known := len(rec.cells) > 1 && first != classText && first == e.first; !known {
			e.rest.add(e.records)
			e.rests++
		}
	case rec.bare:
		e.widths[len(rec.cells)]++
		e.bare++
	default:
		e.widths[len(rec.cells)]++
		for i, c := range rec.cells {
			if i < width && len(rec.cells) == e.width {
				e.lookAt(i, c)
			}
			e.cells.Write(c.text)
			e.cells.Write([]byte{0xff})
		}
		e.backslashes(rec.raw)
	}
}

// footer is how a line begins that sums a table up.
var footer = regexp.MustCompile(`^(?i)["'#*=\s-]*(\d+ (rows?|records?)|(grand |sub)?totals?|sum|count|rows?|records?|end of|generated|exported|report|page|summary)\b`)

func (e *evidence) lookAt(i int, c cell) {
	if c.null {
		e.nulls++
	}
	if len(c.text) == 0 {
		return
	}
	if !c.quoted {
		e.open++
	}
	class := classOf(c.text)
	e.classes[i][class]++
	if !agrees(e.want[i], class) {
		e.misfits++
	}
	if v := bytes.TrimLeft(c.text, " \t"); !c.quoted && !c.escaped && len(v) > 1 && v[0] == v[len(v)-1] && (v[0] == '"' || v[0] == '\'' && e.singles) {
		e.wrapped++
	}
}

// backslashes counts those that take something's meaning away, and those that do not.
func (e *evidence) backslashes(raw []byte) {
	for i := bytes.IndexByte(raw, '\\'); i >= 0 && i+1 < len(raw); {
		switch b := raw[i+1]; b {
		case '\\':
			e.pairs++
			i++
		case '"', '\'', '\n', '\r', e.d.delim, '0', 'N', 'n', 'r', 't', 'b', 'Z':
		default:
			e.lone++
		}
		i++
		next := bytes.IndexByte(raw[i:], '\\')
		if next < 0 {
			return
		}
		i += next
	}
}

func isEmpty(cells []cell) bool {
	for _, c := range cells {
		if len(c.text) > 0 {
			return false
		}
	}
	return true
}

func areUnnamed(headings []string) bool {
	return len(strings.Join(headings, "")) == 0
}

// isBlank reports whether a record is an empty line, which says nothing unless it is the one cell of a one-column file, or
// the mark that CP/M and DOS put at the end of a text.
func isBlank(rec record, width int) bool {
	return len(rec.raw) == 0 && !rec.bad && width > 1 || rec.end == endNone && string(rec.raw) == "\x1a"
}

// decideDialect reads a doubtful file after each dialect that may be its own, and takes the one that explains it best.
func (s *scanned) decideDialect(ctx context.Context, text *os.File, found doubts) error {
	var all []*evidence
	for _, d := range s.candidates(found) {
		e, err := gather(ctx, text, s.skip, d, s.knows)
		if err != nil {
			return err
		}
		if len(e.headings) < 2 && len(s.headings) > 1 {
			continue
		}
		all = append(all, e)
	}
	best := all[0]
	for _, e := range all[1:] {
		if !e.isPossible(all[0]) {
			continue
		}
		if e.cost() < best.cost() || e.cost() == best.cost() && e.likelier(best) {
			best = e
		}
	}
	best.d.symbols = best.d.escape == escBackslash && best.lone == 0 && (best.pairs > 0 || best.nulls > 0) && best.d.quote == 0
	best.d.bareSlashes = best.lone > 0
	s.d, s.ev = best.d, best
	s.rival = ""
	for _, e := range all {
		if s.rival == "" && e.rivals(best, all[0]) {
			s.rival = e.d.describe()
		}
	}
	s.describeDecision(all)
	return nil
}

// candidates are the dialects that could explain what was found, the most usual first. Quotes and backslashes that no record in
// doubt has explain nothing.
func (s *scanned) candidates(found doubts) []dialect {
	base := s.d
	base.quote = '"'
	all := []dialect{base}
	add := func(change func(*dialect)) {
		d := base
		change(&d)
		all = append(all, d)
	}
	if found.mayEscape() {
		add(func(d *dialect) { d.escape = escBackslash })
		add(func(d *dialect) { d.escape = escPHP })
	}
	if found.quotes > 0 {
		add(func(d *dialect) { d.quote = 0 })
	}
	if found.mayEscape() {
		add(func(d *dialect) { d.quote, d.escape = 0, escBackslash })
	}
	if found.singles > 0 {
		add(func(d *dialect) { d.quote = '\'' })
		add(func(d *dialect) { d.quote, d.escape = '\'', escBackslash })
	}
	if found.blanks > 0 {
		for _, d := range all[:len(all):len(all)] {
			if d.quote != 0 {
				d.blanks = true
				all = append(all, d)
			}
		}
	}
	if found.lastCR && !base.crEnds {
		for _, d := range all[:len(all):len(all)] {
			d.crEnds = true
			all = append(all, d)
		}
	}
	return all
}

// rivals reports whether a dialect that was not taken explains the file as well as the best, and gives other cells. Of one
// whose backslashes are all doubled, it is enough that it explains the file better, however few quotes speak for it.
func (e *evidence) rivals(best, usual *evidence) bool {
	if e == best || e.cells.Sum64() == best.cells.Sum64() {
		return false
	}
	if e.cost() == best.cost() && e.isPossible(usual) {
		return true
	}
	return e.d.escape == escBackslash && e.lone == 0 && e.pairs+e.nulls > 0 && e.cost() <= best.cost()
}

// isPossible keeps a few odd quotes from being taken for a file without quotes. usual is the evidence of RFC 4180.
func (e *evidence) isPossible(usual *evidence) bool {
	if e != usual && 20*(e.faults-e.footers) > e.records {
		return false // a writer of its own rules keeps to them
	}
	if e.d.quote == 0 && e.d.escape == escBackslash && e.lone > 0 {
		return false
	}
	if usual.faults >= 5 && e.faults == 0 && 4*e.cost() <= usual.cost() {
		return true
	}
	return e.d.quote != 0 || 10*usual.quoted <= e.openings && (e.openings == 0 || e.openings >= 3)
}

// likelier decides between dialects that explain a file equally well. e comes later than o in the order of candidates.
func (e *evidence) likelier(o *evidence) bool {
	same := e.d.blanks == o.d.blanks && e.d.crEnds == o.d.crEnds && e.d.quote == o.d.quote
	// PHP doubles quotes unless a backslash stands before them, and leaves backslashes alone.
	if e.d.escape == escPHP && o.d.escape == escBackslash {
		return same && (e.doubled > 0 || e.lone > 0)
	}
	// \N for no value comes from writers that escape with backslashes. It may be a text, too, unless these are seen.
	return e.d.escape == escBackslash && o.d.escape == escDoubled && e.nulls > 0 && e.lone == 0 && (e.pairs > 0 || e.open == 0)
}

// describeDecision records what was decided, and on what evidence.
func (s *scanned) describeDecision(all []*evidence) {
	var others []string
	for _, e := range all {
		if e != s.ev {
			others = append(others, fmt.Sprintf("%s %d", e.d.quoting(), e.cost()))
		}
	}
	s.decided = fmt.Sprintf("%s: of %d records, %d do not fit the headings and %d have bare quotes", s.d.describe(), s.ev.records, s.ev.faults, s.ev.bare)
	if len(others) > 0 {
		s.decided += fmt.Sprintf(" (weight of what does not fit: %s %d; otherwise %s)", s.d.quoting(), s.ev.cost(), strings.Join(others, ", "))
	}
}

// learned returns the class that a column's cells are of, where nearly all records without doubt agree.
func (e *evidence) learned(i int) cellClass {
	if e.want[i] != classText {
		return e.want[i]
	}
	var total int64
	for _, n := range e.classes[i] {
		total += n
	}
	for c := classNumber; c < classes; c++ {
		share := int64(2) // ids and the like are nothing by chance; numbers and flags can be
		if c == classNumber || c == classFlag {
			share = 5
		}
		if n := e.classes[i][c]; n >= 3 && share*(total-n) <= n {
			return c
		}
	}
	return classText
}
