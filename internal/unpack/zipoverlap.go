package unpack

import (
	"cmp"
	"slices"
)

// A zipOrder tells which entries of a directory overlap others. Every writer we know lists entries in the order of their
// offsets; then a look at the end of the entries so far is enough, and nothing is kept.
type zipOrder struct {
	ascending bool
	overlaps  []uint64 // otherwise one bit an entry
}

// findOrder reads the directory once. A directory that is broken later on is judged as far as it goes.
func (z *zipFile) findOrder() (*zipOrder, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.order != nil {
		return z.order, nil
	}
	ascending, err := z.isAscending()
	if err != nil {
		return nil, err
	}
	order := &zipOrder{ascending: ascending}
	if !ascending {
		if order.overlaps, err = z.sortOffsets(); err != nil {
			return nil, err
		}
	}
	z.order = order
	return order, nil
}

func (z *zipFile) isAscending() (bool, error) {
	last := int64(-1)
	for h, err := range z.headers() {
		if err != nil {
			return true, sourceError(err)
		}
		if h.broken {
			continue
		}
		if h.offset < last {
			return false, nil
		}
		last = h.offset
	}
	return true, nil
}

// sortOffsets costs 24 bytes an entry while it runs.
func (z *zipFile) sortOffsets() ([]uint64, error) {
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
			all = make([]extent, 0, min(z.end.entries, uint64(z.lim.Entries), uint64(z.end.size/directorySize)))
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
	return overlaps, nil
}

// checker returns a function to be called with each record in turn: does it begin before another one ends? Of two entries
// that overlap, the one that begins first is kept. One that reaches into the directory is wrong itself and hurts no other.
func (o *zipOrder) checker() func(*zipHeader) bool {
	end := int64(0)
	return func(h *zipHeader) bool {
		switch {
		case h.broken || h.pastEnd:
			return false
		case !o.ascending:
			return h.index/64 < len(o.overlaps) && o.overlaps[h.index/64]>>(h.index%64)&1 != 0
		}
		overlaps := h.offset < end
		end = max(end, h.least())
		return overlaps
	}
}
