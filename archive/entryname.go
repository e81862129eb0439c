package archive

import (
	"path"
	"strings"
	"unicode"

	"github.com/gabriel-vasile/mimetype"
	"golang.org/x/text/unicode/norm"
)

// entryName returns the name of a row's entry in its pack: <owner or ->/<doc id>-<ascii slug>.<ext>.
// It is a function of the row alone.
func entryName(r *Row) string {
	owner := asciiWord(r.OwnerID, 40, false)
	if owner == "" {
		owner = "-"
	}
	base := path.Base(strings.ReplaceAll(r.OriginalName, `\`, "/"))
	ext := extension(base)
	stem := strings.TrimSuffix(base, path.Ext(base))
	if ext == "" {
		stem, ext = base, extensionOf(r.MediaType)
	}
	name := r.ID
	if slug := asciiWord(stem, 40, true); slug != "" {
		name += "-" + slug
	}
	return owner + "/" + name + "." + ext
}

// extension returns a name's extension in lower case where it is a plain one.
func extension(name string) string {
	ext := strings.ToLower(strings.TrimPrefix(path.Ext(name), "."))
	if ext == "" || len(ext) > 8 || strings.Trim(ext, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return ""
	}
	return ext
}

func extensionOf(mediaType string) string {
	if m := mimetype.Lookup(mediaType); m != nil && m.Extension() != "" {
		return strings.TrimPrefix(m.Extension(), ".")
	}
	return "bin"
}

// asciiWord returns the ASCII letters and digits of s, accents taken off, everything else as single hyphens.
func asciiWord(s string, limit int, lower bool) string {
	if lower {
		s = strings.ToLower(s)
	}
	var b strings.Builder
	for _, c := range norm.NFKD.String(s) {
		switch {
		case b.Len() == limit:
			return strings.Trim(b.String(), "-")
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9':
			b.WriteByte(byte(c))
		case unicode.Is(unicode.Mn, c): // an accent that NFKD took off its letter
		case b.Len() > 0 && b.String()[b.Len()-1] != '-':
			b.WriteByte('-')
		}
	}
	return strings.Trim(b.String(), "-")
}
