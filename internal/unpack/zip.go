package unpack

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"

	"holdall/internal/filetype"
)

// Signatures and sizes of the fixed parts of records (PKWARE APPNOTE 6.3.10, section 4.3).
const (
	localSignature      = 0x04034b50
	directorySignature  = 0x02014b50
	endSignature        = 0x06054b50
	end64Signature      = 0x06064b50
	locatorSignature    = 0x07064b50
	descriptorSignature = 0x08074b50

	localSize     = 30
	directorySize = 46
	endSize       = 22
	end64Size     = 56
	locatorSize   = 20
)

// A zipFile is an opened ZIP. It keeps no entry in memory: its directory is read again for each Entries.
type zipFile struct {
	r       io.ReaderAt
	lim     Limits
	end     zipEnd
	lenient bool    // a directory that breaks off is one that ends there
	volumes []int64 // where each volume of a split ZIP begins; nil for one in one piece

	based   sync.Once
	base    int64 // to be added to stored offsets, once based
	baseErr error // of the source

	mu       sync.Mutex
	overlaps []uint64 // of a directory out of order, once they are known. Guarded by mu
}

// OpenZIP reads the directory's position of a ZIP of size bytes; it needs no more than the container's tail
// for that. What is not a ZIP, or has lost its tail, is a *Damage matching ErrFormat: Recover reads what is
// left.
//
// Offsets are right with junk in front, too, and beyond 4 GiB of a writer without ZIP64 (see Wide). The
// directory is trusted for names, and its sizes and checksums are verified by reading.
func OpenZIP(r io.ReaderAt, size int64, lim Limits) (Container, error) {
	return OpenSplitZIP(r, size, nil, lim)
}

// OpenSplitZIP opens a split ZIP (.z01, .z02, …, .zip) whose volumes have been joined; volumes says where
// each begins.
func OpenSplitZIP(r io.ReaderAt, size int64, volumes []int64, lim Limits) (Container, error) {
	end, err := findZIPEnd(r, size)
	if err != nil {
		return nil, fmt.Errorf("open zip: %w", err)
	}
	z := &zipFile{r: r, lim: lim.orDefaults(), end: end, volumes: volumes}
	if end.disk != 0 && int(end.disk) >= len(volumes) {
		ok, err := z.proven()
		if err != nil {
			return nil, fmt.Errorf("open zip: %w", err)
		}
		if !ok {
			return nil, fmt.Errorf("open zip: %w: %w", ErrVolume, ErrFormat)
		}
	}
	return z, nil
}

// recoverZIP opens a ZIP whose directory is lost or broken: Entries yields what can be read of it, and Rest
// finds what is there.
func recoverZIP(r io.ReaderAt, size int64, lim Limits) (Container, error) {
	end, err := findZIPEnd(r, size)
	if sourceError(err) != nil {
		return nil, fmt.Errorf("open zip: %w", err)
	}
	if err != nil {
		end = zipEnd{start: size, container: size}
	}
	return &zipFile{r: r, lim: lim.orDefaults(), end: end, lenient: true}, nil
}

func (z *zipFile) Kind() filetype.Type { return filetype.ZIP }

// Wide reports whether entries may lie, or be, beyond 4 GiB in a ZIP that has 32 bits to say so. Which of the
// possible places is meant, the bytes there tell: Entries reads each entry's own header, so that all should
// be there before.
func (z *zipFile) Wide() bool { return !z.end.exact && !z.end.none() && z.end.start > 1<<32 }

// Entries streams the directory. An error, of the source or matching ErrFormat or ErrLimit, ends it.
func (z *zipFile) Entries() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		overlap := zipOverlap{z: z}
		costs := tally{lim: z.lim, container: z.end.container}
		for h, err := range z.headers() {
			if z.lenient && errors.Is(err, ErrFormat) {
				return
			}
			if err != nil {
				yield(Entry{}, err)
				return
			}
			e := h.entry()
			overlaps, err := overlap.check(h)
			if err != nil {
				yield(Entry{}, err)
				return
			}
			if overlaps && e.Refused == "" {
				e.Refused = RefusedOverlap
			}
			if e.Refused == "" && !costs.admit(e) {
				e.Refused = RefusedLimit
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// Open reads an entry's content. It touches the bytes of that entry only, so that it need not wait for
// others. Content has to fit the directory's size and checksum; what the entry's own header says otherwise,
// its name above all, is reported by Rest and is no reason to refuse it. An entry whose own header is not
// there is an error matching ErrFormat.
func (z *zipFile) Open(e Entry) (io.ReadCloser, error) {
	if e.Refused != "" {
		return nil, fmt.Errorf("open %q: it was refused (%s)", e.Name, e.Refused)
	}
	data, err := z.openData(e, compareLocal)
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", e.Name, err)
	}
	content, err := newContent(e, data)
	if err != nil {
		data.Close()
		return nil, fmt.Errorf("open %q: %w", e.Name, err)
	}
	content.most = z.lim.EntrySize
	return content, nil
}

// OpenRaw reads the stored bytes of an entry: compressed or encrypted as they are, without its header.
func (z *zipFile) OpenRaw(e Entry) (io.ReadCloser, error) {
	data, err := z.openData(e, nil)
	if err != nil {
		return nil, fmt.Errorf("open raw bytes of %q: %w", e.Name, err)
	}
	return data, nil
}
