package link

import (
	"net/url"
	"strings"

	"holdall/internal/redact"
)

// Secrets returns the pieces of a URL that must not be shown: its password, its query and the values in it,
// and its path where redact does not show that.
func Secrets(u *url.URL) []string {
	var out []string
	add := func(s string) {
		if len(s) > 5 {
			out = append(out, s)
		}
	}
	if u.User != nil {
		add(u.User.String())
		p, _ := u.User.Password()
		add(p)
	}
	add(u.RawQuery)
	for _, pair := range strings.FieldsFunc(u.RawQuery, func(r rune) bool { return r == '&' || r == ';' }) {
		_, v, _ := strings.Cut(pair, "=")
		add(v)
		if plain, err := url.QueryUnescape(v); err == nil {
			add(plain)
		}
	}
	shown := redact.URL(u.String())
	for _, label := range strings.Split(u.Hostname(), ".") { // which the resolver's errors quote
		if !strings.Contains(shown, label) {
			add(label)
		}
	}
	for _, part := range strings.Split(u.EscapedPath(), "/") {
		if !strings.Contains(shown, part) {
			add(part)
		}
	}
	return out
}
