package unpack

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Rest compares each record of the directory with the entry's own header, and looks through all bytes that
// are neither an entry's nor the directory's: another ZIP in front or behind, entries that a rewritten
// directory left out, or all there is where the directory is lost.
func (z *zipFile) Rest(found func(Entry) error) (Account, error) {
	c := zipCensus{z: z}
	if err := c.count(); err != nil {
		return Account{}, fmt.Errorf("compare the zip directory with the entries: %w", err)
	}
	s := zipScan{z: z, acc: &c.acc, index: c.records, found: found,
		effort: scanEffort*z.end.container + scanWindow,
		costs:  tally{lim: z.lim, container: z.end.container}}
	for _, gap := range c.gaps() {
		if err := s.region(gap.from, gap.to); err != nil {
			return c.acc, err
		}
	}
	stated, exact := z.end.entries, z.end.exact
	if z.end.none() {
		stated, exact = s.stated, false
	}
	if c.acc.Unlisted > 0 || c.acc.Unaccounted > 0 || len(c.acc.Contradictions) > 0 {
		c.doubtStructure()
	}
	c.acc.mergeDoubts(z.end.container)
	count := uint64(c.records + c.acc.Unlisted - c.astray)
	c.acc.Complete = !s.truncated && (s.ended || !z.end.none()) && (stated == count || !exact &&
		stated == count&math.MaxUint16)
	return c.acc, nil
}

// A zipCensus collects what the directory accounts for.
type zipCensus struct {
	z       *zipFile
	acc     Account
	extents extents
	records int

	recordDoubts             int
	astray, contrary, locked int // entries whose own header is not there, says otherwise, is encrypted
}

func (c *zipCensus) count() error {
	z := c.z
	if z.end.none() {
		return nil
	}
	next := z.end.start
	for h, err := range z.headers() {
		if sourceError(err) != nil {
			return err
		}
		if err != nil {
			c.contradict("%v", errors.Unwrap(err))
			break
		}
		c.records, next = h.index+1, h.next
		if err := c.entry(h); err != nil {
			return err
		}
	}
	if c.oddEnd(next) {
		c.acc.addDoubt(z.end.limit, z.end.container)
	}
	c.extents.add(z.end.start, next)
	c.extents.add(z.end.limit, min(z.end.after, z.end.container))
	if stated := z.end.entries; stated != uint64(c.records) && (z.end.exact ||
		stated != uint64(c.records)&math.MaxUint16) {
		c.contradict("the directory names %d entries, its end record says %d", c.records, stated)
	}
	for _, odd := range []struct {
		n    int
		what string
	}{
		{c.astray, "are not where the directory says"},
		{c.contrary, "have another size, checksum or method in their own headers"},
		{c.locked, "are encrypted by their own headers alone"},
	} {
		if odd.n > 0 {
			c.contradict("%d of %d entries %s", odd.n, c.records, odd.what)
		}
	}
	return nil
}

func (c *zipCensus) contradict(format string, args ...any) {
	c.acc.Contradictions = append(c.acc.Contradictions, fmt.Sprintf(format, args...))
}

// entry accounts for an entry's header, data and descriptor.
func (c *zipCensus) entry(h *zipHeader) error {
	if r := h.refused(); r != "" && r != RefusedDirectory {
		c.doubtEntry(h)
	}
	if h.pastEnd || h.offset+localSize > c.z.end.start {
		c.astray++
		c.doubtEntry(h)
		return nil
	}
	local, ok, err := c.z.readLocalAt(h.offset, c.z.end.start)
	if err != nil {
		return err
	}
	data := h.offset + int64(local.length())
	if !ok || h.stored > c.z.end.start-data {
		c.astray++
		c.doubtEntry(h)
		return nil
	}
	contrary := c.compare(h, &local)
	end := data + h.stored
	if (h.flags|local.flags)&flagDescriptor != 0 {
		d, ok, err := c.z.descriptorAt(end, c.z.end.start, h.stored, h.crc, true)
		if err != nil {
			return err
		}
		if ok {
			end += d.length
		}
	}
	if h.differs(&local) || contrary {
		c.doubtEntry(h)
	}
	c.extents.add(h.offset, end)
	return nil
}

// compare reports whether the header contradicts the record.
func (c *zipCensus) compare(h *zipHeader, local *localHeader) bool {
	if !sameName(local.name, h.name) && h.flags&flagMasked == 0 {
		if c.acc.Renamed++; len(c.acc.Renames) < mostExamples {
			c.acc.Renames = append(c.acc.Renames, Rename{h.index, bytes.Clone(local.name)})
		}
	}
	// Writers are known that have 64 bits in the directory only.
	same := func(own uint64, stated int64) bool {
		return own == uint64(stated) ||
			(h.short || stated > math.MaxUint32) && own == uint64(stated)&math.MaxUint32
	}
	sameSizes := same(local.stored, h.stored) && same(local.size, h.size)
	switch {
	case local.flags&flagEncrypted != 0 && h.flags&flagEncrypted == 0:
		c.locked++
	case local.method != h.method, local.hasSizes() && (!sameSizes || local.crc != h.crc):
		c.contrary++
	default:
		return false
	}
	return true
}

// gaps returns what of the container is accounted for by nothing.
func (c *zipCensus) gaps() []extent { return c.extents.gaps(c.z.end.container) }

// An extent is a run of bytes.
type extent struct{ from, to int64 }

// extents are runs of bytes that are accounted for. Those added one behind the other are one, so that an
// ordinary container of a million entries costs nothing.
type extents struct{ all []extent }

func (x *extents) add(from, to int64) {
	if n := len(x.all); n > 0 && from == x.all[n-1].to {
		x.all[n-1].to = to
		return
	}
	if from < to {
		x.all = append(x.all, extent{from, to})
	}
}

func (x *extents) gaps(size int64) []extent {
	slices.SortFunc(x.all, func(a, b extent) int { return cmp.Compare(a.from, b.from) })
	var gaps []extent
	at := int64(0)
	for _, e := range append(x.all, extent{size, size}) {
		if e.from > at {
			gaps = append(gaps, extent{at, e.from})
		}
		at = max(at, e.to)
	}
	return gaps
}
