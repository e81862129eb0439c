// Package containertest makes small containers and compressed files for the tests of the packages that read
// them.
package containertest

import (
	"bytes"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// OldTar is the header of a file a.txt of 7 bytes as Unix version 7 wrote it: no magic, only a checksum.
func OldTar() string {
	h := make([]byte, 512)
	copy(h, "a.txt")
	copy(h[100:], "000644 \x00000000 \x00000000 \x0000000000007 00000000000 ")
	sum := 8 * int(' ')
	for _, c := range h {
		sum += int(c)
	}
	digit := func(shift int) byte { return '0' + byte(sum>>shift&7) }
	copy(h[148:], []byte{digit(15), digit(12), digit(9), digit(6), digit(3), digit(0), 0, ' '})
	return string(h)
}

// Gzip compresses b.
func Gzip[T ~string | ~[]byte](t testing.TB, b T) T {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write([]byte(b)) // into memory
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return T(out.Bytes())
}

// Zstd compresses b.
func Zstd[T ~string | ~[]byte](t testing.TB, b T) T {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return T(w.EncodeAll([]byte(b), nil))
}
