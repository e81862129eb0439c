package query

import "bytes"

// Why a record is not loaded, but put into quarantine.
const (
	faultQuotes   = "its quotes make no sense"
	faultUnclear  = "its quotes can be read in more than one way"
	faultFew      = "too few cells"
	faultMany     = "too many cells"
	faultSurplus  = "an empty cell too many, unlike other records"
	faultMisfit   = "bare quotes or backslashes, and cells that do not fit their columns"
	faultBehind   = "it may be the rest of the broken record before it"
	faultHeadings = "the headings again"
	faultBelow    = "it is below other headings"
	faultMoved    = "a cell is in its neighbour's column"
	faultComment  = "a comment"
	faultCut      = "the next line looks like the rest of it"
)

// A recordChecker decides for each record of a file, in their order, whether it can be loaded. A doubtful
// record is loaded only where its cells show that they are in their columns.
type recordChecker struct {
	s     *scanned
	row   int64
	below bool // other headings than the file's are above
}

// fault says why a record cannot be loaded; "" if it can.
func (j *recordChecker) fault(rec record) string {
	j.row++
	switch j.s.again.kind(rec) {
	case sameHeadings:
		j.below = false
		return faultHeadings
	case otherHeadings:
		j.below = true
		return faultHeadings
	}
	switch {
	case j.below:
		return faultBelow
	case rec.unclear:
		return faultUnclear
	case rec.bad:
		return faultQuotes
	case j.s.ev != nil && j.s.ev.comments.has(j.row):
		return faultComment
	case j.s.ev == nil:
		return j.s.width(rec)
	}
	return j.checkDoubtful(rec)
}

// width says whether a record has the cells that the headings ask for. Cells that are missing or too many do
// no harm as long as they have no heading and no content.
func (s *scanned) width(rec record) string {
	if n := len(rec.cells); n < len(s.headings) && !areUnnamed(s.headings[n:]) {
		return faultFew
	}
	if len(rec.cells) > len(s.headings) && !isEmpty(rec.cells[len(s.headings):]) {
		return faultMany
	}
	return ""
}

// checkDoubtful judges a record of a file that has records in doubt.
func (j *recordChecker) checkDoubtful(rec record) string {
	ev, width := j.s.ev, len(j.s.headings)
	fault := j.s.width(rec)
	switch {
	case fault == faultFew && ev.dropsEmpty() && rec.end != endNone && j.fit(rec),
		fault == faultFew && j.lacksOnlyItsEnd(rec):
		return ""
	case fault != "":
		return fault
	case len(rec.cells) > ev.width && !j.lastCellDecides(rec):
		return faultSurplus
	case j.hasMoved(rec):
		return faultMoved
	case len(rec.cells) < ev.width && ev.width > width:
		return faultFew
	case (rec.bare || j.s.d.escape != escDoubled && bytes.IndexByte(rec.raw, '\\') >= 0) && !j.fit(rec):
		return faultMisfit
	case ev.behind.has(j.row), ev.begins.has(j.row) && !j.fit(rec),
		ev.broken.has(j.row-1) && !ev.begins.has(j.row) && !j.keyDecides(rec):
		return faultBehind
	case ev.rest.has(j.row+1) && j.mayGoOn(rec):
		return faultCut
	}
	return ""
}

// dropsEmpty reports whether the file's writer leaves out empty cells at the end of a record, as Excel does:
// many records are short, and no record is wrong in another way.
func (e *evidence) dropsEmpty() bool {
	return e.short >= 3 && 10*e.short >= e.records && e.faults == e.short && e.rests == 0
}

// lacksOnlyItsEnd reports whether a short record can be nothing but one without its last cells. Its first
// cell is what the first cells of all others are, no cell contradicts its column, and neither the record nor
// those around it look like pieces of another: a line break or a delimiter that was not quoted makes short
// records, too.
func (j *recordChecker) lacksOnlyItsEnd(rec record) bool {
	ev := j.s.ev
	whole := ev.rests == 0 && ev.bare == 0 && ev.short == ev.faults && rec.end != endNone &&
		!bytes.ContainsAny(rec.raw, `"'\`)
	around := ev.broken.has(j.row-1) || ev.broken.has(j.row+1) || ev.behind.has(j.row+1)
	key := ev.learned(0)
	return whole && !around && len(rec.cells) > 1 && key != classText && key == classOf(rec.cells[0].text) &&
		j.fit(rec)
}

// fit reports whether the cells of a record are what the cells of their columns are elsewhere.
func (j *recordChecker) fit(rec record) bool {
	for i, c := range rec.cells {
		if i < len(j.s.headings) && len(c.text) > 0 && !agrees(j.s.ev.learned(i), classOf(c.text)) {
			return false
		}
	}
	return true
}

// hasMoved reports whether a cell is not what its column's cells are, but the one next to it is: delimiters
// that were not quoted and line breaks can make up for one another.
func (j *recordChecker) hasMoved(rec record) bool {
	c := rec.cells[0].text
	if j.s.ev.learned(0) == classID && bytes.IndexByte(c, ' ') > 0 && classOf(c) == classText {
		return true // words among ids: the rest of a text with a line break
	}
	for i := range min(len(j.s.headings), len(rec.cells)) - 1 {
		want := j.s.ev.learned(i)
		if want != classEmail && want != classID && want != classDate || j.s.ev.learned(i+1) == want {
			continue
		}
		if !agrees(want, classOf(rec.cells[i].text)) && classOf(rec.cells[i+1].text) == want {
			return true
		}
	}
	return false
}

// keyDecides reports whether a cell of a record shows that the record is one, and not the rest of a broken
// one: its first cell, where first cells have something in common, else any; and no cell contradicts that.
func (j *recordChecker) keyDecides(rec record) bool {
	found := false
	for i, c := range rec.cells {
		if i < len(j.s.headings) && len(c.text) > 0 && j.s.ev.learned(i) != classText {
			found = true
		}
		if i == 0 && len(c.text) == 0 && j.s.ev.learned(0) != classText {
			return false
		}
	}
	return found && j.fit(rec)
}

// lastCellDecides reports whether the last cell with content is in a column whose cells are like it and like
// few others, so that no cell can have moved.
func (j *recordChecker) lastCellDecides(rec record) bool {
	for i := len(j.s.headings) - 1; i >= 0; i-- {
		if len(rec.cells[i].text) > 0 {
			want := j.s.ev.learned(i)
			return want != classText && want == classOf(rec.cells[i].text) && j.fit(rec)
		}
	}
	return true
}

// mayGoOn reports whether a record's last cell may be only the beginning of a text with a line break that
// was not quoted.
func (j *recordChecker) mayGoOn(rec record) bool {
	last := rec.cells[len(rec.cells)-1]
	if last.quoted || len(last.text) == 0 || rec.end == endNone {
		return false
	}
	want := j.s.ev.learned(len(rec.cells) - 1)
	return want == classText || want != classOf(last.text)
}
