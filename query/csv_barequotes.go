package query

// bareLine reads a line in which a quoted cell has a quote that is neither doubled nor at its end: the cell
// may end at every quote that a delimiter or the row end follows. Only the one reading of the right width is
// taken.
func (c *carefulReader) bareLine(from int) (record, error) {
	end := from
	for c.has(end) {
		if e, _ := c.rowEnd(end); e != endNone {
			break
		}
		end++
	}
	c.found, c.path, c.steps = c.found[:0], c.path[:0], 0
	c.bareCell(from, end, 0)
	if len(c.found) != 1 || c.steps > maxReadings || len(c.found[0].spans) != c.width {
		rec, err := c.badLine()
		rec.unclear = len(c.found) > 1
		return rec, err
	}
	rec := c.accept(c.found[0])
	rec.bare = true
	return rec, nil
}

// bareCell is cell for a line that ends at end.
func (c *carefulReader) bareCell(pos, end, index int) {
	if c.steps++; c.steps > maxReadings || index > c.width {
		return
	}
	line := c.unread()[:end]
	if pos >= end || line[pos] != c.d.quote {
		to := pos
		for to < end && line[to] != c.d.delim {
			if line[to] == c.d.quote {
				return
			}
			to++
		}
		c.followBare(span{from: pos, to: to}, to, end, index)
		return
	}
	for q := pos + 1; q < end; q++ {
		if line[q] == c.d.quote && (q+1 == end || line[q+1] == c.d.delim) {
			c.followBare(span{from: pos + 1, to: q, quoted: true}, q+1, end, index)
		}
	}
}

func (c *carefulReader) followBare(s span, next, end, index int) {
	c.path = append(c.path[:index], s)
	if next < end {
		c.bareCell(next+1, end, index+1)
		return
	}
	// A delimiter too many at the end is not a rare mistake: a reading that has one is as good.
	if n := index + 1; (n == c.width || n == c.width+1 && s.from == s.to) && len(c.found) < 2 {
		rowEnd, wide := c.rowEnd(end)
		c.found = append(c.found, reading{append([]span(nil), c.path[:index+1]...), end, rowEnd, wide})
	}
}
