package fetch

import (
	"cmp"
	"slices"
)

// A span is a run of bytes still to be fetched, from pos up to end. A connection that works on it moves pos;
// another one may take over its tail by moving end, never into the piece that pos is in.
type span struct {
	pos, end int64
	crc      uint32 // CRC-32C of the bytes between the start of pos's piece and pos
}

// forever is the end of a span whose object's size is not known yet.
const forever = int64(1) << 62

// pieces is the set of pieces that have been received. It grows on demand.
type pieces struct {
	bits []uint64
	crcs []uint32
	n    int64
}

func (p *pieces) has(i int64) bool {
	w := i >> 6
	return w < int64(len(p.bits)) && p.bits[w]&(1<<(i&63)) != 0
}

func (p *pieces) add(i int64, crc uint32) {
	for i>>6 >= int64(len(p.bits)) {
		p.bits = append(p.bits, 0)
	}
	for i >= int64(len(p.crcs)) {
		p.crcs = append(p.crcs, 0)
	}
	if !p.has(i) {
		p.n++
	}
	p.bits[i>>6] |= 1 << (i & 63)
	p.crcs[i] = crc
}

func (p *pieces) drop(i int64) {
	if p.has(i) {
		p.bits[i>>6] &^= 1 << (i & 63)
		p.n--
	}
}

// gaps returns the spans up to end that have not been received.
func (p *pieces) gaps(size int64, end int64) []*span {
	var out []*span
	last := (min(end, forever) + size - 1) / size
	known := int64(len(p.bits)) << 6
	for i := int64(0); i < last; {
		if i < known && p.has(i) {
			i++
			continue
		}
		j := i + 1
		for j < last && j < known && !p.has(j) {
			j++
		}
		if j >= known {
			j = last
		}
		out = append(out, &span{pos: i * size, end: min(j*size, end)})
		i = j
	}
	return out
}

// insertSpan puts s into the ordered list of free spans and joins it with a neighbour where nothing is half
// done.
func insertSpan(free []*span, s *span, pieceSize int64) []*span {
	if s.pos >= s.end {
		return free
	}
	i, _ := slices.BinarySearchFunc(free, s, func(a, b *span) int { return cmp.Compare(a.pos, b.pos) })
	if i < len(free) && free[i].pos == s.end && free[i].pos%pieceSize == 0 {
		s.end = free[i].end
		free = slices.Delete(free, i, i+1)
	}
	if i > 0 && free[i-1].end == s.pos && s.pos%pieceSize == 0 {
		free[i-1].end = s.end
		return free
	}
	return slices.Insert(free, i, s)
}

// beginSpan takes the beginning of a piece that has been received out of the free spans.
func beginSpan(free []*span, rec pieceRecord, pieceSize int64) []*span {
	start := rec.index * pieceSize
	for i, s := range free {
		if start < s.pos || start+int64(rec.length) >= s.end {
			continue
		}
		rest := &span{pos: start + int64(rec.length), end: s.end, crc: rec.crc}
		if s.pos == start {
			free[i] = rest
			return free
		}
		s.end = start
		return slices.Insert(free, i+1, rest)
	}
	return free
}
