package exportsim

import (
	"archive/tar"
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/gzip"

	"holdall/internal/digest"
)

// How many ZIPs a part has in ShapeParts.
var partZIPs = map[string]int{"attachments": 3, "cvs": 2}

// newContainer returns what takes the documents of a part in the wanted shape.
func newContainer(cfg Config, dir, part string) (container, error) {
	switch cfg.Shape {
	case ShapeParts:
		return newZIPs(dir, part, partZIPs[part])
	case ShapeTar:
		return newTar(dir, part, part == "cvs")
	case ShapeListing:
		return newLoose(dir, part)
	}
	return newZIPs(dir, part, 1)
}

// zips spreads documents over a number of ZIPs in turn.
type zips struct {
	part  string
	files []*zipFile
	next  int
}

func newZIPs(dir, part string, n int) (*zips, error) {
	z := &zips{part: part}
	for i := range n {
		name := part + ".zip"
		if n > 1 {
			name = fmt.Sprintf("%s-%d.zip", part, i+1)
		}
		f, err := createZIP(filepath.Join(dir, name), name)
		if err != nil {
			z.abort()
			return nil, err
		}
		z.files = append(z.files, f)
	}
	return z, nil
}

func (z *zips) add(a *attachment, content []byte) (string, error) {
	f := z.files[z.next%len(z.files)]
	z.next++
	return f.name, f.add(a.path, howPacked(a), a.created, content)
}

// howPacked is text deflated, like one in eight of the others, and the rest stored: programs differ.
func howPacked(a *attachment) entryKind {
	switch a.mistake {
	case MistakeCRC:
		return entryBadCRC
	case MistakeEncrypted:
		return entryEncrypted
	case MistakeSymlink:
		return entrySymlink
	}
	switch a.content.format {
	case "txt", "rtf", "eml":
		return entryDeflated
	}
	if a.n%8 == 3 {
		return entryDeflated
	}
	return entryStored
}

func (z *zips) finish() ([]Object, error) {
	var objects []Object
	for _, f := range z.files {
		size, sum, err := f.finish()
		if err != nil {
			return nil, err
		}
		objects = append(objects, Object{Name: f.name, Part: z.part, Size: size, SHA256: sum})
	}
	return objects, nil
}

func (z *zips) abort() {
	for _, f := range z.files {
		f.abort()
	}
}

// A sink is a file that hashes what is written to it.
type sink struct {
	name string
	f    *os.File
	w    *bufio.Writer
	sum  *digest.Writer
}

func newSink(dir, name string) (*sink, error) {
	f, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	return &sink{name, f, bufio.NewWriterSize(f, 1<<18), digest.NewWriter()}, nil
}

func (s *sink) Write(p []byte) (int, error) {
	s.sum.Write(p)
	return s.w.Write(p)
}

func (s *sink) finish(part string) (Object, error) {
	if err := s.w.Flush(); err != nil {
		return Object{}, err
	}
	return Object{Name: s.name, Part: part, Size: s.sum.Size(), SHA256: s.sum.Sum()}, s.f.Close()
}

// tarball puts a part's documents into one tar, gzipped or not.
type tarball struct {
	part string
	out  *sink
	gz   *gzip.Writer
	tar  *tar.Writer
}

func newTar(dir, part string, gzipped bool) (*tarball, error) {
	name := part + ".tar"
	if gzipped {
		name += ".gz"
	}
	out, err := newSink(dir, name)
	if err != nil {
		return nil, err
	}
	t := &tarball{part: part, out: out}
	var w io.Writer = out
	if gzipped {
		t.gz, err = gzip.NewWriterLevel(out, 1)
		if err != nil {
			return nil, err
		}
		w = t.gz
	}
	t.tar = tar.NewWriter(w)
	return t, nil
}

func (t *tarball) add(a *attachment, content []byte) (string, error) {
	h := tar.Header{
		Typeflag: tar.TypeReg, Name: a.path, Mode: 0o644, Size: int64(len(content)), ModTime: a.created,
	}
	if a.mistake == MistakeSymlink {
		h.Typeflag, h.Linkname, h.Size, content = tar.TypeSymlink, string(content), 0, nil
	}
	if err := t.tar.WriteHeader(&h); err != nil {
		return "", err
	}
	_, err := t.tar.Write(content)
	return t.out.name, err
}

func (t *tarball) finish() ([]Object, error) {
	if err := t.tar.Close(); err != nil {
		return nil, err
	}
	if t.gz != nil {
		if err := t.gz.Close(); err != nil {
			return nil, err
		}
	}
	o, err := t.out.finish(t.part)
	return []Object{o}, err
}

func (t *tarball) abort() { t.out.f.Close() }

// loose keeps documents that are served one by one: their bytes in one file, where each begins in another.
type loose struct {
	blob, index *sink
}

// A looseRecord says where a document is. The index holds one after the other, so that document n is found
// without reading others.
type looseRecord struct {
	Offset, Size, Created int64
	ETag                  [16]byte
	MediaType             [80]byte // padded with zeros
}

const looseSize = 8*3 + 16 + 80

func blobFile(part string) string  { return part + ".blob" }
func indexFile(part string) string { return part + ".index" }

func newLoose(dir, part string) (*loose, error) {
	blob, err := newSink(dir, blobFile(part))
	if err != nil {
		return nil, err
	}
	index, err := newSink(dir, indexFile(part))
	if err != nil {
		blob.f.Close()
		return nil, err
	}
	return &loose{blob, index}, nil
}

func (l *loose) add(a *attachment, content []byte) (string, error) {
	sum := digest.Of(content)
	r := looseRecord{Offset: l.blob.sum.Size(), Size: int64(len(content)), Created: a.created.Unix()}
	copy(r.ETag[:], sum[:])
	copy(r.MediaType[:], mediaTypes[extension(a.path)])
	if _, err := l.blob.Write(content); err != nil {
		return "", err
	}
	return "", binary.Write(l.index, binary.BigEndian, r)
}

// finish returns no objects: the links of a listing are made when it is served.
func (l *loose) finish() ([]Object, error) {
	if _, err := l.blob.finish(""); err != nil {
		return nil, err
	}
	_, err := l.index.finish("")
	return nil, err
}

func (l *loose) abort() {
	l.blob.f.Close()
	l.index.f.Close()
}

// readLoose returns the record of document n.
func readLoose(index io.ReaderAt, n int64) (looseRecord, error) {
	var r looseRecord
	err := binary.Read(io.NewSectionReader(index, n*looseSize, looseSize), binary.BigEndian, &r)
	return r, err
}

func (r looseRecord) modified() time.Time { return time.Unix(r.Created, 0) }
