package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/klauspost/compress/flate"

	"holdall/internal/digest"
)

// A content is the bytes of a document on their way into a pack: in memory, or in a scratch file when they
// are many.
type content struct {
	size int64
	sum  digest.Sum
	crc  uint32

	buf     *[]byte // from buffers, with size bytes; nil when spilled
	spilled *os.File

	deflated *bytes.Buffer // from deflateBuffers; nil when the content is stored as it is
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, copyBuffer); return &b }}

var copyBuffers = sync.Pool{New: func() any { b := make([]byte, copyBuffer); return &b }}

// copyPooled is io.Copy through a buffer that is used again.
func copyPooled(w io.Writer, r io.Reader) (int64, error) {
	buf := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, *buf)
}

// A readError marks a failure of the document's reader, which the caller gets as it is.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }

// take reads r to its end.
func (b *Builder) take(ctx context.Context, r io.Reader) (_ *content, err error) {
	c := &content{buf: buffers.Get().(*[]byte)}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.release())
		}
	}()
	sum := digest.NewWriter()
	buf := (*c.buf)[:0]
	for int64(len(buf)) <= b.limits.inMemory {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, len(buf)+1)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n, err := r.Read(buf[len(buf):min(cap(buf), len(buf)+copyBuffer)])
		sum.Write(buf[len(buf) : len(buf)+n])
		c.crc = crc32.Update(c.crc, crc32.IEEETable, buf[len(buf):len(buf)+n])
		buf = buf[:len(buf)+n]
		*c.buf = buf
		if err == io.EOF {
			c.size, c.sum = sum.Size(), sum.Sum()
			return c, nil
		}
		if err != nil {
			return nil, &readError{err}
		}
	}
	return c, b.spill(ctx, c, sum, r)
}

// spill moves a content that is too long for memory, and the rest of r, into a scratch file.
func (b *Builder) spill(ctx context.Context, c *content, sum *digest.Writer, r io.Reader) error {
	f, err := os.CreateTemp(b.dir, "document-*"+scratchSuffix)
	if err != nil {
		return fmt.Errorf("make room for a long document: %w", err)
	}
	c.spilled = f
	if _, err := f.Write(*c.buf); err != nil {
		return fmt.Errorf("spill a long document: %w", err)
	}
	chunk := (*c.buf)[:min(cap(*c.buf), 4*copyBuffer)]
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, rerr := r.Read(chunk)
		sum.Write(chunk[:n])
		c.crc = crc32.Update(c.crc, crc32.IEEETable, chunk[:n])
		if _, err := f.Write(chunk[:n]); err != nil {
			return fmt.Errorf("spill a long document: %w", err)
		}
		if rerr == io.EOF {
			break
		}
		if rerr != nil {
			return &readError{rerr}
		}
	}
	c.size, c.sum = sum.Size(), sum.Sum()
	c.putBuffer()
	return nil
}

// Buffers that grew beyond this are not used again: a small document would hold the memory of a large one.
const poolMost = 4 * copyBuffer

func (c *content) putBuffer() {
	if c.buf != nil && cap(*c.buf) <= poolMost {
		*c.buf = (*c.buf)[:0]
		buffers.Put(c.buf)
	}
	c.buf = nil
}

// release gives the content's memory and scratch file back.
func (c *content) release() error {
	c.putBuffer()
	c.putDeflated()
	if c.spilled == nil {
		return nil
	}
	err := errors.Join(c.spilled.Close(), os.Remove(c.spilled.Name()))
	c.spilled = nil
	return err
}

// reader returns the whole content from its beginning.
func (c *content) reader() io.Reader { return io.NewSectionReader(c.at(), 0, c.size) }

// at reads the content anywhere.
func (c *content) at() io.ReaderAt {
	if c.spilled != nil {
		return c.spilled
	}
	return bytes.NewReader(*c.buf)
}

// The trial: what can be expected of a beginning decides whether the whole is tried, and the whole whether it
// is kept.
const trialSize = 64 << 10

var (
	deflateBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}
	// The fastest level: what deflates well is a few per cent of an export, and packing must keep pace with
	// the download.
	writers = sync.Pool{New: func() any {
		w, err := flate.NewWriter(nil, flate.BestSpeed)
		if err != nil {
			panic(err) // the level is a constant
		}
		return w
	}}
)

// tryDeflate sets c.deflated where that saves at least 10 %.
func (c *content) tryDeflate(mediaType string) error {
	if c.spilled != nil || c.size < 128 || compressedTypes[mediaType] {
		return nil
	}
	b := *c.buf
	if len(b) > trialSize {
		ok, err := c.deflate(b[:trialSize])
		c.putDeflated()
		if err != nil || !ok {
			return err
		}
	}
	ok, err := c.deflate(b)
	if err != nil || !ok {
		c.putDeflated()
	}
	return err
}

func (c *content) putDeflated() {
	if c.deflated != nil && c.deflated.Cap() <= poolMost {
		deflateBuffers.Put(c.deflated)
	}
	c.deflated = nil
}

// deflate compresses b into c.deflated and reports whether that saves enough.
func (c *content) deflate(b []byte) (bool, error) {
	c.deflated = deflateBuffers.Get().(*bytes.Buffer)
	c.deflated.Reset()
	limited := &limitedBuffer{b: c.deflated, max: len(b) / 10 * 9}
	w := writers.Get().(*flate.Writer)
	defer writers.Put(w)
	w.Reset(limited)
	if _, err := w.Write(b); err != nil && !errors.Is(err, errTooLong) {
		return false, err
	}
	if err := w.Close(); err != nil && !errors.Is(err, errTooLong) {
		return false, err
	}
	return !limited.over, nil
}

var errTooLong = errors.New("saves too little")

// A limitedBuffer takes max bytes and then refuses.
type limitedBuffer struct {
	b    *bytes.Buffer
	max  int
	over bool
}

func (l *limitedBuffer) Write(p []byte) (int, error) {
	if l.over || l.b.Len()+len(p) > l.max {
		l.over = true
		return 0, errTooLong
	}
	return l.b.Write(p)
}
