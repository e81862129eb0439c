package link

import (
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxName is the longest file name kept, in bytes.
const MaxName = 255

// CleanName makes a name of what may be a path, hold control characters, or be endless. What is not a name
// becomes nothing.
func CleanName(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, s)
	s = strings.TrimSpace(path.Base(strings.ReplaceAll(s, `\`, "/")))
	if s == "." || s == ".." || s == "/" {
		return ""
	}
	if len(s) > MaxName {
		ext := path.Ext(s)
		if len(ext) > 16 {
			ext = ""
		}
		s = cutString(s, MaxName-len(ext)) + ext
	}
	return s
}

// cutString returns at most n bytes of s and no torn rune.
func cutString(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
