package unpack

import (
	"cmp"
	"math"
	"slices"
)

// A zipOverlap tells, record by record, which entries of a directory reach into others, so that no byte is
// taken over twice. Every writer we know lists entries in the order of their offsets: as long as that holds,
// a look at the end of the entries so far is enough, nothing is kept, and the first entry need not wait for
// the rest of the directory. From the first entry on that is out of order, one is refused that begins
// before another one ends, or that reaches into one judged before.
type zipOverlap struct {
	z         *zipFile
	last, end int64
	unordered bool
	overlaps  []uint64 // then one bit an entry
}

// check is called with each record in turn. One that reaches into the directory is wrong itself and hurts no
// other.
func (o *zipOverlap) check(h *zipHeader) (bool, error) {
	if h.broken || h.pastEnd {
		return false, nil
	}
	if !o.unordered && h.offset < o.last {
		var err error
		if o.overlaps, err = o.z.findOverlaps(h.index); err != nil {
			return false, err
		}
		o.unordered = true
	}
	if o.unordered {
		return h.index/64 < len(o.overlaps) && o.overlaps[h.index/64]>>(h.index%64)&1 != 0, nil
	}
	overlaps := h.offset < o.end
	o.last, o.end = h.offset, max(o.end, h.least())
	return overlaps, nil
}

// findOverlaps sorts once what the directory tells; the entries before index judged have been let through.
// One that is broken later on is judged as far as it goes.
func (z *zipFile) findOverlaps(judged int) ([]uint64, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.overlaps == nil {
		var err error
		if z.overlaps, err = z.sortOffsets(judged); err != nil {
			return nil, err
		}
	}
	return z.overlaps, nil
}

// sortOffsets costs 24 bytes an entry while it runs.
func (z *zipFile) sortOffsets(judged int) ([]uint64, error) {
	type extent struct {
		from, to int64
		index    int
	}
	var all []extent
	for h, err := range z.headers() {
		if err != nil {
			if err := sourceError(err); err != nil {
				return nil, err
			}
			break
		}
		if h.broken || h.pastEnd {
			continue
		}
		if all == nil {
			all = make(
				[]extent, 0, min(z.end.entries, uint64(z.lim.Entries), uint64(z.end.size/directorySize)),
			)
		}
		all = append(all, extent{h.offset, h.least(), h.index})
	}
	slices.SortFunc(all, func(a, b extent) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.index, b.index))
	})
	last := 0
	for _, x := range all {
		last = max(last, x.index)
	}
	overlaps := make([]uint64, last/64+1)
	end := int64(0)
	for _, x := range all {
		if x.from < end {
			overlaps[x.index/64] |= 1 << (x.index % 64)
		}
		end = max(end, x.to)
	}
	next := int64(math.MaxInt64) // where the next one judged before begins
	for _, x := range slices.Backward(all) {
		if x.to > next {
			overlaps[x.index/64] |= 1 << (x.index % 64)
		}
		if x.index < judged {
			next = x.from
		}
	}
	return overlaps, nil
}
