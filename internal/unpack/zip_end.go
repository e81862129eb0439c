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
	start, size int64  // of the directory; size as stated
	limit       int64  // where the end records begin: the directory ends before it
	after       int64  // where the end records and the comment end
	stored      uint64 // offset of the directory as stated
	entries     uint64 // as stated
	exact       bool   // entries was stated in 64 bits; else it is modulo 65,536
	disk        uint32 // as stated
	container   int64  // size of all
}

// none reports whether there is no directory at all: the entries are found by their own headers.
func (e zipEnd) none() bool { return e.limit == 0 }

// Where the end record is looked for: a comment of up to 65,535 bytes may follow it, and sometimes more does.
const (
	usualTail = math.MaxUint16 + endSize + locatorSize + end64Size
	longTail  = 4 << 20
	mostEnds  = 64 // end records that are tried
)

// findZIPEnd looks for an end record that leads to a directory. An error that is not of the source is a
// *Damage.
func findZIPEnd(r io.ReaderAt, size int64) (zipEnd, error) {
	var first error
	for _, length := range []int64{usualTail, longTail} {
		length = min(length, size)
		tail := make([]byte, length)
		tailOff := size - length
		if err := readFullAt(r, tail, tailOff); err != nil {
			return zipEnd{}, err
		}
		for _, at := range endRecords(tail) {
			end, err := readEnd(r, tail, tailOff, at, size)
			if err == nil || sourceError(err) != nil {
				return end, err
			}
			if first == nil {
				first = &Damage{max(tailOff+int64(at)-usualTail, 0), size, err}
			}
		}
		if length == size || first != nil {
			break
		}
	}
	if first == nil {
		first = &Damage{max(size-usualTail, 0), size,
			fmt.Errorf("%w: no end record in the last %d of %d bytes; it is cut, or no ZIP",
				ErrFormat, min(longTail, size), size)}
	}
	return zipEnd{}, first
}

// endRecords returns where in the tail end records may begin, the likeliest first: those whose comment
// reaches exactly to the end, so that a comment cannot pretend to be one, then those with something behind
// them.
func endRecords(tail []byte) []int {
	var exact, others []int
	for end := len(tail); len(exact)+len(others) < mostEnds; {
		at := bytes.LastIndex(tail[:end], []byte("PK\x05\x06"))
		if at < 0 {
			break
		}
		end = at + 3
		if at+endSize > len(tail) {
			continue
		}
		switch comment := int(binary.LittleEndian.Uint16(tail[at+20:])); {
		case at+endSize+comment == len(tail):
			exact = append(exact, at)
		case at+endSize+comment < len(tail):
			others = append(others, at)
		}
	}
	return append(exact, others...)
}

// readEnd follows the end record at tail[at:].
func readEnd(r io.ReaderAt, tail []byte, tailOff int64, at int, size int64) (zipEnd, error) {
	end := parseEnd(tail[at:])
	limit := tailOff + int64(at)
	end.container = size
	end.after = limit + endSize + int64(binary.LittleEndian.Uint16(tail[at+20:]))
	if at < locatorSize || binary.LittleEndian.Uint32(tail[at-locatorSize:]) != locatorSignature {
		return end.locate(r, limit)
	}
	end64 := end
	stated := binary.LittleEndian.Uint64(tail[at-locatorSize+8:])
	at64, err := end64.read64(r, stated, limit-locatorSize)
	if err == nil {
		var found zipEnd
		if found, err = end64.locate(r, at64); err == nil {
			return found, nil
		}
	}
	if sourceError(err) != nil {
		return zipEnd{}, err
	}
	// The record in 64 bits leads nowhere. The one in 32 bits may still say the truth.
	if found, err := end.locate(r, limit); err == nil || sourceError(err) != nil {
		return found, err
	}
	return zipEnd{}, err
}

// An endRecord is what the end records tell, before it is known whether the directory is there.
type endRecord struct {
	zipEnd
	storedSize uint64
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
	return e
}

// read64 takes the values of the ZIP64 end record, which is at stated or, with junk in front, right
// before its locator. It returns where the record starts.
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
		return at, nil
	}
	return 0, fmt.Errorf(
		"%w: the ZIP64 end record is neither at byte %d nor before its locator", ErrFormat, stated,
	)
}

// locate finds the directory right before the end record, else where the record says. Both of size and
// offset may be stated modulo 4 GiB, by a writer without ZIP64.
func (e *endRecord) locate(r io.ReaderAt, limit int64) (zipEnd, error) {
	found := e.zipEnd
	found.limit, found.size = limit, int64(min(e.storedSize, uint64(math.MaxInt64)))
	if e.storedSize == 0 {
		found.start = limit
		if e.entries != 0 {
			return found, fmt.Errorf("%w: %d entries in a directory of no bytes", ErrFormat, e.entries)
		}
		return found, nil
	}
	starts := []int64{limit - found.size}
	for at := e.stored; at < uint64(limit); at += 1 << 32 {
		starts = append(starts, int64(at))
		if e.exact || len(starts) > 4096 {
			break
		}
	}
	for _, start := range starts {
		if start < 0 || start > limit-directorySize {
			continue
		}
		var signature [4]byte
		if err := readFullAt(r, signature[:], start); err != nil {
			return found, err
		}
		if binary.LittleEndian.Uint32(signature[:]) == directorySignature {
			found.start = start
			return found, nil
		}
	}
	return found, fmt.Errorf("%w: no directory of %d bytes before its end record, nor at byte %d, where "+
		"that says",
		ErrFormat, e.storedSize, e.stored)
}
