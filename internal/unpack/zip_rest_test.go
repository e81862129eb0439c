package unpack

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdall/internal/filetype"
	"holdall/internal/testneed"
)

// A rested is what Rest tells, with the contents of the entries that it found.
type rested struct {
	Unlisted       []seen
	Contradictions int
	Unaccounted    int64
	What           string // of the first region
	Renamed        int
	Complete       bool
}

func rest(t testing.TB, c Container) rested {
	t.Helper()
	var got rested
	acc, err := c.Rest(func(e Entry) error {
		if !e.Unlisted {
			t.Errorf("%q is found by Rest, and not marked so", e.Name)
		}
		got.Unlisted = append(got.Unlisted, seen{e.Name, e.Refused, content(t, c, e)})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got.Contradictions, got.Unaccounted, got.Renamed, got.Complete = len(
		acc.Contradictions,
	), acc.Unaccounted, acc.Renamed, acc.Complete
	if len(acc.Regions) > 0 {
		got.What = acc.Regions[0].What
	}
	return got
}

// recovered opens a ZIP by what is left of it.
func recovered(t testing.TB, b []byte) Container {
	t.Helper()
	c, err := Recover(bytes.NewReader(b), int64(len(b)), filetype.ZIP, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

type accountCase struct {
	name string
	zip  []byte
	want rested
}

func accountCases(a, b, streamed rawEntry, whole, one []byte, seenA seen, named rawEntry) []accountCase {
	return []accountCase{
		{"an ordinary ZIP", whole, rested{Complete: true}},
		{"an empty ZIP", rawZip{}.bytes(), rested{Complete: true}},
		{
			"a comment", rawZip{entries: []rawEntry{a}, comment: "made for a test"}.bytes(),
			rested{Complete: true},
		},
		{
			"data descriptors", rawZip{entries: []rawEntry{streamed, a, streamed}}.bytes(),
			rested{Complete: true},
		},
		{"64 bits", rawZip{entries: []rawEntry{a, b}, zip64: true}.bytes(), rested{Complete: true}},
		{
			"extra fields of the entry's own",
			rawZip{entries: []rawEntry{{name: "a", content: "1", localExtra: make([]byte, 40)}}}.bytes(),
			rested{Complete: true},
		},
		{"zeros in front", append(make([]byte, 100), whole...), rested{Complete: true}},
		{
			"text in front", append([]byte("wait for it "), whole...),
			rested{Unaccounted: 12, What: "text", Complete: true},
		},
		{"the mark of a spanned ZIP", append([]byte("PK\x07\x08"), whole...), rested{Complete: true}},
		{
			"a second ZIP in front", append(bytes.Clone(one), rawZip{entries: []rawEntry{b}}.bytes()...),
			rested{Unlisted: []seen{seenA}},
		},
		{"an entry that the directory leaves out",
			append(
				append(le(a.localHeader([]byte(a.content))), a.content...),
				rawZip{entries: []rawEntry{b}}.bytes()...,
			),
			rested{Unlisted: []seen{seenA}}},
		{
			"another name in an entry's own header", rawZip{entries: []rawEntry{named, b}}.bytes(),
			rested{Renamed: 1, Complete: true},
		},
		{
			"fewer entries told than there are",
			rawZip{entries: []rawEntry{a, b}, edit: func(e *rawEnd) { e.entries = 1 }}.bytes(),
			rested{Contradictions: 1},
		},
	}
}

// Every byte of a ZIP is accounted for, or told.
func TestEveryByteIsAccountedFor(t *testing.T) {
	a, b := rawEntry{name: "a.txt", content: "content of a"}, rawEntry{
		name: "b.txt", content: strings.Repeat("content of b ", 50), method: methodDeflate,
	}
	streamed := b
	streamed.descriptor = true
	plain := rawZip{entries: []rawEntry{a, b}}
	whole, one := plain.bytes(), rawZip{entries: []rawEntry{a}}.bytes()
	seenA, seenB := seen{"a.txt", "", a.content}, seen{"b.txt", "", b.content}
	named := a
	named.local = func(h []byte) { copy(h[localSize:], "A") }
	for _, tc := range accountCases(a, b, streamed, whole, one, seenA, named) {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, rest(t, openBytes(t, tc.zip, Limits{}))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	cut := bytes.LastIndex(whole, []byte("PK\x01\x02")) - directorySize - len("a.txt")
	for _, tc := range []struct {
		name string
		zip  []byte
		want rested
	}{
		{"no directory", whole[:cut], rested{Unlisted: []seen{seenA, seenB}}},
		{"a directory without its end", whole[:len(whole)-endSize], rested{Unlisted: []seen{seenA, seenB}}},
		{
			"no directory, and sizes in descriptors", rawZip{entries: []rawEntry{streamed, a}}.bytes()[:200],
			rested{Unlisted: []seen{seenB, seenA}},
		},
		{"a broken directory, and its end",
			append(append(bytes.Clone(whole[:cut]), make([]byte, 96)...), whole[len(whole)-endSize:]...),
			rested{Unlisted: []seen{seenA, seenB}, Complete: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := rest(t, recovered(t, tc.zip))
			got.Unaccounted, got.What = 0, ""
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Stored data whose length only a descriptor tells ends at the one that tells length and checksum, though
// other records, whole ZIPs even, lie in it.
func TestTheEndOfStoredDataIsFound(t *testing.T) {
	inner := string(
		rawZip{
			entries: []rawEntry{{name: "inner", content: "PK\x03\x04 and so on", descriptor: true}},
		}.bytes(),
	)
	for _, signed := range []bool{true, false} {
		e := rawEntry{name: "outer.zip", content: inner, descriptor: true}
		b := e.localHeader([]byte(inner))
		b = append(b, inner...)
		d := le(crcOf(inner), uint32(len(inner)), uint32(len(inner)))
		if signed {
			d = append([]byte("PK\x07\x08"), d...)
		}
		b = append(b, d...)
		next := rawEntry{name: "next", content: "x"}
		b = append(append(b, next.localHeader([]byte("x"))...), "x"...)
		got := rest(t, recovered(t, b))
		if diff := cmp.Diff([]seen{{"outer.zip", "", inner}, {"next", "", "x"}}, got.Unlisted); diff != "" {
			t.Errorf("signed %v (-want +got):\n%s", signed, diff)
		}
	}
}

// What there is of an entry that is cut is worth having.
func TestACutEntryIsReadAsFarAsItGoes(t *testing.T) {
	text := strings.Repeat("line of a long document\n", 4000)
	for _, e := range []rawEntry{
		{name: "long.txt", content: text},
		{name: "long.txt", content: text, method: methodDeflate, descriptor: true},
	} {
		b := rawZip{entries: []rawEntry{e}}.bytes()
		b = b[:len(e.stored())/2]
		c := recovered(t, b)
		n := 0
		if _, err := c.Rest(func(e Entry) error {
			n++
			got, err := readEntry(c, e)
			if !e.Truncated || !errors.Is(err, ErrChecksum) || len(got) < 100 ||
				!strings.HasPrefix(text, string(got)) {
				t.Errorf(
					"cut %v: %d bytes, %v; want a beginning, and that it is "+
						"damaged", e.Truncated, len(got), err,
				)
			}
			return nil
		}); err != nil || n != 1 {
			t.Errorf("%d entries, %v; want one", n, err)
		}
	}
}

// Headers that lie about where they end must not make the scan read the container over and over.
func TestFakeHeadersDoNotCostTheSquare(t *testing.T) {
	fake := rawEntry{name: "f", descriptor: true}
	header := append(fake.localHeader(nil), 0x00, 0x01, 0x00)
	r := &countedReader{ReaderAt: bytes.NewReader(bytes.Repeat(header, 40_000))}
	size := int64(40_000 * len(header))
	c, err := Recover(r, size, filetype.ZIP, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Rest(func(Entry) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if most := 60 * size; int64(r.n) > most {
		t.Errorf("%d bytes were read of a container of %d, want at most %d", r.n, size, most)
	}
}

// A split ZIP of Info-ZIP is read from its joined volumes.
func TestSplitZIPOfInfoZIP(t *testing.T) {
	testneed.Command(t, "zip", "Debian zip")
	dir := t.TempDir()
	want := map[string]string{}
	for i := range 8 {
		name, text := fmt.Sprint(i, ".bin"), noiseText(40_000+i)
		want[name] = text
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(
		"zip", "-q", "-0", "-s", "64k", "all.zip", "0.bin", "1.bin", "2.bin", "3.bin", "4.bin", "5.bin",
		"6.bin", "7.bin",
	)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("zip: %v\n%s", err, out)
	}
	volumes, err := filepath.Glob(filepath.Join(dir, "all.z*"))
	if err != nil || len(volumes) < 4 {
		t.Fatalf("volumes %v, %v", volumes, err)
	}
	// .zip sorts behind .z09
	volumes = append(volumes[:len(volumes)-1:len(volumes)-1], filepath.Join(dir, "all.zip"))
	var all []byte
	var starts []int64
	for _, v := range volumes {
		b, err := os.ReadFile(v)
		if err != nil {
			t.Fatal(err)
		}
		starts, all = append(starts, int64(len(all))), append(all, b...)
	}
	c, err := OpenSplitZIP(bytes.NewReader(all), int64(len(all)), starts, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, s := range readAll(t, c) {
		got[s.Name] = s.Content
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("the files are not as they were")
	}
	if r := rest(t, c); r.Unaccounted > 0 || r.Contradictions > 0 || len(r.Unlisted) > 0 {
		t.Errorf("left over: %+v", r)
	}
}

func noiseText(n int) string {
	var b strings.Builder
	for x := uint32(n) | 1; b.Len() < n; {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		fmt.Fprintf(&b, "%08x", x)
	}
	return b.String()
}

// FuzzZipLikeOthers compares with archive/zip what both can read, and holds Rest to its limits on everything
// else.
func FuzzZipLikeOthers(f *testing.F) {
	for _, z := range []rawZip{
		{}, {entries: []rawEntry{{name: "a", content: "content"}, {name: "b/"}}, comment: "c"},
		{entries: []rawEntry{{name: "a", content: "content"}}, zip64: true},
		{entries: []rawEntry{
			{name: "a", content: "content", method: methodDeflate, descriptor: true},
			{name: "a", content: "twice"},
		}},
	} {
		f.Add(z.bytes())
		f.Add(append(z.bytes(), z.bytes()...))
		f.Add(z.bytes()[:len(z.bytes())/2])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		found, refused := map[string]bool{}, false
		take := func(c Container) func(Entry) error {
			return func(e Entry) error {
				if e.Name == "" || e.Offset < 0 || e.Size < 0 || e.CompressedSize < 0 || e.Offset+
					e.CompressedSize > int64(len(b)) && e.Unlisted {
					t.Fatalf("impossible entry %+v", e)
				}
				refused = refused || e.Refused != "" && e.Refused != RefusedDirectory
				if got, err := readEntry(c, e); err == nil {
					found[string(got)] = true
				}
				return nil
			}
		}
		if c, err := OpenZIP(bytes.NewReader(b), int64(len(b)), Limits{EntrySize: 1 << 20}); err == nil {
			for e, err := range c.Entries() {
				if err != nil {
					break
				}
				take(c)(e)
			}
		} else if !errors.Is(err, ErrFormat) {
			t.Fatalf("error of an unknown kind: %v", err)
		}
		c, err := Recover(bytes.NewReader(b), int64(len(b)), filetype.ZIP, Limits{EntrySize: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		for e, err := range c.Entries() {
			if err != nil {
				break
			}
			take(c)(e)
		}
		acc, err := c.Rest(take(c))
		if err != nil {
			t.Fatal(err)
		}
		if acc.Unaccounted < 0 || acc.Unaccounted > int64(len(b)) {
			t.Fatalf("%d of %d bytes unaccounted for", acc.Unaccounted, len(b))
		}
		if !refused && acc.Unaccounted == 0 && len(acc.Contradictions) == 0 { // what is reported is not lost
			wantAllOfArchiveZip(t, b, found)
		}
	})
}

// wantAllOfArchiveZip fails unless all that archive/zip reads out of b was found.
func wantAllOfArchiveZip(t *testing.T, b []byte, found map[string]bool) {
	other, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return
	}
	for _, file := range other.File {
		r, err := file.Open()
		if err != nil {
			continue
		}
		got, err := io.ReadAll(io.LimitReader(r, 1<<20))
		if err == nil && len(got) > 0 && len(got) < 1<<20 && !found[string(got)] && file.Mode().IsRegular() {
			t.Fatalf("archive/zip reads %q (%d bytes), neither found nor reported here", file.Name, len(got))
		}
	}
}
