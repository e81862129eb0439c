// Package eploy pulls everything that an API key may read out of an Eploy system, over days if need be, and
// proves that it has it.
//
// Eploy has no full export, only a REST API with some 1,000 requests a day that the customer's live
// integrations share. So a pull is a long walk in small steps. Pull takes as many as the day's budget
// allows, less a reserve for others, and returns a *Paused that says when to go on; called again on the same
// directory it goes on there, in another process, after any crash.
//
// # How it can be resumed anywhere
//
// Every step has a name that follows from the answers before it, such as candidates/pages/17. An answer is
// written to disk and synced, then its receipt is; both are only ever appended to. To go on, Pull runs the
// same code from the beginning, and a step that has a receipt is answered from disk. There is no other
// state: no position, no cursor that could disagree with what was received. At most the one answer that was
// on its way when a process was killed is asked for twice.
//
// # What it promises
//
// A pull sends nothing but POST /token, GET, and POST …/search; a Marker is the one exception. Answers
// are kept byte for byte. Neither the key nor a token is written anywhere. A type is complete only when a
// census, a list of all IDs taken at the end, agrees with what was received and with the total that the
// system states; everything else is a Finding.
//
// All that is known of the API is its public guide. What that leaves open is found out by asking, and
// behaved by; see docs/eploy.md.
//
// # Where to look for what
//
//	pull.go, settle.go         a pull from its beginning to its end; what is found out by asking once
//	plan.go                    what a pull would cost
//	budget.go                  the day's requests and the rate
//	client.go, token.go        one request, its tries and its refusals; redirect.go
//	listing.go, pages.go       what can be searched, and its pages; page.go: one of them
//	blocks.go, read.go         which parts of records are asked for; records read one by one
//	files.go, contents.go      the list of files, and their contents; encoded.go
//	journal.go, receive.go     what is on the disk, and how it survives a kill; kept.go: looked at meanwhile
//	account.go                 what a pull tells the ledger
//	mark.go                    the one request that changes something
package eploy

import (
	"errors"
	"net/http"
	"strings"
	"time"
)

// Credentials are an API key's.
type Credentials struct {
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
}

// String hides the key, wherever it is printed.
func (Credentials) String() string { return "(an API key)" }

// GoString is String for %#v.
func (c Credentials) GoString() string { return c.String() }

// Options are the settings of a pull.
type Options struct {
	URL         string // of the API: https://NAME.eploy.net/api
	Credentials Credentials
	Dir         string            // where answers, receipts and files are kept between processes
	Types       []string          // only these of TypeNames; nil: all
	FileContent string            // path of a file's content below URL, with {id}; empty: probe for it
	Reserve     int               // requests a day that are left to others; negative: a tenth of all
	Relist      bool              // read all records again at the end: dates may not move with changes
	Wait        bool              // wait for the next day instead of returning a *Paused
	Transport   http.RoundTripper // nil: http.DefaultTransport
	UserAgent   string
	Talk        func(format string, a ...any) // what a user should know on the way; may be nil
	Progress    func(Progress)                // after each request; may be nil

	// OnSession is called at the end with what this process received, however the pull ended; before that,
	// with what earlier ones received that nobody was told of, as they were killed. Accounted is the
	// Part.Receipts that was told of last; negative: all that is there.
	OnSession func(Session) error
	Accounted int
}

// Progress is a snapshot of a pull.
type Progress struct {
	Part      string // candidates/pages
	Requests  int    // by this process
	Records   int64
	Files     int64
	Remaining int // of the day's budget; -1: not known yet
}

// Paused says that the budget of a day is used up as far as it is ours. It is not a failure: the same call
// goes on.
type Paused struct {
	ResumeAfter time.Time // when the budget is expected to be there again
	Remaining   int       // requests left of the day's limit, the reserve among them
	Limit       int
	Reserve     int
}

func (e *Paused) Error() string {
	return "the day's budget of requests is used up, but for what is left to others"
}

// An ErrorCode is the kind of a Failure; the command line's contract says what each means.
type ErrorCode string

// The codes of a Failure.
const (
	CodeDenied  ErrorCode = "link-denied"
	CodeNetwork ErrorCode = "network"
	CodeUsage   ErrorCode = "usage"

	CodeInternal ErrorCode = "internal"
)

// A Failure ends a pull until something has changed.
type Failure struct {
	Code      ErrorCode
	Message   string
	Hint      string
	Retryable bool
	// last is of the step that was given up for now, while the system answers others perhaps; nil: it is not
	// about one step.
	last *Receipt
}

func (e *Failure) Error() string { return e.Message }

// A Finding is something that a reader of what was pulled has to know.
type Finding struct {
	Code     FindingCode `json:"code"`
	Severity Severity    `json:"severity"`
	Type     string      `json:"type,omitempty"`
	ID       string      `json:"id,omitempty"`
	Detail   string      `json:"detail"`
}

// A Severity says how bad a finding is, as in package query.
type Severity string

// The severities of findings.
const (
	Info    Severity = "info"
	Warning Severity = "warning"
	Faulty  Severity = "error"
)

// A FindingCode is the kind of a Finding.
type FindingCode string

// The codes of findings.
const (
	Denied           FindingCode = "denied"             // the key may not read a type
	TypeUnavailable  FindingCode = "type-unavailable"   // the system does not answer for a type
	BlockRefused     FindingCode = "block-refused"      // a part of records that is not answered
	BlocksChanged    FindingCode = "blocks-changed"     // the parts of records changed during the pull
	SamePage         FindingCode = "same-page"          // a page is repeated: the type cannot be listed
	LimitShrank      FindingCode = "page-limit-changed" // a page has fewer records than before
	RecordsVanished  FindingCode = "record-vanished"    // was received, and is gone
	RecordsMissing   FindingCode = "record-missing"     // is listed, and was not received
	RecordsAlone     FindingCode = "record-alone"       // could only be read one by one, in another form
	NotAsked         FindingCode = "not-asked"          // takes a request a record, and is no type
	TotalDiffers     FindingCode = "total-differs"      // the stated total is not what can be listed
	CensusUnsettled  FindingCode = "census-unsettled"   // the listing changed faster than it could be taken
	DatesIncomparble FindingCode = "dates-incomparable" // changes were found by listing everything again
	FilesUnlisted    FindingCode = "files-unlisted"     // of some kinds of records
	ContentUnknown   FindingCode = "content-unknown"    // no way to files' contents was found
	ContentRefused   FindingCode = "content-refused"    // a listed file's content was not answered
	SizeDiffers      FindingCode = "size-differs"       // a file is not as long as its record says
	FileReplaced     FindingCode = "file-replaced"      // a file's content has changed since
)

// A TypeCount is how complete one type is.
type TypeCount struct {
	Promised int  `json:"promised"` // total that the system stated last
	Received int  `json:"received"` // records that are there, of those that the census knows
	Missing  int  `json:"missing"`
	Vanished int  `json:"vanished"`
	Complete bool `json:"complete"`
}

// A Budget is what the system said of the day's requests last.
type Budget struct {
	DayLimit     int `json:"day_limit"`
	DayRemaining int `json:"day_remaining"`
	Reserve      int `json:"reserve"`
}

// A Result says what a pull ended in, or how far it is.
type Result struct {
	Types    map[string]TypeCount
	Files    int // whose content is here
	Refused  int // whose content was refused
	Bytes    int64
	Requests int // by this process
	Budget   Budget
	Findings []Finding
	Started  time.Time // T0
	Ended    time.Time // of the last receipt
}

// Complete reports whether every type is.
func (r *Result) Complete() bool {
	for _, t := range r.Types {
		if !t.Complete {
			return false
		}
	}
	return true
}

func (o *Options) fill() error {
	o.URL = strings.TrimSuffix(o.URL, "/")
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	if o.Talk == nil {
		o.Talk = func(string, ...any) {}
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	if o.Credentials.ClientID == "" || o.Credentials.ClientSecret == "" {
		return &Failure{Code: CodeUsage, Message: "the API key has no client_id or no client_secret",
			Hint: "both are shown when the key is made in Eploy"}
	}
	if o.FileContent != "" && !strings.Contains(o.FileContent, "{id}") {
		return &Failure{Code: CodeUsage, Message: "the path of files' contents has no {id} in it",
			Hint: "write it as in files/file/{id}/content"}
	}
	_, err := listingsOf(o.Types)
	return err
}

var errStopped = errors.New("the listing of this type was stopped")
