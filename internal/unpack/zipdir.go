package unpack

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"strings"
)

// A zipHeader is one record of the directory. name and extra lie in the window: they are valid until the next record.
type zipHeader struct {
	index            int
	host             byte // the system it was made on: 0 MS-DOS, 3 Unix, 19 macOS
	flags, method    uint16
	dosTime, dosDate uint16
	crc              uint32
	stored, size     int64
	offset           int64 // of the local header in the container
	mode             uint32
	name, extra      []byte
	broken           bool // its fields contradict each other or the container
	pastEnd          bool // its bytes reach into the directory
}

// Flags of an entry (APPNOTE 4.4.4).
const (
	flagEncrypted  = 1 << 0
	flagDescriptor = 1 << 3
	flagStrong     = 1 << 6
	flagUTF8       = 1 << 11
	flagMasked     = 1 << 13
)

// headers streams the directory's records through one window. The header that it yields is reused.
func (z *zipFile) headers() iter.Seq2[*zipHeader, error] {
	return func(yield func(*zipHeader, error) bool) {
		src := &span{r: z.r, off: z.end.start, end: z.end.directoryEnd()}
		b := newBuffer(src)
		defer freeBuffer(b)
		var h zipHeader
		for left := z.end.size; left > 0; h.index++ {
			n, err := z.readHeader(b, &h, left)
			if err != nil {
				if src.err != nil {
					err = src.err
				}
				yield(nil, fmt.Errorf("read zip directory, entry %d of %d: %w", h.index, z.end.entries, err))
				return
			}
			if n == 0 {
				break
			}
			if !yield(&h, nil) {
				return
			}
			b.Discard(n)
			left -= int64(n)
		}
		if told := z.end.entries; told != uint64(h.index) && (z.end.exact || told != uint64(h.index)&math.MaxUint16) {
			yield(nil, fmt.Errorf("%w: the zip directory holds %d entries, its end record says %d", ErrFormat, h.index, told))
		}
	}
}

// readHeader parses the record at the front of b and returns its length; 0 where the directory ends with a digital signature.
func (z *zipFile) readHeader(b *bufio.Reader, h *zipHeader, left int64) (int, error) {
	fixed, err := b.Peek(int(min(directorySize, left)))
	if err != nil {
		return 0, err
	}
	if bytes.HasPrefix(fixed, []byte("PK\x05\x05")) {
		return 0, nil
	}
	if len(fixed) < directorySize || binary.LittleEndian.Uint32(fixed) != directorySignature {
		return 0, fmt.Errorf("%w: no directory record at byte %d", ErrFormat, z.end.directoryEnd()-left)
	}
	if h.index >= z.lim.Entries {
		return 0, fmt.Errorf("%w: more than %d entries", ErrLimit, z.lim.Entries)
	}
	name := int(binary.LittleEndian.Uint16(fixed[28:]))
	extra := int(binary.LittleEndian.Uint16(fixed[30:]))
	n := directorySize + name + extra + int(binary.LittleEndian.Uint16(fixed[32:]))
	if int64(n) > left {
		return 0, fmt.Errorf("%w: the record at byte %d is longer than the directory", ErrFormat, z.end.directoryEnd()-left)
	}
	record, err := b.Peek(n)
	if err != nil {
		return 0, err
	}
	h.parse(record, name, extra)
	h.place(z.end)
	return n, nil
}

func (h *zipHeader) parse(b []byte, name, extra int) {
	*h = zipHeader{
		index:   h.index,
		host:    b[5],
		flags:   binary.LittleEndian.Uint16(b[8:]),
		method:  binary.LittleEndian.Uint16(b[10:]),
		dosTime: binary.LittleEndian.Uint16(b[12:]),
		dosDate: binary.LittleEndian.Uint16(b[14:]),
		crc:     binary.LittleEndian.Uint32(b[16:]),
		mode:    binary.LittleEndian.Uint32(b[38:]),
		name:    b[directorySize : directorySize+name],
		extra:   b[directorySize+name : directorySize+name+extra],
	}
	size, stored := uint64(binary.LittleEndian.Uint32(b[24:])), uint64(binary.LittleEndian.Uint32(b[20:]))
	offset := uint64(binary.LittleEndian.Uint32(b[42:]))
	disk := binary.LittleEndian.Uint16(b[34:])
	complete := takeZip64(h.extra, &size, &stored, &offset)
	h.broken = !complete || size > math.MaxInt64 || stored > math.MaxInt64 || offset > math.MaxInt64 || disk != 0 && disk != math.MaxUint16
	h.size, h.stored, h.offset = int64(size), int64(stored), int64(offset)
}

// place moves the offset behind the junk in front and checks that header and content lie before the directory.
func (h *zipHeader) place(end zipEnd) {
	room := end.start - localSize - int64(len(h.name)) - end.base
	if h.broken || h.offset > room {
		h.broken = true
		h.size, h.stored, h.offset = max(h.size, 0), max(h.stored, 0), max(h.offset, 0)
		return
	}
	h.pastEnd = h.stored > room-h.offset
	h.offset += end.base
	if h.method == 0 && h.flags&flagEncrypted == 0 && h.size != h.stored {
		h.broken = true
	}
}

// least returns the end of the bytes that are surely the entry's: the local header's extra field is not known yet.
func (h *zipHeader) least() int64 { return h.offset + localSize + int64(len(h.name)) + h.stored }

func (h *zipHeader) entry() Entry {
	raw := bytes.Clone(h.name)
	e := Entry{
		Index:          h.index,
		Name:           h.text(),
		RawName:        raw,
		Size:           h.size,
		CompressedSize: h.stored,
		CRC32:          h.crc,
		HasCRC:         true,
		Modified:       h.modified(),
		Offset:         h.offset,
		Method:         h.method,
		Refused:        h.refused(),
	}
	if e.Name == "" {
		e.Name = fmt.Sprintf("unnamed-%d", h.index)
	}
	return e
}

// refused judges the record by itself; overlaps and limits need its neighbours.
func (h *zipHeader) refused() Refusal {
	switch kind := h.unixType(); {
	case h.broken:
		return RefusedBroken
	case h.isDirectory():
		return RefusedDirectory
	case h.flags&(flagEncrypted|flagStrong|flagMasked) != 0 || h.method == methodAES:
		return RefusedEncrypted
	case kind == unixSymlink:
		return RefusedSymlink
	case kind != 0 && kind != unixRegular && kind != unixDirectory:
		return RefusedDevice
	case !knownMethod(h.method):
		return RefusedMethod
	case h.pastEnd:
		return RefusedOverlap
	}
	return ""
}

// Types of a Unix file, the high bits of its mode.
const (
	unixType      = 0o170000
	unixDirectory = 0o040000
	unixRegular   = 0o100000
	unixSymlink   = 0o120000
)

func (h *zipHeader) unixType() uint32 {
	if h.host != 3 && h.host != 19 {
		return 0
	}
	return h.mode >> 16 & unixType
}

// isDirectory is true only of what carries no bytes, so that nothing is lost by taking an entry for a directory.
func (h *zipHeader) isDirectory() bool {
	if h.size != 0 {
		return false
	}
	name := string(h.name)
	return strings.HasSuffix(name, "/") || strings.HasSuffix(name, `\`) || h.unixType() == unixDirectory || h.unixType() == 0 && h.mode&0x10 != 0
}
