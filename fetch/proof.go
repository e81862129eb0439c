package fetch

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"

	"github.com/klauspost/compress/gzip"

	"holdall/internal/ctxio"
	"holdall/internal/filetype"
	"holdall/internal/unpack"
)

// proves reads an object whole and names what in it proves that every byte is as it was written: the CRC-32
// of every entry of a ZIP whose directory leaves nothing out at its end, or that of a gzip stream. It is
// empty for anything else.
func proves(ctx context.Context, kind filetype.Type, r io.ReaderAt, size int64) string {
	switch kind {
	case filetype.ZIP:
		if zipProves(ctx, r, size) {
			return "zip-crc32"
		}
	case filetype.TarGzip:
		z, err := gzip.NewReader(io.NewSectionReader(r, 0, size))
		if err == nil {
			_, err = io.Copy(io.Discard, ctxio.NewReader(ctx, z))
		}
		if err == nil {
			return "gzip-crc32"
		}
	}
	return ""
}

func zipProves(ctx context.Context, r io.ReaderAt, size int64) bool {
	if !endsAsZIP(r, size) {
		return false
	}
	c, err := unpack.OpenZIP(r, size, unpack.Limits{})
	if err != nil {
		return false
	}
	for e, err := range c.Entries() {
		if err != nil || !e.HasCRC || e.Refused != "" && e.Refused != unpack.RefusedDirectory {
			return false
		}
		if e.Refused != "" {
			continue
		}
		in, err := c.Open(e)
		if err != nil {
			return false
		}
		_, err = io.Copy(io.Discard, ctxio.NewReader(ctx, in))
		if in.Close() != nil || err != nil {
			return false
		}
	}
	return true
}

// endsAsZIP reports whether the last bytes are a ZIP's end record that reaches exactly to the end, behind a
// directory that fits in front of it (APPNOTE.TXT, section 4.3.16). A ZIP that was cut off anywhere does not
// end so.
func endsAsZIP(r io.ReaderAt, size int64) bool {
	const record, longest = 22, 22 + 1<<16
	tail := make([]byte, min(size, longest))
	if n, _ := r.ReadAt(tail, size-int64(len(tail))); n < len(tail) {
		return false
	}
	for at := len(tail) - record; at >= 0; at-- {
		at = bytes.LastIndex(tail[:at+4], []byte("PK\x05\x06"))
		if at < 0 {
			return false
		}
		le := binary.LittleEndian
		if end := tail[at:]; len(end) >= record && int(le.Uint16(end[20:])) == len(end)-record {
			dirSize, dirStart := int64(le.Uint32(end[12:])), int64(le.Uint32(end[16:]))
			return dirSize == 1<<32-1 || dirStart == 1<<32-1 || dirSize+dirStart <= size-int64(len(end))
		}
	}
	return false
}
