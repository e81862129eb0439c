package takeover

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdall/archive"
	"holdall/query"
)

// Each case is the data of an export, by the paths of its links, whose people are spread over several of
// them.
func TestTableInSeveralContainers(t *testing.T) {
	t.Parallel()
	const heads = "Candidate Id,Reference,First Name,Created On\r\n"
	row := func(n string) string {
		return "abcd0000000000000000000000000000000" + n + ",CA-" + n + ",Person " + n + ",2024-01-1" + n +
			" 08:00:00\r\n"
	}
	const jobs = "Job Id,Reference,Job Name,Created On\r\nabcd00000000000000000000000000000009,JB-9,Smith," +
		"2024-01-02 08:00:00\r\n"
	one := []string{"1", "2", "3"}
	type links map[string]string
	cases := []struct {
		name   string
		links  links
		people []string
		code   string // of the finding that says how the files were read
	}{
		{"a link each", links{
			"/Candidates_1.csv": heads + row("1"), "/Candidates_2.csv": heads + row("2") + row("3"),
			"/Jobs.csv": jobs,
		}, one, "info table-in-parts"},
		{"a link each, the first without a number", links{
			"/Candidates.csv": heads + row("1"), "/Candidates_2.csv": heads + row("2"),
			"/Candidates_3.csv": heads + row("3"),
		}, one, "info table-in-parts"},
		{"a ZIP each", links{
			"/data-1.zip": zipOf(t, "one/Candidates part 1.csv", heads+row("1"), "one/Jobs.csv", jobs),
			"/data-2.zip": zipOf(t, "two/Candidates part 2.csv", heads+row("2")+row("3")),
		}, one, "info table-in-parts"},
		{"ZIPs in a ZIP", links{"/data.zip": zipOf(t,
			"a.zip", zipOf(t, "Candidates_1.csv", heads+row("1"), "Jobs.csv", jobs),
			"b.zip", zipOf(t, "Candidates_2.csv", heads+row("2")+row("3")),
		)}, one, "info table-in-parts"},
		{"two ZIPs joined", links{
			"/data.zip": zipOf(t, "Candidates_1.csv", heads+row("1")+row("2"), "Jobs.csv", jobs) +
				zipOf(t, "Candidates_2.csv", heads+row("3")),
		}, one, "info table-in-parts"},
		{"a number in the names, and one file", links{
			"/acme 7 Candidates.csv": heads + row("1") + row("2") + row("3"), "/acme 7 Jobs.csv": jobs,
		}, one, ""},
		{"the same file twice", links{
			"/Candidates_1.csv": heads + row("1") + row("2"),
			"/Candidates_2.csv": heads + row("1") + row("2"),
		}, []string{"1", "2"}, "warning table-repeated"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			objects := map[string]string{
				"/attachments.zip": zipOf(t, "offer.pdf", "%PDF-1.4 an offer"),
				"/cvs.zip":         zipOf(t, "CA-1 Person 1.pdf", "%PDF-1.4 a life"),
			}
			var paths []string
			for path, content := range c.links {
				objects[path], paths = content, append(paths, path)
			}
			slices.Sort(paths)
			slices.Reverse(paths) // the last part is the first link
			site := newSite(t, objects)
			var master strings.Builder
			master.WriteString("Part,Link\r\n")
			for _, path := range paths {
				path = strings.ReplaceAll(path, " ", "%20")
				fmt.Fprintf(&master, "Data files,%s%s?sig=s3cret\r\n", site.URL, path)
			}
			fmt.Fprintf(&master, "Attachments,%s/attachments.zip?sig=s3cret\r\n", site.URL)
			fmt.Fprintf(&master, "Internal CVs,%s/cvs.zip?sig=s3cret\r\n", site.URL)
			root := t.TempDir()
			r := mustTake(t, MasterCSV{Raw: []byte(master.String())}, quick(t, root))
			got := ask(t, root, r, "select right(candidate_id, 1) from candidates order by created_on")
			if d := cmp.Diff(c.people, got); d != "" {
				t.Error(d)
			}
			owners := ask(t, root, r, "select right(owner_id, 1) from documents where part = 'cvs'")
			if d := cmp.Diff([]string{"1"}, owners); d != "" {
				t.Error(d)
			}
			bag := openBag(t, root, r.Export)
			status, err := ReadStatus(t.Context(), bag)
			if err != nil {
				t.Fatal(err)
			}
			var codes []string
			for _, f := range allFindings(t, status, bag) {
				if f.Code == query.TableInParts || f.Code == query.TableRepeated {
					codes = append(codes, string(f.Severity)+" "+string(f.Code))
				}
			}
			if got := strings.Join(codes, ", "); got != c.code {
				t.Errorf("findings about tables: %q, want %q", got, c.code)
			}
			mustVerify(t, root, r)
			deep, err := Verify(t.Context(), bag, archive.Deep, t.TempDir(), archive.VerifyOptions{})
			if err != nil || !deep.Valid {
				t.Errorf("verified deeply: %+v, %v", deep, err)
			}
		})
	}
}

// What a link leads to need not have a name: a token may stand in its place. A table is one by its headings.
func TestTablesBehindLinksWithoutNames(t *testing.T) {
	t.Parallel()
	const people = "Candidate Id,Reference,First Name,Created On\r\n" +
		"abcd00000000000000000000000000000001,CA-1,Person 1,2024-01-11 08:00:00\r\n"
	site := newSite(t, map[string]string{
		"/d/9f8a7b6c5d4e3f2a1b00": people,
		"/d/9f8a7b6c5d4e3f2a1b01": "Fee Id,Fee,Start\r\nF-1,4,soon\r\n",
		"/d/9f8a7b6c5d4e3f2a1b02": zipOf(t, "export.bin", "Job Id,Unique Id,Job Type,Created On\r\n"+
			"abcd00000000000000000000000000000009,JB-9,Permanent,2024-01-02 08:00:00\r\n"),
	})
	var master strings.Builder
	master.WriteString("Part,Link\r\n")
	for i := range 3 {
		fmt.Fprintf(&master, "Data files,%s/d/9f8a7b6c5d4e3f2a1b0%d?sig=s3cret\r\n", site.URL, i)
	}
	root := t.TempDir()
	r := mustTake(t, MasterCSV{Raw: []byte(master.String())}, quick(t, root))
	for sql, want := range map[string]string{
		"select reference from candidates": "CA-1",
		"select job_type from jobs":        "Permanent",
		"select fee from unnamed_02":       "4",
	} {
		if got := strings.Join(ask(t, root, r, sql), ","); got != want {
			t.Errorf("%s: %q, want %q", sql, got, want)
		}
	}
	mustVerify(t, root, r)
}

// Documents wait for the table that their owners are in, and it for a data object whose link dies: the run
// ends all the same, and the next one has everything.
func TestATableInPartsWaitsInVain(t *testing.T) {
	t.Parallel()
	const heads = "Candidate Id,Reference,First Name,Created On\r\n"
	row := func(n string) string {
		return "abcd0000000000000000000000000000000" + n + ",CA-" + n + ",Person " + n + ",2024-01-1" + n +
			" 08:00:00\r\n"
	}
	filler := make([]byte, 3<<20) // more than a probe looks at
	rand.NewChaCha8([32]byte{}).Read(filler)
	site := newSite(t, map[string]string{
		"/Candidates_1.csv": heads + row("1"), "/Candidates_2.csv": heads + row("2"),
		"/data.zip": zipOf(t, "filler.bin", string(filler)),
		"/cvs.zip":  zipOf(t, "CA-2 Person 2.pdf", "%PDF-1.4 a life"),
	})
	zip := site.objects["/data.zip"]
	zip.odd = func(n int, w http.ResponseWriter, r *http.Request) bool {
		if n > 1 {
			http.Error(w, "gone", http.StatusGone)
			return true
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(zip.body)))
		_, err := w.Write(zip.body[:1<<20])
		if err == nil {
			panic(http.ErrAbortHandler)
		}
		return true
	}
	master := MasterCSV{Raw: fmt.Appendf(nil, "Part,Link\r\nData files,%[1]s/Candidates_1.csv?sig=s3cret\r\n"+
		"Data files,%[1]s/Candidates_2.csv?sig=s3cret\r\nData files,%[1]s/data.zip?sig=s3cret\r\n"+
		"Internal CVs,%[1]s/cvs.zip?sig=s3cret\r\n", site.URL)}
	root := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := Take(ctx, master, quick(t, root))
	if r == nil || r.State != StateExpired || ctx.Err() != nil {
		t.Fatalf("%+v, %v; want that a link has died", r, err)
	}
	site.mu.Lock()
	zip.odd = nil
	site.mu.Unlock()
	r = mustTake(t, master, quick(t, root))
	got := ask(t, root, r, "select right(owner_id, 1) from documents where part = 'cvs'")
	if d := cmp.Diff([]string{"2"}, got); d != "" {
		t.Error(d)
	}
}
