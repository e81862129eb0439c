package query

import "bytes"

// doubts are what the first pass over a file found that RFC 4180 does not explain.
type doubts struct {
	bare    int64 // records with a quote that is neither doubled nor at the end of its cell
	bad     int64 // records whose quotes make no sense
	ragged  int64 // records that have more or fewer cells than headings
	slashes int64 // records with a cell that ends after a backslash, or would if backslashes escaped quotes
	nulls   int64 // cells that are \N
	blanks  int64 // cells that are a blank and something in quotes
	singles int64 // cells in single quotes
	swallow int64 // records with a cell that looks like further records
	quotes  int64 // records in doubt that have a quotation mark
	escapes int64 // records in doubt that have a backslash
	pairs   int64 // backslashes that another or a line break follows
	content bool  // a backslash is alone or a quote is doubled: backslashes are content
	lastCR  bool  // a record is full of lone CRs: the row ends may be those
}

func (d doubts) any() bool {
	return d.bare+d.bad+d.ragged+d.slashes+d.nulls+d.blanks+d.singles+d.swallow > 0 || d.areDoubled()
}

// areDoubled reports whether backslashes may have been doubled by a writer that escapes with them.
func (d doubts) areDoubled() bool { return d.pairs > 0 && !d.content }

// mayEscape reports whether backslashes may take the meaning of what follows them away.
func (d doubts) mayEscape() bool { return d.escapes+d.nulls > 0 || d.areDoubled() }

// noteBackslashes counts the backslashes of a record, until one shows that they are content.
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

// countBackslashes counts the backslashes that another backslash or a line break follows, and those that
// nothing follows whose meaning they could take away.
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

// add records what one record shows.
func (d *doubts) add(rec record, delim byte, width int) {
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
	}
	if (rec.bare || rec.bad) && hasBlankAtQuote(rec.raw, delim) {
		d.blanks++
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

// hasBlankAtQuote reports whether there are blanks between a quote and what ends its cell, or between a
// delimiter and a quote.
func hasBlankAtQuote(raw []byte, delim byte) bool {
	isBlank := func(b byte) bool { return (b == ' ' || b == '\t') && b != delim }
	for i, b := range raw {
		if b != '"' {
			continue
		}
		after := i + 1
		for after < len(raw) && isBlank(raw[after]) {
			after++
		}
		if after > i+1 && (after == len(raw) || raw[after] == delim) {
			return true
		}
		before := i
		for before > 0 && isBlank(raw[before-1]) {
			before--
		}
		if before < i && (before == 0 || raw[before-1] == delim) {
			return true
		}
	}
	return false
}

// noteRagged counts a record of another width.
func (d *doubts) noteRagged(rec record) {
	d.ragged++
	d.lastCR = d.lastCR || bytes.Count(rec.raw, []byte("\r")) > 1
	for _, c := range rec.cells {
		if !c.quoted && len(c.text) > 1 && c.text[0] == '\'' {
			d.singles++
		}
	}
}

// swallows reports whether a quoted cell of a record looks like the end of it, whole records and the
// beginning of another: two quotes that are content have then been taken for the beginning and the end of a
// cell.
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

// hasRecordBegin reports whether a line in text begins with a cell like first, where that is not a mere word.
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
		mayCount := len(begin) > 0 && len(begin) <= 20 && begin[0] >= '0' && begin[0] <= '9'
		if len(begin) != len(first) && !mayCount {
			continue
		}
		class := classOf(begin)
		alike := class == classNumber || len(begin) == len(first)
		if alike && class != classText && class == classOf(first) {
			return true
		}
	}
	return false
}
