package unpack

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
)

// Compression methods (APPNOTE 4.4.5).
const (
	methodStored  = 0
	methodDeflate = 8
	methodBzip2   = 12
	methodZstdOld = 20
	methodZstd    = 93
	methodAES     = 99 // encrypted; the real method is elsewhere
)

func knownMethod(m uint16) bool {
	switch m {
	case methodStored, methodDeflate, methodBzip2, methodZstdOld, methodZstd:
		return true
	}
	return false
}

// zipData reads the stored bytes of one entry.
type zipData struct {
	*bufio.Reader
	src *span
}

func (d *zipData) Close() error {
	if d.Reader != nil {
		freeBuffer(d.Reader)
		d.Reader = nil
	}
	return nil
}

// Read yields the source's error, or io.EOF where the data ends.
func (d *zipData) Read(p []byte) (int, error) {
	if d.Reader == nil {
		return 0, fmt.Errorf("read after close")
	}
	return d.Reader.Read(p)
}

// openData reads the local header, has it compared, and returns a reader of the data behind it. The first
// read asks for as much as surely belongs to the entry.
func (z *zipFile) openData(e Entry, compare func(Entry, localHeader) error) (*zipData, error) {
	limit := z.dataEnd(e)
	src := &span{r: z.r, off: e.Offset, end: min(e.Offset+localSize, limit)}
	if e.CompressedSize >= 0 && e.CompressedSize < limit-src.end {
		src.end += e.CompressedSize
	}
	d := &zipData{Reader: newBuffer(src), src: src}
	local, err := z.readLocal(d, e)
	if err == nil && compare != nil {
		err = compare(e, local)
	}
	if err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// dataEnd is where an entry has to end: before the directory that names it, if one does.
func (z *zipFile) dataEnd(e Entry) int64 {
	if e.Unlisted {
		return z.end.container
	}
	return z.end.start
}

// readLocal parses the header at the front of d and leaves d limited to the data.
func (z *zipFile) readLocal(d *zipData, e Entry) (localHeader, error) {
	var fixed [localSize]byte
	if _, err := io.ReadFull(d, fixed[:]); err != nil {
		return localHeader{}, d.failed("its header is cut", err)
	}
	if binary.LittleEndian.Uint32(fixed[:]) != localSignature {
		return localHeader{}, fmt.Errorf(
			"%w: no entry at byte %d, where the directory says", ErrFormat, e.Offset,
		)
	}
	h := parseLocal(fixed[:])
	data, limit := e.Offset+int64(h.length()), z.dataEnd(e)
	if e.CompressedSize < 0 || data > limit || e.CompressedSize > limit-data {
		return localHeader{}, fmt.Errorf(
			"%w: the entry at byte %d reaches into the directory", ErrFormat, e.Offset,
		)
	}
	d.src.end = data + e.CompressedSize
	rest := make([]byte, h.length()-localSize)
	if _, err := io.ReadFull(d, rest); err != nil {
		return localHeader{}, d.failed("its header is cut", err)
	}
	h.setVariable(rest)
	return h, nil
}

// failed tells a failing source from a container that ends too early.
func (d *zipData) failed(what string, err error) error {
	if d.src.err != nil {
		return d.src.err
	}
	return fmt.Errorf("%w: %s: %w", ErrFormat, what, err)
}

// compareLocal finds what makes an entry another one than the directory's: that its bytes are encrypted.
// Name, sizes and checksum are not compared here: content that fits the directory's is proven, whatever its
// own header says.
func compareLocal(e Entry, h localHeader) error {
	if h.flags&flagEncrypted != 0 {
		return fmt.Errorf("%w: its own header says that it is encrypted", ErrFormat)
	}
	return nil
}

// sameName lets backslashes pass for slashes: some writers on Windows fix them in the directory only.
func sameName(a, b []byte) bool {
	return bytes.Equal(a, b) || bytes.Equal(
		bytes.ReplaceAll(a, []byte(`\`), []byte("/")), bytes.ReplaceAll(b, []byte(`\`), []byte("/")),
	)
}

// A zipContent reads and verifies the content of one entry.
type zipContent struct {
	name    string
	data    *zipData
	decoded io.Reader
	release func() // gives the decoder back
	left    int64
	size    int64
	sum     uint32
	want    uint32
	hasCRC  bool  // else there is nothing to compare with
	modulo  bool  // it may continue by multiples of 4 GiB
	most    int64 // bytes of content, ever
	err     error // how it ended; sticky
}

func newContent(e Entry, data *zipData) (*zipContent, error) {
	c := &zipContent{name: e.Name, data: data, left: e.Size, size: e.Size, want: e.CRC32, hasCRC: e.HasCRC,
		modulo: e.Modulo && mayBeLonger(e), release: func() {}}
	switch method := e.Method; {
	// some writers deflate nothing to no bytes
	case method == methodStored, e.CompressedSize == 0 && e.Size == 0:
		c.decoded = data
	case method == methodDeflate:
		f := inflaters.Get().(io.ReadCloser)
		if err := f.(flate.Resetter).Reset(data.Reader, nil); err != nil {
			return nil, err
		}
		c.decoded, c.release = f, func() { inflaters.Put(f) }
	case method == methodBzip2:
		c.decoded = bzip2.NewReader(data.Reader)
	case method == methodZstd, method == methodZstdOld:
		z, err := zstd.NewReader(
			data.Reader, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20),
		)
		if err != nil {
			return nil, err
		}
		c.decoded, c.release = z, z.Close
	default:
		return nil, fmt.Errorf("%w: compression method %d", ErrFormat, e.Method)
	}
	return c, nil
}

// mayBeLonger reports whether the stored bytes can be 4 GiB more than the directory says: nothing deflates
// better than 1032:1.
func mayBeLonger(e Entry) bool { return e.CompressedSize >= (1<<32)/1032 }

var inflaters = sync.Pool{New: func() any { return flate.NewReader(nil) }}

func (c *zipContent) Read(p []byte) (int, error) {
	if c.err != nil || len(p) == 0 {
		return 0, c.err
	}
	if c.left == 0 {
		var first [1]byte
		n, err := c.readFurther(first[:])
		p[0], c.err = first[0], err
		return n, err
	}
	n, err := c.decoded.Read(p[:min(int64(len(p)), c.left)])
	c.sum = crc32.Update(c.sum, crc32.IEEETable, p[:n])
	c.left -= int64(n)
	switch {
	case c.left == 0 && c.modulo:
	case c.left == 0:
		if err := c.finish(); err != io.EOF {
			c.err = err
		}
	case err != nil:
		c.err = c.damage(err)
	}
	return n, c.err
}

// readFurther reads the byte beyond the stated size, of content whose size may have been stated modulo 4 GiB.
// Else it is finish.
func (c *zipContent) readFurther(one []byte) (int, error) {
	if !c.modulo || c.size+1<<32 > c.most {
		return 0, c.finish()
	}
	_, err := io.ReadFull(c.decoded, one)
	switch {
	case err == io.EOF:
		return 0, c.compare()
	case err != nil:
		return 0, c.damage(err)
	}
	c.sum = crc32.Update(c.sum, crc32.IEEETable, one)
	c.size += 1 << 32
	c.left = 1<<32 - 1
	return 1, nil
}

// compare compares checksums; io.EOF says that all is well.
func (c *zipContent) compare() error {
	if c.hasCRC && c.sum != c.want {
		return fmt.Errorf(
			"read %q: %w: CRC-32 is %08x, not %08x as the container says", c.name, ErrChecksum, c.sum, c.want,
		)
	}
	return io.EOF
}

// finish checks what has been read against what was stated; io.EOF says that all is well.
func (c *zipContent) finish() error {
	var more [1]byte
	switch _, err := io.ReadFull(c.decoded, more[:]); {
	case err == nil:
		return fmt.Errorf(
			"read %q: %w: it goes on after the %d bytes that the directory says", c.name, ErrChecksum, c.size,
		)
	case errors.Is(err, io.ErrUnexpectedEOF) && c.hasCRC && c.sum == c.want:
		return io.EOF // only the end mark of the compressed data is cut off: what was stated is here, and fits
	case err != io.EOF:
		return c.damage(err)
	}
	return c.compare()
}

func (c *zipContent) damage(err error) error {
	switch {
	case c.data.src.err != nil:
		return fmt.Errorf("read %q: %w", c.name, c.data.src.err)
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return fmt.Errorf(
			"read %q: %w: it ends after %d of %d bytes", c.name, ErrChecksum, c.size-c.left, c.size,
		)
	}
	return fmt.Errorf(
		"read %q: %w: after %d of %d bytes: %w", c.name, ErrChecksum, c.size-c.left, c.size, err,
	)
}

func (c *zipContent) Close() error {
	if c.decoded == nil {
		return nil
	}
	c.release()
	c.decoded = nil
	if c.err == nil {
		c.err = fmt.Errorf("read %q after close", c.name)
	}
	return c.data.Close()
}
