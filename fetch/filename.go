package fetch

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// named makes the name that a listing tells text, without what may grant access: that would lie in the archive for ever.
func (l *listed) named() {
	l.name = withoutTokens(l.name, l.link)
	if valid := strings.ToValidUTF8(l.name, "\uFFFD"); valid != l.name {
		l.raw, l.name = []byte(l.name), valid
	}
}

// label is the name that the listing tells, or else the one in the link; it may be empty. A name that comes with the file goes
// before the link's.
func (l listed) label() string {
	if l.name != "" {
		return l.name
	}
	return nameIn(l.link)
}

// nameIn returns the last element of a link's path, unless it may be what grants access.
func nameIn(l Link) string {
	base := path.Base(l.parsed().Path)
	if base == "/" || base == "." || !signed(l) && tokenLike(base) {
		return ""
	}
	return cleanName(base)
}

// withoutTokens drops the elements of a name that the link has too, and that may be what grants access.
func withoutTokens(name string, l Link) string {
	if signed(l) {
		return name
	}
	elements := strings.Split(name, "/")
	u := l.parsed()
	in := u.Host + "/" + u.Path + "/" + u.RawQuery
	elements = slices.DeleteFunc(elements, func(e string) bool { return tokenLike(e) && strings.Contains(in, e) })
	return strings.Join(elements, "/")
}

// signed reports whether a link's query grants access, so that its path need not.
func signed(l Link) bool {
	for name := range l.parsed().Query() {
		if signatureParam(name) {
			return true
		}
	}
	return false
}

var (
	wordRun  = regexp.MustCompile(`[A-Za-z0-9]{16,}`)
	objectID = regexp.MustCompile(`^[0-9a-f]{24}$|^[0-9]+$`)
	changes  = regexp.MustCompile(`[0-9][A-Za-z]|[A-Za-z][0-9]|[a-z][A-Z]`)
)

// tokenLike reports whether an element of a path looks like a secret instead of a name or an ID: a long run of letters and
// digits that change often. The IDs of records (UUIDs, object IDs of 24 digits, numbers) are none where they name a file by its
// extension; they are what a file's owner is found by.
func tokenLike(element string) bool {
	ext := path.Ext(element)
	if len(ext) > 6 {
		ext = ""
	}
	stem := strings.TrimSuffix(element, ext)
	for _, run := range wordRun.FindAllString(stem, -1) {
		if ext != "" && objectID.MatchString(run) {
			continue
		}
		switch n := len(changes.FindAllString(run, -1)); {
		case n >= 5, len(run) >= 32 && (ext == "" || n >= 4): // names of files have few
			return true
		}
	}
	return false
}
