package takeover

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"

	"holdall/archive"
)

// keepParts keeps the files of a table in parts as received.
func keepParts(
	files []*dataFile, keep func(*dataFile) (StoredFile, error),
) (first StoredFile, further []StoredFile, err error) {
	if first, err = keep(files[0]); err != nil {
		return first, nil, err
	}
	for _, f := range files[1:] {
		kept, err := keep(f)
		if err != nil {
			return first, nil, err
		}
		further = append(further, kept)
	}
	return first, further, nil
}

// appendParts adds the further files of a table to the first, which it returns the path of.
func appendParts(files []*dataFile) (string, error) {
	out, err := os.OpenFile(files[0].plain, os.O_RDWR, 0)
	if err != nil {
		return "", err
	}
	w, err := newPartWriter(out)
	if err != nil {
		return "", errors.Join(err, out.Close())
	}
	for _, f := range files[1:] {
		in, err := os.Open(f.plain)
		if err != nil {
			return "", errors.Join(err, out.Close())
		}
		if err := errors.Join(w.add(in), in.Close()); err != nil {
			return "", errors.Join(err, out.Close())
		}
	}
	return files[0].plain, out.Close()
}

// A partWriter adds files to the first one of a table.
type partWriter struct {
	out   *os.File
	first []byte // record of each file
}

// newPartWriter prepares for adding to a file that is open for reading and writing.
func newPartWriter(out *os.File) (*partWriter, error) {
	head := make([]byte, maxFirstLine)
	n, err := out.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	_, err = out.Seek(0, io.SeekEnd)
	return &partWriter{out, head[:headingsEnd(head[:n])]}, err
}

// add adds what a file has behind its first record. The file before may lack the end of its last line.
func (w *partWriter) add(in io.Reader) error {
	if err := w.endLine(); err != nil {
		return err
	}
	first := make([]byte, len(w.first))
	if _, err := io.ReadFull(in, first); err != nil {
		return err
	}
	if !bytes.Equal(first, w.first) {
		return errors.New("the files of the table do not begin with the same headings")
	}
	_, err := io.Copy(w.out, in)
	return err
}

// endLine ends the last line as the first one ends, if it does not. A Control-Z that ends the file, as of
// old, is not content, and would be in the middle of the table.
func (w *partWriter) endLine() error {
	unit, mark := 1, []byte{0x1a}
	switch {
	case bytes.HasPrefix(w.first, []byte{0xfe, 0xff}): // UTF-16
		unit, mark = 2, []byte{0, 0x1a}
	case bytes.HasSuffix(w.first, []byte("\n\x00")), bytes.HasSuffix(w.first, []byte("\r\x00")):
		unit, mark = 2, []byte{0x1a, 0}
	}
	end := w.first[len(w.first)-unit:]
	if cr := len(w.first) - 2*unit; cr >= 0 && bytes.IndexByte(w.first[cr:cr+unit], '\r') >= 0 {
		end = w.first[cr:]
	}
	marked, err := w.endsWith(mark)
	if err == nil && marked {
		var size int64
		if size, err = w.out.Seek(int64(-unit), io.SeekEnd); err == nil {
			err = w.out.Truncate(size)
		}
	}
	if err != nil {
		return err
	}
	if ended, err := w.endsWith(end); ended || err != nil {
		return err
	}
	_, err = w.out.Write(end)
	return err
}

// endsWith reports whether the bytes so far end so.
func (w *partWriter) endsWith(end []byte) (bool, error) {
	size, err := w.out.Seek(0, io.SeekCurrent)
	if err != nil {
		return false, err
	}
	last := make([]byte, min(int64(len(end)), size))
	_, err = w.out.ReadAt(last, size-int64(len(last)))
	return bytes.Equal(last, end), err
}

// addFurther adds the further files of a table to the first, as they are in the bag.
func (t TableRecord) addFurther(ctx context.Context, bag *archive.Bag, out *os.File) error {
	if len(t.Further) == 0 {
		return nil
	}
	w, err := newPartWriter(out)
	if err != nil {
		return err
	}
	for _, f := range t.Further {
		in, err := bag.OpenZstd(ctx, f.Path, f.ContentBytes, f.ContentSHA256)
		if err != nil {
			return err
		}
		if err := errors.Join(w.add(in), in.Close()); err != nil {
			return err
		}
	}
	return nil
}
