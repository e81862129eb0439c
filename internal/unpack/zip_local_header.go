package unpack

import (
	"encoding/binary"
	"fmt"
	"math"
)

// A localHeader is what an entry says of itself, right before its data.
type localHeader struct {
	version, flags, method uint16
	dosTime, dosDate       uint16
	crc                    uint32
	stored, size           uint64
	nameLen, extraLen      int
	name, extra            []byte // once take has been called
	complete               bool   // sizes were stated
}

// parseLocal parses the fixed part.
func parseLocal(b []byte) localHeader {
	return localHeader{
		version:  binary.LittleEndian.Uint16(b[4:]),
		flags:    binary.LittleEndian.Uint16(b[6:]),
		method:   binary.LittleEndian.Uint16(b[8:]),
		dosTime:  binary.LittleEndian.Uint16(b[10:]),
		dosDate:  binary.LittleEndian.Uint16(b[12:]),
		crc:      binary.LittleEndian.Uint32(b[14:]),
		stored:   uint64(binary.LittleEndian.Uint32(b[18:])),
		size:     uint64(binary.LittleEndian.Uint32(b[22:])),
		nameLen:  int(binary.LittleEndian.Uint16(b[26:])),
		extraLen: int(binary.LittleEndian.Uint16(b[28:])),
	}
}

// length is that of the whole header.
func (h *localHeader) length() int { return localSize + h.nameLen + h.extraLen }

// setVariable takes the variable part.
func (h *localHeader) setVariable(b []byte) {
	h.name, h.extra = b[:h.nameLen], b[h.nameLen:]
	h.complete = takeZip64(h.extra, &h.size, &h.stored)
}

// hasSizes reports whether sizes and checksum are in this header, and not in a descriptor after the data.
func (h *localHeader) hasSizes() bool {
	return h.complete && (h.flags&flagDescriptor == 0 || h.stored != 0 || h.size != 0 || h.crc != 0)
}

// plausible refuses chance bytes after a signature.
func (h *localHeader) plausible() bool {
	return h.version&0xff <= 63 && h.nameLen > 0 && h.method <= methodAES && h.stored <= math.MaxInt64 &&
		h.size <= math.MaxInt64
}

// readLocalAt reads the header at a place of the container; ok is false where none is that makes sense and
// ends before limit.
func (z *zipFile) readLocalAt(at, limit int64) (h localHeader, ok bool, err error) {
	var fixed [localSize]byte
	if at+localSize > limit {
		return h, false, nil
	}
	if err := readFullAt(z.r, fixed[:], at); err != nil {
		return h, false, err
	}
	if binary.LittleEndian.Uint32(fixed[:]) != localSignature {
		return h, false, nil
	}
	h = parseLocal(fixed[:])
	if at+int64(h.length()) > limit {
		return h, false, nil
	}
	rest := make([]byte, h.length()-localSize)
	if err := readFullAt(z.r, rest, at+localSize); err != nil {
		return h, false, err
	}
	h.setVariable(rest)
	return h, true, nil
}

// entry is what the header says of the entry whose data ends at end.
func (h *localHeader) entry(index int, at, end int64) Entry {
	record := zipHeader{index: index, flags: h.flags, method: h.method, dosTime: h.dosTime,
		dosDate: h.dosDate, crc: h.crc,
		size: int64(h.size), stored: end - at - int64(h.length()), offset: at, name: h.name, extra: h.extra}
	e := record.entry()
	e.Unlisted, e.Modulo = true, false
	return e
}

// A descriptor follows the data of an entry whose header was written before its size was known.
type descriptor struct {
	crc          uint32
	stored, size uint64
	length       int64
}

// descriptorAt finds a descriptor of stored bytes at a place, in any of its four forms: with and without
// signature, of 32 and of 64 bits. With check it has to have that checksum.
func (z *zipFile) descriptorAt(at, limit, stored int64, crc uint32, check bool) (descriptor, bool, error) {
	b := make([]byte, min(24, max(limit-at, 0)))
	if err := readFullAt(z.r, b, at); err != nil {
		return descriptor{}, false, fmt.Errorf("look for a data descriptor: %w", err)
	}
	for _, signed := range []int{4, 0} {
		if signed > 0 && (len(b) < 4 || binary.LittleEndian.Uint32(b) != descriptorSignature) {
			continue
		}
		for _, wide := range []bool{false, true} {
			d, ok := parseDescriptor(b, signed, wide)
			low := d.stored == uint64(stored) || !wide && d.stored == uint64(stored)&math.MaxUint32
			if ok && low && (!check || d.crc == crc) {
				return d, true, nil
			}
		}
	}
	return descriptor{}, false, nil
}

func parseDescriptor(b []byte, from int, wide bool) (descriptor, bool) {
	n := from + 12
	if wide {
		n = from + 20
	}
	if len(b) < n {
		return descriptor{}, false
	}
	d := descriptor{crc: binary.LittleEndian.Uint32(b[from:]), length: int64(n)}
	if wide {
		d.stored, d.size = binary.LittleEndian.Uint64(b[from+4:]), binary.LittleEndian.Uint64(b[from+12:])
	} else {
		d.stored, d.size = uint64(binary.LittleEndian.Uint32(b[from+
			4:])), uint64(binary.LittleEndian.Uint32(b[from+8:]))
	}
	return d, true
}
