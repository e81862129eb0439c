package unpack

import (
	"cmp"
	"slices"
)

const (
	mostDoubts = 20      // ranges: a writer's way is the same in every entry, a bit that flipped is in one
	doubtEdge  = 1 << 16 // of a long range what lies at its ends: its headers, if it has any
	nearDoubts = 1 << 18 // ranges as near as that to each other are one
)

// addDoubt notes that the bytes from from up to to would say something else if one of them had changed on its
// way.
func (a *Account) addDoubt(from, to int64) {
	if len(a.Doubts) >= mostDoubts {
		return
	}
	if to-from > 2*doubtEdge {
		a.Doubts = append(a.Doubts, Range{from, from + doubtEdge})
		from = to - doubtEdge
	}
	a.Doubts = append(a.Doubts, Range{from, to})
}

// mergeDoubts brings the ranges into order, joins near ones, and adds the regions that belong to nothing.
func (a *Account) mergeDoubts(size int64) {
	for _, r := range a.Regions {
		a.addDoubt(r.From, r.To)
	}
	all := a.Doubts
	a.Doubts = nil
	slices.SortFunc(all, func(x, y Range) int { return cmp.Compare(x.From, y.From) })
	for _, r := range all {
		if from, to := max(r.From, 0), min(r.To, size); from < to {
			a.join(Range{from, to})
		}
	}
}

// join adds a range that begins behind those that are there, or in the last of them.
func (a *Account) join(r Range) {
	if n := len(a.Doubts); n > 0 && r.From <= a.Doubts[n-1].To+nearDoubts {
		a.Doubts[n-1].To = max(a.Doubts[n-1].To, r.To)
		return
	}
	a.Doubts = append(a.Doubts, r)
}

// doubtEntry notes an entry's record in the directory, and its own header where the record says that it is.
func (c *zipCensus) doubtEntry(h *zipHeader) {
	c.recordDoubts++
	if c.recordDoubts > mostDoubts/4 {
		return // what is found later has room, too
	}
	c.acc.addDoubt(h.at, h.next)
	c.acc.addDoubt(h.offset, min(h.offset+localSize+int64(len(h.name)+len(h.extra)), c.z.end.start))
}

// differs reports whether an entry's own header says anything of it that its record in the directory does
// not. Writers are known that do so in all their entries.
func (h *zipHeader) differs(local *localHeader) bool {
	if h.flags&flagMasked != 0 {
		return false
	}
	own := zipHeader{dosTime: local.dosTime, dosDate: local.dosDate, extra: local.extra}
	return !sameName(local.name, h.name) || local.flags != h.flags || local.method != h.method ||
		local.dosTime != h.dosTime || local.dosDate != h.dosDate || !own.modified().Equal(h.modified())
}

// doubtStructure notes the directory's ends and the end records: whatever is missing from a directory, they
// would name it.
func (c *zipCensus) doubtStructure() {
	e := c.z.end
	first, last := Range{e.start, min(e.start+doubtEdge, e.limit)}, Range{
		max(e.limit-doubtEdge, e.start), e.container,
	}
	c.acc.Doubts = append(c.acc.Doubts, first, last)
}

// oddEnd reports whether the end record says anything but where the directory is, and how long.
func (c *zipCensus) oddEnd(next int64) bool {
	e := c.z.end
	return c.z.base != 0 || e.size != next-e.start || uint32(e.stored) != uint32(e.start) || e.disk != 0
}
