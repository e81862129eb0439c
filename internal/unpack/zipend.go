package unpack

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// A zipEnd says where the directory of a ZIP is. Offsets count from the start of the container.
type zipEnd struct {
	start, size int64  // of the directory
	base        int64  // bytes of junk in front, to be added to stored offsets
	entries     uint64 // as told
	exact       bool   // entries was told in 64 bits; else it is modulo 65,536
	container   int64  // size of all
}

func (e zipEnd) directoryEnd() int64 { return e.start + e.size }

// findZIPEnd looks for the end record in the last 64 KiB: a comment of up to 65,535 bytes may follow it.
func findZIPEnd(r io.ReaderAt, size int64) (zipEnd, error) {
	tail := make([]byte, min(size, math.MaxUint16+endSize+locatorSize+end64Size))
	tailOff := size - int64(len(tail))
	if err := readFullAt(r, tail, tailOff); err != nil {
		return zipEnd{}, err
	}
	at := lastEndRecord(tail)
	if at < 0 {
		return zipEnd{}, fmt.Errorf("%w: no end record in the last %d of %d bytes; it is cut, or no ZIP", ErrFormat, len(tail), size)
	}
	end := parseEnd(tail[at:])
	end.container = size
	directoryEnd := tailOff + int64(at)
	if end.disk != 0 {
		return zipEnd{}, fmt.Errorf("%w: it is one volume of a split ZIP; all volumes must be joined first", ErrFormat)
	}
	if at >= locatorSize && binary.LittleEndian.Uint32(tail[at-locatorSize:]) == locatorSignature {
		stated := binary.LittleEndian.Uint64(tail[at-locatorSize+8:])
		at64, err := end.read64(r, stated, directoryEnd-locatorSize)
		if err != nil {
			return zipEnd{}, err
		}
		directoryEnd = at64
	}
	return end.locate(r, directoryEnd)
}

// lastEndRecord prefers the record whose comment reaches exactly to the end, so that a comment cannot pretend to be one.
func lastEndRecord(tail []byte) int {
	fallback := -1
	for end := len(tail); ; {
		at := bytes.LastIndex(tail[:end], []byte("PK\x05\x06"))
		if at < 0 {
			return fallback
		}
		end = at + 3
		if at+endSize > len(tail) {
			continue
		}
		switch comment := int(binary.LittleEndian.Uint16(tail[at+20:])); {
		case at+endSize+comment == len(tail):
			return at
		case at+endSize+comment < len(tail) && fallback < 0:
			fallback = at
		}
	}
}

// An endRecord is what the end records tell, before it is known how much junk stands in front.
type endRecord struct {
	zipEnd
	disk       uint32
	stored     uint64 // offset of the directory
	storedSize uint64
	wants64    bool // a field says that the value is elsewhere
}

func parseEnd(b []byte) endRecord {
	var e endRecord
	e.disk = uint32(binary.LittleEndian.Uint16(b[4:]))
	e.entries = uint64(binary.LittleEndian.Uint16(b[10:]))
	e.storedSize = uint64(binary.LittleEndian.Uint32(b[12:]))
	e.stored = uint64(binary.LittleEndian.Uint32(b[16:]))
	if e.disk == math.MaxUint16 {
		e.disk = 0
	}
	e.wants64 = e.storedSize == math.MaxUint32 || e.stored == math.MaxUint32
	return e
}

// read64 takes the values of the ZIP64 end record, which stands at stated or, with junk in front, right before its locator.
// It returns where the record starts.
func (e *endRecord) read64(r io.ReaderAt, stated uint64, locator int64) (int64, error) {
	var b [end64Size]byte
	for _, at := range []int64{int64(stated), locator - end64Size} {
		if at < 0 || at > locator-end64Size {
			continue
		}
		if err := readFullAt(r, b[:], at); err != nil {
			return 0, err
		}
		if binary.LittleEndian.Uint32(b[:]) != end64Signature {
			continue
		}
		e.entries, e.exact = binary.LittleEndian.Uint64(b[32:]), true
		e.storedSize = binary.LittleEndian.Uint64(b[40:])
		e.stored = binary.LittleEndian.Uint64(b[48:])
		e.wants64 = false
		return at, nil
	}
	return 0, fmt.Errorf("%w: the ZIP64 end record is neither at byte %d nor before its locator", ErrFormat, stated)
}

// locate finds the directory right before the end record, else where it is told to be.
func (e *endRecord) locate(r io.ReaderAt, directoryEnd int64) (zipEnd, error) {
	found := e.zipEnd
	if e.wants64 {
		return found, fmt.Errorf("%w: its ZIP64 end record is missing", ErrFormat)
	}
	if e.storedSize > uint64(directoryEnd) || e.stored > uint64(directoryEnd)-e.storedSize {
		return found, fmt.Errorf("%w: a directory of %d bytes at byte %d does not fit into the %d bytes before its end record; the front is cut",
			ErrFormat, e.storedSize, e.stored, directoryEnd)
	}
	found.size = int64(e.storedSize)
	if found.size == 0 {
		found.start = directoryEnd
		if e.entries != 0 {
			return found, fmt.Errorf("%w: %d entries in a directory of no bytes", ErrFormat, e.entries)
		}
		return found, nil
	}
	for _, start := range []int64{directoryEnd - found.size, int64(e.stored)} {
		var signature [4]byte
		if err := readFullAt(r, signature[:], start); err != nil {
			return found, err
		}
		if binary.LittleEndian.Uint32(signature[:]) == directorySignature {
			found.start, found.base = start, start-int64(e.stored)
			return found, nil
		}
	}
	return found, fmt.Errorf("%w: no directory where the end record says, at byte %d", ErrFormat, e.stored)
}
