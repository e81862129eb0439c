package bagit

import (
	"path"
	"regexp"
	"strings"

	"golang.org/x/text/unicode/norm"
)

func normal(name string) string { return norm.NFC.String(name) }

var (
	escapes    = strings.NewReplacer("%0A", "\n", "%0a", "\n", "%0D", "\r", "%0d", "\r", "%25", "%")
	oldEscapes = strings.NewReplacer("%0A", "\n", "%0a", "\n", "%0D", "\r", "%0d", "\r")
	// unfitForWindows is an element of a path with a character, an end or a name that Windows does not allow.
	unfitForWindows = regexp.MustCompile(
		`(?i)[<>:"|?*\\\x00-\x1f]|[. ]$|^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)`,
	)
	drive = regexp.MustCompile(`^[A-Za-z]:[\\/]`)
)

// isUnsafe reports whether a name leads, or is taken by some system to lead, out of the bag (RFC 8493, 5.1).
func isUnsafe(name string) bool {
	if strings.HasPrefix(name, "/") || strings.HasPrefix(name, "~") || strings.HasPrefix(name, `\\`) ||
		drive.MatchString(name) || strings.ContainsRune(name, 0) {
		return true
	}
	for elem := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '/' || r == '\\' }) {
		if elem == ".." {
			return true
		}
	}
	return false
}

// resolve returns the name of the file that a tag file's entry means, and whether that is there. It reports
// what is wrong or unusual with the entry; an unsafe one is "".
func (c *checker) resolve(in, entry string, code Code) (name string, there bool) {
	decoded := escapes.Replace(entry)
	if !c.strict() { // the drafts encode line ends, and say nothing of "%"
		decoded = oldEscapes.Replace(entry)
	}
	if isUnsafe(entry) || isUnsafe(decoded) {
		c.add(Unsafe, in, "it lists %.200q, which leads out of the bag", entry)
		return "", false
	}
	want := path.Clean(decoded)
	if want != decoded {
		c.note(`a name begins with "./" or has needless slashes in `+in, entry)
	}
	if _, ok := c.files[want]; ok {
		return want, true
	}
	if literal := path.Clean(entry); literal != want {
		if _, ok := c.files[literal]; ok {
			c.note(`a percent sign is not encoded in `+in, entry)
			return literal, true
		}
	}
	if same, ok := c.forms[normal(want)]; ok {
		c.note("a name is in another Unicode form than the file's in "+in, entry)
		return same, true
	}
	if trimmed := strings.TrimRight(want, " \t"); trimmed != want {
		if _, ok := c.files[trimmed]; ok {
			c.note("blanks follow a name in "+in, entry)
			return trimmed, true
		}
	}
	if slashed := strings.ReplaceAll(want, `\`, "/"); slashed != want {
		if _, ok := c.files[slashed]; ok {
			c.add(code, in, "it lists %.200q with backslashes in place of slashes", entry)
			return slashed, true
		}
	}
	return want, false
}
