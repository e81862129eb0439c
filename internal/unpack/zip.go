package unpack

import (
	"fmt"
	"io"
	"iter"
	"sync"
)

// Signatures and sizes of the fixed parts of records (PKWARE APPNOTE 6.3.10, section 4.3).
const (
	localSignature     = 0x04034b50
	directorySignature = 0x02014b50
	endSignature       = 0x06054b50
	end64Signature     = 0x06064b50
	locatorSignature   = 0x07064b50

	localSize     = 30
	directorySize = 46
	endSize       = 22
	end64Size     = 56
	locatorSize   = 20
)

// A zipFile is an opened ZIP. It keeps no entry in memory: its directory is read again for each Entries.
type zipFile struct {
	r   io.ReaderAt
	lim Limits
	end zipEnd

	mu       sync.Mutex
	overlaps []uint64 // of a directory out of order, once they are known. Guarded by mu
}

// OpenZIP reads the directory's position of a ZIP of size bytes; it needs no more than the container's tail for that.
// What is no ZIP, or has lost its tail, is an error matching ErrFormat.
//
// Offsets are right with junk in front, too. The directory is trusted for names, sizes and checksums; Open compares the
// entry's own header with it.
func OpenZIP(r io.ReaderAt, size int64, lim Limits) (Container, error) {
	end, err := findZIPEnd(r, size)
	if err != nil {
		return nil, fmt.Errorf("open zip: %w", err)
	}
	return &zipFile{r: r, lim: lim.orDefaults(), end: end}, nil
}

func (z *zipFile) Kind() Kind { return KindZIP }

// Entries streams the directory. An error, of the source or matching ErrFormat or ErrLimit, ends it.
func (z *zipFile) Entries() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		overlap := zipOverlap{z: z}
		costs := tally{lim: z.lim, container: z.end.container}
		for h, err := range z.headers() {
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

// Open reads an entry's content. It touches the bytes of that entry only, so that it need not wait for others.
// An entry whose own header tells another name, method, size or checksum than the directory is an error matching ErrFormat.
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
