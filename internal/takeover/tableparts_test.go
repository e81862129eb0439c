package takeover

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/unicode"

	"holdall/archive"
	"holdall/query"
)

// Each case is a directory of an export's data whose people may be spread over several files.
func TestTableInSeveralFiles(t *testing.T) {
	t.Parallel()
	const heads = "Candidate Id,Reference,First Name,Internal Note,Created On\r\n"
	lined := strings.Replace(heads, "Candidate Id", "\"Candidate\r\nId\"", 1)
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
	one := []string{"123"}
	cases := []struct {
		name   string
		files  []handmadeFile
		people []string // of each table that the files became, sorted
	}{
		{"numbers behind the name", []handmadeFile{
			{"Candidates_2.csv", heads + row("2", "a") + row("3", "b")}, {"Candidates_1.csv", heads +
				row("1", "c")},
		}, one},
		{"only further files have a number, and a date is in all names", []handmadeFile{
			{"x/acme Candidates 2026-11-22.csv", heads + row("1", "c")},
			{"x/acme Candidates (2) 2026-11-22.csv", heads + row("2", "a")},
			{"x/acme Candidates (3) 2026-11-22.csv", heads + row("3", "b")},
		}, one},
		{"a file ends without a line end", []handmadeFile{
			{"candidates-part1.csv", strings.TrimSuffix(heads+row("1", "c"), "\r\n")},
			{"candidates-part2.csv", heads + row("2", "\"two\r\nlines\"") + row("3", "b")},
		}, one},
		{"UTF-16", []handmadeFile{
			{"Candidates1.csv", utf16(strings.TrimSuffix(heads+row("1", "ł"), "\r\n"))},
			{"Candidates2.csv", utf16(heads + row("2", "a") + row("3", "b"))},
		}, one},
		{"blank lines above the headings, and each file ends with Control-Z", []handmadeFile{
			{"Candidates_1.csv", "\r\n" + heads + row("1", "c") + "\x1a"},
			{"Candidates_2.csv", "\r\n" + heads + row("2", "a") + "\x1a"},
			{"Candidates_3.csv", "\r\n" + heads + row("3", "b") + "\x1a"},
		}, one},
		{"line ends of old Macs", []handmadeFile{
			{"Candidates_1.csv", strings.ReplaceAll(heads+row("1", "c"), "\r\n", "\r")},
			{"Candidates_2.csv", strings.ReplaceAll(
				heads+row("2", "\"two\nlines\"")+row("3", "b"), "\r\n", "\r",
			)},
		}, one},
		{"UTF-16 with Control-Z", []handmadeFile{
			{"Candidates1.csv", utf16(heads + row("1", "ł") + "\x1a")},
			{"Candidates2.csv", utf16(heads + row("2", "a") + row("3", "b") + "\x1a")},
		}, one},
		{"several files without rows", []handmadeFile{
			{"Candidates_1.csv", heads}, {"Candidates_2.csv", heads + row("1", "c")},
			{"Candidates_3.csv", heads}, {"Candidates_4.csv", heads + row("2", "a") + row("3", "b")},
		}, one},
		{"a second download of the same file", []handmadeFile{
			{"Candidates.csv", heads + row("1", "c") + row("2", "a")},
			{"Candidates (1).csv", heads + row("1", "c") + row("2", "a")},
		}, []string{"12", "12"}},
		{"a later version of the same file", []handmadeFile{
			{"Candidates.csv", heads + row("1", "c") + row("2", "a")},
			{"Candidates (1).csv", heads + row("1", "c") + row("2", "a") + row("3", "new")},
		}, []string{"12", "123"}},
		{"other headings", []handmadeFile{
			{"Candidates_1.csv", heads + row("1", "c")},
			{"Candidates_2.csv", strings.Replace(heads, "Internal Note", "Summary", 1) + row("2", "a")},
		}, []string{"1", "2"}},
		{"a number is missing", []handmadeFile{
			{"Candidates_1.csv", heads + row("1", "c")}, {"Candidates_3.csv", heads + row("3", "a")},
		}, []string{"1", "3"}},
		{"a line end in the headings", []handmadeFile{
			{"Candidates_1.csv", lined + row("1", "c")},
			{"Candidates_2.csv", lined + row("2", "\"two\r\nlines\"") + row("3", "b")},
		}, one},
	}
	var files []handmadeFile
	for i, c := range cases {
		for _, f := range c.files {
			files = append(files, handmadeFile{fmt.Sprintf("case%02d/%s", i, f.name), f.content})
		}
	}
	site := newSite(t, map[string]string{"/data.zip": string(zipped(t, files))})
	root := t.TempDir()
	r := mustTake(t, site.master("s3cret", "/data.zip"), quick(t, root))
	bag := openBag(t, root, r.Export)
	status, err := ReadStatus(t.Context(), bag)
	if err != nil {
		t.Fatal(err)
	}
	var selects []string
	received := map[string]int{}  // files by case
	inParts := map[string]bool{}  // cases, by the finding
	people := map[string]string{} // by the name of the table's first file
	for _, rec := range status.Records {
		received[rec.File[:len("case00")]] += 1 + len(rec.Further)
		selects = append(selects, fmt.Sprintf(
			"select '%s', string_agg(right(candidate_id, 1), '' order by created_on) from %s", rec.File,
			rec.Table))
	}
	for _, line := range ask(t, root, r, strings.Join(selects, " union all ")) {
		name, of, _ := strings.Cut(line, "|")
		people[name] = of
	}
	for _, f := range allFindings(t, status, bag) {
		if f.Code == query.TableInParts {
			inParts[f.Detail[:len("case00")]] = true
		}
		if f.Code == query.RowsRagged {
			t.Errorf("a record that is none: %s", f.Detail)
		}
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := fmt.Sprintf("case%02d", i)
			var got []string
			for _, name := range slices.Sorted(maps.Keys(people)) {
				if strings.HasPrefix(name, dir) {
					got = append(got, people[name])
				}
			}
			slices.Sort(got)
			if d := cmp.Diff(c.people, got); d != "" {
				t.Error(d)
			}
			if got, want := inParts[dir], len(c.people) == 1; got != want {
				t.Errorf("reported as a table in parts: %t, want %t", got, want)
			}
			if received[dir] != len(c.files) {
				t.Errorf("%d of %d files are recorded as received", received[dir], len(c.files))
			}
		})
	}
	deep, err := Verify(t.Context(), bag, archive.Deep, t.TempDir(), archive.VerifyOptions{})
	if err != nil || !deep.Valid {
		t.Errorf("verified deeply: %+v, %v", deep, err)
	}
}

func TestLineEnd(t *testing.T) {
	for head, want := range map[string]int{
		"a,b\r\nc": 5, "a,b\nc": 4, "a,b\rc": 4, "a,b": 0, "": 0, "\r\n": 2, "\ra\n": 1,
		"\xff\xfea\x00\r\x00\n\x00b\x00": 8, "\xff\xfea\x00\n\x00b\x00": 6, "\xff\xfea\x00\r\x00b\x00": 6,
		"\xfe\xff\x00a\x00\r\x00\n\x00b": 8, "\xfe\xff\x00a\x00\n\x00b": 6, "\xfe\xff\x00a\x00\r\x00b": 6,
	} {
		if got := lineEnd([]byte(head), 0); got != want {
			t.Errorf("lineEnd(%q) = %d, want %d", head, got, want)
		}
	}
}

// What follows a cell that has no end would become the rest of it.
func TestPartsThatBreakOffAreNotFollowed(t *testing.T) {
	const next = "a,b\r\n3,x\r\n"
	for first, want := range map[string]bool{
		"a,b\r\n1,x\r\n":                                        true,
		"a,b\r\n1,\"x\r\ny\"\r\n":                               true,
		"a,b\r\n1,\"x \"\"y\"\"\"":                              true,
		"a,b\r\n1,a 5\" pipe\r\n":                               true,
		"a,b\r\n1,\"said \\\"maybe\\\", twice\"\r\n":            true,
		"a,b\r\n1,\"x and":                                      false,
		"a,b\r\n1,\"x \"\"y":                                    false,
		"a,b\r\n" + strings.Repeat("1,\"x\"\r\n", 100) + "2,\"": false,
	} {
		var files []*dataFile
		for i, content := range []string{first, next} {
			f := &dataFile{plain: filepath.Join(t.TempDir(), fmt.Sprint(i))}
			if err := os.WriteFile(f.plain, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		if got, err := areParts(files); got != want || err != nil {
			t.Errorf("%q followed by a part: %t, %v; want %t", first, got, err, want)
		}
	}
}
