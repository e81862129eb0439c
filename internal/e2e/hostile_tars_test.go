package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func gzipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(b)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func tarGzip(t *testing.T, entries []hostileEntry) []byte { return gzipped(t, hostileTar(t, entries)) }

func tarZstd(t *testing.T, entries []hostileEntry) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(hostileTar(t, entries), nil)
}

// edited changes the header of the second of three members, which are of less than a block.
func edited(change func(h []byte)) func(*testing.T, []hostileEntry) []byte {
	return func(t *testing.T, entries []hostileEntry) []byte {
		b := hostileTar(t, entries)
		h := b[1024:1536]
		change(h)
		copy(h[148:156], "        ")
		sum := 0
		for _, c := range h {
			sum += int(c)
		}
		copy(h[148:156], fmt.Sprintf("%06o\x00 ", sum))
		return b
	}
}

// hostileTars are those that are more than names.
func hostileTars(t *testing.T) []hostileCase {
	t.Helper()
	good, last := hostileEntry{name: "good.txt", content: "good"}, hostileEntry{name: "last.txt",
		content: "last"}
	zeros := hostileEntry{name: "zeros", content: strings.Repeat("\x00", 16<<20), refused: "limit"}
	limited := []string{"error container-damaged", "warning entry-refused"}
	return []hostileCase{
		{
			name: "a tar of zeros, a thousand times its gzip", file: "attachments.tar.gz", make: tarGzip, exit: 5,
			entries: []hostileEntry{good, zeros, {name: "last.txt",
				nothing: true}}, whole: true, codes: limited,
			outcome: "documents up to there, the zeros refused; the container is kept whole",
		},
		{
			name: "a tar of zeros, ten thousand times its zstd", file: "attachments.tar.zst", make: tarZstd, exit: 5,
			entries: []hostileEntry{good, zeros, {name: "last.txt",
				nothing: true}}, whole: true, codes: limited,
			outcome: "documents up to there, the zeros refused; the container is kept whole",
		},
		{
			name: "a sparse file of a tebibyte of holes", file: "attachments.tar", exit: 5,
			outcome: "refused, its header and stored bytes kept", codes: []string{"warning entry-refused"},
			entries: []hostileEntry{good, {name: "odd.txt", content: "odd", refused: "limit"}, last},
			make: edited(func(h []byte) {
				copy(h[156:], "S")
				copy(h[257:], "ustar  \x00")
				clear(h[345:])
				copy(h[386:], "00000000000\x0000000000003\x00")
				copy(h[483:], "\x80\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00")
			}),
		},
		{
			name: "a member of 2^62 bytes", file: "attachments.tar", exit: 5, whole: true, codes: limited,
			outcome: "refused; what follows is looked for by its checksum, and is a document; the container is " +
				"kept whole",
			entries: []hostileEntry{good, {name: "odd.txt", content: "odd", refused: "limit"}, last},
			make: edited(func(h []byte) {
				copy(h[124:],
					"\x80\x00\x00\x00\x40\x00\x00\x00\x00\x00\x00\x00")
			}),
		},
		{
			name: "a member of less than no bytes", file: "attachments.tar", exit: 5, whole: true,
			outcome: "what follows it is a document; the container is kept whole",
			codes:   []string{"error container-damaged"},
			entries: []hostileEntry{good, {name: "odd.txt", content: "odd", nothing: true}, last},
			make: edited(func(h []byte) {
				copy(h[124:], "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xf0")
			}),
		},
		{
			name: "an extended header of a mebibyte", file: "attachments.tar", outcome: "a document",
			entries: []hostileEntry{good,
				{name: "odd.txt", content: "odd", header: tar.Header{PAXRecords: map[string]string{
					"EXAMPLE.x": strings.Repeat("x", 1000<<10)}}},
				last},
		},
	}
}
