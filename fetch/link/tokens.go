package link

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// IsSignature reports whether a query parameter belongs to a signature, so that it changes each time a link
// is signed.
func IsSignature(name string) bool {
	n := strings.ToLower(name)
	if strings.HasPrefix(n, "x-amz-") || strings.HasPrefix(n, "x-goog-") {
		return true
	}
	switch n {
	case "expires", "signature", "awsaccesskeyid", "googleaccessid", "key-pair-id", "policy", "token", "sig",
		"exp", "hmac",
		"sv", "se", "st", "sp", "sr", "spr", "sip", "ss", "srt", "skoid", "sktid", "skt", "ske", "sks", "skv":
		return true
	}
	return false
}

// NameIn returns the last element of a link's path, unless it may be what grants access.
func NameIn(l Link) string {
	base := path.Base(l.URL().Path)
	if base == "/" || base == "." || slices.Contains(tokensOf(l), base) {
		return ""
	}
	return CleanName(base)
}

// WithoutTokens drops the elements of a name that may be what grants access in the link.
func WithoutTokens(name string, l Link) string {
	tokens := tokensOf(l)
	elements := strings.Split(name, "/")
	elements = slices.DeleteFunc(elements, func(e string) bool { return slices.Contains(tokens, e) })
	return strings.Join(elements, "/")
}

// tokensOf returns the elements of a link's host, path and query that may grant access. Where the query is
// signed, the path need not; where a folder of the path looks like a token, what follows it need not,
// if it ends in a file's name.
func tokensOf(l Link) []string {
	u := l.URL()
	tokens := slices.DeleteFunc(strings.FieldsFunc(
		u.Host+"/"+u.RawQuery, func(r rune) bool { return strings.ContainsRune("/.&=:", r) },
	),
		func(e string) bool { return !TokenLike(e) })
	if signed(l) {
		return tokens
	}
	named := path.Ext(u.Path) != ""
	for _, e := range strings.Split(u.Path, "/") {
		if TokenLike(e) {
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
	for name := range l.URL().Query() {
		if IsSignature(name) {
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

// TokenLike reports whether an element of a path looks like a secret instead of a name or an ID: a long run
// of letters and digits that change often. The IDs of records (UUIDs, object IDs of 24 digits, numbers) are
// none where they name a file by its extension; they are what a file's owner is found by.
func TokenLike(element string) bool {
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
