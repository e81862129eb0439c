package unpack

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"holdall/internal/filetype"
)

// headerLimit bounds the headers of one member; archive/tar bounds each of them to 1 MiB, but not how many
// there are.
const headerLimit = 4 << 20

// A tarStream reads a tar in order, member by member, and knows where it is.
type tarStream struct {
	src     *span
	buffer  *bufio.Reader // of a compressed tar
	r       io.Reader     // the tar, decompressed
	release func()        // the decompressor
	pos     int64         // in the tar
	most    int64         // decompressing beyond is refused

	tr      *tar.Reader // at the current member
	capture bool        // keep what is read in headers
	headers bytes.Buffer
	acc     *Account // takes what is not a member; nil when nobody asks
	lenient bool
	largest int64 // bytes of a member's content that may be true
	lost    bool  // nobody knows where the current member ends
	start   int64 // of the current member
	data    int64 // where its headers end
	end     int64 // where the next one starts
	fresh   bool  // nobody has read its content
}

// newTarStream starts at a member. Only a plain tar can start elsewhere than at 0.
func newTarStream(t *tarFile, off int64) (*tarStream, error) {
	src := &span{r: t.r, off: off, end: t.size}
	s := &tarStream{
		src: src, r: src, pos: off, end: off, most: math.MaxInt64, release: func() {}, lenient: t.lenient,
		largest: t.lim.EntrySize,
	}
	if t.kind == filetype.Tar {
		return s, nil
	}
	s.most = ratioFree + min(t.lim.OverallRatio, math.MaxInt64/2/max(t.size, 1))*t.size
	s.buffer = newBuffer(src)
	var err error
	if t.kind == filetype.TarGzip {
		s.r, err = newGzipMembers(s.buffer, s.noteTrailing)
	} else {
		s.r, s.release, err = newZstdFrames(s.buffer, s.noteTrailing)
	}
	if err != nil {
		err = s.failed("decompress", err)
		s.release = func() {}
		s.close()
		return nil, err
	}
	return s, nil
}

// noteTrailing notes bytes at the container's end that are not part of the compressed stream.
func (s *tarStream) noteTrailing(n int64) {
	if s.acc != nil {
		s.acc.Unaccounted += n
		s.acc.Regions = append(
			s.acc.Regions, Region{s.src.end - n, s.src.end, "bytes behind the compressed stream"},
		)
	}
}

func (s *tarStream) close() {
	s.release()
	if s.buffer != nil {
		freeBuffer(s.buffer)
		s.buffer = nil
	}
}

// Read reads the tar's own bytes.
func (s *tarStream) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.pos += int64(n)
	if s.capture {
		if s.headers.Len()+n > headerLimit {
			return 0, fmt.Errorf("%w: the headers of one entry are over %d bytes", ErrLimit, headerLimit)
		}
		s.headers.Write(p[:n])
	}
	if s.pos > s.most {
		return 0, fmt.Errorf("%w: the container decompresses to more than %d bytes", ErrLimit, s.most)
	}
	return n, err
}

// isAt reports whether the member at off has been read as far as its headers.
func (s *tarStream) isAt(off int64) bool { return s.fresh && s.start == off }

// head returns the current member's headers as received.
func (s *tarStream) head() *bytes.Reader { return bytes.NewReader(s.headers.Bytes()) }

// skipTo goes forward; in a plain tar without reading.
func (s *tarStream) skipTo(off int64) error {
	if s.buffer == nil {
		s.pos, s.src.off = off, off
		if off > s.src.end {
			return &Damage{
				s.start, s.src.end,
				fmt.Errorf(
					"%w: it is cut at byte %d, inside an entry that ends at byte %d", ErrFormat, s.src.end,
					off,
				),
			}
		}
		return nil
	}
	if _, err := io.CopyN(io.Discard, s, off-s.pos); err != nil {
		return s.failed("skip to the next entry", err)
	}
	return nil
}

// next reads the headers of the next member. io.EOF says that the tar ended.
func (s *tarStream) next() (Entry, error) {
	s.fresh = false
	for {
		if err := s.skipTo(s.end); err != nil {
			return Entry{}, err
		}
		h, err := s.nextHeader()
		switch {
		case errors.Is(err, errMore):
		case errors.Is(err, errEnd):
			err = io.EOF
		case err == io.EOF:
			err = s.finish()
		case err != nil:
			err = s.failed("read a header", err)
			if s.lenient && s.src.err == nil && !errors.Is(err, ErrLimit) {
				err = s.resync(err)
			}
		}
		if errors.Is(err, errMore) {
			continue
		}
		if err != nil {
			return Entry{}, err
		}
		stored := s.measure(h)
		if h.Typeflag == tar.TypeXGlobalHeader { // describes the tar, is not a member of it
			continue
		}
		if s.end < s.data {
			err := fmt.Errorf("%w: impossible size of the entry at byte %d", ErrFormat, s.start)
			if s.lenient {
				if err = s.resync(err); errors.Is(err, errMore) {
					continue
				}
			}
			return Entry{}, s.damage(err)
		}
		s.believe(stored)
		s.fresh = true
		return s.entry(h, stored), nil
	}
}

func (s *tarStream) readHeader() (*tar.Header, error) {
	s.start = s.pos
	s.headers.Reset()
	s.capture = true
	defer func() { s.capture = false }()
	s.tr = tar.NewReader(struct{ io.Reader }{s})
	h, err := s.tr.Next()
	s.data = s.pos
	if errors.Is(err, tar.ErrInsecurePath) { // names are data here
		err = nil
	}
	return h, err
}

// measure finds where the current member ends and returns the size of its stored content. archive/tar hides
// that of sparse files, whose map may be a part of the content.
func (s *tarStream) measure(h *tar.Header) int64 {
	switch h.Typeflag {
	case tar.TypeXGlobalHeader:
		s.end = s.start + padded(s.data-s.start)
		return 0
	case tar.TypeLink, tar.TypeSymlink, tar.TypeChar, tar.TypeBlock, tar.TypeDir, tar.TypeFifo:
		s.end = s.data
		return 0
	}
	if !isSparse(h) {
		s.end = s.data + padded(h.Size)
		return h.Size
	}
	stored, headersEnd := rawHeader(s.headers.Bytes())
	if size, err := strconv.ParseInt(h.PAXRecords["size"], 10, 64); err == nil {
		stored = size
	}
	if h.Typeflag == tar.TypeGNUSparse {
		headersEnd = s.data - s.start
	}
	s.end = s.start + headersEnd + padded(stored)
	return stored
}

func padded(n int64) int64 { return (n + filetype.TarBlock - 1) &^ (filetype.TarBlock - 1) }

func isSparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// rawHeader finds the member's own header behind extended ones; it returns the size in it and where it ends.
func rawHeader(headers []byte) (size, end int64) {
	for end+filetype.TarBlock <= int64(len(headers)) {
		block := headers[end : end+filetype.TarBlock]
		size, end = rawSize(block[124:136]), end+filetype.TarBlock
		if strings.IndexByte("xgLK", block[156]) < 0 {
			return size, end
		}
		end += padded(size)
	}
	return 0, end
}

// rawSize reads octal digits, or the binary form of GNU for large numbers.
func rawSize(field []byte) int64 {
	if field[0]&0x80 != 0 {
		n := int64(0)
		for _, c := range field[4:] {
			n = n<<8 | int64(c)
		}
		return max(n, 0)
	}
	n, _ := strconv.ParseInt(strings.Trim(string(field), " \x00"), 8, 64)
	return max(n, 0)
}

func (s *tarStream) entry(h *tar.Header, stored int64) Entry {
	e := Entry{
		Name:           nameText([]byte(h.Name), false),
		RawName:        []byte(h.Name),
		Size:           h.Size,
		CompressedSize: stored,
		Offset:         s.start,
	}
	if h.ModTime.Unix() != 0 {
		e.Modified = h.ModTime.UTC().Truncate(time.Microsecond)
	}
	switch h.Typeflag {
	case tar.TypeDir:
		e.Refused = RefusedDirectory
	case tar.TypeLink, tar.TypeSymlink:
		e.Refused = RefusedSymlink
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		e.Refused = RefusedDevice
	// GNU: volume label, continuation of a file in another volume, directory dump, old long names
	case 'V', 'M', 'D', 'N':
		e.Refused = RefusedBroken
	}
	return e
}

// failed tells a failing source and a reached limit from damage.
func (s *tarStream) failed(doing string, err error) error {
	switch {
	case s.src.err != nil:
		return s.src.err
	case errors.Is(err, ErrLimit) || errors.Is(err, ErrFormat):
		return err
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return s.damage(fmt.Errorf(
			"%w: it is cut at byte %d, inside the entry that starts at byte %d", ErrFormat, s.pos, s.start,
		))
	}
	return s.damage(fmt.Errorf("%w: %s at byte %d: %w", ErrFormat, doing, s.pos, err))
}

// damage says where in the container the bytes are of which err speaks. What goes wrong in a compressed
// stream may have its cause anywhere before.
func (s *tarStream) damage(err error) error {
	if s.buffer != nil {
		return &Damage{0, s.src.off, err}
	}
	return &Damage{min(s.start, s.src.end), min(max(s.pos, s.start+filetype.TarBlock), s.src.end), err}
}
