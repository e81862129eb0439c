package unpack

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"io"
	"iter"
	"testing"
)

// A rawZip writes ZIPs that no honest tool writes: every field can be set to anything.
type rawZip struct {
	entries []rawEntry
	comment string
	zip64   bool // end record in 64 bits
	edit    func(*rawEnd)
}

type rawEntry struct {
	name, content string
	method        uint16
	flags         uint16
	host          byte
	mode          uint32
	extra         []byte // in the directory
	localExtra    []byte
	descriptor    bool
	local         func(h []byte) // edits the local header
	central       func(h []byte) // edits the directory's record
	at            int            // 1 + the entry whose local header it shares; 0: its own
}

type rawEnd struct {
	entries, start, size uint64
}

func (z rawZip) bytes() []byte {
	var out, dir bytes.Buffer
	var offsets []int
	for _, e := range z.entries {
		stored := e.stored()
		offsets = append(offsets, out.Len())
		if e.at == 0 {
			out.Write(e.localHeader(stored))
			out.Write(stored)
		} else {
			offsets[len(offsets)-1] = offsets[e.at-1]
		}
		dir.Write(e.record(stored, offsets[len(offsets)-1]))
	}
	end := rawEnd{uint64(len(z.entries)), uint64(out.Len()), uint64(dir.Len())}
	if z.edit != nil {
		z.edit(&end)
	}
	out.Write(dir.Bytes())
	out.Write(z.end(end, out.Len()))
	return out.Bytes()
}

func (e rawEntry) stored() []byte {
	if e.method != methodDeflate {
		return []byte(e.content)
	}
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	io.WriteString(w, e.content)
	w.Close()
	return b.Bytes()
}

func (e rawEntry) localHeader(stored []byte) []byte {
	b := le("PK\x03\x04", uint16(20), e.bits(), e.method, uint32(0))
	crc, size := crc32.ChecksumIEEE([]byte(e.content)), len(e.content)
	if e.descriptor {
		b = append(b, le(uint32(0), uint32(0), uint32(0))...)
	} else {
		b = append(b, le(crc, uint32(len(stored)), uint32(size))...)
	}
	b = append(b, le(uint16(len(e.name)), uint16(len(e.localExtra)), e.name, e.localExtra)...)
	if e.local != nil {
		e.local(b)
	}
	return b
}

func (e rawEntry) bits() uint16 {
	if e.descriptor {
		return e.flags | flagDescriptor
	}
	return e.flags
}

func (e rawEntry) record(stored []byte, offset int) []byte {
	b := le("PK\x01\x02", byte(20), e.host, uint16(20), e.bits(), e.method, uint32(0),
		crc32.ChecksumIEEE([]byte(e.content)),
		uint32(len(stored)), uint32(len(e.content)), uint16(len(e.name)), uint16(len(e.extra)), uint16(0),
		uint16(0), uint16(0),
		e.mode, uint32(offset), e.name, e.extra)
	if e.central != nil {
		e.central(b)
	}
	return b
}

func (z rawZip) end(e rawEnd, at int) []byte {
	var b []byte
	if z.zip64 {
		b = le(
			"PK\x06\x06", uint64(end64Size-12), uint16(45), uint16(45), uint32(0), uint32(0), e.entries,
			e.entries, e.size, e.start,
		)
		b = append(b, le("PK\x06\x07", uint32(0), uint64(at), uint32(1))...)
		e = rawEnd{0xffff, 0xffffffff, 0xffffffff}
	}
	return append(b,
		le("PK\x05\x06", uint16(0), uint16(0), uint16(e.entries), uint16(e.entries), uint32(e.size),
			uint32(e.start),
			uint16(len(z.comment)), z.comment)...)
}

// le appends its arguments in little-endian order.
func le(args ...any) []byte {
	var b []byte
	for _, a := range args {
		switch a := a.(type) {
		case string:
			b = append(b, a...)
		case []byte:
			b = append(b, a...)
		default:
			b, _ = binary.Append(b, binary.LittleEndian, a)
		}
	}
	return b
}

// A seen entry is what a test compares.
type seen struct {
	Name    string
	Refused Refusal
	Content string
}

// readAll opens every document of a container.
func readAll(t testing.TB, c Container) []seen {
	t.Helper()
	var all []seen
	for e, err := range c.Entries() {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, seen{e.Name, e.Refused, content(t, c, e)})
	}
	return all
}

func content(t testing.TB, c Container, e Entry) string {
	t.Helper()
	if e.Refused != "" {
		return ""
	}
	b, err := readEntry(c, e)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func readEntry(c Container, e Entry) ([]byte, error) {
	r, err := c.Open(e)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// firstError ranges over everything and returns where it failed.
func firstError(entries iter.Seq2[Entry, error]) (n int, err error) {
	for _, err := range entries {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func openRawZip(t testing.TB, z rawZip, lim Limits) Container {
	t.Helper()
	return openBytes(t, z.bytes(), lim)
}

func openBytes(t testing.TB, b []byte, lim Limits) Container {
	t.Helper()
	c, err := OpenZIP(bytes.NewReader(b), int64(len(b)), lim)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func crcOf(s string) uint32 { return crc32.ChecksumIEEE([]byte(s)) }
