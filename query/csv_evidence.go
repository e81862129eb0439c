package query

import (
	"bytes"
	"context"
	"errors"
	"hash"
	"hash/fnv"
	"io"
	"os"
	"slices"
	"strings"
)

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
	width    int       // cells of most records: more than headings if the writer ends records with delimiters
	lone     int64     // backslashes that take nothing's meaning away
	pairs    int64     // backslashes that take another's meaning away
	short    int64     // records with fewer cells than headings
	rests    int64     // of these, how many look like the rest of the record before
	footers  int64     // and how many sum the table up
	broken   bitset    // records that are bad or too short
	rest     bitset    // records that look like the rest of the one before: its line break was not quoted
	begins   bitset    // records after a broken one that begin as that one does, so that they are records
	behind   bitset    // records after a broken one whose first cell is of another kind than that one's
	first    cellClass // of the first cell of the record before
	classes  [][classes]int64
	want     []cellClass
	comments bitset // lines that begin with # and do not fit; nil if these may be pieces of records
	hashes   int64  // records that begin with # and fit
	noNotes  bool   // lines that begin with # are records
	singles  bool   // the headings are in single quotes
	cells    hash.Hash64
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

// gather reads a whole file after a dialect; again where its records have other cells than its headings, and
// where lines that begin with # may be pieces of records rather than comments: others begin so, too, or are
// broken.
func gather(ctx context.Context, text *os.File, skip int64, d dialect, knows recogniser) (*evidence, error) {
	e, err := gatherWidth(ctx, text, skip, d, knows, 0, false)
	if err == nil && len(e.comments) > 0 && (e.hashes > 0 || e.faults > e.footers) {
		e, err = gatherWidth(ctx, text, skip, d, knows, 0, true)
	}
	if err == nil && e.width != len(e.headings) {
		return gatherWidth(ctx, text, skip, d, knows, e.width, e.noNotes)
	}
	return e, err
}

func gatherWidth(
	ctx context.Context, text *os.File, skip int64, d dialect, knows recogniser, width int, noNotes bool,
) (*evidence, error) {
	e := &evidence{d: d, cells: fnv.New64a(), widths: map[int]int64{}, noNotes: noNotes}
	r := newCareful(io.NewSectionReader(text, skip, 1<<62), d, 0)
	head, err := r.next()
	if err != nil {
		return e, ignoreEOF(err)
	}
	if head.bad || slices.ContainsFunc(head.cells, func(c cell) bool { return c.bare }) {
		e.bare++
	}
	for _, c := range head.cells {
		e.headings = append(e.headings, cleanHeading(string(c.value())))
		if v := bytes.TrimLeft(c.text, " \t"); !c.quoted && !c.escaped && len(v) > 0 && v[0] == '"' {
			e.openings++
		}
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
			e.decideWidth()
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
			e.addRecord(rec)
		}
	}
}

// decideWidth finds out whether the writer ends records with further delimiters: nearly all of those that
// have none too few and none too many cells with content have then the same number of cells, which is more
// than there are headings.
func (e *evidence) decideWidth() {
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

func (e *evidence) addRecord(rec record) {
	width := len(e.headings)
	if len(rec.raw) > 0 && rec.raw[0] == '#' && width > 1 {
		if len(rec.cells) == width {
			e.hashes++
		} else if !e.noNotes {
			e.comments.add(e.records)
			return
		}
	}
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
		if footer().Match(rec.raw) {
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
				e.addCell(i, c)
			}
			e.cells.Write(c.text)
			e.cells.Write([]byte{0xff})
		}
		pairs, lone := countBackslashes(rec.raw, e.d.delim)
		e.pairs += pairs
		e.lone += lone
	}
}

// footer is how a line begins that sums a table up.
var footer = pattern(`^(?i)["'#*=\s-]*(\d+ (rows?|records?)|(grand |sub)?totals?|` +
	`sum|count|rows?|records?|end of|generated|exported|report|page|summary)\b`)

func (e *evidence) addCell(i int, c cell) {
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
	if v := bytes.Trim(c.text, " \t"); !c.quoted && !c.escaped && len(v) > 1 && v[0] == v[len(v)-1] {
		if v[0] == '"' || v[0] == '\'' && e.singles {
			e.wrapped++
		}
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

// isBlank reports whether a record is a line of nothing but blanks, which says nothing unless it is the one
// cell of a one-column file, or the mark that CP/M and DOS put at the end of a text.
func isBlank(rec record, width int) bool {
	empty := len(rec.raw) == 0 ||
		len(rec.cells) == 1 && !rec.cells[0].quoted && len(bytes.Trim(rec.raw, " \t")) == 0
	return empty && !rec.bad && width > 1 || rec.end == endNone && string(rec.raw) == "\x1a"
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
