package master

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/fetch/loosecsv"
	"holdall/schemas"
)

// People hand over what they have: the mail, the page they saved, the workbook that Excel made, the export
// itself. Each is named for what it is, with what to give instead. Nothing here decides what a link serves;
// see package unpack for that.

const (
	hintMaster   = "use the file that the link in the export e-mail leads to, or that link itself"
	hintOpenLink = "open the link in it, save the CSV file that it leads to, and give that file, or the " +
		"link itself"
	hintSmallFile = "give the master CSV, the small file whose links lead to such files; holdall fetches " +
		"them itself"
	hintSaveAsCSV = "save it as CSV (UTF-8), or use the CSV file as it came from the link in the export " +
		"e-mail"
)

// notMaster is the failure of a file that is something else.
func notMaster(what, hint string) *failure.Error {
	return &failure.Error{
		Code: failure.NotTheExport, Message: "this is " + what + ", not a master CSV", Hint: hint,
	}
}

// Mistaken says what a file of size bytes is that is too large for a master CSV, judging by its beginning.
func Mistaken(head []byte, size string) error {
	if e := mistakenBinary(head); e != nil {
		return e
	}
	m := &CSV{Raw: head}
	if e := mistakenText(m.decode(head)); e != nil {
		return e
	}
	if bytes.HasPrefix(head, zipMagic) {
		return notMaster("a ZIP", hintSmallFile)
	}
	return notMaster("a file of "+size, "give the small CSV that holds the links")
}

// binaryForms are known by their first bytes.
var binaryForms = []struct{ magic, what, hint string }{
	{"%PDF-", "a PDF", hintOpenLink},
	{"{\\rtf", "a formatted text (RTF)", hintOpenLink},
	{"L\x00\x00\x00\x01\x14\x02\x00", "a Windows shortcut", "give the file that the shortcut points to"},
	{"bplist00", "a bookmark or property list of a Mac", hintOpenLink},
	{"Obj\x01", "an Avro file", hintMaster},
	{"PAR1", "a Parquet file", hintMaster},
	{"SQLite format 3\x00", "a SQLite database", hintMaster},
	{"Rar!", "a RAR archive", hintMaster},
	{"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", hintMaster},
	{"\x28\xb5\x2f\xfd", "a Zstandard-compressed file", hintMaster},
	{"BZh", "a bzip2-compressed file", hintMaster},
	{"\xfd7zXZ\x00", "an xz-compressed file", hintMaster},
	{"MZ", "a Windows program", hintMaster},
	{"\x7fELF", "a program", hintMaster},
}

// compoundForms are documents of old Office programs and of Outlook: one container, told apart by the names
// of the streams in it, which are UTF-16.
var compoundForms = []struct{ stream, what, hint string }{
	{"__properties_version1.0", "a mail saved by Outlook", hintOpenLink},
	{"__nameid_version1.0", "a mail saved by Outlook", hintOpenLink},
	{
		"EncryptedPackage", "a workbook or document that is locked with a password",
		"open it, " + hintSaveAsCSV,
	},
	{"Workbook", "an Excel workbook of the old kind (.xls)", hintSaveAsCSV},
	{"WordDocument", "a Word document", hintOpenLink},
}

// mistakenBinary names a file that is not text; nil when it may be one.
func mistakenBinary(b []byte) *failure.Error {
	for _, f := range binaryForms {
		if bytes.HasPrefix(b, []byte(f.magic)) && (len(f.magic) > 3 || bytes.IndexByte(b, 0) >= 0) {
			return notMaster(f.what, f.hint)
		}
	}
	if bytes.HasPrefix(b, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")) {
		for _, f := range compoundForms {
			if bytes.Contains(b, wide(f.stream)) {
				return notMaster(f.what, f.hint)
			}
		}
		return notMaster("an Office document of an old kind", hintSaveAsCSV)
	}
	if kind, _, _ := strings.Cut(http.DetectContentType(b), "/"); kind == "image" || kind == "video" ||
		kind == "audio" {
		return notMaster(article(kind), hintMaster)
	}
	if len(b) > 12 && string(b[4:8]) == "ftyp" {
		return notMaster("an image or a video", hintMaster)
	}
	return nil
}

func article(kind string) string {
	if kind == "video" {
		return "a video"
	}
	return "an " + strings.Replace(kind, "audio", "audio recording", 1)
}

// wide is ASCII text in little-endian UTF-16.
func wide(s string) []byte {
	var b []byte
	for i := range len(s) {
		b = append(b, s[i], 0)
	}
	return b
}

// mistakenText names a text that is not a master CSV; nil when it may be one.
func mistakenText(text string) *failure.Error {
	t := strings.TrimLeft(text, " \t\r\n")
	switch {
	case t == "":
		return &failure.Error{
			Code: failure.NotTheExport, Message: "the master CSV is empty",
			Hint: "download it again from the link in the export e-mail",
		}
	case strings.Contains(t, "\x00"):
		return notMaster("a binary file", hintMaster)
	case startsFold(t, "[InternetShortcut]"), startsFold(t, "[Desktop Entry]"):
		return notMaster("a shortcut to a web page", hintOpenLink)
	case strings.Contains(t[:min(len(t), 400)], "<!DOCTYPE plist"):
		return notMaster("a shortcut to a web page (or another property list of a Mac)", hintOpenLink)
	case isMail(t):
		return notMaster("a mail", hintOpenLink)
	case t[0] == '<' && !startsFold(t, "<http"), t[0] == '{' && !link.In(t):
		return mistakenPage(t)
	}
	return mistakenTable(t)
}

func startsFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// mistakenPage explains a web page or an error message where the master CSV should be.
func mistakenPage(t string) *failure.Error {
	code, detail := failure.StoreError([]byte(t))
	if failure.SaysExpired(code, detail) {
		return &failure.Error{
			Code: failure.LinkExpired, Hint: failure.HintNewLink,
			Message: "this is not a master CSV but the message that its link has expired (" + code + ")",
		}
	}
	if code != "" {
		return &failure.Error{
			Code: failure.NotTheExport, Hint: failure.HintNewLink,
			Message: "this is not a master CSV but an error message of its server (" + code + ")",
		}
	}
	return notMaster("a web page or an error message", failure.HintFor(failure.NotTheExport))
}

// mailHeader is a line that mails begin with, and lists of links do not.
var mailHeader = regexp.MustCompile(
	`(?i)^(?:from|received|return-path|delivered-to|message-id|mime-version|subject|date|to|x-[a-z-]+|` +
		`dkim-signature|content-type): `,
)

// isMail reports whether a text begins with the header of a mail (RFC 5322), or of one in an mbox.
func isMail(t string) bool {
	seen := map[string]bool{}
	n := 0
	for line := range strings.Lines(t) {
		line = strings.TrimRight(line, "\r\n")
		if n++; line == "" || n > 200 {
			break
		}
		if h := mailHeader.FindString(line); h != "" {
			seen[strings.ToLower(h)] = true
		} else if n == 1 && !strings.HasPrefix(line, "From ") {
			return false
		}
	}
	return len(seen) >= 3 && seen["from: "]
}

// mistakenTable names a table of the export.
func mistakenTable(text string) *failure.Error {
	first, _, _ := strings.Cut(text, "\n")
	if table, ok := tableIn(first + "\n"); ok {
		return notMaster(fmt.Sprintf("one of the files of the export itself (%s)", table.File), hintSmallFile)
	}
	return nil
}

// maxAbove is how many lines may be above the headings of a table.
const maxAbove = 8

// IsTable reports whether a text that begins so is one of the known tables of an export, by its headings,
// which may be below a title.
func IsTable(head []byte) bool {
	text := new(CSV).decode(head)
	for range maxAbove {
		var line string
		var more bool
		line, text, more = strings.Cut(text, "\n")
		if !more {
			return false
		}
		if _, ok := tableIn(line + "\n"); ok {
			return true
		}
	}
	return false
}

// tableIn returns the known table whose headings a line has.
func tableIn(line string) (schemas.Table, bool) {
	if len(line) > 64<<10 {
		return schemas.Table{}, false
	}
	for _, delim := range []byte{loosecsv.Delimiter(line), '|'} { // lists of links have no bars, tables may
		if table, ok := tableOf(loosecsv.ReadWith(line, delim).Rows); ok {
			return table, true
		}
	}
	return schemas.Table{}, false
}

func tableOf(rows [][]loosecsv.Cell) (schemas.Table, bool) {
	if len(rows) == 0 {
		return schemas.Table{}, false
	}
	var headings []string
	for _, c := range rows[0] {
		headings = append(headings, c.Text)
	}
	table, ok := schemas.ByColumns(schemas.Recruitly(), headings)
	if !ok {
		return table, false
	}
	named, key := 0, false
	for i, column := range table.Match(headings) {
		if column < 0 {
			continue
		}
		named++
		// A list of links may well have an "Id", and not a "Candidate Id".
		key = key || table.Columns[column].Key == "primary" && schemas.Normalize(headings[i]) != "id"
	}
	return table, key || named >= 6
}
