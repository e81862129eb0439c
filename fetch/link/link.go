// Package link knows the links of an export: what a link promises, what in it is secret, when it dies, and
// how one that was damaged in transit is repaired. It uses no network; package fetch follows links.
//
// A Link prints redacted. Find and Unwrap take links out of texts and out of what mail programs wrap them in;
// Expiry reads from a signature when a link stops working; Repairs returns what a refused link may have been.
package link

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"
	"unique"

	"holdall/internal/redact"
)

// A Link is a URL that grants access to whoever knows it. It prints, formats and marshals redacted;
// Secret returns it whole. Links with the same URL are equal.
type Link struct {
	// Handles print as addresses even where a Link is in a field that fmt cannot ask for its methods.
	url  unique.Handle[string]
	host unique.Handle[string] // that of url, kept because the scheduler asks for it at every step
}

// New makes a Link of an absolute http or https URL. Its errors do not quote the URL.
func New(s string) (Link, error) {
	s = strings.TrimSpace(s)
	u, err := url.Parse(s)
	if err != nil {
		return Link{}, errors.New("the link is not a valid URL")
	}
	if scheme := strings.ToLower(u.Scheme); scheme != "http" && scheme != "https" {
		return Link{}, errors.New("the link does not begin with http:// or https://")
	}
	if u.Hostname() == "" {
		return Link{}, errors.New("the link names no host")
	}
	return Link{unique.Make(s), unique.Make(strings.ToLower(u.Host))}, nil
}

// IsZero reports whether l is no link at all.
func (l Link) IsZero() bool { return l == Link{} }

// Secret returns the whole URL. Whatever it is passed to must not print, log or store it.
func (l Link) Secret() string {
	if l.IsZero() {
		return ""
	}
	return l.url.Value()
}

// String returns what may be shown of the link.
func (l Link) String() string {
	if l.IsZero() {
		return ""
	}
	return redact.URL(l.Secret())
}

// GoString returns what may be shown of the link.
func (l Link) GoString() string { return fmt.Sprintf("link.Link(%q)", l.String()) }

// Format prints what may be shown of the link, under every verb.
func (l Link) Format(s fmt.State, verb rune) {
	switch {
	case verb == 'v' && s.Flag('#'):
		fmt.Fprint(s, l.GoString())
	case verb == 'v':
		fmt.Fprint(s, l.String())
	default:
		fmt.Fprintf(s, fmt.FormatString(s, verb), l.String())
	}
}

// MarshalText returns what may be shown of the link. It cannot be read back.
func (l Link) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// URL returns the link's URL; New has made sure that it parses.
func (l Link) URL() *url.URL {
	u, err := url.Parse(l.Secret())
	if err != nil {
		return &url.URL{}
	}
	return u
}

// Host returns the host and port that the link leads to first.
func (l Link) Host() string {
	if l.IsZero() {
		return ""
	}
	return l.host.Value()
}

// Fingerprint names a place, host and path, without giving it away.
func (l Link) Fingerprint() string {
	u := l.URL()
	sum := sha256.Sum256([]byte(strings.ToLower(u.Host) + "\x00" + u.EscapedPath()))
	return hex.EncodeToString(sum[:])
}

// Mark tells whether two links are the very same, without giving either away: 64 bits of a hash are too few
// to find a signature by, and enough to recognise one.
func (l Link) Mark() string {
	sum := sha256.Sum256([]byte("holdall link\x00" + l.Secret()))
	return hex.EncodeToString(sum[:8])
}

// FileName returns the last element of the link's path when it looks like the name of a file, else nothing.
func (l Link) FileName() string {
	base := path.Base(l.URL().Path)
	if path.Ext(base) == "" || strings.Contains(
		redact.URL("https://x.example/"+url.PathEscape(base)), redact.Hidden,
	) {
		return ""
	}
	return CleanName(base)
}

// Trusted returns the Link of a URL that has been one before, without looking at it again.
func Trusted(s string) Link {
	l := Link{url: unique.Make(s)}
	l.host = unique.Make(strings.ToLower(l.URL().Host))
	return l
}
