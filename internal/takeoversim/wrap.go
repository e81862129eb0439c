package takeoversim

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
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
	if pieces := inPieces(way, part, files); pieces != nil {
		return pieces
	}
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
		return one(".zip", append(zipped(files[:half], zipStyle{}), zipped(files[half:], zipStyle{})...))
	case "prefixed":
		return one(
			".zip",
			append([]byte("#!/bin/sh\n# made by an installer\nexit 0\n"), zipped(files, zipStyle{})...),
		)
	case "shifted":
		return one(".zip", shifted(zipped(files, zipStyle{}), c.number(part+"-shift", 1, 40)))
	case "renamed-local":
		return one(".zip", zipped(files, zipStyle{local: "ré", stored: true}))
	case "streamed":
		return one(".zip", zipped(files, zipStyle{streamed: true}))
	case "padded":
		return one(
			".zip", append(zipped(files, zipStyle{}), make([]byte, c.number(part+"-zeros", 1, 9000))...),
		)
	case "mac":
		return one(".zip", zipped(c.littered(files), zipStyle{}))
	case "csv.gz":
		packed := make([]file, len(files))
		for i, f := range files {
			packed[i] = file{name: f.name + ".gz", data: gzipped(f.data)}
		}
		return one(".zip", zipped(packed, zipStyle{stored: true}))
	}
	return one(".zip", c.plainZIP(part, files))
}

// inPieces makes the objects of a part that comes in several ZIPs, or in one cut in two; nil for other ways,
// and where there is not enough for two.
func inPieces(way, part string, files []file) []*object {
	half := len(files) / 2
	named := func(suffix string, data []byte) *object {
		return &object{path: part + suffix, part: part, data: data}
	}
	first := func() []byte { return zipped(files[:half], zipStyle{}) }
	second := func() []byte { return zipped(files[half:], zipStyle{}) }
	switch {
	case way == "zips" && part != "data" && half > 0:
		return []*object{named("-1.zip", first()), named("-2.zip", second())}
	case way == "nested" && len(files) > 0:
		inner := []file{{name: "Part-1.zip", data: first()}, {name: "Part-2.zip", data: second()}}
		if half == 0 {
			inner = inner[1:]
		}
		return []*object{named(".zip", zipped(inner, zipStyle{stored: true}))}
	case way == "split":
		if b := zipped(files, zipStyle{}); len(b) >= 100 {
			return []*object{named(".zip.001", b[:len(b)/2]), named(".zip.002", b[len(b)/2:])}
		}
	}
	return nil
}

// plainZIP makes one ZIP, which may be encrypted in part or damaged.
func (c *Choices) plainZIP(part string, files []file) []byte {
	style := zipStyle{stored: c.odd(part+"-stored", 0.3)}
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

// A zipStyle is the hand of a ZIP's writer. The zero style deflates.
type zipStyle struct {
	stored   bool
	streamed bool   // sizes stand in data descriptors
	local    string // put in front of the names in local headers

	encrypted *Document // the entry that opens with a password only
}

// zipped writes a ZIP by hand (APPNOTE.TXT, sections 4.3.7 to 4.3.16), since what is odd is what no library
// writes.
func zipped(files []file, style zipStyle) []byte {
	var out, directory bytes.Buffer
	le := binary.LittleEndian
	for _, f := range files {
		offset := out.Len()
		method, data := uint16(zip.Deflate), deflated(f.data)
		if style.stored {
			method, data = zip.Store, f.data
		}
		flags := uint16(0x800) // names are UTF-8
		if f.doc != nil && f.doc == style.encrypted {
			flags |= 1
			sum := sha256.Sum256(f.data)
			data = append(sum[:12:12], shuffled(data)...)
		}
		crc, stored, size := crc32.ChecksumIEEE(f.data), uint32(len(data)), uint32(len(f.data))
		header := func(local bool) []byte {
			b := le.AppendUint16(nil, 20)
			if style.streamed {
				flags |= 8
			}
			b = le.AppendUint16(le.AppendUint16(b, flags), method)
			b = le.AppendUint16(le.AppendUint16(b, 0x5a94), 0x5c62) // time and date
			if local && style.streamed {
				return append(b, make([]byte, 12)...)
			}
			return le.AppendUint32(le.AppendUint32(le.AppendUint32(b, crc), stored), size)
		}
		name := style.local + f.name
		out.WriteString("PK\x03\x04")
		out.Write(header(true))
		out.Write(le.AppendUint16(le.AppendUint16(nil, uint16(len(name))), 0))
		out.WriteString(name)
		out.Write(data)
		if style.streamed {
			out.WriteString("PK\x07\x08")
			out.Write(le.AppendUint32(le.AppendUint32(le.AppendUint32(nil, crc), stored), size))
		}
		directory.WriteString("PK\x01\x02\x14\x03")
		directory.Write(header(false))
		directory.Write(le.AppendUint16(nil, uint16(len(f.name))))
		directory.Write(make([]byte, 8)) // extra, comment, disk, internal attributes
		directory.Write(le.AppendUint32(le.AppendUint32(nil, 0), uint32(offset)))
		directory.WriteString(f.name)
	}
	at := out.Len()
	out.Write(directory.Bytes())
	out.WriteString("PK\x05\x06\x00\x00\x00\x00")
	out.Write(le.AppendUint16(le.AppendUint16(nil, uint16(len(files))), uint16(len(files))))
	out.Write(le.AppendUint32(le.AppendUint32(nil, uint32(directory.Len())), uint32(at)))
	out.Write([]byte{0, 0})
	return out.Bytes()
}

// shuffled stands for encrypted bytes.
func shuffled(b []byte) []byte {
	out := make([]byte, len(b))
	for i := range b {
		out[i] = b[len(b)-1-i] ^ byte(i*7+3)
	}
	return out
}

// shifted makes the end record tell a wrong place for the directory.
func shifted(b []byte, by int) []byte {
	at := len(b) - 6
	le := binary.LittleEndian
	le.PutUint32(b[at:], le.Uint32(b[at:])+uint32(by))
	return b
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
