package query

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

func TestCellsKeepEveryByte(t *testing.T) {
	t.Parallel()
	cell := "<p class=\"x\">one\r\ntwo\n\nthree\rfour</p>\ttab, comma; \u2028 'quote' \\\" end "
	quoted := `"` + strings.ReplaceAll(cell, `"`, `""`) + `"`
	for name, content := range map[string]string{
		"LF":                 "Candidate Id,Internal Note,Status\n1," + quoted + ",x\n2,\"\",y\n",
		"CRLF":               "Candidate Id,Internal Note,Status\r\n1," + quoted + ",x\r\n2,\"\",y\r\n",
		"LF and CRLF mixed":  "Candidate Id,Internal Note,Status\r\n1," + quoted + ",x\n2,\"\",y\r\n",
		"CR, as of old Macs": "Candidate Id,Internal Note,Status\r1," + quoted + ",x\r2,\"\",y\r",
		"no end at the end":  "Candidate Id,Internal Note,Status\n1," + quoted + ",x\n2,\"\",y",
		"blank lines":        "Candidate Id,Internal Note,Status\n\n1," + quoted + ",x\n\n\n2,\"\",y\n\n",
		"semicolons": strings.ReplaceAll(
			"Candidate Id~Internal Note~Status\n1~"+quoted+"~x\n2~\"\"~y\n", "~", ";",
		),
		"tabs": strings.ReplaceAll(
			"Candidate Id~Internal Note~Status\n1~"+quoted+"~x\n2~\"\"~y\n", "~", "\t",
		),
		"a sep= line": strings.ReplaceAll(
			"sep=;\nCandidate Id~Internal Note~Status\n1~"+quoted+"~x\n2~\"\"~y\n", "~", ";",
		),
		"a byte order mark": "\ufeffCandidate Id,Internal Note,Status\n1," + quoted + ",x\n2,\"\",y\n",
		"a broken heading":  "Candidate Id,\"Internal\nNote\",Status\n1," + quoted + ",x\n2,\"\",y\n",
		"cells too many":    "Candidate Id,Internal Note,Status\n1," + quoted + ",x,\n2,\"\",y,\n",
		"an empty heading":  "Candidate Id,Internal Note,Status,\n1," + quoted + ",x\n2,\"\",y\n",
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := build(t, BuildOptions{})
			load(t, b, "x/Candidates.csv", content)
			want := [][]string{{"1", "1", cell, "x"}, {"2", "2", "NULL", "y"}}
			if d := cmp.Diff(
				want,
				cells(
					t, b,
					"select row_number, c.candidate_id, c.internal_note, c.status from candidates as c "+
						"join raw.candidates as r using (candidate_id) order by 1",
				),
			); d != "" {
				t.Error(d)
			}
			if got := cells(
				t, b, "select internal_note from raw.candidates where row_number = 2",
			); got[0][0] != "" {
				t.Errorf("an empty cell is %q in raw", got[0][0])
			}
		})
	}
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	const want = "Zoë “Ł” – €5 ✓"
	csv := "Candidate Id,Full Name\r\n1," + want + "\r\n"
	u16 := func(s string, order func(uint16) []byte) string {
		var b bytes.Buffer
		for _, u := range utf16.Encode([]rune(s)) {
			b.Write(order(u))
		}
		return b.String()
	}
	le := func(u uint16) []byte { return []byte{byte(u), byte(u >> 8)} }
	be := func(u uint16) []byte { return []byte{byte(u >> 8), byte(u)} }
	for name, tt := range map[string]struct{ content, encoding, want string }{
		"UTF-8":                        {csv, "utf-8", want},
		"UTF-8 with a byte order mark": {"\ufeff" + csv, "utf-8-bom", want},
		"UTF-16 of Windows":            {u16("\ufeff"+csv, le), "utf-16le", want},
		"UTF-16 big end first":         {u16("\ufeff"+csv, be), "utf-16be", want},
		"UTF-16 without a mark":        {u16(csv, le), "utf-16le", want},
		"windows-1252": {
			"Candidate Id,Full Name\n1,Zo\xeb \x93L\x94 \x96 \x805 \x81\n", "windows-1252",
			"Zoë “L” – €5 \u0081",
		},
		"windows-1252 bytes in UTF-8": {
			"Candidate Id,Full Name\n1,Zoë ✓ \x93\n2,ë\n", "utf-8", "Zoë ✓ “",
		},
		"windows-1252 only far into the file": {
			"Candidate Id,Full Name\n1,a\n" + strings.Repeat("2,plain\n", 100_000) + "3,\xeb\n",
			"windows-1252", "a",
		},
		"a letter across the buffer's boundary": {
			"Candidate Id,Full Name\n1," + strings.Repeat("x", 256<<10-26) + "ë\n", "utf-8",
			strings.Repeat("x", 256<<10-26) + "ë",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := build(t, BuildOptions{})
			r := load(t, b, "Candidates.csv", tt.content)
			if r.Encoding != tt.encoding {
				t.Errorf("encoding %q, want %q", r.Encoding, tt.encoding)
			}
			if got := cells(
				t, b, "select full_name from candidates where candidate_id = '1'",
			); len(got) != 1 || got[0][0] != tt.want {
				t.Errorf("got %.80q, want %.80q", got, tt.want)
			}
		})
	}
}

func TestDoubtsAboutTheEncodingAreTold(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ content, finding string }{
		"windows-1252": {
			"Candidate Id,Full Name\n1,Zo\xeb \x93L\x94\n2,Andr\xe9\n", "info encoding-guessed: 4 bytes",
		},
		"an old Mac": {
			"Candidate Id,Full Name\n1,Zo\x91\n2,Andr\x8e\n3,M\x9fller\n",
			"warning encoding-guessed: 3 bytes",
		},
		"read wrongly before": {
			"Candidate Id,Full Name\n1,AndrÃ©\n2,itâ€™s Â£5\n3,SÃO\n", "info text-garbled: 3 places",
		},
		"half of a character": {
			"\xff\xfeI\x00d\x00,\x00N\x00\n\x001\x00,\x00\x3d\xd8\n\x00", "warning encoding-mixed: 1 places",
		},
		"a byte too few": {
			"\xff\xfeI\x00d\x00,\x00N\x00\n\x001\x00,\x00x\x00\n", "warning encoding-mixed: 1 places",
		},
		"none: plain UTF-8 is": {"Candidate Id,Full Name\n1,Zoë £5\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := build(t, BuildOptions{})
			load(t, b, "Candidates.csv", tt.content)
			found := codes(t, b)
			if tt.finding != "" && !has(found, tt.finding) || tt.finding == "" &&
				strings.Contains(strings.Join(found, "\n"), "encoding") {
				t.Errorf("want %q, got %q", tt.finding, found)
			}
		})
	}
}

func TestNULBytesAreKept(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{})
	load(t, b, "Candidates.csv", "Candidate Id,Surname\n1,a\x00b\n")
	if got := cells(t, b, "select surname from candidates"); got[0][0] != "a\x00b" {
		t.Errorf("got %q", got)
	}
	if found := codes(t, b); !has(found, "warning cells-damaged: surname: 1 cells hold NUL") {
		t.Errorf("%q", found)
	}
}

// Texts in a code page that is not windows-1252 are read wrongly: that is a warning for each of them, and none
// for a language of Western Europe.
func TestAnotherCodePageIsAWarning(t *testing.T) {
	t.Parallel()
	western := []string{
		"Français créé à Nîmes: l\u2019œuvre, 3 €, n° 5, ½ heure, «oui»",
		"Müller & Söhne, Straße 5, \u201eüber\u201c 45 m², 20 °C, § 12",
		"José Núñez, ¿qué?, Mª Ángeles, 1º, £45k, Seán Ó Sé, Åse Bjørk",
		"João, ação, coração, Zoë \u201cZ\u201d, don\u2019t, naïve\u2014fiancé",
		"Þórður Ægisson, l·l, 5 µm ± 2, 2 × 3 ÷ 4, ©2024 Acme®",
	}
	others := map[string]encoding.Encoding{
		"Иван Петров, Смирнова Анна, менеджер":    charmap.Windows1251,
		"Иван Петров, Смирнова Мария, менеджер":   charmap.KOI8R,
		"Γιώργος Παπαδόπουλος, Αθήνα":             charmap.Windows1253,
		"Łukasz Błaszczyk, Wałbrzych, księgowość": charmap.Windows1250,
		"דוד כהן, תל אביב":                        charmap.Windows1255,
		"محمد أحمد, القاهرة":                      charmap.Windows1256,
		"山田太郎, 東京都, エンジニア":                        japanese.ShiftJIS,
		"山田太郎, 東京都, エンジニヤ":                        japanese.EUCJP,
		"王小明, 北京市, 工程师":                           simplifiedchinese.GBK,
		"王小明, 臺北市, 工程師":                           traditionalchinese.Big5,
		"김철수, 서울특별시, 기술자":                         korean.EUCKR,
	}
	warns := func(text string, in encoding.Encoding) bool {
		raw, err := in.NewEncoder().String("Candidate Id,Full Name\n1,\"" + text + "\"\n2,Ann\n")
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		b, _ := build(t, BuildOptions{})
		load(t, b, "Candidates.csv", raw)
		return has(codes(t, b), "warning encoding-guessed")
	}
	for _, text := range western {
		if warns(text, charmap.Windows1252) {
			t.Errorf("%q: called another code page", text)
		}
	}
	for text, in := range others {
		if !warns(text, in) {
			t.Errorf("%q, %v: read as windows-1252 without a warning", text, in)
		}
	}
}
