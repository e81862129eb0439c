package eploysim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Behaviour decides what the vendor's guide does not say. The zero value is what seems likeliest, except
// that the order of records is unstable: that is what the guide's silence permits.
type Behaviour struct {
	Order           string         // "drifting" (default), "shuffled", "id"
	OverLimit       string         // "429" (default), "429-retry-after", "403", "503", "200-empty"
	TokenCounts     bool           // token requests count against the quotas
	UngrantedScope  string         // asking for a scope that the key lacks: "refused" (default), "dropped"
	UnknownBlock    string         // a block that the type lacks: "400-named" (default), "400", "ignored"
	Oversize        string         // a page larger than allowed: "clamped" (default), "400"
	PageSizeKey     string         // "RecordsPerPage" (default) or "RecordPerPage"; the other one is ignored
	DateCompare     string         // GreaterThan on dates: "works" (default), "refused", "ignored", "empty"
	IDFilter        string         // a search by ID: "works" (default), "refused", "ignored", "empty"
	FileContent     string         // path of a file's content below /api, with {id}; "-": there is none
	FileEncoding    string         // of a file's content: "bytes" (default), "base64": in JSON, "redirect"
	FilesUnbound    string         // searching files without a RecordTypeID: "listed" (default), "refused"
	Missing         string         // GET of a record that is gone: "404" (default), "400", "200-null"
	NoQuestions     bool           // questions cannot be asked for as a block
	SilentAnonymous bool           // anonymising leaves the ModificationDate as it was
	SparseGet       bool           // GET of a record leaves out what has no value
	SlowContents    time.Duration  // how long a file's content takes
	BadFileEvery    int            // the content of every Nth file is answered with 500
	HiddenEvery     int            // every Nth record counts in TotalRecords and is not shown
	Zone            *time.Location // of dates and of the quota's midnight; nil: UTC
}

// DefaultFileContent is the path that contents are served at unless Behaviour says otherwise.
const DefaultFileContent = "files/file/{id}/content"

// fill sets defaults and refuses words that mean nothing.
func (b *Behaviour) fill() error {
	if b.FileContent == "" {
		b.FileContent = DefaultFileContent
	}
	if b.Zone == nil {
		b.Zone = time.UTC
	}
	for _, x := range b.choices() {
		if *x.value == "" {
			*x.value = x.words[0]
		}
		if !slices.Contains(x.words, *x.value) {
			return fmt.Errorf("behaviour %s: %q is not one of %q", x.name, *x.value, x.words)
		}
	}
	return nil
}

// A choice is a switch with words for its positions, of which the first one is the default.
type choice struct {
	name  string
	value *string
	words []string
}

func (b *Behaviour) choices() []choice {
	return []choice{
		{"order", &b.Order, []string{"drifting", "shuffled", "id"}},
		{"over-limit", &b.OverLimit, []string{"429", "429-retry-after", "403", "503", "200-empty"}},
		{"ungranted-scope", &b.UngrantedScope, []string{"refused", "dropped"}},
		{"unknown-block", &b.UnknownBlock, []string{"400-named", "400", "ignored"}},
		{"oversize", &b.Oversize, []string{"clamped", "400"}},
		{"page-size-key", &b.PageSizeKey, []string{"RecordsPerPage", "RecordPerPage"}},
		{"date-compare", &b.DateCompare, []string{"works", "refused", "ignored", "empty"}},
		{"id-filter", &b.IDFilter, []string{"works", "refused", "ignored", "empty"}},
		{"file-encoding", &b.FileEncoding, []string{"bytes", "base64", "redirect"}},
		{"files-unbound", &b.FilesUnbound, []string{"listed", "refused"}},
		{"missing", &b.Missing, []string{"404", "400", "200-null"}},
	}
}

// Set sets a switch by the name that Switches lists: "order=id", "token-counts", "zone=Europe/London".
func (b *Behaviour) Set(s string) (err error) {
	name, value, _ := strings.Cut(s, "=")
	for _, x := range b.choices() {
		if x.name == name {
			if !slices.Contains(x.words, value) {
				return fmt.Errorf("%s: %q is not one of %q", name, value, x.words)
			}
			*x.value = value
			return nil
		}
	}
	switch name {
	case "token-counts":
		b.TokenCounts = true
	case "no-questions":
		b.NoQuestions = true
	case "silent-anonymous":
		b.SilentAnonymous = true
	case "file-content":
		b.FileContent = value
	case "sparse-get":
		b.SparseGet = true
	case "slow-contents":
		b.SlowContents, err = time.ParseDuration(value)
	case "bad-file-every":
		b.BadFileEvery, err = strconv.Atoi(value)
	case "hidden-every":
		b.HiddenEvery, err = strconv.Atoi(value)
	case "zone":
		b.Zone, err = time.LoadLocation(value)
	default:
		return fmt.Errorf("there is no switch %q", name)
	}
	return err
}

// Switches describes what Set takes, a line each.
func Switches() []string {
	var lines []string
	for _, x := range (&Behaviour{}).choices() {
		lines = append(lines, x.name+"="+strings.Join(x.words, "|"))
	}
	return append(lines, "token-counts", "no-questions", "silent-anonymous", "sparse-get", "hidden-every=N",
		"bad-file-every=N", "slow-contents=TIME",
		"file-content=PATH with {id}, or - for none", "zone=NAME of the system's midnight and dates")
}

// An Event is something that happens when the system receives its Nth request, before it answers.
type Event struct {
	At    int    // number of the request, from 1
	Kind  string // one of EventKinds
	Type  string // record type, scope or key that it is about
	Field string // of rename-field and integer-becomes-text
	ID    int    // of the record; 0: any
	Count int    // how many; 0: one
}

// EventKinds returns the kinds of events with a sentence each.
func EventKinds() map[string]string {
	return map[string]string{
		"insert":               "Count new records of Type.",
		"update":               "Count records of Type change at the same moment, so that their dates tie.",
		"delete":               "Count records of Type vanish.",
		"anonymise":            "Count records of Type lose their personal data.",
		"rename-field":         "Field of Type is answered under another name from now on.",
		"integer-becomes-text": "Field of Type, a number, is answered as text from now on.",
		"shrink-limit":         "A page has at most Count records from now on.",
		"revoke-scope":         "The scope Type is taken from all keys.",
		"grant-scope":          "The scope Type is given back to all keys.",
		"replace":              "Count files (Type is files) have another content from now on, under their IDs.",
		"fail":                 "The next Count requests for Type are answered with 500; contents is a Type.",
		"expire-token":         "All tokens end.",
		"same-page":            "The next Count searches repeat the page that was answered before.",
		"error-page":           "The next Count answers are an HTML page that says 502, with status 200.",
		"stall":                "The next Count answers never come.",
		"cut":                  "The next Count answers break off in the middle.",
		"neighbour":            "Another integration uses Count requests of the day's quota at once.",
		"raise-limit":          "The day's quota becomes Count.",
	}
}

// ParseEvent reads KIND[=COUNT][:TYPE[.FIELD]]@REQUEST, such as "update=3:candidates@120" and "error-page@7".
func ParseEvent(s string) (e Event, err error) {
	rest, at, ok := strings.Cut(s, "@")
	if e.At, err = strconv.Atoi(at); !ok || err != nil || e.At < 1 {
		return e, fmt.Errorf("event %q: want KIND[=COUNT][:TYPE[.FIELD]]@REQUEST", s)
	}
	rest, about, _ := strings.Cut(rest, ":")
	e.Type, e.Field, _ = strings.Cut(about, ".")
	if strings.HasSuffix(about, ".read") {
		e.Type, e.Field = about, ""
	}
	kind, number, counted := strings.Cut(rest, "=")
	if counted {
		if e.Count, err = strconv.Atoi(number); err != nil {
			return e, fmt.Errorf("event %q: %q is not a number", s, number)
		}
	}
	e.Kind = kind
	if EventKinds()[kind] == "" {
		return e, fmt.Errorf("event %q: there is no kind %q", s, kind)
	}
	return e, nil
}
