package unpack

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// gzipMembers reads one gzip member after the other. Zeros behind the last one are padding, as block-wise
// writers leave it; other bytes there are passed to trailing.
type gzipMembers struct {
	b      *bufio.Reader
	z      *gzip.Reader
	behind func(n int64)
	ended  bool
}

func newGzipMembers(b *bufio.Reader, behind func(int64)) (*gzipMembers, error) {
	z, err := gzip.NewReader(b)
	if err != nil {
		return nil, err
	}
	z.Multistream(false) // the reader would take what follows the last member for a damaged one
	return &gzipMembers{b: b, z: z, behind: behind}, nil
}

func (g *gzipMembers) Read(p []byte) (int, error) {
	for !g.ended {
		n, err := g.z.Read(p)
		if err != io.EOF {
			return n, err
		}
		if err := g.next(); err != nil {
			return n, err
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, io.EOF
}

// next begins the next member, if there is one.
func (g *gzipMembers) next() error {
	rest, err := skipZeros(g.b)
	if err != nil {
		return err
	}
	if magic, _ := g.b.Peek(3); bytes.Equal(magic, []byte{0x1f, 0x8b, 8}) {
		if err := g.z.Reset(g.b); err != nil {
			return err
		}
		g.z.Multistream(false)
		return nil
	}
	g.ended = true
	if rest {
		n, err := io.Copy(io.Discard, g.b)
		if err != nil {
			return err
		}
		g.behind(n)
	}
	return nil
}

// skipZeros reports whether anything but zeros follows, and stops before it.
func skipZeros(b *bufio.Reader) (bool, error) {
	for {
		c, err := b.ReadByte()
		switch {
		case err == io.EOF:
			return false, nil
		case err != nil:
			return false, err
		case c != 0:
			return true, b.UnreadByte()
		}
	}
}

// zstdFrames reads one zstd frame after the other, with the same leniency behind the last.
type zstdFrames struct {
	b      *bufio.Reader
	z      *zstd.Decoder
	behind func(n int64)
	some   bool // something has been decoded
	ended  bool
}

func newZstdFrames(b *bufio.Reader, behind func(int64)) (io.Reader, func(), error) {
	z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
	if err != nil {
		return nil, nil, err
	}
	return &zstdFrames{b: b, z: z, behind: behind}, z.Close, nil
}

func (f *zstdFrames) Read(p []byte) (int, error) {
	if f.ended {
		return 0, io.EOF
	}
	n, err := f.z.Read(p)
	f.some = f.some || n > 0
	if f.some && errors.Is(err, zstd.ErrMagicMismatch) {
		// the four bytes that would be a frame's mark have been read
		f.ended = true
		rest, err := skipZeros(f.b)
		if err != nil {
			return n, err
		}
		if rest {
			left, err := io.Copy(io.Discard, f.b)
			if err != nil {
				return n, err
			}
			f.behind(left)
		}
		return n, io.EOF
	}
	return n, err
}
