package unpack

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"holdall/internal/containertest"
	"holdall/internal/filetype"
)

func TestTarEntries(t *testing.T) {
	long := strings.Repeat("long/", 60) + "name.pdf"
	archive := makeTar(t,
		file("Zoë.txt", "first"), file(long, strings.Repeat("second ", 1000)), typed("dir/", tar.TypeDir, ""),
		typed("link", tar.TypeSymlink, "/etc/passwd"), typed("hard", tar.TypeLink, "Zoë.txt"),
		typed("null", tar.TypeChar, ""), typed("pipe", tar.TypeFifo, ""),
		tarMember{
			tar.Header{
				Name: "pax", Typeflag: tar.TypeReg, Format: tar.FormatPAX,
				PAXRecords: map[string]string{"comment": "x"},
			},
			"third",
		},
		file("../../up", "fourth"), file("empty", ""),
	)
	want := []seen{
		{"Zoë.txt", "", "first"}, {long, "", strings.Repeat("second ", 1000)}, {"dir/", RefusedDirectory, ""},
		{"link", RefusedSymlink, ""}, {"hard", RefusedSymlink, ""}, {"null", RefusedDevice, ""},
		{"pipe", RefusedDevice, ""},
		{"pax", "", "third"}, {"../../up", "", "fourth"}, {"empty", "", ""},
	}
	for _, k := range tarKinds {
		t.Run(string(k.kind), func(t *testing.T) {
			c := openTarString(t, k.pack(t, archive), k.kind, Limits{})
			if diff := cmp.Diff(want, readAll(t, c)); diff != "" {
				t.Errorf("read while ranging (-want +got):\n%s", diff)
			}
			var entries []Entry
			for e := range c.Entries() {
				entries = append(entries, e)
			}
			for _, order := range []string{"ascending", "descending"} {
				var got []seen
				for _, e := range entries {
					got = append(got, seen{e.Name, e.Refused, content(t, c, e)})
				}
				if order == "descending" {
					slices.Reverse(got)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", order, diff)
				}
				slices.Reverse(entries)
			}
		})
	}
}

// Ranging over a compressed tar and reading each entry decompresses it once; so does reading in order
// afterwards.
func TestCompressedTarIsDecompressedOnce(t *testing.T) {
	var members []tarMember
	for i := range 200 {
		members = append(members, file(fmt.Sprint(i), strings.Repeat("content ", i)))
	}
	packed := containertest.Gzip(t, makeTar(t, members...))
	r := &counted{r: strings.NewReader(packed)}
	c, err := OpenTar(r, int64(len(packed)), filetype.TarGzip, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var entries []Entry
	for e, err := range c.Entries() {
		if err != nil {
			t.Fatal(err)
		}
		content(t, c, e)
		entries = append(entries, e)
	}
	if r.n > int64(len(packed)) {
		t.Errorf("ranging and reading took %d bytes of a container of %d", r.n, len(packed))
	}
	r.n = 0
	for _, e := range entries {
		content(t, c, e)
	}
	if r.n > int64(len(packed)) {
		t.Errorf("reading in order took %d bytes of a container of %d", r.n, len(packed))
	}
}

type counted struct {
	r io.ReaderAt
	n int64
}

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.r.ReadAt(p, off)
	c.n += int64(n)
	return n, err
}

// Readers of one container do not disturb each other.
func TestTarReadersOverlap(t *testing.T) {
	archive := makeTar(
		t, file("a", strings.Repeat("a", 3000)), file("b", strings.Repeat("b", 3000)), file("c", "c"),
	)
	for _, k := range tarKinds {
		t.Run(string(k.kind), func(t *testing.T) {
			c := openTarString(t, k.pack(t, archive), k.kind, Limits{})
			var open []io.ReadCloser
			for e, err := range c.Entries() {
				if err != nil {
					t.Fatal(err)
				}
				r, err := c.Open(e)
				if err != nil {
					t.Fatal(err)
				}
				io.ReadFull(r, make([]byte, 1))
				open = append(open, r)
			}
			for i, want := range []string{strings.Repeat("a", 2999), strings.Repeat("b", 2999), ""} {
				got, err := io.ReadAll(open[i])
				if string(got) != want || err != nil {
					t.Errorf("reader %d: got %d bytes, error %v", i, len(got), err)
				}
				open[i].Close()
			}
		})
	}
}

func TestTarReaderBehaves(t *testing.T) {
	text := strings.Repeat("A reader that tests approve of. ", 3000)
	for _, k := range tarKinds {
		c := openTarString(t, k.pack(t, makeTar(t, file("a", text))), k.kind, Limits{})
		for e := range c.Entries() {
			r, err := c.Open(e)
			if err != nil {
				t.Fatal(err)
			}
			if err := iotest.TestReader(r, []byte(text)); err != nil {
				t.Errorf("%s: %v", k.kind, err)
			}
			r.Close()
		}
	}
}

func TestBrokenTar(t *testing.T) {
	whole := makeTar(t, file("a", strings.Repeat("content ", 200)), file("b", "second"))
	second := strings.Index(whole, "second")
	for _, tc := range []struct {
		name    string
		tar     string
		kind    filetype.Type
		lim     Limits
		entries int // before the error
		want    error
		message string
	}{
		{"no tar", strings.Repeat("text ", 500), filetype.Tar, Limits{}, 0, ErrFormat, "header"},
		{"cut in a header", whole[:100], filetype.Tar, Limits{}, 0, ErrFormat, "cut at byte 100"},
		{"cut in content", whole[:1000], filetype.Tar, Limits{}, 1, ErrFormat, "cut at byte 1000"},
		{
			"a damaged header", whole[:second-filetype.TarBlock] + "X" + whole[second-filetype.TarBlock+1:],
			filetype.Tar, Limits{}, 1, ErrFormat, "invalid tar header",
		},
		{"too many entries", whole, filetype.Tar, Limits{Entries: 1}, 1, ErrLimit, "more than 1 entries"},
		{
			"gzip cut in the " +
				"middle", containertest.Gzip(t, whole)[:80], filetype.TarGzip, Limits{}, 0, ErrFormat,
			"cut at byte",
		},
		{
			"gzip without its " +
				"checksum", cutEnd(containertest.Gzip(t, whole), 8), filetype.TarGzip, Limits{}, 2,
			ErrFormat, "cut at byte",
		},
		{
			"gzip with a wrong " +
				"checksum", cutEnd(containertest.Gzip(t, whole), 8) + "12345678", filetype.TarGzip,
			Limits{}, 2, ErrFormat, "checksum",
		},
		{"no gzip", whole, filetype.TarGzip, Limits{}, 0, ErrFormat, "invalid header"},
		{
			"zstd cut in the " +
				"middle", containertest.Zstd(t, whole)[:50], filetype.TarZstd, Limits{}, 0, ErrFormat,
			"cut at byte",
		},
		{"no zstd", whole, filetype.TarZstd, Limits{}, 0, ErrFormat, "magic"},
		{
			"a bomb", containertest.Gzip(t, makeTar(t, file("a", strings.Repeat("\x00", 4<<20)))),
			filetype.TarGzip,
			Limits{}, 1, ErrLimit, "decompresses to more than",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := openTarString(t, tc.tar, tc.kind, tc.lim)
			n, err := firstError(c.Entries())
			if n != tc.entries || !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.message) {
				t.Errorf(
					"got %d entries, error %v; want %d, %v with %q", n, err, tc.entries, tc.want, tc.message,
				)
			}
		})
	}
}

func cutEnd(s string, n int) string { return s[:len(s)-n] }

func TestCutContentOfTar(t *testing.T) {
	whole := makeTar(t, file("a", strings.Repeat("content ", 200)))
	c := openTarString(t, whole[:1000], filetype.Tar, Limits{})
	for e := range c.Entries() {
		if e.Name == "" {
			continue
		}
		b, err := readEntry(c, e)
		if len(b) != 1000-filetype.TarBlock || !errors.Is(err, ErrChecksum) ||
			!strings.Contains(err.Error(), "after 488 of 1600 bytes") {
			t.Errorf("got %d bytes, error %v", len(b), err)
		}
	}
}

func TestTarSourceFailureIsNoDamage(t *testing.T) {
	broken := errors.New("the line is dead")
	for _, k := range tarKinds {
		c, err := OpenTar(failing{broken}, 10_000, k.kind, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := firstError(c.Entries()); !errors.Is(err, broken) || errors.Is(err, ErrFormat) {
			t.Errorf("%s: got %v, want the source's error alone", k.kind, err)
		}
	}
}

// The raw bytes of a link tell where it leads.
func TestRawBytesOfTar(t *testing.T) {
	for _, k := range tarKinds {
		c := openTarString(
			t,
			k.pack(
				t,
				makeTar(
					t, file("a", "content"), typed("link", tar.TypeSymlink, "/etc/passwd"), file("b", "more"),
				),
			),
			k.kind, Limits{},
		)
		var raw [][]byte
		for e, err := range c.Entries() {
			if err != nil {
				t.Fatal(err)
			}
			r, err := c.OpenRaw(e)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			raw = append(raw, b)
			r.Close()
		}
		for i, want := range []string{"content", "/etc/passwd", "more"} {
			if !bytes.Contains(raw[i], []byte(want)) || len(raw[i])%filetype.TarBlock != 0 {
				t.Errorf("%s: raw bytes %d are %d bytes without %q", k.kind, i, len(raw[i]), want)
			}
		}
	}
}
