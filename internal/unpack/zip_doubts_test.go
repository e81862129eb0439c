package unpack

import (
	"archive/zip"
	"bytes"
	"io"
	"slices"
	"testing"
	"time"
)

// doubtedZIP is a ZIP of three dated files, and where the second one's record and the directory's end are.
func doubtedZIP(t *testing.T) (z []byte, header, record, end int) {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range []string{"offers/one.txt", "offers/two.txt", "offers/three.txt"} {
		f, err := w.CreateHeader(&zip.FileHeader{
			Name: name, Method: zip.Deflate, Modified: time.Date(2026, 3, 1, 8, 9, 10, 0, time.UTC),
		})
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(f, name+" says what was agreed")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	z = b.Bytes()
	header = bytes.Index(z, []byte("offers/two.txt")) - localSize
	record = bytes.LastIndex(z, []byte("offers/two.txt")) - directorySize
	return z, header, record, bytes.LastIndex(z, []byte("PK\x05\x06"))
}

func doubtsOf(t *testing.T, z []byte) []Range {
	t.Helper()
	c, err := OpenZIP(bytes.NewReader(z), int64(len(z)), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	acc, err := c.Rest(func(Entry) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	return acc.Doubts
}

// A byte of a ZIP's structure that no checksum covers, and that is stated twice, is in doubt when it differs.
func TestWhatDiffersIsInDoubt(t *testing.T) {
	z, header, record, end := doubtedZIP(t)
	if d := doubtsOf(t, z); d != nil {
		t.Errorf("a sound ZIP is in doubt: %v", d)
	}
	for name, at := range map[string]int{
		"the name in the header":    header + localSize + 8,
		"the name in the directory": record + directorySize + 8,
		"the flags in the header":   header + 7, "the flags in the directory": record + 8,
		"the method in the directory": record + 10,
		"the time in the header":      header + 10, "the time in the directory": record + 13,
		"the offset in the directory":              record + 42,
		"the date in the header's extra field":     header + localSize + len("offers/two.txt") + 6,
		"the date in the directory's extra field":  record + directorySize + len("offers/two.txt") + 6,
		"the number of entries":                    end + 10,
		"the directory's offset in the end record": end + 16,
		"the header's mark":                        header + 2,
	} {
		t.Run(name, func(t *testing.T) {
			odd := bytes.Clone(z)
			odd[at] ^= 0x01
			d := doubtsOf(t, odd)
			if !slices.ContainsFunc(
				d, func(r Range) bool { return r.From <= int64(at) && int64(at) < r.To },
			) {
				t.Errorf("byte %d is not in doubt, but %v", at, d)
			}
		})
	}
}

// Writers that say something different in all their entries cost a few requests, not one an entry.
func TestDoubtsAreFew(t *testing.T) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := range 400 {
		f, err := w.CreateHeader(&zip.FileHeader{
			Name: string([]byte{'f', 'a' + byte(i%26), 'a' + byte(i/26)}), Method: zip.Store,
		})
		if err != nil {
			t.Fatal(err)
		}
		f.Write(bytes.Repeat([]byte{byte(i)}, nearDoubts+1))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	z := b.Bytes()
	for at := bytes.Index(z, []byte("PK\x01\x02")); at >= 0; {
		z[at+12] ^= 1
		next := bytes.Index(z[at+4:], []byte("PK\x01\x02"))
		if next < 0 {
			break
		}
		at += 4 + next
	}
	d := doubtsOf(t, z)
	if len(d) == 0 || len(d) > mostDoubts+2 {
		t.Errorf("%d ranges in doubt, want a few", len(d))
	}
	for i := range d[1:] {
		if d[i].To+nearDoubts >= d[i+1].From {
			t.Errorf("%v and %v are near each other", d[i], d[i+1])
		}
	}
}
