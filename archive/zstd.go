package archive

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"

	"holdall/internal/digest"
)

// newZstdReader yields the content of the zstd file r, which it closes.
func newZstdReader(r io.ReadCloser) (io.ReadCloser, error) {
	// The windows of our own frames are at most 8 MiB.
	dec, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return &zstdReader{dec: dec, under: r}, nil
}

type zstdReader struct {
	dec   *zstd.Decoder
	under io.ReadCloser
}

func (r *zstdReader) Read(p []byte) (int, error) { return r.dec.Read(p) }

func (r *zstdReader) Close() error {
	r.dec.Close()
	return r.under.Close()
}

// Compressed is what CreateZstd's Commit reports: the file as stored, and the content in it.
type Compressed struct {
	Stored        Info
	ContentSize   int64
	ContentSHA256 digest.Sum
}

func (rec *fileRecord) compressed() Compressed {
	return Compressed{
		Stored:        Info{Name: rec.Name, Size: rec.Size, SHA256: rec.SHA256},
		ContentSize:   rec.Content.Size,
		ContentSHA256: rec.Content.SHA256,
	}
}

// CreateZstd starts a file whose content is stored zstd-compressed under name, which ends in .zst.
func (b *Builder) CreateZstd(name string) (*ZstdFile, error) {
	if ownNames[name] {
		return nil, fmt.Errorf("create %s: the archive writes this file itself", name)
	}
	return b.createZstd(name)
}

func (b *Builder) createZstd(name string) (*ZstdFile, error) {
	if !strings.HasSuffix(name, ".zst") {
		return nil, fmt.Errorf("create %s: a compressed file's name ends in .zst", name)
	}
	f, err := b.create(name)
	if err != nil {
		return nil, err
	}
	enc, err := zstd.NewWriter(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &ZstdFile{f: f, enc: enc, content: digest.NewWriter()}, nil
}

// A ZstdFile compresses what is written to it. It is for one goroutine.
type ZstdFile struct {
	f       *File
	enc     *zstd.Encoder
	content *digest.Writer
}

// Write adds to the content.
func (f *ZstdFile) Write(p []byte) (int, error) {
	n, err := f.enc.Write(p)
	f.content.Write(p[:n])
	return n, err
}

// Commit is File.Commit.
func (f *ZstdFile) Commit() (Compressed, error) {
	if f.f.done {
		return Compressed{}, os.ErrClosed
	}
	if err := f.enc.Close(); err != nil {
		return Compressed{}, errors.Join(err, f.f.Close())
	}
	rec, err := f.f.commit(&contentRecord{Size: f.content.Size(), SHA256: f.content.Sum()})
	if err != nil {
		return Compressed{}, err
	}
	return rec.compressed(), nil
}

// Close drops the file unless it has been committed.
func (f *ZstdFile) Close() error {
	if f.f.done {
		return nil
	}
	f.enc.Reset(nil) // ends the encoder's goroutines without writing
	return f.f.Close()
}
