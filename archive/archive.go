// Package archive keeps one export as a bag (BagIt 1.0, RFC 8493) that stock tools can check and read: write it, read
// it, verify it. FORMAT.md beside this file describes every byte of it.
//
// A Builder makes a bag in a staging directory and goes on with one that an earlier process left. Commit puts it under a
// root; its last act is bagit.txt, and a bag without bagit.txt does not exist. Open reads a committed bag from any Store.
// The package knows nothing of HTTP, of cloud services or of databases.
package archive

import (
	"context"
	"io"
	"io/fs"
	"iter"
	"time"

	"holdall/internal/digest"
)

// A Store keeps named objects that are never overwritten. Names are slash-separated, relative to the root.
type Store interface {
	// Put stores the size bytes of r, whose SHA-256 must be sum, under name. The object appears whole or not at all.
	// If name is taken, Put returns an error matching fs.ErrExist, except that the same content again is a success.
	Put(ctx context.Context, name string, r io.Reader, size int64, sum digest.Sum) error
	// Open reads n bytes from off; n < 0 means to the end. A missing name is an error matching fs.ErrNotExist.
	Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error)
	// Stat describes an object.
	Stat(ctx context.Context, name string) (Info, error)
	// List yields the objects below prefix in lexical order of their names.
	List(ctx context.Context, prefix string) iter.Seq2[Info, error]
	// Location names an object or prefix for people: a path or a URL.
	Location(name string) string
}

// An Adopter is a Store that can take over a staging directory whole, because both lie on one file system.
type Adopter interface {
	// Adopt moves everything in dir below prefix, durably. Nothing may be there yet.
	Adopt(ctx context.Context, dir, prefix string) error
}

// Info describes a stored object.
type Info struct {
	Name     string
	Size     int64
	SHA256   digest.Sum // as the store keeps it; zero where it keeps none
	Modified time.Time
}

// NewID returns an identifier for an export that began at start: recruitly-<tenant>-<UTC start>-<4 base32>.
// Characters of tenant outside [a-z0-9] become "-".
func NewID(source, tenant string, start time.Time) string { panic("not built yet") }

// A State says what is known of a document's bytes.
type State string

// The states.
const (
	StateOK        State = "ok"
	StateDamaged   State = "damaged-in-source" // the vendor's own checksum does not fit the bytes received
	StateLocked    State = "locked"            // encrypted or password-protected
	StateEmpty     State = "empty"
	StateErrorPage State = "error-page" // an HTML or XML error stored in the document's place
)

// A Document is what is known of a document before its bytes are stored.
type Document struct {
	ID              string // unique in the bag, [a-z0-9-]
	Part            string // attachments or cvs
	OwnerType       string // CANDIDATE, COMPANY, …; empty when unknown
	OwnerID         string
	AttachmentID    string
	OriginalName    string // as text
	OriginalNameRaw []byte // as received
	ReceivedIn      string // the container: "attachments-01 attachments.zip"
	Modified        time.Time
	MatchedBy       string // how the owner was found: id, path, name-size, name-owner; empty when it was not
	Damaged         bool   // the container's checksum does not fit: the state will be damaged-in-source
}

// A Row is one line of the index: a Document and where its bytes are.
type Row struct {
	Document
	Pack       string // path from the bag's root
	Offset     int64  // of the entry's data in the pack
	StoredSize int64
	Size       int64
	Method     string // stored, deflated
	CRC32      uint32
	SHA256     digest.Sum // of the content
	MediaType  string     // from the bytes
	State      State
	TextState  string // reserved for text extraction; "" for now
}

// A Builder makes one bag. Its methods may be called from several goroutines.
type Builder struct{}

// NewBuilder opens a staging directory, made if missing, and goes on with the files finished there: those whose length
// and SHA-256 were recorded after they were synced. Everything else in it is dropped.
func NewBuilder(dir string) (*Builder, error) { panic("not built yet") }

// Create starts a file of the bag, named by its path from the bag's root. The file appears with Commit.
// A name outside the format's alphabet, or one already taken, is an error.
func (b *Builder) Create(name string) (*File, error) { panic("not built yet") }

// Has reports whether a file of that name is finished, and its size and digest.
func (b *Builder) Has(name string) (Info, bool) { panic("not built yet") }

// A File is a file of a bag in the making.
type File struct{}

func (f *File) Write(p []byte) (int, error) { panic("not built yet") }

// Commit syncs, renames, records the digest. After it the file survives a crash.
func (f *File) Commit() (Info, error) { panic("not built yet") }

// Close drops the file unless it has been committed.
func (f *File) Close() error { panic("not built yet") }

// Compressed is what CreateZstd's Commit reports: the file as stored, and the content in it.
type Compressed struct {
	Stored        Info
	ContentSize   int64
	ContentSHA256 digest.Sum
}

// CreateZstd starts a file whose content is stored zstd-compressed under name, which ends in .zst.
func (b *Builder) CreateZstd(name string) (*ZstdFile, error) { panic("not built yet") }

// A ZstdFile compresses what is written to it.
type ZstdFile struct{}

func (f *ZstdFile) Write(p []byte) (int, error) { panic("not built yet") }
func (f *ZstdFile) Commit() (Compressed, error) { panic("not built yet") }
func (f *ZstdFile) Close() error                { panic("not built yet") }

// Packer returns the packer of a part, one for all callers. Packs that an earlier process closed are kept.
func (b *Builder) Packer(part string) (*Packer, error) { panic("not built yet") }

// A Packer writes the documents of a part into packs, in the order they are added.
type Packer struct{}

// Has reports whether the document is in a pack that is closed.
func (p *Packer) Has(id string) bool { panic("not built yet") }

// Add stores a document, reading r to its end, and returns its row. Bytes that the bag already holds are not stored
// again. A failure of r leaves the pack as it was and is returned as it is, so that the caller may try again.
func (p *Packer) Add(ctx context.Context, d Document, r io.Reader) (Row, error) {
	panic("not built yet")
}

// Finish closes the open pack.
func (p *Packer) Finish(ctx context.Context) error { panic("not built yet") }

// WriteIndex writes data/documents/index.csv.zst from the rows of all packs, which must be finished, and returns how
// many there are. Rows(fn) can be used afterwards.
func (b *Builder) WriteIndex(ctx context.Context) (rows int64, err error) { panic("not built yet") }

// IndexCSV opens the index as plain CSV, for a database to load.
func (b *Builder) IndexCSV() (io.ReadCloser, error) { panic("not built yet") }

// BagInfo is what bag-info.txt says.
type BagInfo struct {
	ID           string // External-Identifier
	Organization string // Source-Organization: the platform the export came from, and the tenant
	Started      time.Time
	Software     string // "holdall v0.1.0"
	Description  string
}

// Seal writes bag-info.txt, README.txt and the manifests, after reading every file back and comparing its digest.
// Afterwards the staging directory is the whole bag except for bagit.txt.
func (b *Builder) Seal(ctx context.Context, info BagInfo) error { panic("not built yet") }

// Commit puts a sealed bag into the store as exports/<ID>, bagit.txt last, and adds a line "taken" to the root's ledger.
// It may be repeated after a failure at any point, also by another process.
func (b *Builder) Commit(ctx context.Context, s Store) error { panic("not built yet") }

// Close releases the staging directory, leaving what is in it.
func (b *Builder) Close() error { panic("not built yet") }

// A Bag is a committed bag.
type Bag struct{}

// Open opens the bag exports/<id>; an id of "" means the newest complete one, by the time in its ID.
// A bag without bagit.txt is an error matching ErrIncomplete.
func Open(ctx context.Context, s Store, id string) (*Bag, error) { panic("not built yet") }

// IDs lists the complete exports of a root, oldest first.
func IDs(ctx context.Context, s Store) ([]string, error) { panic("not built yet") }

// ID is the bag's identifier; Location is where it lies, for people.
func (b *Bag) ID() string       { panic("not built yet") }
func (b *Bag) Location() string { panic("not built yet") }

// Info returns bag-info.txt as label to values.
func (b *Bag) Info() map[string][]string { panic("not built yet") }

// FS reads the bag's files; every file read to its end has been checked against the manifest.
func (b *Bag) FS(ctx context.Context) fs.FS { panic("not built yet") }

// Files yields the files that the manifests name, with their digests; sizes where they are known.
func (b *Bag) Files(ctx context.Context) iter.Seq2[Info, error] { panic("not built yet") }

// Rows yields the index in its order.
func (b *Bag) Rows(ctx context.Context) iter.Seq2[Row, error] { panic("not built yet") }

// OpenDocument reads one document with one ranged read, verifying it against its row.
func (b *Bag) OpenDocument(ctx context.Context, r Row) (io.ReadCloser, error) { panic("not built yet") }

// A Level says how much Verify reads.
type Level string

// The levels: presence and sizes; every file's digest; every document too.
const (
	Quick Level = "quick"
	Full  Level = "full"
	Deep  Level = "deep"
)

// A Fault is one thing that is not as it was when the bag was committed.
type Fault struct {
	Code      string   `json:"code"` // hash-mismatch, size-mismatch, missing, unexpected, document-mismatch, index-mismatch, …
	Path      string   `json:"path"`
	Documents []string `json:"documents"` // IDs of the documents it hurt
	Detail    string   `json:"detail"`    // with the owner record where there is one
}

// A Report is what Verify found.
type Report struct {
	Valid  bool    `json:"valid"`
	Level  Level   `json:"level"`
	Files  int     `json:"files"`
	Bytes  int64   `json:"bytes"`
	Faults []Fault `json:"faults"`
}

// Verify checks the bag and lists every fault; only a store that cannot be read at all is an error.
// progress, which may be nil, is told the bytes checked so far.
func (b *Bag) Verify(ctx context.Context, level Level, progress func(done, total int64)) (*Report, error) {
	panic("not built yet")
}

// An Event is one line of a root's append-only history.
type Event struct {
	Number   int               `json:"number"`
	Kind     string            `json:"kind"` // taken, verified, …
	Export   string            `json:"export"`
	Time     time.Time         `json:"time"`
	Previous digest.Sum        `json:"previous"` // SHA-256 of the event before, as stored
	Facts    map[string]string `json:"facts,omitempty"`
}

// AppendEvent adds e to the root's ledger, setting Number and Previous.
func AppendEvent(ctx context.Context, s Store, e Event) (Event, error) { panic("not built yet") }

// Events yields the ledger in order; a broken chain is an error naming the event.
func Events(ctx context.Context, s Store) iter.Seq2[Event, error] { panic("not built yet") }
