package query

import (
	"context"
	"errors"
	"io"
	"os"
	"sync/atomic"
)

// A Scan is what ScanCSV has found out about a file.
type Scan struct {
	s    *scanned
	size int64 // of what was read
}

// ScanCSV looks at a CSV while it is still being written, as LoadCSV does first: file is its name as
// received, and a read of text beyond what is there waits until it is, or the file ends. It returns nil for a
// file that takes a second look, because it is not UTF-8, or not quite as RFC 4180 says: LoadScanned then has
// all to do.
func (b *Builder) ScanCSV(ctx context.Context, file string, text io.ReaderAt) (*Scan, error) {
	in := &extentReader{r: text}
	encoding, err := encodingAtFront(in)
	if err != nil || encoding.name != encUTF8 && encoding.name != encUTF8BOM {
		return nil, err
	}
	s := &scanned{encoding: encoding, knows: recogniser{b.opts.known(), file}, check: &utf8Check{}}
	found, err := s.scanOnce(ctx, in)
	if errors.Is(err, errNotUTF8) || err == nil && s.isDoubtful(found) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &Scan{s, in.extent.Load()}, nil
}

// LoadScanned is LoadCSV of a file that ScanCSV has looked at; nil: it has not.
func (b *Builder) LoadScanned(
	ctx context.Context, file, path string, ahead *Scan,
) (*TableReport, error) {
	return b.loadCSV(ctx, file, path, ahead, nil)
}

// of returns the scan of a file, or nil if it is none, or of another length.
func (a *Scan) of(f *os.File) *scanned {
	if a == nil {
		return nil
	}
	if info, err := f.Stat(); err != nil || info.Size() != a.size {
		return nil
	}
	return a.s
}

// An extentReader knows how far has been read.
type extentReader struct {
	r      io.ReaderAt
	extent atomic.Int64
}

func (e *extentReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := e.r.ReadAt(p, off)
	e.extent.Store(max(e.extent.Load(), off+int64(n)))
	return n, err
}
