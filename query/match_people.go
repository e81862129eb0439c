package query

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// How well a path names a person, the best first: by all words of the name; by the first given name and the
// surname; by an initial and the surname.
const (
	byFullName    = "3"
	byFirstAndSur = "2"
	byInitial     = "1"
)

// adornments are words that files of people are also named with.
var adornments = strings.Fields(`cv cvs resume resumes curriculum vitae lebenslauf bewerbung anschreiben old
	new final
	copy kopie copie updated update latest draft scan scanned signed version page pages letter cover
		coverletter
	image img photo picture attachment attachments upload download untitled export unknown noname
	application profile document documents doc file files internal original neu alt candidate candidates
		kandidat mr mrs ms miss dr
	herr frau january february march april may june july august september october november december`)

var (
	apart  = pattern(`\s+[-–—]+\s+|[-_]{2,}|_-_|[()\[\]{};|&]`)
	mail   = pattern(`[\pL\pN._%+'-]+@[\pL\pN-]+(\.[\pL\pN-]+)+`)
	fileAs = pattern(
		`(?i)\.(pdf|docx?|rtf|txt|odt|pages|jpe?g|png|gif|tiff?|bmp|webp|heic|html?|msg|eml|xlsx?|csv|` +
			`pptx?|zip|md|xml)$`,
	)
)

// peopleIn returns what a path says of people, as keys: "F:" and the words of a folder, a file's name or a
// part of it that is set apart, sorted, without what else files are named with; "W:" and each few words in a
// row, sorted, which only mention a person; "E:" and an e-mail address.
func peopleIn(path string) []string {
	var keys []string
	add := func(key string) {
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	segments := strings.Split(path, "/")
	for _, segment := range segments[max(0, len(segments)-4):] {
		segment = fileAs().ReplaceAllString(fileAs().ReplaceAllString(unescape(segment), ""), "")
		for _, m := range mail().FindAllString(segment, 2) {
			m = strings.ToLower(m)
			add("E:" + m)
			for i, c := range m[:strings.Index(m, "@")] { // something may precede it
				if c == '_' || c == '-' {
					add("E:" + m[i+1:])
				}
			}
		}
		for _, part := range append(append(apart().Split(segment, 8), segment), otherCharsets(segment)...) {
			all := nameWords(part)
			for _, key := range []string{sorted(all), sorted(slices.DeleteFunc(all, isAdornment))} {
				if key != "" {
					add("F:" + key)
				}
			}
		}
		all := nameWords(segment)
		for n := 2; n <= 4; n++ {
			for i := 0; i+n <= min(len(all), 16); i++ {
				add("W:" + sorted(all[i:i+n]))
			}
		}
	}
	return keys
}

// nameWordsIn returns the words of a path that may be those of a name: the file's, or its folder's where the
// file has fewer than two. A single word may be anything, and is none. Names in another character set count
// in each that they may be in.
func nameWordsIn(path string) []string {
	segments := strings.Split(path, "/")
	for _, segment := range slices.Backward(segments[max(0, len(segments)-2):]) {
		segment = fileAs().ReplaceAllString(unescape(segment), "")
		var all []string
		for _, text := range append([]string{segment}, otherCharsets(segment)...) {
			text = numbered().ReplaceAllString(text, "$1")
			all = append(all, slices.DeleteFunc(nameWords(text), isAdornment)...)
		}
		if len(all) > 1 {
			return all
		}
	}
	return nil
}

// numbered is a word followed by a number.
var numbered = pattern(`(?:\b|_)(\pL+)\d+(?:\b|_)`)

// personKeys returns the keys of a person's names, each after a digit for how well it names the person.
func personKeys(full, first, surname string) []string {
	var keys []string
	add := func(how string, words []string) {
		if key := sorted(words); key != "" && !slices.ContainsFunc(
			keys, func(k string) bool { return k[2:] == key },
		) {
			keys = append(keys, how+":"+key)
		}
	}
	given, family := nameWords(first), nameWords(surname)
	all := nameWords(full)
	if len(all) == 0 {
		all = append(slices.Clone(given), family...)
	}
	add(byFullName, all)
	if text := strings.TrimSpace(full); !isASCII(text) { // as exporters write it that know no other letters
		for _, other := range []string{
			writtenOut.Replace(strings.ToLower(text)), romanised.Replace(strings.ToLower(text)),
			notASCII().ReplaceAllString(text, " "),
		} {
			if words := nameWords(other); len(words) > 1 {
				add(byFirstAndSur, words)
			}
		}
	}
	if len(given) == 0 || len(family) == 0 {
		if len(all) < 2 {
			return keys
		}
		given, family = all[:1], all[len(all)-1:]
	} else {
		add(byFullName, append(slices.Clone(given), family...))
	}
	add(byFirstAndSur, append([]string{given[0]}, family...))
	initial, _ := utf8.DecodeRuneInString(given[0])
	add(byInitial, append([]string{string(initial)}, family...))
	return keys
}

func isAdornment(word string) bool { return slices.Contains(adornments, word) }

// nameWords returns the words that have only letters. "WilmaArdent" is two.
func nameWords(text string) []string {
	all := words(apartByCase(text))
	return slices.DeleteFunc(all, func(w string) bool { return strings.IndexFunc(w, unicode.IsDigit) >= 0 })
}

var notASCII = pattern(`[^\x00-\x7f]+`)

var camel = pattern(`(\p{Ll})(\p{Lu}\p{Ll})`)

func apartByCase(text string) string {
	if strings.ContainsAny(text, " _-.,") {
		return text
	}
	return camel().ReplaceAllString(text, "$1 $2")
}

func sorted(words []string) string {
	words = slices.Clone(words)
	slices.Sort(words)
	return strings.Join(words, " ")
}
