package archive

import (
	"bytes"
	"errors"
	"sync"

	"github.com/klauspost/compress/flate"
)

// trialSize is how much of a document is compressed to decide whether to compress the whole.
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
