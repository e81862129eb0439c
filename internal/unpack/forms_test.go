package unpack

import (
	"bytes"
	"io"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"holdall/internal/filetype"
)

// oldTar is a header of Unix version 7: no magic, only a checksum.
func oldTar() string {
	h := make([]byte, filetype.TarBlock)
	copy(h, "a.txt")
	copy(h[100:], "000644 \x00000000 \x00000000 \x0000000000007 00000000000 ")
	sum := 8 * int(' ')
	for _, c := range h {
		sum += int(c)
	}
	copy(
		h[148:],
		[]byte{
			'0' + byte(sum>>15&7), '0' + byte(sum>>12&7), '0' + byte(sum>>9&7), '0' + byte(sum>>6&7),
			'0' + byte(sum>>3&7), '0' + byte(sum&7), 0, ' ',
		},
	)
	return string(h)
}

func gzipped(t testing.TB, s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, s)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zstdOf(t testing.TB, s string) string {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return string(w.EncodeAll([]byte(s), nil))
}
