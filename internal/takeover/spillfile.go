package takeover

import (
	"compress/gzip"
	"errors"
	"io"
	"os"
)

// A spillFile is a temporary list on disk, compressed: the lists of a container of a million entries that are
// all refused would otherwise take more room than the container.
type spillFile struct {
	file *os.File
	z    *gzip.Writer
}

func createSpill(path string) (*spillFile, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
	return &spillFile{f, z}, err
}

func (f *spillFile) Write(p []byte) (int, error) { return f.z.Write(p) }

// mark returns a place to go back to.
func (f *spillFile) mark() (int64, error) {
	if err := f.z.Close(); err != nil {
		return 0, err
	}
	f.z.Reset(f.file) // another member of the same file
	return f.file.Seek(0, io.SeekCurrent)
}

// rewind drops what was written since mark returned at.
func (f *spillFile) rewind(at int64) error {
	f.z.Reset(f.file)
	_, err := f.file.Seek(at, io.SeekStart)
	return errors.Join(err, f.file.Truncate(at))
}

// abandon closes the file as it is.
func (f *spillFile) abandon() error { return f.file.Close() }

func (f *spillFile) Close() error { return errors.Join(f.z.Close(), f.file.Close()) }

// copySpill hands the content of a list to use; nothing where there is no such list.
func copySpill(path string, use func(io.Reader) error) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	return errors.Join(use(z), z.Close())
}
