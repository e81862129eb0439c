package query

// unusualDelimiters separate cells in files of which no usual delimiter makes a table: those of password
// files, of mainframes, and the separators that ASCII has for it.
const unusualDelimiters = ":^~#+?\x1f\x1e\x01"

// unusualDelimiter looks for a delimiter other than the usual ones: one that gives the first line two or more
// cells with content, and all lines below as many. Fewer will do below three or more that are names. Two
// cells are few enough to be chance, so that they have to be names, too, above three lines or more, or in
// quotes.
func (s *scanned) unusualDelimiter(head []byte, lines [][2]int) (best headLine, found bool) {
	for _, d := range []byte(unusualDelimiters) {
		h := s.headLine(head, lines[0], d)
		n := len(h.cells)
		if n < 2 || h.filled < n || n <= len(best.cells) {
			continue
		}
		quoted, words := h.style()
		same, fewer, more := widthsBelow(head[h.at:], d, n)
		agree := fewer+more == 0 && (same > 0 || quoted) && (n > 2 || quoted || words && same >= 3)
		if agree || h.areNames() && same > 0 && more == 0 {
			best, found = h, true
		}
	}
	return best, found
}

// style reports whether all cells of a line are in quotes, and whether all are words.
func (h headLine) style() (quoted, words bool) {
	words = true
	for _, c := range h.cells {
		words = words && classOf([]byte(c)) == classText
	}
	return h.quoted == len(h.cells), words
}

// widthsBelow counts the records below the first one that have n cells, fewer but more than one, and any
// other number.
func widthsBelow(head []byte, delim byte, n int) (same, fewer, more int) {
	t := headTokens(head, delim)
	for i := range 4 * headLines {
		rec, err := t.next()
		switch {
		case err != nil:
			return same, fewer, more
		case i == 0 || len(rec.raw) == 0:
		case !rec.bad && len(rec.cells) == n:
			same++
		case !rec.bad && len(rec.cells) > 1 && len(rec.cells) < n:
			fewer++
		default:
			more++
		}
	}
	return same, fewer, more
}
