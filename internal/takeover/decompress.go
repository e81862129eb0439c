package takeover

import (
	"bufio"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"holdall/internal/unpack"
)

// decompressor opens what one file was compressed with; nil when it was not.
func decompressor(first []byte) func(io.Reader) (io.Reader, func(), error) {
	switch {
	case len(first) > 2 && string(first[:3]) == "\x1f\x8b\x08":
		return func(r io.Reader) (io.Reader, func(), error) {
			z, err := gzip.NewReader(r)
			return z, func() {}, err
		}
	case len(first) > 3 && string(first[:3]) == "BZh":
		return func(r io.Reader) (io.Reader, func(), error) { return bzip2.NewReader(r), func() {}, nil }
	case len(first) > 3 && string(first[:4]) == "\x28\xb5\x2f\xfd":
		return func(r io.Reader) (io.Reader, func(), error) {
			z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
			if err != nil {
				return nil, nil, err
			}
			return z, z.Close, nil
		}
	}
	return nil
}

// errNotDecompressed says that what looks compressed cannot be decompressed.
var errNotDecompressed = errors.New("cannot be decompressed")

// decompress writes the content of a compressed file to another; false when it is not compressed. It has the
// limits that containers have.
func decompress(from io.ReaderAt, size int64, to string) (bool, error) {
	first := make([]byte, 4)
	n, err := from.ReadAt(first, 0)
	if err != nil && err != io.EOF {
		return false, err
	}
	with := decompressor(first[:n])
	if with == nil {
		return false, nil
	}
	out, err := os.Create(to)
	if err != nil {
		return true, err
	}
	defer out.Close()
	src := &sourceReader{r: io.NewSectionReader(from, 0, size)}
	r, release, err := with(bufio.NewReaderSize(src, 256<<10))
	if err != nil {
		return true, errors.Join(src.err, fmt.Errorf("%w: %w", errNotDecompressed, err))
	}
	defer release()
	w := &countingWriter{w: out}
	most := min(unpack.DefaultLimits.EntrySize, unpack.DefaultLimits.OverallRatio*size+1<<20)
	written, err := io.Copy(w, io.LimitReader(r, most))
	switch {
	case w.err != nil:
		return true, w.err
	case src.err != nil:
		return true, src.err
	case err != nil && errors.Is(err, gzip.ErrHeader) && written > 0: // padding behind the last member
	case err != nil:
		return true, fmt.Errorf("%w: after %d bytes: %w", errNotDecompressed, written, err)
	case written == most:
		return true, fmt.Errorf(
			"%w: it has more than %d bytes, which is suspicious", errNotDecompressed, most,
		)
	}
	return true, out.Close()
}

// sourceReader and countingWriter keep the errors of the disk and of the fetch apart from those of the
// compression.
type sourceReader struct {
	r   io.Reader
	err error
}

func (s *sourceReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

type countingWriter struct {
	w   io.Writer
	err error
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	if err != nil {
		c.err = err
	}
	return n, err
}

// uncompressedName is a file's name without the suffix of its compression.
func uncompressedName(name string) string {
	switch ext := strings.ToLower(path.Ext(name)); ext {
	case ".gz", ".zst", ".bz2", ".gzip", ".bzip2", ".zstd":
		return name[:len(name)-len(ext)]
	case ".tgz", ".tzst", ".tbz2":
		return name[:len(name)-len(ext)] + ".tar"
	}
	return name
}
