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

	"holdall/internal/digest"
)

// A content is the bytes of a document that is being added: in memory, or in a scratch file where it is long.
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

// readContent reads r to its end.
func (b *Builder) readContent(ctx context.Context, r io.Reader) (_ *content, err error) {
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
		return fmt.Errorf("create a scratch file for a long document: %w", err)
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

// Larger buffers are not used again: a small document would hold the memory of a large one.
const poolMost = 4 * copyBuffer

func (c *content) putBuffer() {
	if c.buf != nil && cap(*c.buf) <= poolMost {
		*c.buf = (*c.buf)[:0]
		buffers.Put(c.buf)
	}
	c.buf = nil
}

// release frees the content's memory and scratch file.
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
