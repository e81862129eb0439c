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
	if base == "/" || base == "." || slices.Contains(tokensOf(l), base) {
		return ""
	}
	return cleanName(base)
}

// withoutTokens drops the elements of a name that may be what grants access in the link.
func withoutTokens(name string, l Link) string {
	tokens := tokensOf(l)
	elements := strings.Split(name, "/")
	elements = slices.DeleteFunc(elements, func(e string) bool { return slices.Contains(tokens, e) })
	return strings.Join(elements, "/")
}

// tokensOf returns the elements of a link's host, path and query that may grant access. Where the query is signed, the path
// need not; where a folder of the path looks like a token, what stands behind it need not, if it ends in a file's name.
func tokensOf(l Link) []string {
	u := l.parsed()
	tokens := slices.DeleteFunc(strings.FieldsFunc(u.Host+"/"+u.RawQuery, func(r rune) bool { return strings.ContainsRune("/.&=:", r) }),
		func(e string) bool { return !tokenLike(e) })
	if signed(l) {
		return tokens
	}
	named := path.Ext(u.Path) != ""
	for _, e := range strings.Split(u.Path, "/") {
		if tokenLike(e) {
			tokens = append(tokens, e)
			if named {
				break
			}
		}
	}
	return tokens
}

// signed reports whether a link's query grants access.
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
