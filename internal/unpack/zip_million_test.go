package unpack

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"
	"testing"
)

// A million documents must not cost a million structures. The ZIP is made up while it is read.
func TestMillionEntriesInBoundedMemory(t *testing.T) {
	const count, most = 1_000_000, 80 << 20
	for _, tc := range []struct {
		name string
		step int // between records of the directory; anything but 1 leaves the order of the data
	}{
		{"in order", 1},
		{"in disorder", 7919},
	} {
		t.Run(tc.name, func(t *testing.T) {
			zip := madeUpZip{count: count, step: tc.step}
			c, err := OpenZIP(zip, zip.size(), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			var peak uint64
			n := 0
			for e, err := range c.Entries() {
				if err != nil {
					t.Fatal(err)
				}
				if e.Refused != "" {
					t.Fatalf("entry %d is refused: %s", n, e.Refused)
				}
				if n%50_000 == 0 {
					peak = max(peak, heap())
					if got, want := content(t, c, e), string(zip.content(n*tc.step%count)); got != want {
						t.Fatalf("entry %d holds %q, want %q", n, got, want)
					}
				}
				n++
			}
			if n != count {
				t.Errorf("got %d entries", n)
			}
			acc, err := c.Rest(func(e Entry) error { return fmt.Errorf("%q is in no directory", e.Name) })
			peak = max(peak, heap())
			if err != nil || !acc.Complete || acc.Unaccounted > 0 || len(acc.Contradictions) > 0 {
				t.Errorf("left over: %+v, %v", acc, err)
			}
			if peak > most {
				t.Errorf("the heap grew to %d MiB, want at most %d", peak>>20, most>>20)
			}
			t.Logf("peak heap %.1f MiB", float64(peak)/(1<<20))
		})
	}
}

// The first entry is yielded when hardly anything of a directory of many megabytes has been read.
func TestTheFirstEntryNeedNotWaitForTheDirectory(t *testing.T) {
	zip := &countedReader{ReaderAt: madeUpZip{count: 1_000_000, step: 1}}
	c, err := OpenZIP(zip, madeUpZip{count: 1_000_000, step: 1}.size(), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range c.Entries() {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	if zip.n > 1<<20 {
		t.Errorf("%d bytes were read before the first entry", zip.n)
	}
}

type countedReader struct {
	io.ReaderAt
	n int
}

func (r *countedReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.ReaderAt.ReadAt(p, off)
	r.n += n
	return n, err
}

// heap is what is in use, without what nothing refers to any more.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A madeUpZip is a ZIP of equal records, computed where they are read.
type madeUpZip struct{ count, step int }

const (
	madeUpName    = len("documents/00000000.txt")
	madeUpContent = 8
	madeUpLocal   = localSize + madeUpName + madeUpContent
	madeUpRecord  = directorySize + madeUpName
)

func (z madeUpZip) start() int64 { return int64(z.count) * int64(madeUpLocal) }

func (z madeUpZip) size() int64 {
	return z.start() + int64(z.count)*int64(madeUpRecord) + end64Size + locatorSize + endSize
}

func (madeUpZip) content(i int) []byte { return fmt.Appendf(nil, "%08d", i) }

func (z madeUpZip) entry(i int) rawEntry {
	return rawEntry{name: fmt.Sprintf("documents/%08d.txt", i), content: string(z.content(i))}
}

func (z madeUpZip) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	for n < len(p) {
		from, b := z.record(off + int64(n))
		if b == nil {
			return n, io.EOF
		}
		n += copy(p[n:], b[off+int64(n)-from:])
	}
	return n, nil
}

// record returns the record at off and where it starts.
func (z madeUpZip) record(off int64) (int64, []byte) {
	directory := off - z.start()
	tail := directory - int64(z.count)*int64(madeUpRecord)
	switch {
	case directory < 0:
		i := off / int64(madeUpLocal)
		e := z.entry(int(i))
		return i * int64(madeUpLocal), append(e.localHeader(e.stored()), e.content...)
	case tail < 0:
		i := directory / int64(madeUpRecord)
		return z.start() + i*int64(madeUpRecord), z.central(int(i) * z.step % z.count)
	case off < z.size():
		end := rawEnd{uint64(z.count), uint64(z.start()), uint64(z.count * madeUpRecord)}
		return off - tail, rawZip{zip64: true}.end(end, int(off-tail))
	}
	return 0, nil
}

// central is like rawEntry.record, but quick.
func (z madeUpZip) central(i int) []byte {
	b := []byte(madeUpTemplate)
	digits := b[directorySize+len("documents/"):][:madeUpContent]
	for n, at := i, len(digits)-1; at >= 0; n, at = n/10, at-1 {
		digits[at] = '0' + byte(n%10)
	}
	binary.LittleEndian.PutUint32(b[16:], crc32.ChecksumIEEE(digits))
	binary.LittleEndian.PutUint32(b[42:], uint32(i*madeUpLocal))
	return b
}

var madeUpTemplate = string(madeUpZip{}.entry(0).record([]byte("00000000"), 0))
