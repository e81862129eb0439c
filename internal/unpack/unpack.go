// Package unpack reads the containers an export arrives in: ZIP and tar, made by others and not to be trusted.
//
// A container is read through an io.ReaderAt whose ReadAt may wait until the bytes are there, so that entries are
// checked and handed on while the rest still arrives. Names are data here, never paths.
package unpack

import (
	"errors"
	"io"
	"iter"
	"time"
)

// A Kind says what a received object is, decided by its first bytes.
type Kind string

// The kinds of object that a link may lead to.
const (
	KindZIP     Kind = "zip"
	KindTar     Kind = "tar"
	KindTarGzip Kind = "tar.gz"
	KindTarZstd Kind = "tar.zst"
	KindCSV     Kind = "csv"
	KindHTML    Kind = "html"
	KindXML     Kind = "xml"
	KindJSON    Kind = "json"
	KindUnknown Kind = "unknown"
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
	Modified       time.Time // as told; zero when absent
	Offset         int64     // where the entry's header starts in the container
	Method         uint16    // ZIP compression method
	Refused        Refusal   // empty for a document
}

// Errors that say what is wrong with a container; errors.Is matches them. An error that matches none of them is of the source:
// the bytes could not be had, and nothing is known about them.
var (
	ErrChecksum = errors.New("checksum does not match") // CRC-32 or size differ from what the container says, or it cannot be decompressed
	ErrFormat   = errors.New("not a valid container")   // cut, contradicts itself, or is something else
	ErrLimit    = errors.New("limit exceeded")          // see Limits
)

// A Container is an opened ZIP or tar.
type Container interface {
	// Kind says which.
	Kind() Kind
	// Entries yields every entry in the order of Index, refused ones too, in bounded memory at any count.
	// It may be ranged over more than once.
	Entries() iter.Seq2[Entry, error]
	// Open reads an entry's content. The reader verifies: where content ends, CRC-32 and size have been compared, and a
	// difference is an error matching ErrChecksum instead of io.EOF. A tar is cheapest when opened in ascending Offset.
	Open(e Entry) (io.ReadCloser, error)
	// OpenRaw reads the stored bytes of an entry, for keeping what was refused.
	OpenRaw(e Entry) (io.ReadCloser, error)
}
