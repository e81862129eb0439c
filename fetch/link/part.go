package link

import (
	"slices"
	"strings"
)

// A Part is what a link of the master CSV promises.
type Part string

// The three parts of an export.
const (
	PartData        Part = "data"
	PartAttachments Part = "attachments"
	PartCVs         Part = "cvs"
	PartUnknown     Part = "unknown"
)

// Noun is what a part is called in a sentence: "the data files", "the attachments", "the CVs".
func (p Part) Noun() string {
	switch p {
	case PartData:
		return "the data files"
	case PartCVs:
		return "the CVs"
	}
	return "the " + string(p)
}

// PartOf reads a part from a label in any case, order and spelling.
func PartOf(label string) Part {
	words := Words(label)
	has := func(starts ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool {
			return slices.ContainsFunc(starts, func(s string) bool { return strings.HasPrefix(w, s) })
		})
	}
	switch {
	case has("attachment", "attached"):
		return PartAttachments
	case slices.Contains(words, "cv"), slices.Contains(words, "cvs"), has("resume", "résumé", "curricul"):
		return PartCVs
	case has("data", "csv", "table", "record"):
		return PartData
	}
	return PartUnknown
}

// Words splits at everything but letters, and where a capital follows a small letter.
func Words(label string) []string {
	var words []string
	var word []rune
	flush := func() {
		if len(word) > 0 {
			words = append(words, strings.ToLower(string(word)))
			word = nil
		}
	}
	var last rune
	for _, r := range label {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r > 0x7f
		if !letter || last >= 'a' && last <= 'z' && r >= 'A' && r <= 'Z' {
			flush()
		}
		if letter {
			word = append(word, r)
		}
		last = r
	}
	flush()
	return words
}
