package archive

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"github.com/klauspost/compress/flate"

	"holdall/internal/digest"
)

// OpenDocument reads one document with one ranged read, verifying it against its row: where it ends, its
// size, CRC-32 and SHA-256 have been compared, and the last Read returns an error instead of io.EOF if one of
// them is not the row's.
func (b *Bag) OpenDocument(ctx context.Context, r Row) (io.ReadCloser, error) {
	if err := CheckName(r.Pack); err != nil || !strings.HasPrefix(r.Pack, documentsDir) || r.Offset < 0 ||
		r.StoredSize < 0 {
		return nil, fmt.Errorf(
			"document %s: its row has no place for its bytes: %q at %d", r.ID, r.Pack, r.Offset,
		)
	}
	under, err := b.s.Open(ctx, b.prefix+r.Pack, r.Offset, r.StoredSize)
	if err != nil {
		return nil, fmt.Errorf("open document %s in %s: %w", r.ID, r.Pack, err)
	}
	d := &documentReader{row: r, under: under}
	if err := d.start(under); err != nil {
		under.Close()
		return nil, err
	}
	return d, nil
}

// A documentReader yields a document from its stored bytes.
type documentReader struct {
	row   Row
	under io.Closer
	r     io.Reader
	crc   uint32
}

func (d *documentReader) start(stored io.Reader) error {
	content := stored
	switch d.row.Method {
	case methodStored:
	case methodDeflated:
		content = flate.NewReader(stored)
	default:
		return fmt.Errorf(
			"document %s is stored by the method %q, which is not of this format", d.row.ID, d.row.Method,
		)
	}
	d.r = digest.NewReader(content, d.row.Size, d.row.SHA256)
	return nil
}

func (d *documentReader) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	d.crc = crc32.Update(d.crc, crc32.IEEETable, p[:n])
	if err == io.EOF && d.crc != d.row.CRC32 {
		return n, fmt.Errorf(
			"document %s in %s has crc32 %08x instead of %08x", d.row.ID, d.row.Pack, d.crc, d.row.CRC32,
		)
	}
	if err != nil && err != io.EOF {
		err = fmt.Errorf("read document %s in %s: %w", d.row.ID, d.row.Pack, err)
	}
	return n, err
}

func (d *documentReader) Close() error { return d.under.Close() }
