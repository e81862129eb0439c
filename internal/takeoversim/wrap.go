package takeoversim

import (
	"archive/tar"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// A file is an entry of a container.
type file struct {
	name string
	data []byte
	doc  *Document // nil for tables and litter
}

var stamp = time.Date(2026, 3, 2, 11, 20, 40, 0, time.UTC)

// wrap makes the objects of a part of the export.
func (c *Choices) wrap(part string, files []file) []*object {
	ways := []string{
		"zip", "zips", "tar", "tar.gz", "tar.zst", "nested", "joined", "prefixed", "shifted", "renamed-local",
		"streamed", "padded", "mac", "split",
	}
	if part == "data" {
		ways = append(ways, "csv.gz")
	}
	way := c.pick(part+"-wrapping", 0.45, ways...)
	one := func(ext string, data []byte) []*object {
		return []*object{{path: part + ext, part: part, data: data}}
	}
	if pieces := inPieces(way, part, files, c.hand(part)); pieces != nil {
		return pieces
	}
	hand := c.hand(part)
	half := len(files) / 2
	switch way {
	case "tar":
		return one(".tar", tarred(files))
	case "tar.gz":
		return one(
			".tar.gz", append(gzipped(tarred(files)), make([]byte, 512*c.number(part+"-padding", 0, 3))...),
		)
	case "tar.zst":
		e, _ := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1)) // fails on bad options only
		return one(".tar.zst", e.EncodeAll(tarred(files), nil))
	case "joined":
		return one(".zip", append(zipped(files[:half], hand), zipped(files[half:], hand)...))
	case "prefixed":
		return one(
			".zip",
			append([]byte("#!/bin/sh\n# made by an installer\nexit 0\n"), zipped(files, hand)...),
		)
	case "shifted":
		return one(".zip", shifted(zipped(files, hand.with(plainEnd)), c.number(part+"-shift", 1, 40)))
	case "renamed-local":
		return one(".zip", zipped(files, hand.with(func(z *zipStyle) { z.local, z.stored = "ré", true })))
	case "streamed":
		return one(".zip", zipped(files, hand.with(func(z *zipStyle) { z.streamed = true })))
	case "padded":
		return one(
			".zip", append(zipped(files, hand), make([]byte, c.number(part+"-zeros", 1, 9000))...),
		)
	case "mac":
		return one(".zip", zipped(c.littered(files), hand))
	case "csv.gz":
		packed := make([]file, len(files))
		for i, f := range files {
			packed[i] = file{name: f.name + ".gz", data: gzipped(f.data)}
		}
		return one(".zip", zipped(packed, hand.with(func(z *zipStyle) { z.stored = true })))
	}
	return one(".zip", c.plainZIP(part, files))
}

// inPieces makes the objects of a part that comes in several ZIPs, or in one cut in two; nil for other ways,
// and where there is not enough for two.
func inPieces(way, part string, files []file, hand zipStyle) []*object {
	half := len(files) / 2
	named := func(suffix string, data []byte) *object {
		return &object{path: part + suffix, part: part, data: data}
	}
	first := func() []byte { return zipped(files[:half], hand) }
	second := func() []byte { return zipped(files[half:], hand) }
	switch {
	case way == "zips" && half > 0:
		return []*object{named("-1.zip", first()), named("-2.zip", second())}
	case way == "nested" && len(files) > 0:
		inner := []file{{name: "Part-1.zip", data: first()}, {name: "Part-2.zip", data: second()}}
		if half == 0 {
			inner = inner[1:]
		}
		return []*object{named(".zip", zipped(inner, hand.with(func(z *zipStyle) { z.stored = true })))}
	case way == "split":
		if b := zipped(files, hand); len(b) >= 100 {
			return []*object{named(".zip.001", b[:len(b)/2]), named(".zip.002", b[len(b)/2:])}
		}
	}
	return nil
}

// plainZIP makes one ZIP, which may be encrypted in part or damaged.
func (c *Choices) plainZIP(part string, files []file) []byte {
	style := c.hand(part)
	style.stored = c.odd(part+"-stored", 0.3)
	if part != "data" && len(files) > 0 && c.odd(part+"-encrypted", 0.04) {
		style.encrypted = files[c.random(part+" encrypted").IntN(len(files))].doc
		style.encrypted.Damaged = true
	}
	b := zipped(files, style)
	if part != "data" {
		b = c.damage(part, b, files)
	}
	return b
}

// damage spoils a ZIP at its source: a document's bytes, or everything from some place on.
func (c *Choices) damage(part string, b []byte, files []file) []byte {
	if len(files) == 0 {
		return b
	}
	r := c.random(part + " damage")
	if c.odd(part+"-document-damaged", 0.03) {
		f := files[r.IntN(len(files))]
		first := func(g file) bool { return bytes.Equal(g.data, f.data) } // of equal ones
		f = files[slices.IndexFunc(files, first)]
		if f.doc.Damaged {
			return b
		}
		at := bytes.Index(b, f.data)
		if at < 0 {
			at = bytes.Index(b, deflated(f.data))
		}
		b[at+100] ^= 0x10
		f.doc.Damaged = true
	}
	if c.odd(part+"-cut-off", 0.03) {
		b = b[:r.IntN(len(b)-30)+30]
		seen := map[string]int{}
		for _, f := range files {
			seen[string(f.data)]++ // the first of equal ones may be whole
			whole := max(bytes.Count(b, f.data), bytes.Count(b, deflated(f.data)))
			f.doc.Damaged = f.doc.Damaged || whole < seen[string(f.data)]
		}
	}
	return b
}

// littered adds what a Mac adds.
func (c *Choices) littered(files []file) []file {
	double := append([]byte{0, 5, 0x16, 7, 0, 2, 0, 0}, "Mac OS X        "...)
	double = append(double, make([]byte, 60)...)
	out := []file{{name: ".DS_Store", data: append([]byte{0, 0, 0, 1}, "Bud1"...)}}
	for _, f := range files {
		dir, base := "", f.name
		if i := strings.LastIndex(f.name, "/"); i >= 0 {
			dir, base = f.name[:i+1], f.name[i+1:]
		}
		out = append(out, f, file{name: "__MACOSX/" + dir + "._" + base, data: double})
	}
	return out
}

func deflated(b []byte) []byte {
	var out bytes.Buffer
	w, _ := flate.NewWriter(&out, 1) // fails on a bad level only
	_, _ = w.Write(b)                // a Buffer does not fail
	_ = w.Close()
	return out.Bytes()
}

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

func tarred(files []file) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		err := w.WriteHeader(&tar.Header{
			Name: f.name, Size: int64(len(f.data)), Mode: 0o644, ModTime: stamp, Format: tar.FormatPAX,
		})
		if err == nil {
			_, err = w.Write(f.data)
		}
		if err != nil {
			panic(fmt.Sprintf("write a tar into memory: %v", err))
		}
	}
	_ = w.Close()
	return out.Bytes()
}
