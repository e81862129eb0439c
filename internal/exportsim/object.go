package exportsim

import (
	"bytes"
	"io"
	"os"
	"time"
)

// An object is what one link leads to.
type object struct {
	name, part string
	group      string // under which requests are counted, if not name
	size       int64
	etag       string
	modified   time.Time
	mediaType  string

	bytes  []byte // the content, if it is small, or
	file   string // where it is, from
	offset int64
	patch  map[int64]byte // bytes that differ from the file's
	tail   []byte         // follows the file's bytes
}

// open returns the object's content. The caller closes it.
func (o *object) open() (io.ReaderAt, io.Closer, error) {
	if o.file == "" {
		return bytes.NewReader(o.bytes), io.NopCloser(nil), nil
	}
	f, err := os.Open(o.file)
	if err != nil {
		return nil, nil, err
	}
	r := io.NewSectionReader(f, o.offset, o.size-int64(len(o.tail)))
	if o.patch == nil && o.tail == nil {
		return r, f, nil
	}
	return &patched{r, o}, f, nil
}

// patched is an object's file with some bytes replaced and some added.
type patched struct {
	*io.SectionReader
	o *object
}

func (p *patched) ReadAt(b []byte, off int64) (n int, err error) {
	if off < p.Size() {
		n, err = p.SectionReader.ReadAt(b[:min(int64(len(b)), p.Size()-off)], off)
		for at, v := range p.o.patch {
			if at >= off && at < off+int64(n) {
				b[at-off] = v
			}
		}
		if err != nil && err != io.EOF {
			return n, err
		}
	}
	if n < len(b) {
		from := off + int64(n) - p.Size()
		if from > int64(len(p.o.tail)) {
			return n, io.EOF
		}
		n += copy(b[n:], p.o.tail[from:])
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}
