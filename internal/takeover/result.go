package takeover

import (
	"slices"
	"sync/atomic"
	"time"

	"holdall/eploy"
	"holdall/fetch"
	"holdall/fetch/listing"
	"holdall/query"
)

// The states of an export.
const (
	StateComplete   = "complete"   // archived and verified, also when there are findings
	StateIncomplete = "incomplete" // the same command resumes it
	StatePaused     = "paused"     // the day's budget of requests is used up; the same command resumes it
	StateExpired    = "expired"    // a new master CSV is needed to resume
	StateDamaged    = "damaged"    // an archive whose own record cannot be read
)

// A Result says what a takeover ended in. It is what "take --json" prints.
type Result struct {
	Outcome
	Location string `json:"location"`
	// KeptBytes wait for the next run, whichever run received them.
	KeptBytes int64         `json:"kept_bytes,omitempty"`
	Budget    *eploy.Budget `json:"budget,omitempty"` // of a pull through an API

	// PullSessions are what this call received through an API, and before that what killed processes had.
	PullSessions []PullSession `json:"-"`
}

// notFinished is the result of a takeover that has not ended, in the run directory dir.
func notFinished(dir string) *Result {
	return &Result{Location: dir, Outcome: Outcome{
		State: StateIncomplete, Tables: map[string]TableCount{}, Findings: []FindingCount{},
	}}
}

// An Outcome is what is known of an export once its takeover has ended. The command line, the run directory
// and the archive all record it in this form.
type Outcome struct {
	Export       string                `json:"export"`
	State        string                `json:"state"`
	Tables       map[string]TableCount `json:"tables"`
	Documents    DocumentCount         `json:"documents"`
	FetchedBytes int64                 `json:"fetched_bytes"` // in this run, retries included
	ReusedBytes  int64                 `json:"reused_bytes"`  // received by earlier runs
	Seconds      float64               `json:"seconds"`
	Findings     []FindingCount        `json:"findings"`

	// Of a pull through an API.
	Requests int                  `json:"requests,omitempty"` // by this run
	Types    map[string]TypeCount `json:"types,omitempty"`
}

// A TypeCount is how complete one type of a pull is.
type TypeCount = eploy.TypeCount

// A TableCount is a table's size and the CSV it came from.
type TableCount struct {
	Rows int64  `json:"rows"`
	File string `json:"file"`
}

// A DocumentCount counts documents by part, and their bytes.
type DocumentCount struct {
	Attachments int64 `json:"attachments"`
	CVs         int64 `json:"cvs"`
	Bytes       int64 `json:"bytes"`
}

// A FindingCount sums up the findings of one code.
type FindingCount = query.FindingCount

// Faulty reports whether a finding says that something promised is missing or damaged.
func (r *Result) Faulty() bool { return anyFault(r.Findings) }

func anyFault(all []FindingCount) bool {
	return slices.ContainsFunc(all, func(f FindingCount) bool { return f.Severity != query.SeverityInfo })
}

// An ObjectRecord is where an object of an export came from and how it was checked; the line of a container
// in custody/containers.jsonl.
type ObjectRecord struct {
	Number       int       `json:"number"`
	Part         string    `json:"part"`
	Label        string    `json:"label,omitempty"`
	URL          string    `json:"url"` // redacted
	Fingerprint  string    `json:"fingerprint"`
	ListedIn     string    `json:"listed_in,omitempty"` // fingerprint of the listing that named it
	Name         string    `json:"name"`
	Kind         string    `json:"kind"`
	Size         int64     `json:"size"`
	SHA256       string    `json:"sha256"`
	Verified     string    `json:"verified"` // how: fetch.Verified.Check, or "zip-crc32"
	ETag         string    `json:"etag,omitempty"`
	LastModified string    `json:"last_modified,omitempty"`
	Entries      int64     `json:"entries"`
	Expiry       time.Time `json:"expiry,omitzero"`
	Error        string    `json:"error,omitempty"` // why it has not been received

	// A checksum of the server's that the bytes contradict, though they are proven right; and of an object
	// that came in a Content-Encoding what was received, since Size and SHA256 are those of its content.
	Contradicts    string `json:"contradicts,omitempty"`
	Encoding       string `json:"encoding,omitempty"`
	ReceivedSize   int64  `json:"received_size,omitempty"`
	ReceivedSHA256 string `json:"received_sha256,omitempty"`

	// By these the object is recognised when links lead to it again.
	Received  time.Time         `json:"received,omitzero"`
	Checksums map[string]string `json:"checksums,omitempty"` // that the server gave: header to value
	Samples   []fetch.Sample    `json:"samples,omitempty"`
	Links     []string          `json:"links,omitempty"` // hashes of the links that led to it
	Listing   *listing.Digest   `json:"listing,omitempty"`
}

// counts counts documents as they go into packs.
type counts struct{ attachments, cvs, bytes atomic.Int64 }

func (c *counts) add(part string, size int64) {
	if part == "cvs" {
		c.cvs.Add(1)
	} else {
		c.attachments.Add(1)
	}
	c.bytes.Add(size)
}

func (c *counts) total() int64 { return c.attachments.Load() + c.cvs.Load() }

func (c *counts) documents() DocumentCount {
	return DocumentCount{Attachments: c.attachments.Load(), CVs: c.cvs.Load(), Bytes: c.bytes.Load()}
}
