package unpack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"holdall/internal/filetype"
)

// A zipScan reads bytes that no directory accounts for, record by record. What proves to be an entry is
// handed on; other directories and end records are passed over; the rest is unaccounted for.
type zipScan struct {
	z     *zipFile
	acc   *Account
	index int // of the next entry
	found func(Entry) error
	// bytes that may yet be read to try headers: fake ones must not cost the square of the container
	effort int64
	costs  tally

	buf  []byte // what was read last, from off
	off  int64
	last bool // the region reaches to where the container's bytes end

	covered int64 // where an entry ends that reaches over what the directory names

	truncated bool   // an entry does not end where it should
	ended     bool   // an end record was met
	stated    uint64 // the entries that it says there are
}

// region goes through the bytes from from up to to.
func (s *zipScan) region(from, to int64) error {
	s.last = to == s.z.end.container || to == s.z.end.limit || to == s.z.end.start
	for at := max(from, min(s.covered, to)); ; {
		var err error
		if at, err = s.skipZeros(at, to); err != nil || at == to {
			return err
		}
		end, err := s.record(at, to)
		if err != nil {
			return err
		}
		if end <= at {
			if end, err = s.nextSignature(at+1, to); err != nil {
				return err
			}
			s.unaccounted(at, end)
		}
		at = end
	}
}

// peek returns up to n bytes at a place, fewer only before to. They are valid until the next call.
func (s *zipScan) peek(at, to int64, n int) ([]byte, error) {
	n = int(min(int64(n), to-at))
	if at >= s.off && at+int64(n) <= s.off+int64(len(s.buf)) {
		return s.buf[at-s.off:], nil
	}
	if s.buf == nil {
		s.buf = make([]byte, 0, scanWindow)
	}
	b := s.buf[:min(int64(scanWindow), to-at)]
	if err := readFullAt(s.z.r, b, at); err != nil {
		return nil, err
	}
	s.buf, s.off = b, at
	return b, nil
}

func (s *zipScan) skipZeros(at, to int64) (int64, error) {
	for at < to {
		b, err := s.peek(at, to, 1)
		if err != nil {
			return at, err
		}
		b = b[:min(int64(len(b)), to-at)]
		rest := bytes.TrimLeft(b, "\x00")
		at += int64(len(b) - len(rest))
		if len(rest) > 0 {
			return at, nil
		}
	}
	return to, nil
}

// nextSignature returns where the next record may begin, or to.
func (s *zipScan) nextSignature(at, to int64) (int64, error) {
	for at+4 <= to {
		b, err := s.peek(at, to, 4)
		if err != nil {
			return at, err
		}
		b = b[:min(int64(len(b)), to-at)]
		for i := 0; ; i++ {
			n := bytes.Index(b[i:], []byte("PK"))
			if n < 0 || i+n+4 > len(b) {
				break
			}
			i += n
			if isSignature(b[i:]) {
				return at + int64(i), nil
			}
		}
		at += int64(max(len(b)-3, 1))
	}
	return to, nil
}

func isSignature(b []byte) bool {
	if len(b) < 4 || b[0] != 'P' || b[1] != 'K' {
		return false
	}
	switch binary.LittleEndian.Uint32(b) {
	case localSignature, directorySignature, descriptorSignature, end64Signature, locatorSignature,
		endSignature,
		// digital signature, archive extra data, the mark of a once spanned ZIP
		0x05054b50, 0x08064b50, 0x30304b50:
		return true
	}
	return false
}

// record returns where the record at a place ends; at or before it where there is none.
func (s *zipScan) record(at, to int64) (int64, error) {
	b, err := s.peek(at, to, directorySize)
	if err != nil || !isSignature(b) {
		return at, err
	}
	n := int64(0)
	field := func(size, from int) int64 {
		switch {
		case len(b) < from+size:
			return 1 << 40 // cut
		case size == 2:
			return int64(binary.LittleEndian.Uint16(b[from:]))
		case size == 4:
			return int64(binary.LittleEndian.Uint32(b[from:]))
		}
		return int64(binary.LittleEndian.Uint64(b[from:]) & (1<<40 - 1))
	}
	switch binary.LittleEndian.Uint32(b) {
	case localSignature:
		return s.local(at, to)
	case directorySignature:
		n = directorySize + field(2, 28) + field(2, 30) + field(2, 32)
	case endSignature:
		if n = endSize + field(2, 20); n <= to-at {
			s.ended, s.stated = true, uint64(field(2, 10))
		}
	case end64Signature:
		n = 12 + field(8, 4)
	case locatorSignature:
		n = locatorSize
	case 0x05054b50:
		n = 6 + field(2, 4)
	case 0x08064b50:
		n = 8 + field(4, 4)
	case descriptorSignature, 0x30304b50: // alone only in front of the first entry
		if to-at == 4 || len(b) >= 8 && binary.LittleEndian.Uint32(b[4:]) == localSignature {
			n = 4
		}
	}
	if n > to-at {
		return at, nil
	}
	return at + n, nil
}

// unaccounted notes a run of bytes.
func (s *zipScan) unaccounted(from, to int64) {
	s.acc.Unaccounted += to - from
	if n := len(s.acc.Regions); n > 0 && s.acc.Regions[n-1].To == from {
		s.acc.Regions[n-1].To = to
	} else if n < mostExamples {
		s.acc.Regions = append(s.acc.Regions, Region{from, to, ""})
	} else {
		return
	}
	r := &s.acc.Regions[len(s.acc.Regions)-1]
	r.What = s.describe(r.From, r.To)
}

// describe says what a run of bytes looks like. That it cannot be read again is no reason to fail here.
func (s *zipScan) describe(from, to int64) string {
	first, last := make([]byte, min(512, to-from)), make([]byte, min(16, to-from))
	if readFullAt(s.z.r, first, from) != nil || readFullAt(s.z.r, last, to-int64(len(last))) != nil {
		return "unreadable"
	}
	switch kind := filetype.Detect(first); {
	case string(last) == "APK Sig Block 42":
		return "an APK signing block"
	case bytes.HasPrefix(first, []byte("MZ")) || bytes.HasPrefix(first, []byte("\x7fELF")) ||
		bytes.HasPrefix(first, []byte("#!")):
		return "a program, as in front of a self-extracting ZIP"
	case kind != filetype.Unknown:
		return string(kind)
	case filetype.LooksLikeText(string(first)):
		return "text"
	}
	return "bytes in no known format"
}

// local tries the header at a place: an entry is what its own header or the descriptor behind it proves. One
// that reaches over what the directory names says that the directory is another ZIP's, which lies inside of
// it.
func (s *zipScan) local(at, to int64) (int64, error) {
	end, err := s.try(at, to, false)
	if end > at || err != nil || to == s.z.end.container {
		return end, err
	}
	if end, err = s.try(at, s.z.end.container, true); end > to {
		s.acc.Contradictions = append(
			s.acc.Contradictions,
			fmt.Sprintf(
				"the entry at byte %d reaches over others, and over the directory or parts of it", at,
			),
		)
		s.covered = max(s.covered, end)
	}
	return min(end, to), err
}

// try reads the entry at a place. With strict it has to be proven by its checksum.
func (s *zipScan) try(at, to int64, strict bool) (int64, error) {
	h, ok, err := s.z.readLocalAt(at, to)
	if err != nil || !ok || !h.plausible() {
		return at, err
	}
	if h.hasSizes() {
		return s.sizedEntry(&h, at, to, strict)
	}
	data := at + int64(h.length())
	var end int64
	var d descriptor
	switch h.method {
	case methodDeflate:
		end, d, ok, err = s.inflateToEnd(data, to)
	case methodStored:
		end, d, ok, err = s.storedToEnd(data, to)
	default:
		ok = false
	}
	if err != nil {
		return at, err
	}
	if !ok || strict && d.length == 0 {
		return s.truncatedEntry(&h, at, to, strict)
	}
	h.crc, h.size = d.crc, d.size
	return end + d.length, s.emit(h.entry(s.index, at, end))
}

// sizedEntry is an entry whose header says how long it is.
func (s *zipScan) sizedEntry(h *localHeader, at, to int64, strict bool) (int64, error) {
	data := at + int64(h.length())
	if int64(h.stored) > to-data {
		return s.truncatedEntry(h, at, to, strict)
	}
	end := data + int64(h.stored)
	e := h.entry(s.index, at, end)
	proven, err := s.verify(e)
	if err != nil || !proven && strict {
		return at, err
	}
	if !proven {
		if follows, err := s.follows(end, to); !follows || err != nil {
			return at, err
		}
	}
	after := end
	if h.flags&flagDescriptor != 0 {
		d, ok, err := s.z.descriptorAt(end, to, int64(h.stored), h.crc, true)
		if err != nil {
			return at, err
		}
		if ok {
			after += d.length
		}
	}
	return after, s.emit(e)
}

// truncatedEntry is one that does not end where it should: at the very end of a container it is cut, and what
// there is of it is worth having. Elsewhere its header is not to be believed.
func (s *zipScan) truncatedEntry(h *localHeader, at, to int64, strict bool) (int64, error) {
	data := at + int64(h.length())
	if strict || !s.last || !knownMethod(h.method) || h.flags&flagEncrypted != 0 || data >= to {
		return at, nil
	}
	end, err := s.nextSignature(data, to)
	if err != nil {
		return at, err
	}
	e := h.entry(s.index, at, end)
	e.Truncated = true
	s.truncated = true
	if !h.hasSizes() {
		e.HasCRC = false
		e.Size = (end - data) * s.z.lim.OverallRatio // whatever it inflates to
	}
	if e.Refused != "" && e.Refused != RefusedBroken {
		return end, s.emit(e)
	}
	e.Refused = ""
	return end, s.emit(e)
}

// verify reads an entry against its checksum.
func (s *zipScan) verify(e Entry) (bool, error) {
	if e.Refused != "" {
		return e.Refused == RefusedDirectory, nil
	}
	if s.effort -= e.CompressedSize + localSize; s.effort < 0 {
		return false, nil
	}
	if trial := s.costs; !trial.admit(e) {
		return false, nil
	}
	r, err := s.z.Open(e)
	if err == nil {
		_, err = io.Copy(io.Discard, r)
		r.Close()
	}
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, ErrChecksum):
		return false, nil
	}
	return false, sourceError(err)
}

// follows reports whether something sensible follows an entry: another record, zeros, or the end.
func (s *zipScan) follows(at, to int64) (bool, error) {
	if at == to {
		return true, nil
	}
	b, err := s.peek(at, to, 16)
	if err != nil {
		return false, err
	}
	return isSignature(b) || len(b) >= 16 && len(bytes.TrimLeft(b[:16], "\x00")) == 0, nil
}

func (s *zipScan) emit(e Entry) error {
	if s.index >= s.z.lim.Entries {
		return fmt.Errorf("%w: more than %d entries", ErrLimit, s.z.lim.Entries)
	}
	s.index++
	s.acc.Unlisted++
	s.acc.addDoubt(e.Offset, e.Offset+localSize+int64(len(e.RawName)))
	if e.Refused == "" && !e.Truncated && !s.costs.admit(e) {
		e.Refused = RefusedLimit
	}
	return s.found(e)
}
