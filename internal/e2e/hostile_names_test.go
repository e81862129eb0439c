package e2e

import (
	"slices"
	"strings"
	"testing"
)

// documentsNamed are entries that must become documents under the names that they have. No two have one size.
func documentsNamed(names ...string) (all []hostileEntry) {
	for i, name := range names {
		all = append(all, hostileEntry{name: name, content: strings.Repeat("x", i+1)})
	}
	return all
}

const (
	namesAreData = "each is a document; its name is data, and copies have safe names"
	rowsInDoubt  = namesAreData + "; 5 because rows of the attachments fit some of them, but not for sure"
)

func hostileNames() []hostileCase {
	up := []string{}
	for n := 1; n <= 12; n++ {
		up = append(up, strings.Repeat("../", n)+"evil.txt")
	}
	up = append(up, `..\..\..\evil.txt`, "a/../../../evil.txt", "..", "../", "./x.txt", "a//b.txt",
		"..../x.txt")
	paths := documentsNamed(up...)
	return []hostileCase{
		{name: "names that lead upwards (`../`, `..\\`)", entries: paths, outcome: rowsInDoubt, exit: 5},
		{
			name: "absolute names, drives, network shares", outcome: rowsInDoubt, exit: 5,
			entries: documentsNamed("OUTSIDE/evil.txt", "/etc/cron.d/evil", `C:\Windows\evil.dll`,
				"C:evil.txt",
				`\\server\share\evil.txt`, "//server/share/evil.txt", `\\?\C:\evil.txt`, "file:///etc/evil", "~/evil.txt",
				"~root/.ssh/authorized_keys", "$HOME/evil.txt", "%APPDATA%/evil.txt", "-rf", "--to=OUTSIDE"),
		},
		{
			name: "names that Windows keeps for devices, or does not allow", outcome: namesAreData,
			entries: documentsNamed("CON", "con.txt", "NUL.pdf", "aux", "PRN.tar.gz", "COM1.docx", "lpt9.txt",
				"COM¹.txt",
				"CONIN$", "report.", "report. .", "report ", " report", "a:b.txt", "a<b>|?*.txt", "a.txt::$DATA"),
		},
		{
			name: "control characters, line ends, terminal sequences, direction marks, NUL", outcome: rowsInDoubt,
			exit: 5,
			entries: documentsNamed("a\x00.txt", "a\x00b/c.txt", "line\nbreak.txt", "line\r\nbreak.txt",
				"tab\there.txt",
				"\x1b[2J\x1b]0;evil\x07.txt", "bell\x07.txt", "txt.\u202efdp.exe", "zero\u200bwidth.txt", "\ufeffbom.txt",
				"del\x7f.txt", "next\u0085line.txt", "para\u2029graph.txt"),
		},
		{
			name: "names that are no text", outcome: rowsInDoubt, exit: 5,
			entries: []hostileEntry{
				{name: "\xff\xfe\xfd.txt", content: "1", flags: 1 << 11}, {name: "half \xc3", content: "2",
					flags: 1 << 11},
				{name: "\xed\xa0\x80 surrogate", content: "3", flags: 1 << 11},
				{name: "overlong \xc0\xae\xc0\xae/x", content: "4", flags: 1 << 11},
				{name: "cp437 \x81.txt", content: "5"},
			},
		},
		{
			name: "very long names, and paths of a thousand folders", outcome: namesAreData,
			entries: documentsNamed(strings.Repeat("n", 300)+".txt", strings.Repeat("n", 60_000),
				strings.Repeat("n", 65_535), strings.Repeat("deep/", 1000)+"x.txt", strings.Repeat("é",
					200)+".pdf",
				"x."+strings.Repeat("e", 300)),
		},
		{
			name: "one name many times, with other contents", outcome: namesAreData,
			entries: documentsNamed("same.txt", "same.txt", "same.txt", "d/same.txt", "d/same.txt"),
		},
		{
			name: "names that differ in case, in accents' form or in width only", outcome: namesAreData,
			entries: documentsNamed("Letter.txt", "letter.txt", "LETTER.TXT", "caf\u00e9.txt",
				"cafe\u0301.txt",
				"CAF\u00c9.txt", "stra\u00dfe.txt", "strasse.txt", "\uff4cetter.txt", "\u212aelvin.txt", "Kelvin.txt"),
		},
		{
			name: "a file that is a folder of another, names of the archive's own files", outcome: namesAreData,
			entries: documentsNamed("a", "a/b", "a/b/c", "_pack.csv", "bagit.txt",
				"data/documents/index.csv.zst",
				"index.csv", "../bagit.txt", "=HYPERLINK(\"x\")", "a,b\"c\n;'d.csv"),
		},
		{
			name: "no name, and names of dots", outcome: rowsInDoubt, exit: 5,
			entries: append(documentsNamed(".", "...", " "), hostileEntry{content: "nameless",
				gotName: "unnamed-3"}),
		},
		{
			name: "a folder that has bytes", outcome: "it is a document",
			entries: []hostileEntry{{name: "folder/", content: "hidden in a folder"}, {name: "plain/",
				nothing: true},
				{name: "x.txt", content: "x"}},
		},
	}
}

func hostileCases(t *testing.T) []hostileCase {
	return slices.Concat(
		hostileNames(), hostileKinds(t), hostileBombs(t), hostileLies(t), hostileTars(t), hostileTables(t),
	)
}
