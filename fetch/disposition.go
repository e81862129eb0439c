package fetch

import (
	"mime"
	"net/http"
	"path"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is the longest file name kept, in bytes.
const maxName = 255

var bareName = regexp.MustCompile(`(?i)filename=`)

// dispositionName returns the file name that a Content-Disposition header suggests (RFC 6266, RFC 5987), or nothing.
// It is a name to show and to recognise things by, never a path.
func dispositionName(h http.Header) string {
	v := h.Get("Content-Disposition")
	if v == "" {
		return ""
	}
	_, params, err := mime.ParseMediaType(v)
	if err == nil {
		return cleanName(params["filename"])
	}
	// Many servers leave out the quotes or the disposition's type.
	at := bareName.FindStringIndex(v)
	if at == nil {
		return ""
	}
	raw, _, _ := strings.Cut(v[at[1]:], ";")
	return cleanName(strings.Trim(strings.TrimSpace(raw), `"`))
}

// cleanName makes a name of what may be a path, hold control characters, or be endless. What is not a name becomes nothing.
func cleanName(s string) string {
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
	if len(s) > maxName {
		ext := path.Ext(s)
		if len(ext) > 16 {
			ext = ""
		}
		s = cutString(s, maxName-len(ext)) + ext
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
