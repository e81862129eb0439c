package query

import (
	"html"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/unicode/norm"
)

// Exporters rename files: they escape or replace characters, number equal names, cut long ones, write ids and
// times before or after them, or hand them on in another character set. What follows says whether a file's
// name may be what became of another name. It is evidence along with owner and size, never proof.

// A nameLikeness says how much two names of files have in common.
type nameLikeness int64

const (
	unlike    nameLikeness = iota
	contained              // one name's words begin or end the other's, as where an exporter adds an id
	cut                    // one is the beginning of the other
	variant                // equal but for numbers of copies, added ids or times, and the extension
	respelt                // equal but for escapes, replaced characters, accents, or the character set
)

// likeness compares a name in a table with that of a file.
func likeness(listed, file string) nameLikeness {
	a, b := newFileName(listed), newFileName(file)
	if !a.sameKind(b) {
		return unlike
	}
	switch {
	case a.ext == b.ext && intersect(a.stems(), b.stems()):
		return respelt
	case intersect(a.cores(), b.cores()):
		return variant
	case isCut(a, b):
		return cut
	case isContained(a, b):
		return contained
	}
	return unlike
}

// A fileName is a name without its folders, taken apart.
type fileName struct {
	texts []string // the stem as text, first as it is, then as other character sets would have it
	ext   string   // lower case, of several spellings one; "" where there is none
}

func newFileName(name string) fileName {
	name = unescape(name)
	stem, ext := splitExt(name)
	return fileName{texts: append([]string{stem}, otherCharsets(stem)...), ext: ext}
}

// sameKind reports whether files of these names can have the same kind of content, as far as extensions say.
func (n fileName) sameKind(o fileName) bool { return n.ext == o.ext || n.ext == "" || o.ext == "" }

// keys are names that respelt ones share.
func (n fileName) keys() []string {
	var all []string
	for _, s := range n.stems() {
		all = append(all, s+"."+n.ext)
	}
	return all
}

// stems are the spellings of the stem in letters and digits, with what is lost or changed where only ASCII is
// kept.
func (n fileName) stems() []string {
	var all []string
	for _, t := range n.texts {
		all = append(all, spellings(t)...)
	}
	return all
}

// cores are the spellings without numbers of copies and without added ids and times.
func (n fileName) cores() []string {
	var all []string
	for _, t := range n.texts {
		all = append(all, spellings(core(t))...)
		all = append(all, spellings(t)...)
	}
	return all
}

var extension = pattern(`^(.*[^.])\.([\pL\pN]{1,5})$`)

// behindExtension is a number of a copy that follows the extension: "CV.pdf(1)".
var behindExtension = pattern(`^(.*)(\.[\pL\pN]{2,5})(\s?\(\d{1,3}\)|[_~-]\d{1,2})$`)

var sameExtension = map[string]string{
	"jpeg": "jpg", "jpe": "jpg", "jfif": "jpg", "tiff": "tif", "htm": "html", "mpeg": "mpg", "markdown": "md",
}

// splitExt takes the extension off a name, also where it is there twice or followed by dots and blanks. What
// has no letter, such as the year in "CV.2023", is not an extension.
func splitExt(name string) (stem, ext string) {
	stem = strings.TrimRight(behindExtension().ReplaceAllString(name, "$1$3$2"), ". \t")
	for {
		m := extension().FindStringSubmatch(stem)
		if m == nil || strings.IndexFunc(m[2], unicode.IsLetter) < 0 {
			return stem, ext
		}
		e := strings.ToLower(m[2])
		if same, ok := sameExtension[e]; ok {
			e = same
		}
		if ext != "" && e != ext {
			return stem, ext
		}
		stem, ext = strings.TrimRight(m[1], ". \t"), e
	}
}

var (
	percent  = pattern(`%[0-9A-Fa-f]{2}`)
	unicodes = pattern(`#U[0-9a-f]{4}|#L[0-9a-f]{6}|\\u[0-9a-fA-F]{4}|_x[0-9a-fA-F]{4}_`)
)

// unescape undoes percent-encoding, HTML's character references, and the escapes of programs that cannot
// write a character. A name that was cut in the middle of an escape keeps what cannot be undone.
func unescape(name string) string {
	if percent().MatchString(name) {
		name = percent().ReplaceAllStringFunc(name, func(s string) string {
			c, _ := url.PathUnescape(s) // one byte
			return c
		})
		name = strings.ToValidUTF8(name, "")
	}
	if strings.Contains(name, "&") {
		name = html.UnescapeString(name)
	}
	return unicodes().ReplaceAllStringFunc(name, func(s string) string {
		n, err := strconv.ParseInt(strings.Trim(s, `#UL\u_x`), 16, 32)
		if err != nil || !utf8.ValidRune(rune(n)) {
			return s
		}
		return string(rune(n))
	})
}

// Character sets that names are wrongly read in, and those that they are really in.
var (
	misreadAs = []encoding.Encoding{
		charmap.CodePage437, charmap.CodePage850, charmap.Windows1252, charmap.ISO8859_1,
	}
	writtenIn = []encoding.Encoding{nil, japanese.ShiftJIS, simplifiedchinese.GBK, charmap.CodePage850,
		charmap.CodePage437,
		charmap.Windows1252, charmap.Windows1251, charmap.CodePage866, charmap.Windows1250,
		charmap.CodePage852, korean.EUCKR, traditionalchinese.Big5}
)

// otherCharsets returns what a name says if it was read in a character set that it is not in. Most of it is
// nonsense, which agrees with no other name.
func otherCharsets(name string) []string {
	if isASCII(name) {
		return nil
	}
	var all []string
	if strings.ContainsRune(name, utf8.RuneError) { // bytes were lost of one word: the others are whole
		for _, word := range strings.FieldsFunc(
			name, func(r rune) bool { return strings.ContainsRune(" ._-", r) },
		) {
			if !strings.ContainsRune(word, utf8.RuneError) {
				all = append(all, otherCharsets(word)...)
			}
		}
		return all
	}
	for _, as := range misreadAs {
		raw, err := as.NewEncoder().String(norm.NFC.String(name))
		if err != nil {
			continue
		}
		for _, in := range writtenIn {
			text := raw
			if in != nil && in != as {
				if text, err = in.NewDecoder().String(raw); err != nil {
					continue
				}
			}
			if utf8.ValidString(text) && !strings.ContainsRune(text, utf8.RuneError) &&
				!slices.Contains(all, text) {
				all = append(all, text)
			}
		}
	}
	return all
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// spellings returns a text's letters and digits in lower case: without accents; with accents written out (ü
// as ue); and without what is not ASCII, if enough remains.
func spellings(s string) []string {
	all := make([]string, 0, 4)
	add := func(spelling string, least int) {
		if len(spelling) >= least && !slices.Contains(all, spelling) {
			all = append(all, spelling)
		}
	}
	add(lettersAndDigits(s), 1)
	if isASCII(s) {
		return all
	}
	lower := strings.ToLower(norm.NFC.String(s))
	add(lettersAndDigits(writtenOut.Replace(lower)), 1)
	add(lettersAndDigits(romanised.Replace(lower)), 1)
	add(lettersAndDigits(strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf {
			return -1
		}
		return r
	}, lower)), 3)
	return all
}

// lettersAndDigits returns the letters and digits of a text, lower case and without accents.
func lettersAndDigits(s string) string {
	var b strings.Builder
	if isASCII(s) {
		for i := range len(s) {
			switch c := s[i]; {
			case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
				b.WriteByte(c)
			case 'A' <= c && c <= 'Z':
				b.WriteByte(c + 'a' - 'A')
			}
		}
		return b.String()
	}
	for _, r := range norm.NFKD.String(strings.ToLower(s)) {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			b.WriteRune(unlettered(r))
		}
	}
	return b.String()
}

// unlettered is the letter that one without a decomposition is written as where accents are dropped.
func unlettered(r rune) rune {
	switch r {
	case 'ø':
		return 'o'
	case 'ł':
		return 'l'
	case 'đ', 'ð':
		return 'd'
	case 'ı':
		return 'i'
	}
	return r
}

var writtenOut = strings.NewReplacer(
	"ä", "ae", "ö", "oe", "ü", "ue", "ß", "ss", "å", "aa", "ø", "oe", "æ", "ae", "œ", "oe", "þ", "th", "ð",
	"d", "ñ", "n",
)

var romanised = strings.NewReplacer("ß", "s", "æ", "a",
	"а", "a", "б", "b", "в", "v", "г", "g", "д", "d", "е", "e", "ё", "e", "ж", "zh", "з", "z", "и", "i", "й",
	"y", "к", "k",
	"л", "l", "м", "m", "н", "n", "о", "o", "п", "p", "р", "r", "с", "s", "т", "t", "у", "u", "ф", "f", "х",
	"kh", "ц", "ts",
	"ч", "ch", "ш", "sh", "щ", "shch", "ъ", "", "ы", "y", "ь", "", "э", "e", "ю", "yu", "я", "ya", "і", "i",
	"ї", "i", "є", "ye",
	"α", "a", "β", "v", "γ", "g", "δ", "d", "ε", "e", "ζ", "z", "η", "i", "θ", "th", "ι", "i", "κ", "k", "λ",
	"l", "μ", "m",
	"ν", "n", "ξ", "x", "ο", "o", "π", "p", "ρ", "r", "σ", "s", "ς", "s", "τ", "t", "υ", "y", "φ", "f", "χ",
	"ch", "ψ", "ps", "ω", "o")

// What exporters and file managers add to names: numbers of copies, ids, times.
var (
	copyBehind = pattern(
		`(?i)(\s*[\[({]\d{1,4}[\])}]|[-_ .]+\d{1,3}|` +
			`[-_ ]+(copy|kopie|copie|copia|cópia|copia de)\s*\d*|[-_ ]+v\d{1,2})$`,
	)
	copyBefore = pattern(`(?i)^(copy of|kopie von|copie de|copia de|cópia de)[-_ ]+`)
	idBehind   = pattern(
		`(?i)[-_ .]+([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[a-z]{4}[0-9a-f]{32}|` +
			`[0-9a-f]*\d[0-9a-f]{7,}|\d{4}-\d{2}-\d{2}([t_ -]?\d{2}[-_.:h]?\d{2}([-_.:m]?\d{2})?z?)?|` +
			`\d{6,})$`,
	)
	idBefore = pattern(
		`(?i)^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[a-z]{4}[0-9a-f]{32}|` +
			`[0-9a-f]*\d[0-9a-f]{5,}|\d{4}-\d{2}-\d{2}([t_ -]?\d{2}[-_.:h]?\d{2}([-_.:m]?\d{2})?z?)?|` +
			`\d{1,8}|[a-z]{2}-\d+)[-_ .]+`,
	)
)

// core returns a stem without what was added to it, as long as two letters or digits remain.
func core(stem string) string {
	if !strings.ContainsAny(stem, "0123456789") && !mayBeCopy(stem) {
		return stem
	}
	for {
		shorter := stem
		for _, added := range []*regexp.Regexp{copyBehind(), idBehind(), copyBefore(), idBefore()} {
			if without := added.ReplaceAllString(shorter, ""); len(lettersAndDigits(without)) >= 2 {
				shorter = without
			}
		}
		if shorter == stem {
			return stem
		}
		stem = shorter
	}
}

func mayBeCopy(stem string) bool {
	lower := strings.ToLower(stem)
	return strings.Contains(lower, "cop") || strings.Contains(lower, "kop") || strings.Contains(lower, "cóp")
}

// Shortest beginnings that say something. A letter of Chinese says as much as a syllable.
const (
	leastCut      = 8
	leastCutWide  = 4
	leastContains = 5
)

// isCut reports whether one name is the beginning of the other, which says something only if it is long.
func isCut(a, b fileName) bool {
	return anyPair(a.cores(), b.cores(), func(x, y string) bool {
		if len(x) > len(y) {
			x, y = y, x
		}
		least := leastCut
		if !isASCII(x) {
			least = leastCutWide
		}
		return utf8.RuneCountInString(x) >= least && strings.HasPrefix(y, x)
	})
}

// isContained reports whether one name ends or begins with the words of the other.
func isContained(a, b fileName) bool {
	x, y := words(a.texts[0]), words(b.texts[0])
	if len(x) > len(y) {
		x, y = y, x
	}
	if len(x) == 0 || len(strings.Join(x, "")) < leastContains || len(x) == len(y) {
		return false
	}
	return slices.Equal(y[:len(x)], x) || slices.Equal(y[len(y)-len(x):], x)
}

// words returns the runs of letters and digits of a text, each as bare has it.
func words(s string) []string {
	fields := strings.FieldsFunc(
		norm.NFC.String(s),
		func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) },
	)
	for i, f := range fields {
		fields[i] = lettersAndDigits(f)
	}
	return slices.DeleteFunc(fields, func(w string) bool { return w == "" })
}

func intersect(a, b []string) bool { return anyPair(a, b, func(x, y string) bool { return x == y }) }

func anyPair(a, b []string, do func(x, y string) bool) bool {
	for _, x := range a {
		for _, y := range b {
			if x != "" && y != "" && do(x, y) {
				return true
			}
		}
	}
	return false
}
