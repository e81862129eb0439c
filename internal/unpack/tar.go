package unpack

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"

	"holdall/internal/filetype"
)

// A tarFile is an opened tar. A plain one is read where an entry lies. A compressed one can only be read from
// its start, so the stream that served the last entry is kept, and continues from there.
type tarFile struct {
	r    io.ReaderAt
	size int64
	kind filetype.Type
	lim  Limits

	lenient bool // what is damaged is passed over

	mu   sync.Mutex
	idle *tarStream // of a compressed tar; nobody reads it. Guarded by mu
	acc  *Account   // of the last time that all was read. Guarded by mu
}

// OpenTar opens a tar, plain or compressed, of size bytes.
//
// Entry.Offset counts in the tar itself, that is in the decompressed bytes. Ranging over a compressed tar
// decompresses it once, also when each entry is opened, read and closed while it is yielded. Entries opened
// later cost one more pass when they are opened in ascending Offset, and one pass each when not. A tar has no
// checksum of contents; Open verifies their length, and the checksums of gzip and zstd are verified where
// Entries ends. A hard link is refused like a symbolic one.
func OpenTar(r io.ReaderAt, size int64, kind filetype.Type, lim Limits) (Container, error) {
	t, err := newTar(r, size, kind, lim)
	if err != nil {
		return nil, err
	}
	return t, nil
}

func newTar(r io.ReaderAt, size int64, kind filetype.Type, lim Limits) (*tarFile, error) {
	if kind != filetype.Tar && kind != filetype.TarGzip && kind != filetype.TarZstd {
		return nil, fmt.Errorf("open tar: %w: it is %s", ErrFormat, kind)
	}
	return &tarFile{r: r, size: size, kind: kind, lim: lim.orDefaults()}, nil
}

func (t *tarFile) Kind() filetype.Type { return t.kind }

// Entries reads the headers from the start. An error, of the source or matching ErrFormat or ErrLimit, ends
// it and says how far it got. What follows the end mark is read on if it is more of a tar; a missing
// end mark, and what is neither padding nor a tar, are reported by Rest.
func (t *tarFile) Entries() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		acc := &Account{}
		costs := tally{lim: t.lim, container: t.size}
		next, lost := int64(0), false
		for index := 0; ; index++ {
			s, err := t.seek(next)
			var e Entry
			if err == nil {
				s.acc, s.lost = acc, lost
				e, err = s.next()
			}
			if err == nil && index >= t.lim.Entries {
				err = fmt.Errorf("%w: more than %d entries", ErrLimit, t.lim.Entries)
			}
			if err != nil && s != nil {
				s.close()
			}
			if t.lenient && (errors.Is(err, ErrFormat) || errors.Is(err, ErrChecksum) || errors.Is(err,
				ErrLimit)) {
				acc.Contradictions = append(
					acc.Contradictions, fmt.Sprintf("after %d entries: %v", index, errors.Unwrap(err)),
				)
				acc.Unproven = t.kind != filetype.Tar && !errors.Is(err, ErrLimit)
				err = io.EOF
			}
			if err == io.EOF {
				t.mu.Lock()
				t.acc = acc
				t.mu.Unlock()
				return
			}
			if err != nil {
				yield(Entry{}, fmt.Errorf("read %s, after %d entries: %w", t.kind, index, err))
				return
			}
			e.Index = index
			if e.Name == "" {
				e.Name = fmt.Sprintf("unnamed-%d", index)
			}
			if e.Refused == "" && !costs.admit(e) {
				e.Refused = RefusedLimit
			}
			next, lost = s.end, s.lost
			t.putIdle(s) // for whoever opens e while it is yielded, and for the next round
			if !yield(e, nil) {
				return
			}
		}
	}
}

// Rest tells what Entries met that is not an entry. A tar has no directory that could leave entries out.
func (t *tarFile) Rest(func(Entry) error) (Account, error) {
	t.mu.Lock()
	acc := t.acc
	t.mu.Unlock()
	if acc == nil {
		for _, err := range t.Entries() {
			if err != nil {
				return Account{}, err
			}
		}
		acc = t.acc
	}
	rest := *acc
	if t.kind == filetype.Tar { // what is behind a compression has its checksum
		rest.mergeDoubts(t.size)
	}
	return rest, nil
}

// Open reads an entry's content.
func (t *tarFile) Open(e Entry) (io.ReadCloser, error) {
	if e.Refused != "" {
		return nil, fmt.Errorf("open %q: it was refused (%s)", e.Name, e.Refused)
	}
	s, err := t.member(e)
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", e.Name, err)
	}
	s.fresh = false
	return &tarContent{t: t, s: s, r: s.tr, name: e.Name, size: e.Size, left: e.Size}, nil
}

// OpenRaw reads an entry as it is in the tar: its headers, which hold a link's target, and its padded
// content.
func (t *tarFile) OpenRaw(e Entry) (io.ReadCloser, error) {
	s, err := t.member(e)
	if err != nil {
		return nil, fmt.Errorf("open raw bytes of %q: %w", e.Name, err)
	}
	s.fresh = false
	rest := s.end - s.pos
	raw := io.MultiReader(s.head(), io.LimitReader(s, rest))
	size := int64(s.head().Len()) + rest
	return &tarContent{t: t, s: s, r: raw, name: e.Name, size: size, left: size}, nil
}

// member returns a stream that has just read the header of e.
func (t *tarFile) member(e Entry) (*tarStream, error) {
	if s := t.takeIdle(func(s *tarStream) bool { return s.isAt(e.Offset) }); s != nil {
		return s, nil
	}
	s, err := t.seek(e.Offset)
	if err != nil {
		return nil, err
	}
	found, err := s.next()
	switch {
	case err == io.EOF:
		err = fmt.Errorf("%w: the tar ends at byte %d, before this entry", ErrFormat, s.pos)
	case err == nil && (found.Offset != e.Offset || string(found.RawName) != string(e.RawName)):
		err = fmt.Errorf("%w: another entry, %q, is at byte %d", ErrFormat, found.Name, found.Offset)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// seek returns a stream positioned at off: the idle one if it has not gone further.
func (t *tarFile) seek(off int64) (*tarStream, error) {
	if t.kind == filetype.Tar {
		return newTarStream(t, off)
	}
	s := t.takeIdle(func(s *tarStream) bool { return s.pos <= off })
	if s == nil {
		var err error
		if s, err = newTarStream(t, 0); err != nil {
			return nil, err
		}
	}
	if err := s.skipTo(off); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// takeIdle returns the kept stream if it fits; from then on it is the caller's.
func (t *tarFile) takeIdle(fits func(*tarStream) bool) *tarStream {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.idle
	if s == nil || !fits(s) {
		return nil
	}
	t.idle = nil
	return s
}

// putIdle takes a stream back. A plain tar needs none.
func (t *tarFile) putIdle(s *tarStream) {
	if t.kind == filetype.Tar {
		return
	}
	t.mu.Lock()
	old := t.idle
	t.idle = s
	t.mu.Unlock()
	if old != nil {
		old.close()
	}
}

// A tarContent reads one entry and verifies its length.
type tarContent struct {
	t          *tarFile
	s          *tarStream // nil after Close
	r          io.Reader
	name       string
	size, left int64
	err        error // how it ended; sticky
}

func (c *tarContent) Read(p []byte) (int, error) {
	if c.err != nil || len(p) == 0 {
		return 0, c.err
	}
	if c.left == 0 {
		c.err = io.EOF
		return 0, io.EOF
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	if err != nil && c.left > 0 {
		c.err = c.damage(err)
	}
	return n, c.err
}

func (c *tarContent) damage(err error) error {
	switch {
	case c.s.src.err != nil:
		return fmt.Errorf("read %q: %w", c.name, c.s.src.err)
	case errors.Is(err, ErrLimit):
		return fmt.Errorf("read %q: %w", c.name, err)
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		err = fmt.Errorf(
			"read %q: %w: it ends after %d of %d bytes; the tar is cut", c.name, ErrChecksum, c.size-c.left,
			c.size,
		)
	default:
		err = fmt.Errorf(
			"read %q: %w: after %d of %d bytes: %w", c.name, ErrChecksum, c.size-c.left, c.size, err,
		)
	}
	if c.s.buffer == nil {
		return err // its bytes are where its entry is
	}
	return c.s.damage(err)
}

// Close hands the stream back, so that the next entry continues from here.
func (c *tarContent) Close() error {
	if c.s == nil {
		return nil
	}
	if c.err == nil || c.err == io.EOF {
		c.t.putIdle(c.s)
	} else {
		c.s.close()
	}
	c.s = nil
	if c.err == nil {
		c.err = fmt.Errorf("read %q after close", c.name)
	}
	return nil
}
