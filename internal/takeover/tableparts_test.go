package takeover

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/unicode"

	"holdall/archive"
	"holdall/query"
)

// Each case is the data part of an export whose people may be spread over several files.
func TestTableInSeveralFiles(t *testing.T) {
	t.Parallel()
	const heads = "Candidate Id,Reference,First Name,Internal Note,Created On\r\n"
	row := func(n, note string) string {
		return "abcd0000000000000000000000000000000" + n + ",CA-" + n + ",Person " + n + "," + note +
			",2024-01-1" + n + " 08:00:00\r\n"
	}
	utf16 := func(s string) string {
		b, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	one := []string{"1", "2", "3"}
	cases := []struct {
		name   string
		files  []handmadeFile
		people []string // in the table candidates
		code   string   // of the finding that says how the files were read
	}{
		{"numbers behind the name", []handmadeFile{
			{"Candidates_2.csv", heads + row("2", "a") + row("3", "b")}, {"Candidates_1.csv", heads +
				row("1", "c")},
		}, one, "info table-in-parts"},
		{"only further files have a number, and a date is in all names", []handmadeFile{
			{"x/acme Candidates 2026-11-22.csv", heads + row("1", "c")},
			{"x/acme Candidates (2) 2026-11-22.csv", heads + row("2", "a")},
			{"x/acme Candidates (3) 2026-11-22.csv", heads + row("3", "b")},
		}, one, "info table-in-parts"},
		{"a file ends without a line end", []handmadeFile{
			{"candidates-part1.csv", strings.TrimSuffix(heads+row("1", "c"), "\r\n")},
			{"candidates-part2.csv", heads + row("2", "\"two\r\nlines\"") + row("3", "b")},
		}, one, "info table-in-parts"},
		{"UTF-16", []handmadeFile{
			{"Candidates1.csv", utf16(strings.TrimSuffix(heads+row("1", "ł"), "\r\n"))},
			{"Candidates2.csv", utf16(heads + row("2", "a") + row("3", "b"))},
		}, one, "info table-in-parts"},
		{"blank lines above the headings, and each file ends with Control-Z", []handmadeFile{
			{"Candidates_1.csv", "\r\n" + heads + row("1", "c") + "\x1a"},
			{"Candidates_2.csv", "\r\n" + heads + row("2", "a") + "\x1a"},
			{"Candidates_3.csv", "\r\n" + heads + row("3", "b") + "\x1a"},
		}, one, "info table-in-parts"},
		{"line ends of old Macs", []handmadeFile{
			{"Candidates_1.csv", strings.ReplaceAll(heads+row("1", "c"), "\r\n", "\r")},
			{"Candidates_2.csv", strings.ReplaceAll(
				heads+row("2", "\"two\nlines\"")+row("3", "b"), "\r\n", "\r",
			)},
		}, one, "info table-in-parts"},
		{"UTF-16 with Control-Z", []handmadeFile{
			{"Candidates1.csv", utf16(heads + row("1", "ł") + "\x1a")},
			{"Candidates2.csv", utf16(heads + row("2", "a") + row("3", "b") + "\x1a")},
		}, one, "info table-in-parts"},
		{"a second download of the same file", []handmadeFile{
			{"Candidates.csv", heads + row("1", "c") + row("2", "a")},
			{"Candidates (1).csv", heads + row("1", "c") + row("2", "a")},
		}, []string{"1", "2"}, "warning table-repeated"},
		{"a later version of the same file", []handmadeFile{
			{"Candidates.csv", heads + row("1", "c") + row("2", "a")},
			{"Candidates (1).csv", heads + row("1", "c") + row("2", "a") + row("3", "new")},
		}, []string{"1", "2"}, "warning table-repeated"},
		{"other headings", []handmadeFile{
			{"Candidates_1.csv", heads + row("1", "c")},
			{"Candidates_2.csv", strings.Replace(heads, "Internal Note", "Summary", 1) + row("2", "a")},
		}, []string{"1"}, "warning table-repeated"},
		{"a number is missing", []handmadeFile{
			{"Candidates_1.csv", heads + row("1", "c")}, {"Candidates_3.csv", heads + row("3", "a")},
		}, []string{"1"}, "warning table-repeated"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			site := newSite(t, map[string]string{
				"/data.zip":        string(zipped(t, c.files)),
				"/attachments.zip": zipOf(t, "offer.pdf", "%PDF-1.4 an offer"),
				"/cvs.zip":         zipOf(t, "CA-1 Person 1.pdf", "%PDF-1.4 a life"),
			})
			root := t.TempDir()
			r := mustTake(t, site.master("s3cret", "/data.zip", "/attachments.zip", "/cvs.zip"), quick(t,
				root))
			got := ask(t, root, r, "select right(candidate_id, 1) from candidates order by created_on")
			if d := cmp.Diff(c.people, got); d != "" {
				t.Error(d)
			}
			bag := openBag(t, root, r.Export)
			status, err := ReadStatus(t.Context(), bag)
			if err != nil {
				t.Fatal(err)
			}
			var codes []string
			for _, f := range allFindings(t, status, bag) {
				codes = append(codes, string(f.Severity)+" "+string(f.Code))
				if f.Code == query.RowsRagged {
					t.Errorf("a record that is none: %s", f.Detail)
				}
			}
			if !slices.Contains(codes, c.code) {
				t.Errorf("no %s in %q", c.code, codes)
			}
			received := 0
			for _, rec := range status.Records {
				if strings.HasPrefix(rec.Table, "candidates") {
					received += 1 + len(rec.Further)
				}
			}
			if received != len(c.files) {
				t.Errorf("%d of %d files are recorded as received", received, len(c.files))
			}
			mustVerify(t, root, r)
			deep, err := Verify(t.Context(), bag, archive.Deep, t.TempDir(), archive.VerifyOptions{})
			if err != nil || !deep.Valid {
				t.Errorf("verified deeply: %+v, %v", deep, err)
			}
		})
	}
}

func TestLineEnd(t *testing.T) {
	for head, want := range map[string]int{
		"a,b\r\nc": 5, "a,b\nc": 4, "a,b\rc": 4, "a,b": 0, "": 0, "\r\n": 2, "\ra\n": 1,
		"\xff\xfea\x00\r\x00\n\x00b\x00": 8, "\xff\xfea\x00\n\x00b\x00": 6, "\xff\xfea\x00\r\x00b\x00": 6,
		"\xfe\xff\x00a\x00\r\x00\n\x00b": 8, "\xfe\xff\x00a\x00\n\x00b": 6, "\xfe\xff\x00a\x00\r\x00b": 6,
	} {
		if got := lineEnd([]byte(head)); got != want {
			t.Errorf("lineEnd(%q) = %d, want %d", head, got, want)
		}
	}
}
