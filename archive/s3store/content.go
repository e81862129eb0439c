package s3store

import (
	"bytes"
	"io"
	"os"

	"holdall/internal/digest"
)

// A content is what is to be put: bytes that can be read more than once.
type content struct {
	io.ReaderAt
	base int64 // where it begins
	size int64
	sum  digest.Sum
	file *os.File // to be removed
}

// section reads n bytes from off.
func (c *content) section(off, n int64) *io.SectionReader {
	return io.NewSectionReader(c.ReaderAt, c.base+off, n)
}

func (c *content) release() {
	if c.file != nil {
		c.file.Close()
		os.Remove(c.file.Name())
	}
}

// inMemory is the longest content that is kept in memory where its reader can only be read once.
const inMemory = 8 << 20

// content makes r one that can be read again. What can be already is not read here.
func (s *Store) content(r io.Reader, size int64, sum digest.Sum) (*content, error) {
	c := &content{size: size, sum: sum}
	if again, ok := r.(interface {
		io.ReaderAt
		io.Seeker
	}); ok {
		return c, c.locate(again)
	}
	checked := digest.NewReader(r, size, sum)
	if size <= inMemory {
		b, err := io.ReadAll(checked)
		c.ReaderAt = bytes.NewReader(b)
		return c, err
	}
	f, err := os.CreateTemp(s.Scratch, "holdall-upload-*")
	if err != nil {
		return nil, err
	}
	c.file, c.ReaderAt = f, f
	if _, err := io.Copy(f, checked); err != nil {
		c.release()
		return nil, err
	}
	return c, nil
}

// locate sets where the content begins, and fails where another length is left than was announced.
func (c *content) locate(r interface {
	io.ReaderAt
	io.Seeker
}) error {
	base, err := r.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	end, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if end-base != c.size {
		return &digest.MismatchError{WantSize: c.size, GotSize: end - base, Want: c.sum}
	}
	c.ReaderAt, c.base = r, base
	return nil
}
