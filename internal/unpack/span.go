package unpack

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"sync"
)

// window is how much of a container is asked for at once.
const window = 256 << 10

// A span reads the bytes from off to end of a container, in order. It keeps the error of its source apart, so
// that a source that fails is never taken for damaged content.
type span struct {
	r        io.ReaderAt
	off, end int64
	err      error // of the source; sticky
}

func (s *span) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if s.off >= s.end {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), s.end-s.off)]
	n, err := s.r.ReadAt(p, s.off)
	s.off += int64(n)
	if n == len(p) {
		return n, nil
	}
	if err == nil || err == io.EOF {
		err = fmt.Errorf("the container ends at byte %d instead of %d: %w", s.off, s.end, io.ErrUnexpectedEOF)
	}
	s.err = err
	return n, err
}

// buffers are kept because a container may hold a million small entries.
var buffers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, window) }}

func newBuffer(r io.Reader) *bufio.Reader {
	b := buffers.Get().(*bufio.Reader)
	b.Reset(r)
	return b
}

func freeBuffer(b *bufio.Reader) {
	b.Reset(nil)
	buffers.Put(b)
}

// readFullAt fills p from off.
func readFullAt(r io.ReaderAt, p []byte, off int64) error {
	_, err := io.ReadFull(&span{r: r, off: off, end: off + int64(len(p))}, p)
	return err
}

// sourceError returns err when it is the source's, and nil when it is about the container.
func sourceError(err error) error {
	if errors.Is(err, ErrFormat) || errors.Is(err, ErrLimit) {
		return nil
	}
	return err
}
