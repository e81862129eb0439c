package unpack

import (
	"io"
	"sort"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A sparse is a file of zeros with some bytes in it, at no cost.
type sparse struct {
	at    []int64
	bytes [][]byte
	size  int64
}

func (s *sparse) put(b []byte) {
	s.at, s.bytes, s.size = append(s.at, s.size), append(s.bytes, b), s.size+int64(len(b))
}
func (s *sparse) skip(n int64) { s.size += n }

func (s *sparse) ReadAt(p []byte, off int64) (int, error) {
	n := int(min(int64(len(p)), max(s.size-off, 0)))
	clear(p[:n])
	first := sort.Search(len(s.at), func(i int) bool { return s.at[i]+int64(len(s.bytes[i])) > off })
	for i := first; i < len(s.at) && s.at[i] < off+int64(n); i++ {
		from := s.at[i] - off
		copy(p[max(from, 0):n], s.bytes[i][max(-from, 0):])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// wideZIP is a ZIP as Archive Utility of macOS writes it: beyond 4 GiB, offsets and sizes are told modulo 4
// GiB, and sizes in descriptors after the data. Entries of zeros, longer than 1 GiB, are holes.
func wideZIP(front int64, entries []wideEntry) *sparse {
	f := &sparse{}
	f.put(make([]byte, front))
	var dir []byte
	for _, e := range entries {
		raw := rawEntry{name: e.name, content: e.content, descriptor: true}
		size := e.zeros + int64(len(e.content))
		record := raw.record([]byte(e.content), int(uint32(f.size-front)))
		copy(record[20:], le(uint32(size), uint32(size)))
		dir = append(dir, record...)
		f.put(raw.localHeader(nil))
		f.put([]byte(e.content))
		f.skip(e.zeros)
		f.put(le("PK\x07\x08", crcOf(e.content), uint32(size), uint32(size)))
	}
	start := f.size
	f.put(dir)
	f.put(rawZip{}.end(rawEnd{uint64(len(entries)), uint64(uint32(start - front)), uint64(len(dir))}, 0))
	return f
}

type wideEntry struct {
	name, content string
	zeros         int64 // behind the content
}

type wideCase struct {
	name    string
	front   int64
	entries []wideEntry
}

func wideCases() []wideCase {
	const gib = 1 << 30
	return []wideCase{
		{
			"many below 4 GiB", 0,
			[]wideEntry{
				{"a", "first", 3 * gib}, {"b", "second", 0}, {"c", "third", 2 * gib}, {"d", "fourth", 0},
				{"e", "fifth", 0},
			},
		},
		{"one above 4 GiB", 0, []wideEntry{{"a", "first", 0}, {"b", "second", 5 * gib}, {"c", "third", 0}}},
		{"one above 8 GiB, the last", 0, []wideEntry{{"a", "first", 0}, {"b", "second", 9 * gib}}},
		{
			"zeros in front", 1000,
			[]wideEntry{{"a", "first", 4*gib - 100}, {"b", "second", 0}, {"c", "third", 0}},
		},
	}
}

// Entries beyond 4 GiB, and longer than that, are found where a writer had 32 bits to say where and how long.
func TestZIPBeyond4GiBWithoutZIP64(t *testing.T) {
	for _, tc := range wideCases() {
		t.Run(tc.name, func(t *testing.T) {
			f := wideZIP(tc.front, tc.entries)
			c, err := OpenZIP(f, f.size, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if !c.(*zipFile).Wide() {
				t.Error("not known to be wide")
			}
			var got []wideEntry
			for e, err := range c.Entries() {
				if err != nil {
					t.Fatal(err)
				}
				if e.Refused != "" {
					t.Errorf("%s is refused: %s", e.Name, e.Refused)
				}
				w := wideEntry{name: e.Name}
				if e.Size < 1<<20 {
					w.content = content(t, c, e)
				} else {
					r, err := c.OpenRaw(e)
					if err != nil {
						t.Fatal(err)
					}
					var start [8]byte
					n, _ := io.ReadFull(r, start[:])
					for n > 0 && start[n-1] == 0 {
						n--
					}
					w.content = string(start[:n])
					r.Close()
				}
				w.zeros = e.Size - int64(len(w.content))
				got = append(got, w)
			}
			if diff := cmp.Diff(tc.entries, got, cmp.AllowUnexported(wideEntry{})); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
			if r := rest(t, c); r.Contradictions > 0 || r.Unaccounted > 0 || len(r.Unlisted) > 0 {
				t.Errorf("left over: %+v", r)
			}
		})
	}
}
