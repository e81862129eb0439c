package archive_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"testing"

	"holdall/archive"
)

// BenchmarkPacker measures the whole way of documents into closed, synced packs. PDFs are stored, texts
// deflated.
func BenchmarkPacker(b *testing.B) {
	for _, size := range []int{10 << 10, 200 << 10, 2 << 20, 40 << 20} {
		b.Run(fmt.Sprintf("pdf of %d KiB", size>>10), func(b *testing.B) { benchmarkPacker(b, pdf(1, size)) })
	}
	text := bytes.Repeat([]byte("Wanda Example, welder, 07700 900123; Jo Sample, nurse, 07700 900456. "), 300)
	b.Run("text of 20 KiB", func(b *testing.B) { benchmarkPacker(b, text) })
}

func benchmarkPacker(b *testing.B, content []byte) {
	bag, err := archive.NewBuilder(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer bag.Close()
	p := packer(b, bag, "attachments")
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		binary.LittleEndian.PutUint64(content[20:], uint64(n)) // no two are the same
		if _, err := p.Add(
			context.Background(), archive.Document{ID: fmt.Sprint("d", n), OriginalName: "cv.pdf"},
			bytes.NewReader(content),
		); err != nil {
			b.Fatal(err)
		}
	}
	finish(b, p)
}
