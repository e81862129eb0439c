// Package redact makes links safe to show. A link of an export is a credential: its query holds a signature,
// and some vendors put a token into the path, or a password before the host. What is shown is chosen by an
// allow-list: scheme, host, and the last element of the path where that is plainly a file name. Everything
// else becomes "…".
package redact

import (
	"errors"
	"net/url"
	"regexp"
	"strings"
)

// Hidden replaces what is not shown.
const Hidden = "…"

var (
	fileName = regexp.MustCompile(`^[\p{L}0-9][\p{L}\p{M}0-9_. ()-]{0,78}\.[A-Za-z0-9]{1,5}$`)
	token    = regexp.MustCompile(
		`[A-Za-z]*[0-9]+[A-Za-z]+[0-9]+[A-Za-z0-9]*|[0-9]{9,}|[A-Za-z]{24,}|[0-9a-fA-F]{16,}`,
	)
	// In a token, letters and digits change often; in the names of hosts they do not.
	hostToken = regexp.MustCompile(`[a-z][0-9]+|[A-Z][0-9]+`)
	// A URL ends where RFC 3986 has no more characters for it; quotes and brackets around it are not part of
	// it. In a text that was JSON, some of its characters may be escaped.
	inText = regexp.MustCompile(`(?i)https?(?::(?:\\?/){2}|%3a%2f%2f)(?:[^\s"'<>|\\^{}` + "`" +
		`]|\\+u00[0-9a-f]{2}|\\+/)+`)
	escaped = strings.NewReplacer(`\/`, "/", `\u0026`, "&", `\u003d`, "=")
)

// URL returns what may be shown of a link. What does not parse as one with a host is hidden whole.
func URL(link string) string {
	u, err := url.Parse(escaped.Replace(strings.TrimSpace(link)))
	if err != nil || u.Host == "" {
		return Hidden
	}
	var b strings.Builder
	b.WriteString(u.Scheme + "://" + Host(u.Host))
	switch dir, last := cut(u.Path); {
	case u.Path == "" || u.Path == "/":
		b.WriteString(u.Path)
	case !fileName.MatchString(last) || token.MatchString(last):
		b.WriteString("/" + Hidden)
	case dir == "" || dir == "/":
		b.WriteString("/" + last)
	default:
		b.WriteString("/" + Hidden + "/" + last)
	}
	if u.RawQuery != "" || u.ForceQuery {
		b.WriteString("?" + Hidden)
	}
	return b.String()
}

// Host returns what may be shown of a host, which may have a port: all but the parts of its name that look
// like tokens. Some services give each link a host name of its own.
func Host(host string) string {
	labels := strings.Split(host, ".")
	for i, l := range labels {
		if len(l) >= 20 && len(hostToken.FindAllString(l, -1)) >= 5 {
			labels[i] = Hidden
		}
	}
	return strings.Join(labels, ".")
}

func cut(path string) (dir, last string) {
	i := strings.LastIndexByte(path, '/')
	return path[:i+1], path[i+1:]
}

// Text returns s with every http and https link in it replaced by what URL shows of it.
func Text(s string) string { return inText.ReplaceAllStringFunc(s, URL) }

// Error returns err with the links in its text redacted. It unwraps to what err wraps, so errors.Is and
// errors.As still work, except that a *url.Error, which quotes its link, is left out of the chain.
func Error(err error) error {
	if err == nil {
		return nil
	}
	var inner error = err
	var ue *url.Error
	if errors.As(err, &ue) {
		inner = ue.Err
	}
	text := Text(err.Error())
	if text == err.Error() && ue == nil {
		return err
	}
	return &redacted{text: text, err: inner}
}

type redacted struct {
	text string
	err  error
}

func (e *redacted) Error() string { return e.text }
func (e *redacted) Unwrap() error { return e.err }
