// Package unpack reads the containers an export arrives in: ZIP and tar, made by others and not to be
// trusted.
//
// Call OpenZIP, OpenSplitZIP or OpenTar, and range over Entries; Rest then accounts for every other byte.
// Recover opens what those refuse as damaged.
//
// A container is read through an io.ReaderAt whose ReadAt may wait until the bytes have arrived. That is how
// a ZIP's directory, which lies at the file's end, is read before the rest of the file has arrived: package
// fetch fetches first what a reader waits for. Names are data, never paths.
//
// Where to look for what:
//
//	zip.go, zip_end.go, zip_directory.go  a ZIP: its end records and its directory
//	zip_offsets.go, zip_overlap.go        where entries really begin; entries that share bytes
//	zip_read.go, zip_local_header.go      an entry's content, checked against directory and header
//	zip_rest.go, zip_scan.go              what no directory names; zip_doubts.go: what to fetch again
//	tar.go, tar_stream.go                 a tar, plain or compressed
//	limits.go                             the limits that hostile containers run into
package unpack

import (
	"errors"
	"io"
	"iter"
	"time"

	"holdall/internal/filetype"
)

// A Refusal says why an entry is not taken over as a document. An entry that is a document has none.
type Refusal string

// The reasons for a refusal.
const (
	RefusedDirectory Refusal = "directory" // carries no bytes; not a loss
	RefusedSymlink   Refusal = "symlink"
	RefusedDevice    Refusal = "device"
	RefusedEncrypted Refusal = "encrypted"
	RefusedMethod    Refusal = "unknown-method"
	RefusedLimit     Refusal = "limit" // see Limits
	RefusedOverlap   Refusal = "overlap"
	RefusedBroken    Refusal = "broken-header"
)

// An Entry is one member of a container, as its directory or header describes it.
type Entry struct {
	Index          int       // position in the container's directory, from 0
	Name           string    // as text: UTF-8 as flagged or valid, else CP437; never empty for a file
	RawName        []byte    // as received
	Size           int64     // of the content
	CompressedSize int64     // of the stored bytes
	CRC32          uint32    // IEEE, of the content; only with HasCRC
	HasCRC         bool      // a ZIP has one, a tar has not
	Modified       time.Time // as stated; zero when absent
	Offset         int64     // where the entry's header starts in the container
	Method         uint16    // ZIP compression method
	Refused        Refusal   // empty for a document
	Unlisted       bool      // no directory names it: found by its own header, see Container.Rest
	Truncated      bool      // unlisted, and the container ends before its content does
	Modulo         bool      // Size may be short by a multiple of 4 GiB: its writer had 32 bits for it
}

// Errors that say what is wrong with a container; errors.Is matches them. An error that matches none of them
// is of the source: the bytes could not be read, and nothing is known about them.
var (
	// CRC-32 or size differ from what the container says, or it cannot be decompressed
	ErrChecksum = errors.New("checksum does not match")
	ErrFormat   = errors.New("not a valid container") // cut, contradicts itself, or is something else
	ErrLimit    = errors.New("limit exceeded")        // see Limits
	ErrVolume   = errors.New("one volume of a split container: all volumes must be joined first")
)

// A Damage is an error about a container's structure. It matches ErrFormat or ErrChecksum, and says which of
// the received bytes would have to be others: those from From up to To.
type Damage struct {
	From, To int64
	Err      error
}

func (d *Damage) Error() string { return d.Err.Error() }
func (d *Damage) Unwrap() error { return d.Err }

// A Region is a run of bytes that belongs to nothing a reader knows.
type Region struct {
	From, To int64
	What     string // what it looks like: "an APK signing block", "text", "bytes in no known format"
}

// A Range is a run of bytes, those from From up to To.
type Range struct{ From, To int64 }

// An Account says what of a container its entries and its own structure leave over.
type Account struct {
	// where what the container says of itself is not what lies there, each in half a sentence
	Contradictions []string
	Unlisted       int      // entries that no directory names
	Unaccounted    int64    // bytes that belong to nothing known and are not zeros
	Regions        []Region // the first of these
	Renamed        int      // entries whose own header has another name than the directory
	Renames        []Rename // the first of these
	Complete       bool     // as many entries were found as the container says it has
	Unproven       bool     // the checksum over all contents does not fit

	// Doubts are a few ranges, in ascending order. If bytes in them changed in transit, that is why the
	// container says something odd.
	Doubts []Range
}

// A Rename is an entry's name in its own header, where that is not the directory's.
type Rename struct {
	Index int
	Local []byte
}

// mostExamples bounds the lists of an Account.
const mostExamples = 20

// A Container is an opened ZIP or tar.
type Container interface {
	// Kind says which.
	Kind() filetype.Type
	// Entries yields every entry in the order of Index, refused ones too, in bounded memory at any count.
	// It may be ranged over more than once.
	Entries() iter.Seq2[Entry, error]
	// Open reads an entry's content. The reader verifies: where content ends, CRC-32 and size have been
	// compared, and a difference is an error matching ErrChecksum instead of io.EOF. A tar is cheapest when
	// opened in ascending Offset.
	Open(e Entry) (io.ReadCloser, error)
	// OpenRaw reads the stored bytes of an entry, for keeping what was refused.
	OpenRaw(e Entry) (io.ReadCloser, error)
	// Rest looks at every byte that the entries leave over. It hands on, in the order of their offsets, the
	// entries that no directory names; their Index continues after the others. It needs all bytes of the
	// container, and stops with found's error.
	Rest(found func(Entry) error) (Account, error)
}

// Recover opens a container whose structure is known to be damaged: its Entries and Rest give what is left,
// and only the source and limits are errors; a tar ends where it runs into a limit. Its Account says what is
// damaged.
func Recover(r io.ReaderAt, size int64, kind filetype.Type, lim Limits) (Container, error) {
	if kind == filetype.ZIP {
		return recoverZIP(r, size, lim)
	}
	t, err := newTar(r, size, kind, lim)
	if err != nil {
		return nil, err
	}
	t.lenient = true
	return t, nil
}
