// Package fetch follows the links of a master CSV and brings their bytes into a spool: verified, resumable at any
// instant, each byte once.
//
// ReadMaster finds the links. A Fetcher probes them into a Plan, which says what each one serves, and Start fetches all of
// it. The objects can be read while they arrive. Links are credentials: they are kept as Link, which prints redacted, and
// never reach a disk.
package fetch

import (
	"context"
	"io"
	"iter"
	"time"

	"holdall/internal/digest"
	"holdall/internal/unpack"
)

// A Link is a URL that grants access to whoever knows it. It prints, formats and marshals redacted;
// Secret returns it whole.
type Link struct{ url string }

// A Part is what a link of the master CSV promises.
type Part string

// The three parts of an export.
const (
	PartData        Part = "data"
	PartAttachments Part = "attachments"
	PartCVs         Part = "cvs"
	PartUnknown     Part = "unknown"
)

// A Master is a master CSV: the links that lead to an export.
type Master struct {
	Raw   []byte       // as received, secrets and all; never written anywhere
	Links []MasterLink // in the order found
	Notes []string     // what was odd and how it was read, for the user; no secrets
}

// A MasterLink is one link of a master CSV, with what the CSV says about it.
type MasterLink struct {
	Part   Part
	Label  string // the heading, neighbouring cell or file name that the Part was taken from
	Link   Link
	Repair string // how a damaged link was mended, or empty
}

// ReadMaster finds the links in a master CSV. An HTML or XML page, or a file without any link, is an *Error.
func ReadMaster(raw []byte) (*Master, error) { panic("not built yet") }

// Redacted returns the master CSV with each link's secrets replaced; everything else is as received.
func (m *Master) Redacted() []byte { panic("not built yet") }

// A Code names a class of failure; the command line shows it and chooses the exit code by it.
type Code string

// The codes.
const (
	LinkExpired   Code = "link-expired"
	LinkDenied    Code = "link-denied"
	LinkDamaged   Code = "link-damaged"
	LinkGone      Code = "link-gone"
	NotTheExport  Code = "not-the-export"
	ObjectChanged Code = "object-changed"
	DiskFull      Code = "disk-full"
	Busy          Code = "busy"
	Network       Code = "network"
	Usage         Code = "usage"
	Interrupted   Code = "interrupted"
	Internal      Code = "internal"
)

// An Error is a failure that a user can do something about. Its text holds no secret.
type Error struct {
	Code    Code
	Part    Part   // of the link it happened to, or empty
	Link    string // redacted, or empty
	Message string // what happened, to what
	Hint    string // what to do next
	Err     error  // the cause, or nil
}

// Error returns the message and, where it adds something, the cause.
func (e *Error) Error() string { panic("not built yet") }
func (e *Error) Unwrap() error { return e.Err }

// Retryable reports whether the same command run again may succeed without a new link.
func (e *Error) Retryable() bool { panic("not built yet") }

// Identity is what a server says about an object that must not change while it is fetched.
type Identity struct {
	Size         int64             `json:"size"` // -1 when not told
	ETag         string            `json:"etag,omitempty"`
	LastModified string            `json:"last_modified,omitempty"` // as received
	Checksums    map[string]string `json:"checksums,omitempty"`     // header name, lower case, to value
}

// Options are the settings of a Fetcher. The zero value is usable.
type Options struct {
	Connections  int           // at most so many a host; 0: adaptive, 4 to 16
	MaxRate      int64         // bytes a second over all connections; 0: no limit
	AllowHTTP    bool          // follow plain http links
	AllowPrivate bool          // follow links to loopback and private addresses, also over http
	CAFile       string        // PEM certificates to trust beside the system's
	Idle         time.Duration // a connection without bytes for so long is dropped; 0: 20 s
	RetryBudget  time.Duration // give up when nothing arrives for so long over all retries; 0: 5 min
	UserAgent    string
	Receipt      func(Receipt)                 // called for every HTTP exchange, one at a time; may be nil
	Log          func(format string, a ...any) // talk for -v; may be nil
}

// A Receipt records one HTTP exchange. It is written to the archive, so it holds no secret.
type Receipt struct {
	Object       int        `json:"object"` // Source.Number; 0 for the master CSV
	Part         Part       `json:"part,omitempty"`
	URL          string     `json:"url"` // redacted
	Range        string     `json:"range,omitempty"`
	Status       int        `json:"status"`
	ETag         string     `json:"etag,omitempty"`
	LastModified string     `json:"last_modified,omitempty"`
	Date         string     `json:"date,omitempty"`
	Length       int64      `json:"length"` // body bytes taken
	SHA256       digest.Sum `json:"sha256"` // of those bytes, where they are a whole object
	Start        time.Time  `json:"start"`
	End          time.Time  `json:"end"`
	Retries      int        `json:"retries"`
	Error        string     `json:"error,omitempty"` // redacted
}

// A Fetcher follows links. One Fetcher serves one takeover.
type Fetcher struct{ opts Options }

// New returns a Fetcher.
func New(opts Options) (*Fetcher, error) { panic("not built yet") }

// Master fetches a master CSV from a link.
func (f *Fetcher) Master(ctx context.Context, link Link) (*Master, error) { panic("not built yet") }

// A Plan says what the links of a master CSV serve.
type Plan struct {
	Sources []*Source // in the order data, attachments, cvs, unknown, and then of the master CSV; the same link twice is one
	Missing []Part    // parts for which there is no link
}

// A Source is one link, probed.
type Source struct {
	Number      int // from 1, in the order of Plan.Sources
	Part        Part
	Label       string
	Link        Link
	Fingerprint string      // of host and path, without secrets: tells whether two masters mean the same place
	Name        string      // file name, from Content-Disposition or the path; never a path; "" when unknown
	Kind        unpack.Kind // by the first bytes
	Listing     bool        // a page of further links, one a file
	Identity    Identity
	Ranges      bool      // the server answers ranges
	Expiry      time.Time // upper bound; zero when unknown
	ExpiryFrom  string    // how it is known: "X-Amz-Expires", "vendor: 7 days from the master CSV", …
	Repair      string    // how a damaged link was mended
	Err         *Error    // why it cannot be fetched; such a source is not fetched
}

// Plan probes every link of m with one GET each. A link that fails is a Source with Err; only cancellation, or a master
// in which no link at all can be tried, is an error. Bodies of the probes stay open, to be read on by Start; call Close on
// the Fetcher when there is no Start.
func (f *Fetcher) Plan(ctx context.Context, m *Master) (*Plan, error) { panic("not built yet") }

// PlanOffline makes the plan that a spool already answers, without any request: its sources are those whose
// fingerprints the spool knows and holds completely; the others have Identity.Size -1 and no Kind.
func (f *Fetcher) PlanOffline(m *Master, spool string) (*Plan, error) { panic("not built yet") }

// Close drops what the Fetcher holds open.
func (f *Fetcher) Close() error { panic("not built yet") }

// A Match says how a plan relates to the objects of a spool, matched by identity (size and validators; else fingerprint), not by URL.
type Match struct {
	Same      int   // sources that the spool has begun or finished
	Complete  int   // of these, finished ones
	Different int   // sources at the same place as an object of the spool, but with another identity
	Bytes     int64 // of the sources' bytes already here
}

// MatchSpool compares a plan with a spool directory; a directory that is not a spool matches nothing.
func MatchSpool(dir string, p *Plan) (Match, error) { panic("not built yet") }

// Start fetches everything in the plan into the spool directory dir, going on from what is there. It returns at once.
// Data parts come first, then attachments and CVs side by side.
func (f *Fetcher) Start(ctx context.Context, p *Plan, dir string) (*Run, error) {
	panic("not built yet")
}

// A Run is a fetch under way.
type Run struct {
	Objects []*Object // one for each Source without Err, in their order
}

// Wait returns when nothing is under way any more: nil when every object is complete, else the first failure that is
// not the consequence of another one; it is an *Error. The spool is then consistent and closed for writing.
// Objects can still be read until Close.
func (r *Run) Wait() error { panic("not built yet") }

// Close stops what is under way and releases the spool.
func (r *Run) Close() error { panic("not built yet") }

// Progress is a snapshot of a Run.
type Progress struct {
	Done, Total int64 // bytes here, and in all; Total is -1 while a size is unknown
	Reused      int64 // of Done, bytes that were here before this run
	Fetched     int64 // bytes taken from the network, retries included
	Files       int   // files of listings done
	TotalFiles  int
	Connections int
	Retries     int
	ByPart      map[Part]PartProgress
}

// PartProgress is the progress of one part.
type PartProgress struct {
	Done, Total int64
	Files       int
}

// Progress may be called at any time.
func (r *Run) Progress() Progress { panic("not built yet") }

// An Object is what one Source serves. It can be read while it arrives.
type Object struct {
	Source *Source
}

// ReadAt waits until the bytes are here. Bytes that somebody waits for are fetched before others. When the fetch fails
// or ends before they came, ReadAt returns that failure. Safe for concurrent use.
func (o *Object) ReadAt(p []byte, off int64) (int, error) { panic("not built yet") }

// Size waits until the size is known and returns it.
func (o *Object) Size(ctx context.Context) (int64, error) { panic("not built yet") }

// Refetch drops n bytes from off and fetches them again: a checksum inside the object says that they are wrong.
// It fails at once where the bytes have already been fetched twice and came out the same.
func (o *Object) Refetch(ctx context.Context, off, n int64) error { panic("not built yet") }

// Wait waits until the object is complete and verified, and says how far verification went.
func (o *Object) Wait(ctx context.Context) (Verified, error) { panic("not built yet") }

// Path is the object's file in the spool; whole and verified after Wait. For a listing it is the listing itself.
func (o *Object) Path() string { panic("not built yet") }

// Verified says what is known about a complete object.
type Verified struct {
	Size   int64      `json:"size"`
	SHA256 digest.Sum `json:"sha256"`
	Rung   string     `json:"rung"` // what was compared: "repr-digest", "x-amz-checksum-sha256", "etag-md5", "etag-multipart", "size", …
}

// A File is one file of a listing.
type File struct {
	Index        int // position in the listing, from 0
	Name         string
	RawName      []byte
	Size         int64 // of what was received; -1 with Err
	LastModified time.Time
	SHA256       digest.Sum
	Err          *Error // why this file is not here
}

// Files yields a listing's files in the listing's order, each when it is here or has failed for good.
// The listing itself must be an Object whose Source has Listing.
func (o *Object) Files(ctx context.Context) iter.Seq2[File, error] { panic("not built yet") }

// OpenFile reads a file of a listing.
func (o *Object) OpenFile(f File) (io.ReadCloser, error) { panic("not built yet") }
