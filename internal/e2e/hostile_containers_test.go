package e2e

import (
	"archive/tar"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"io"
	"testing"
)

// A hostileEntry is what a container is made to hold, and what must come of it.
type hostileEntry struct {
	name, content string
	refused       string // reason in refused.csv; empty for what must become a document
	nothing       bool   // neither a document nor refused: it carries no bytes
	unkept        bool   // refused, and its bytes are only in the container, which is kept whole
	got           string // the document's content, where that is not content
	gotName       string // its name, where that is not name

	// of a ZIP:
	method, flags uint16
	mode          uint32                     // of Unix
	stored        string                     // its stored bytes, where they are not made of the content
	extra         string                     // field of the directory
	edit          func(local, record []byte) // changes its headers
	at            int                        // 1 + the offset of others' bytes, which it has then; 0 for its own

	header tar.Header // of a tar
}

const deflated = 8

// fields are those that an entry's header and its record in the directory have in common.
func (e *hostileEntry) fields(stored int) []byte {
	return little(e.flags, e.method, uint16(0), uint16(0x21), crc32.ChecksumIEEE([]byte(e.content)),
		uint32(stored), uint32(len(e.content)), uint16(len(e.name)))
}

// storedBytes are what a ZIP holds of an entry.
func (e *hostileEntry) storedBytes(t *testing.T) []byte {
	t.Helper()
	switch {
	case e.stored != "":
		return []byte(e.stored)
	case e.method != deflated:
		return []byte(e.content)
	}
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, e.content)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// hostileZIP writes a ZIP that no honest tool writes (APPNOTE.TXT 4.3.7, 4.3.12, 4.3.16).
func hostileZIP(t *testing.T, entries []hostileEntry) []byte {
	t.Helper()
	var out, directory bytes.Buffer
	for i := range entries {
		e := &entries[i]
		stored := e.storedBytes(t)
		offset := out.Len()
		if e.at > 0 {
			offset = e.at - 1
		}
		fields := e.fields(len(stored))
		local := little("PK\x03\x04", uint16(20), fields, uint16(0), e.name)
		record := little("PK\x01\x02", uint16(0x314), uint16(20), fields, uint16(len(e.extra)), uint16(0),
			uint16(0),
			uint16(0), e.mode<<16, uint32(offset), e.name, e.extra)
		if e.edit != nil {
			e.edit(local, record)
		}
		if e.at == 0 {
			out.Write(local)
			out.Write(stored)
		}
		directory.Write(record)
	}
	end := little("PK\x05\x06", uint32(0), uint16(len(entries)), uint16(len(entries)),
		uint32(directory.Len()),
		uint32(out.Len()), uint16(0))
	out.Write(directory.Bytes())
	out.Write(end)
	return out.Bytes()
}

// hostileTar writes a tar; a member without a size has its content's.
func hostileTar(t *testing.T, entries []hostileEntry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := e.header
		h.Name, h.Size, h.Mode = e.name, int64(len(e.content)), 0o644
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, e.content)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// little appends its arguments in little-endian order.
func little(args ...any) []byte {
	var b []byte
	for _, a := range args {
		switch a := a.(type) {
		case string:
			b = append(b, a...)
		case []byte:
			b = append(b, a...)
		default:
			b, _ = binary.Append(b, binary.LittleEndian, a) // of fixed size
		}
	}
	return b
}
