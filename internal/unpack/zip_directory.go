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

// A zipHeader is one record of the directory. name and extra lie in the window: they are valid until the next
// record.
type zipHeader struct {
	index            int
	host             byte // the system it was made on: 0 MS-DOS, 3 Unix, 19 macOS
	flags, method    uint16
	dosTime, dosDate uint16
	crc              uint32
	stored, size     int64
	offset           int64 // of the local header in the container
	disk             uint16
	short            bool  // size and offset are stated in 32 bits
	last, end        int64 // where the entries before end at least, and where this one does
	at               int64 // where the record begins
	next             int64 // where the next record of the directory begins
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

// headers streams the directory's records through one window. The header that it yields is reused. It goes on
// beyond the stated size as long as records follow; how many there are is compared with what the end record
// states by Rest.
func (z *zipFile) headers() iter.Seq2[*zipHeader, error] {
	return func(yield func(*zipHeader, error) bool) {
		if z.end.start >= z.end.limit {
			return
		}
		if err := z.ensureBase(); err != nil {
			yield(nil, fmt.Errorf("read zip directory: %w", err))
			return
		}
		for h, err := range z.records() {
			if err == nil {
				err = z.locate(h)
			}
			if err != nil {
				yield(nil, fmt.Errorf("read zip directory, entry %d of %d: %w", h.index, z.end.entries, err))
				return
			}
			if !yield(h, nil) {
				return
			}
		}
	}
}

// records streams the directory's records as they are there, with an error that ends them.
func (z *zipFile) records() iter.Seq2[*zipHeader, error] {
	return func(yield func(*zipHeader, error) bool) {
		src := &span{r: z.r, off: z.end.start, end: z.end.limit}
		b := newBuffer(src)
		defer freeBuffer(b)
		var h zipHeader
		for at := z.end.start; at < z.end.limit; h.index++ {
			n, err := z.readHeader(b, &h, at)
			if err != nil {
				if src.err != nil {
					err = src.err
				}
				yield(&h, err)
				return
			}
			if n == 0 || !yield(&h, nil) {
				return
			}
			b.Discard(n)
			at += int64(n)
		}
	}
}

// readHeader parses the record at the front of b, which is byte at of the container, and returns its length;
// 0 where the directory ends.
func (z *zipFile) readHeader(b *bufio.Reader, h *zipHeader, at int64) (int, error) {
	left := z.end.limit - at
	fixed, err := b.Peek(int(min(directorySize, left)))
	if err != nil {
		return 0, err
	}
	broken := func(format string, args ...any) error {
		return &Damage{at, z.end.limit, fmt.Errorf("%w: "+format, append([]any{ErrFormat}, args...)...)}
	}
	if len(fixed) < directorySize || binary.LittleEndian.Uint32(fixed) != directorySignature {
		if at-z.end.start >= z.end.size || bytes.HasPrefix(fixed, []byte("PK\x05\x05")) {
			return 0, nil
		}
		return 0, broken("no directory record at byte %d", at)
	}
	if h.index >= z.lim.Entries {
		return 0, fmt.Errorf("%w: more than %d entries", ErrLimit, z.lim.Entries)
	}
	name := int(binary.LittleEndian.Uint16(fixed[28:]))
	extra := int(binary.LittleEndian.Uint16(fixed[30:]))
	n := directorySize + name + extra + int(binary.LittleEndian.Uint16(fixed[32:]))
	if int64(n) > left {
		return 0, broken("the record at byte %d is longer than the directory", at)
	}
	record, err := b.Peek(n)
	if err != nil {
		return 0, err
	}
	last := max(h.last, h.end)
	h.parse(record, name, extra)
	h.last, h.at, h.next = last, at, at+int64(n)
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
	h.disk = binary.LittleEndian.Uint16(b[34:])
	h.short = size != math.MaxUint32 && stored != math.MaxUint32 && offset != math.MaxUint32
	complete := takeZip64(h.extra, &size, &stored, &offset)
	h.broken = !complete || size > math.MaxInt64 || stored > math.MaxInt64 || offset > math.MaxInt64
	h.size, h.stored, h.offset = int64(size), int64(stored), int64(offset)
}

// least returns the end of the bytes that are surely the entry's: the local header's extra field is not known
// yet.
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
		Modulo:         h.short && h.method != methodStored,
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

// isDirectory is true only of what carries no bytes, so that nothing is lost by taking an entry for a
// directory.
func (h *zipHeader) isDirectory() bool {
	if h.size != 0 {
		return false
	}
	name := string(h.name)
	return strings.HasSuffix(name, "/") || strings.HasSuffix(name, `\`) || h.unixType() == unixDirectory ||
		h.unixType() == 0 && h.mode&0x10 != 0
}
