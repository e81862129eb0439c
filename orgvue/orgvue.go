// Package orgvue sends items to an Orgvue dataset by its asynchronous import, and follows the import to its
// end, item by item.
//
// A send is a payload (Writer), a look at the dataset before (Client.Preflight), and Client.Send: generate a
// pair of URLs, upload, start the import, poll, read the result. Accepted is not imported: what counts is
// the status of each item.
//
// The URLs are credentials, like the token; neither is in any error, and none is stored. What is sent is
// decided by Decide: what changed since the last send that succeeded, and nothing else. Nothing is deleted
// that is not named in the payload, unless Options.ImplicitDelete asks for that by name.
//
// All that is known of Orgvue here is its public guide; see docs/orgvue.md.
//
// Where to look for what:
//
//	payload.go     the items as JSON or CSV
//	preflight.go   what is asked before anything is sent
//	decide.go      which rows are sent, and what of them
//	send.go        one import, from the pair of URLs to its end; result.go: what became of each item
//	client.go      one request and its tries; refusal.go: what each of the system's codes means
package orgvue

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// Options say where items are sent, and how.
type Options struct {
	URL     string // base of the API, with or without https://
	Tenant  string
	Dataset string // a UUID
	Token   string // from the tenant's Tokens page
	Format  Format

	IDKey    string // property that identifies items; at most one of IDKey, AutoID and MergeKey; none: _id
	AutoID   bool   // the system makes identifiers of new items
	MergeKey string

	// ImplicitDelete deletes what the payload does not name: never without a look at how many items that are.
	ImplicitDelete bool
	// Callback is a URL that the system calls at the end, with {{jobStatus}}, {{traceId}} and {{tenantId}}
	// filled in.
	Callback string

	// AssumeProperties sends properties that no item of the dataset is seen to have: items may be listed
	// without what they have no value of.
	AssumeProperties bool

	AllowHTTP bool // plain http, for a server on this machine
	Transport http.RoundTripper
	UserAgent string
	Talk      func(format string, a ...any)
}

// An Error is a refusal of the system, or something that is wrong before it is asked.
type Error struct {
	Code      ErrorCode
	Message   string
	Hint      string
	Retryable bool
	Codes     []string // the system's own
	Unclear   bool     // an import may have begun

	status int // of the answer that it was made of
}

func (e *Error) Error() string { return e.Message }

// An ErrorCode is the kind of an Error, by the command line's contract.
type ErrorCode string

// The codes of an Error.
const (
	CodeDenied  ErrorCode = "link-denied"
	CodeExpired ErrorCode = "link-expired"
	CodeNetwork ErrorCode = "network"
	CodeBusy    ErrorCode = "busy"
	CodeUsage   ErrorCode = "usage"
	CodeRefused ErrorCode = "refused"
)

func usage(hint, format string, a ...any) error {
	return &Error{Code: CodeUsage, Message: fmt.Sprintf(format, a...), Hint: hint}
}

var (
	tenantID  = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,29}$`)
	datasetID = regexp.MustCompile(`^[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}$`)
)

// Check checks options that can be checked without asking the system: whether the token's dates have begun
// and not ended among them.
func (o *Options) Check(now time.Time) error {
	o.Dataset = strings.ToUpper(strings.TrimSpace(o.Dataset))
	o.Token = strings.TrimSpace(o.Token)
	if err := o.checkURL(); err != nil {
		return err
	}
	keys := 0
	for _, given := range []bool{o.IDKey != "", o.AutoID, o.MergeKey != ""} {
		if given {
			keys++
		}
	}
	switch {
	case !tenantID.MatchString(o.Tenant):
		return usage("it begins with a letter and has capitals, digits and _ only", "%q is not a tenant ID",
			o.Tenant)
	case !datasetID.MatchString(o.Dataset):
		return usage("copy it from the dataset's address: eight hexadecimal digits, three times four, twelve",
			"%q is not a dataset ID", o.Dataset)
	case o.Format != JSON && o.Format != CSV:
		return usage("use json or csv", "items cannot be sent as %q", o.Format)
	case keys > 1:
		return usage("leave all but one out",
			"only one of --id-key, --auto-id and --merge-key can name items")
	case o.Token == "":
		return usage("make one on the tenant's Tokens page, which shows it once", "there is no token")
	}
	if o.Talk == nil {
		o.Talk = func(string, ...any) {}
	}
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	return checkDates(o.Token, now)
}

// checkURL accepts what people paste.
func (o *Options) checkURL() error {
	o.URL = strings.TrimRight(strings.TrimSpace(o.URL), "/")
	if !strings.Contains(o.URL, "://") {
		o.URL = "https://" + o.URL
	}
	u, err := url.Parse(o.URL)
	if err != nil || u.Hostname() == "" || strings.HasSuffix(u.Host, ":") {
		return usage("it is the host that the tenant's API has, such as api.example.com",
			"the URL of the API cannot be read")
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && o.AllowHTTP && isLoopback(u.Hostname())) {
		return usage("use https; --allow-private allows http on this machine",
			"the URL of the API begins with %s", u.Scheme)
	}
	o.URL = u.Scheme + "://" + u.Host + strings.TrimSuffix(u.Path, "/api/v1")
	return nil
}

// isLoopback reports whether a host is this machine.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// checkDates reads when a token begins and ends. One that is not a JSON Web Token (RFC 7519) is left to the
// system.
func checkDates(token string, now time.Time) error {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return nil
	}
	var claims struct{ Nbf, Exp float64 }
	if json.Unmarshal(raw, &claims) != nil {
		return nil
	}
	begins, ends := time.Unix(int64(claims.Nbf), 0).UTC(), time.Unix(int64(claims.Exp), 0).UTC()
	switch {
	case claims.Nbf > 0 && now.Before(begins):
		return &Error{Code: CodeDenied, Message: "the token is not active before " +
			begins.Format(time.RFC3339),
			Hint: "wait, or make another one on the tenant's Tokens page"}
	case claims.Exp > 0 && !now.Before(ends):
		return &Error{Code: CodeExpired, Message: "the token ended at " + ends.Format(time.RFC3339),
			Hint: "make another one on the tenant's Tokens page"}
	}
	return nil
}
