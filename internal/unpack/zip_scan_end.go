package unpack

import (
	"encoding/binary"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/flate"
)

// inflateToEnd finds where the deflated data that begins at a place ends, with its descriptor behind it.
func (s *zipScan) inflateToEnd(data, to int64) (end int64, d descriptor, ok bool, err error) {
	if s.effort <= 0 {
		return 0, d, false, nil
	}
	src := &span{r: s.z.r, off: data, end: to}
	b := newBuffer(src)
	defer freeBuffer(b)
	f := inflaters.Get().(io.ReadCloser)
	defer inflaters.Put(f)
	if err := f.(flate.Resetter).Reset(b, nil); err != nil {
		// it reads b byte by byte, and no further than the data goes
		return 0, d, false, err
	}
	sum := crc32.NewIEEE()
	size, err := io.Copy(sum, io.LimitReader(f, s.z.lim.EntrySize))
	end = src.off - int64(b.Buffered())
	s.effort -= end - data + size/16
	if err != nil {
		return 0, d, false, src.err
	}
	d, ok, err = s.z.descriptorAt(end, to, end-data, sum.Sum32(), true)
	if err != nil {
		return 0, d, false, err
	}
	if !ok { // a writer that forgot the descriptor
		d = descriptor{crc: sum.Sum32()}
		ok, err = s.follows(end, to)
	}
	d.size, d.stored = uint64(size), uint64(end-data)
	return end, d, ok, err
}

// storedToEnd finds where the stored data that begins at a place ends: at the first descriptor that tells its
// length and its checksum. A descriptor without signature is looked for in front of the next record.
func (s *zipScan) storedToEnd(data, to int64) (end int64, d descriptor, ok bool, err error) {
	sum, summed := crc32.NewIEEE(), data
	for at := data; s.effort > 0; at++ {
		from := at
		if at, err = s.nextSignature(at, to); err != nil || at == to {
			s.effort -= at - from
			return 0, d, false, err
		}
		s.effort -= at - from + 4
		b, err := s.peek(at, to, 4)
		if err != nil {
			return 0, d, false, err
		}
		backs := []int64{12, 20}
		if binary.LittleEndian.Uint32(b) == descriptorSignature {
			backs = []int64{0}
		}
		for _, back := range backs {
			end = at - back
			if end < summed {
				continue
			}
			d, ok, err := s.z.descriptorAt(end, to, end-data, 0, false)
			if err != nil {
				return 0, d, false, err
			}
			if !ok {
				continue
			}
			if _, err := io.Copy(sum, &span{r: s.z.r, off: summed, end: end}); err != nil {
				return 0, d, false, err
			}
			s.effort -= end - summed
			summed = end
			if sum.Sum32() == d.crc {
				d.size = uint64(end - data)
				return end, d, true, nil
			}
		}
	}
	return 0, d, false, nil
}
