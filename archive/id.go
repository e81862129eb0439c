package archive

import (
	"cmp"
	"crypto/rand"
	"regexp"
	"strings"
	"time"
)

const idTime = "20060102T150405Z"

// NewID returns an identifier for an export that began at start: <source>-<tenant>-<UTC start>-<4 base32>.
// Source and tenant are lower-cased, other characters than [a-z0-9] become "-", and 40 characters of each are
// kept.
func NewID(source, tenant string, start time.Time) string {
	// rand.Text is base32 (RFC 4648): letters and 2 to 7.
	tail := strings.ToLower(rand.Text()[:4])
	return idWord(source) + "-" + idWord(tenant) + "-" + start.UTC().Format(idTime) + "-" + tail
}

func idWord(s string) string {
	word := strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(s))
	word = strings.Trim(word, "-")
	if len(word) > 40 {
		word = strings.Trim(word[:40], "-")
	}
	if word == "" {
		return "export"
	}
	return word
}

var idPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*-([0-9]{8}T[0-9]{6}Z)-[a-z2-7]{4}$`)

// validID reports whether id can name an export.
func validID(id string) bool { return len(id) <= 110 && idPattern.MatchString(id) }

// StartOf returns the time in an ID, zero where there is none.
func StartOf(id string) time.Time {
	m := idPattern.FindStringSubmatch(id)
	if m == nil {
		return time.Time{}
	}
	t, _ := time.Parse(idTime, m[1])
	return t
}

// compareIDs orders IDs by the time in them, equal times by the whole.
func compareIDs(a, b string) int {
	return cmp.Or(StartOf(a).Compare(StartOf(b)), cmp.Compare(a, b))
}
