package link

import (
	"net/url"
	"strings"
)

// A Repair is what a link may have been before something changed it in transit.
type Repair struct {
	Link Link
	Note string
}

// Repairs returns what l may have been before it was damaged, the likeliest first. They are tried only when l
// is refused.
func Repairs(l Link) []Repair {
	s := l.Secret()
	base, query, ok := strings.Cut(s, "?")
	if !ok {
		return nil
	}
	var out []Repair
	add := func(q, note string) {
		if q == query {
			return
		}
		if m, err := New(base + "?" + q); err == nil {
			out = append(out, Repair{m, note})
		}
	}
	add(strings.ReplaceAll(query, "+", "%2B"), "plus signs in the link had lost their escaping (%2B)")
	add(
		strings.NewReplacer("%20", "%2B", " ", "%2B").Replace(query),
		"plus signs in the link had become spaces",
	)
	add(strings.ReplaceAll(query, "%25", "%"), "the link had been escaped twice (%25)")
	if plain, err := url.QueryUnescape(query); err == nil &&
		strings.Count(plain, "=") > strings.Count(query, "=") {
		add(plain, "the link had been escaped as a whole")
	}
	return out
}

// Damaged reports whether a link shows traces of damage that no signer leaves.
func Damaged(l Link) bool {
	s := l.Secret()
	return strings.Contains(s, "&amp;") || strings.Contains(s, "%25") || strings.ContainsAny(s, " <>\"")
}
