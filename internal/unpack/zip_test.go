package unpack

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"holdall/internal/containertest"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
)

type variantCase struct {
	name string
	zip  []byte
	want []seen
}

// variantCases is one table, which reads best in one piece: hence its length.
func variantCases(t *testing.T) []variantCase {
	hello := rawEntry{name: "a/hello.txt", content: "hello", method: methodDeflate}
	long := rawEntry{name: "long.txt", content: strings.Repeat("every byte ", 90_000), method: methodDeflate}
	want := func(entries ...rawEntry) (all []seen) {
		for _, e := range entries {
			all = append(all, seen{Name: e.name, Content: e.content})
		}
		return all
	}
	with := func(e rawEntry, edit func(*rawEntry)) rawEntry { edit(&e); return e }
	stored := with(hello, func(e *rawEntry) { e.method = methodStored })
	return []variantCase{
		{"no entries", rawZip{}.bytes(), nil},
		{"stored and deflated", rawZip{entries: []rawEntry{stored, long}}.bytes(), want(stored, long)},
		{
			"sizes behind the data",
			rawZip{entries: []rawEntry{with(long, func(e *rawEntry) { e.descriptor = true }), hello}}.bytes(),
			want(long, hello),
		},
		{"a comment", rawZip{entries: []rawEntry{hello}, comment: "made by somebody"}.bytes(), want(hello)},
		{
			"a comment that looks like an end record",
			rawZip{entries: []rawEntry{hello}, comment: "PK\x05\x06" + strings.Repeat("\x00", 30)}.bytes(),
			want(hello),
		},
		{
			"junk in front",
			append([]byte("#!/bin/sh\nexit\n"), rawZip{entries: []rawEntry{hello, long}}.bytes()...),
			want(hello, long),
		},
		{"junk behind", append(rawZip{entries: []rawEntry{hello}}.bytes(), "\r\n"...), want(hello)},
		{
			"end record in 64 bits", rawZip{entries: []rawEntry{hello, long}, zip64: true}.bytes(),
			want(hello, long),
		},
		{
			"64 bits with junk in front",
			append([]byte("junk"), rawZip{entries: []rawEntry{hello, long}, zip64: true}.bytes()...),
			want(hello, long),
		},
		{"sizes and offset of an entry in 64 bits",
			rawZip{entries: []rawEntry{stored, with(stored, func(e *rawEntry) {
				e.name = "b.txt"
				e.extra = le(
					uint16(0x9999), uint16(2), "xx", uint16(extraZip64), uint16(24), uint64(5), uint64(5),
					uint64(46),
				)
				e.central = func(h []byte) {
					copy(h[20:], "\xff\xff\xff\xff\xff\xff\xff\xff")
					copy(h[42:], "\xff\xff\xff\xff")
				}
			})}}.bytes(), []seen{{Name: "a/hello.txt", Content: "hello"}, {Name: "b.txt", Content: "hello"}}},
		{
			"a local header with its own extra field",
			rawZip{
				entries: []rawEntry{
					with(
						hello,
						func(e *rawEntry) { e.localExtra = le(uint16(0x9999), uint16(9), "123456789") },
					),
					long,
				},
			}.bytes(),
			want(hello, long),
		},
		{
			"backslashes mended in the directory only",
			rawZip{
				entries: []rawEntry{with(
					hello, func(e *rawEntry) { e.local = func(h []byte) { h[localSize+1] = '\\' } },
				)},
			}.bytes(),
			want(hello),
		},
		{
			"nothing, deflated to no bytes",
			rawZip{
				entries: []rawEntry{{
					name: "empty.txt", central: func(h []byte) { h[10] = 8 },
					local: func(h []byte) { h[8] = 8 },
				}},
			}.bytes(),
			[]seen{{Name: "empty.txt"}},
		},
		{
			"a file whose name ends in a slash",
			rawZip{entries: []rawEntry{with(hello, func(e *rawEntry) { e.name = "odd/" })}}.bytes(),
			[]seen{{Name: "odd/", Content: "hello"}},
		},
		{
			"directory in another order than the data", reordered(stored, long, hello),
			want(stored, long, hello),
		},
		{
			"zstd",
			rawZip{
				entries: []rawEntry{
					packed(methodZstd, "zstd content", containertest.Zstd(t, "zstd content")),
				},
			}.bytes(),
			[]seen{{Name: "packed", Content: "zstd content"}},
		},
		{
			"bzip2", rawZip{entries: []rawEntry{packed(methodBzip2, "hello world\n", bzip2Hello)}}.bytes(),
			[]seen{{Name: "packed", Content: "hello world\n"}},
		},
	}
}

func TestZipVariants(t *testing.T) {
	for _, tc := range variantCases(t) {
		t.Run(tc.name, func(t *testing.T) {
			c := openBytes(t, tc.zip, Limits{})
			if diff := cmp.Diff(tc.want, readAll(t, c)); diff != "" {
				t.Errorf("documents (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.want, readAll(t, c)); diff != "" {
				t.Errorf("second time (-want +got):\n%s", diff)
			}
		})
	}
}

// packed is an entry whose stored bytes are given.
func packed(method uint16, content, stored string) rawEntry {
	set := func(at int) func([]byte) {
		return func(h []byte) {
			copy(h[at:], le(crc32.ChecksumIEEE([]byte(content)), uint32(len(stored)), uint32(len(content))))
		}
	}
	return rawEntry{name: "packed", content: stored, method: method, local: set(14), central: set(16)}
}

// bzip2Hello is "hello world\n" as bzip2 writes it.
const bzip2Hello = "BZh91AY&SYN\xec\xe86\x00\x00\x02Q\x80\x00\x10@\x00\x06D\x90\x80 " +
	"\x001\x06LA\x01\xa7\xa9\xa5\x80\xbb\x941\xf8\xbb\x92)\xc2\x84\x82wgA\xb0"

// reordered writes the data in reverse order of the directory.
func reordered(entries ...rawEntry) []byte {
	var out, dir bytes.Buffer
	offsets := make([]int, len(entries))
	for i, e := range slices.Backward(entries) {
		offsets[i] = out.Len()
		out.Write(e.localHeader(e.stored()))
		out.Write(e.stored())
	}
	for i, e := range entries {
		dir.Write(e.record(e.stored(), offsets[i]))
	}
	end := rawEnd{uint64(len(entries)), uint64(out.Len()), uint64(dir.Len())}
	out.Write(dir.Bytes())
	out.Write(rawZip{}.end(end, out.Len()))
	return out.Bytes()
}

// Writers without ZIP64 tell the number of more than 65,535 entries modulo 65,536.
func TestZipCountsPast16Bits(t *testing.T) {
	z := rawZip{entries: make([]rawEntry, 70_000)}
	for i := range z.entries {
		z.entries[i].name = fmt.Sprintf("%d.txt", i)
	}
	if n, err := firstError(openRawZip(t, z, Limits{}).Entries()); n != 70_000 || err != nil {
		t.Errorf("got %d entries, error %v", n, err)
	}
}

type fieldCase struct {
	name  string
	entry rawEntry
	want  Entry
}

func fieldCases() []fieldCase {
	when := time.Date(2024, 2, 29, 13, 37, 11, 0, time.UTC)
	unixTime := le(uint16(extraTimestamp), uint16(5), byte(1), uint32(when.Unix()))
	ntfs := le(
		uint16(extraNTFS), uint16(32), uint32(0), uint16(1), uint16(24),
		uint64(when.Unix()+11_644_473_600)*10_000_000, uint64(0), uint64(0),
	)
	unicodePath := func(raw, text string) []byte {
		return le(
			uint16(extraUnicodePath), uint16(5+len(text)), byte(1), crc32.ChecksumIEEE([]byte(raw)), text,
		)
	}
	dos := func(h []byte) { copy(h[12:], le(uint16(13<<11|37<<5|5), uint16(44<<9|2<<5|29))) }
	return []fieldCase{
		{"UTF-8 as flagged", rawEntry{name: "Zoë.pdf", flags: flagUTF8}, Entry{Name: "Zoë.pdf"}},
		{"UTF-8 without the flag", rawEntry{name: "Zoë.pdf"}, Entry{Name: "Zoë.pdf"}},
		{"code page 437", rawEntry{name: "Zo\x89 \x81.pdf"}, Entry{Name: "Zoë ü.pdf"}},
		{"flagged, but no UTF-8", rawEntry{name: "Zo\x89.pdf", flags: flagUTF8}, Entry{Name: "Zo\uFFFD.pdf"}},
		{
			"a Unicode path", rawEntry{name: "Zo?.pdf", extra: unicodePath("Zo?.pdf", "Zoë.pdf")},
			Entry{Name: "Zoë.pdf"},
		},
		{
			"a Unicode path of another name", rawEntry{name: "b.pdf", extra: unicodePath("a.pdf", "Zoë.pdf")},
			Entry{Name: "b.pdf"},
		},
		{"an empty name", rawEntry{name: ""}, Entry{Name: "unnamed-0"}},
		{
			"NUL and a path upwards are data", rawEntry{name: "../../a\x00.exe"},
			Entry{Name: "../../a\x00.exe"},
		},
		{
			"a time in UTC", rawEntry{name: "a", extra: unixTime, central: dos},
			Entry{Name: "a", Modified: when},
		},
		{"a time of NTFS", rawEntry{name: "a", extra: ntfs}, Entry{Name: "a", Modified: when}},
		{
			"a time of MS-DOS", rawEntry{name: "a", central: dos},
			Entry{Name: "a", Modified: when.Add(-time.Second)},
		},
		{"a cut extra field", rawEntry{name: "a", extra: []byte("UT\xff\xff\x01")}, Entry{Name: "a"}},
	}
}

func TestZipEntryFields(t *testing.T) {
	for _, tc := range fieldCases() {
		t.Run(tc.name, func(t *testing.T) {
			tc.want.RawName, tc.want.HasCRC = []byte(tc.entry.name), true
			for got, err := range openRawZip(t, rawZip{entries: []rawEntry{tc.entry}}, Limits{}).Entries() {
				if err != nil {
					t.Fatal(err)
				}
				if got.RawName == nil {
					got.RawName = []byte{}
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("entry (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestZipReaderBehaves(t *testing.T) {
	text := strings.Repeat("A reader that tests approve of. ", 3000)
	for _, e := range []rawEntry{
		{name: "stored", content: text},
		{name: "deflated", content: text, method: methodDeflate},
		{name: "empty", method: methodDeflate},
		packed(methodZstd, text, containertest.Zstd(t, text)),
	} {
		t.Run(e.name, func(t *testing.T) {
			c := openRawZip(t, rawZip{entries: []rawEntry{e}}, Limits{})
			for entry := range c.Entries() {
				r, err := c.Open(entry)
				if err != nil {
					t.Fatal(err)
				}
				want := e.content
				if e.name == "packed" {
					want = text
				}
				if err := iotest.TestReader(r, []byte(want)); err != nil {
					t.Error(err)
				}
				if err := errors.Join(r.Close(), r.Close()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestZipReadsOnlyTheEntry serves nothing but the directory and one entry, as when the others have not
// arrived yet.
func TestZipReadsOnlyTheEntry(t *testing.T) {
	text := strings.Repeat("x", 1000)
	b := rawZip{
		entries: []rawEntry{
			{name: "first", content: text}, {name: "second", content: text, localExtra: make([]byte, 50)},
			{name: "third", content: text},
		},
	}.bytes()
	c := openBytes(t, b, Limits{})
	var entries []Entry
	for e := range c.Entries() {
		entries = append(entries, e)
	}
	only := &guarded{r: bytes.NewReader(b), from: entries[1].Offset, to: entries[2].Offset}
	c.(*zipFile).r = only
	if got := content(t, c, entries[1]); got != text {
		t.Errorf("got %q", got)
	}
	if only.calls > 3 {
		t.Errorf("one small entry took %d reads", only.calls)
	}
}

// guarded fails every read outside from and to.
type guarded struct {
	r        io.ReaderAt
	from, to int64
	calls    int
}

func (g *guarded) ReadAt(p []byte, off int64) (int, error) {
	g.calls++
	if off < g.from || off+int64(len(p)) > g.to {
		return 0, fmt.Errorf("read of %d bytes at %d, outside %d to %d", len(p), off, g.from, g.to)
	}
	return g.r.ReadAt(p, off)
}

// A source that fails says nothing about the container.
func TestZipSourceFailureIsNoDamage(t *testing.T) {
	b := rawZip{
		entries: []rawEntry{{name: "a", content: strings.Repeat("text ", 1000), method: methodDeflate}},
	}.bytes()
	c := openBytes(t, b, Limits{})
	broken := errors.New("the line is dead")
	for e := range c.Entries() {
		c.(*zipFile).r = failing{broken}
		if _, err := readEntry(c, e); !errors.Is(err, broken) || errors.Is(err, ErrChecksum) ||
			errors.Is(err, ErrFormat) {
			t.Errorf("got %v, want the source's error alone", err)
		}
	}
	for _, err := range c.Entries() {
		if !errors.Is(err, broken) || errors.Is(err, ErrFormat) {
			t.Errorf("got %v, want the source's error alone", err)
		}
	}
}

type failing struct{ err error }

func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }

// The standard library agrees on what it writes.
func TestZipOfStandardLibrary(t *testing.T) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	w.RegisterCompressor(methodZstd, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) })
	var want []seen
	for i, method := range []uint16{zip.Store, zip.Deflate, methodZstd} {
		name, text := fmt.Sprintf("dir/%d.txt", i), strings.Repeat(fmt.Sprint(i), 1<<uint(i*7))
		f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: method, Modified: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(f, text)
		want = append(want, seen{Name: name, Content: text})
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, readAll(t, openBytes(t, b.Bytes(), Limits{}))); diff != "" {
		t.Errorf("documents (-want +got):\n%s", diff)
	}
}
