package takeover

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdall/internal/containertest"
	"holdall/query"
)

// wrongByte serves an object with one byte changed, the first n times that it is asked for; always, where n
// is negative.
func (s *site) wrongByte(path string, at, n int) {
	o := s.objects[path]
	o.etag = "-" // or an MD5 of the listing's could tell
	o.odd = func(times int, w http.ResponseWriter, r *http.Request) bool {
		if n >= 0 && times > n {
			return false
		}
		bad := bytes.Clone(o.body)
		bad[at] ^= 0x15
		http.ServeContent(w, r, "", time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), bytes.NewReader(bad))
		return true
	}
}

// listedExport is an export of which two parts are listings of files that hold others: gzipped tables, and a
// ZIP cut in two.
func listedExport(t *testing.T, letter string) *site {
	t.Helper()
	s := newSite(t, map[string]string{"/cvs.zip": zipOf(t, "CA-1.txt", "a life")})
	var tables, pieces strings.Builder
	tables.WriteString("name,url\r\n")
	rows := "attachment_id,record_id,record_type,file_name,file_path,file_size\n"
	for i, name := range []string{"terms.txt", "offer.txt"} {
		size := []int{len(letter), len("an offer")}[i]
		rows += fmt.Sprintf(
			"f-%d,abcd00000000000000000000000000000001,CANDIDATE,%s,CA-1/%[2]s,%d\n", i, name, size,
		)
	}
	for _, f := range (handmade{tables: map[string]string{"attachments": rows}}).data(t) {
		s.put("/t/"+f.name+".gz", string(containertest.Gzip(t, []byte(f.content))))
		fmt.Fprintf(&tables, "%s.gz,%s/t/%[1]s.gz?sig=quiet\r\n", f.name, s.URL)
	}
	s.put("/tables.csv", tables.String())
	z := zipOf(t, "CA-1/terms.txt", letter, "CA-1/offer.txt", "an offer")
	pieces.WriteString("name,url\r\n")
	for i, piece := range []string{z[:len(z)/2], z[len(z)/2:]} {
		s.put(fmt.Sprintf("/p/letters.zip.00%d", i+1), piece)
		fmt.Fprintf(&pieces, "letters.zip.00%d,%s/p/letters.zip.00%[1]d?sig=quiet\r\n", i+1, s.URL)
	}
	s.put("/letters.csv", pieces.String())
	return s
}

// Containers that come as files of a listing are fetched again when they are damaged, like those that have a
// link of their own.
func TestListedContainersHeal(t *testing.T) {
	large := noise(6 << 20)
	for name, c := range map[string]struct {
		letter, path string
		at           int
	}{
		"a gzipped table":           {"the terms", "/t/Candidates.csv.gz", 40},
		"the directory of a ZIP":    {"the terms", "/p/letters.zip.002", 60},
		"a document of a ZIP":       {noise(2000), "/p/letters.zip.001", 400},
		"a large piece":             {large, "/p/letters.zip.001", 1 << 20},
		"a name in a listed header": {"the terms", "/p/letters.zip.001", 32},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := listedExport(t, c.letter)
			s.wrongByte(c.path, c.at, 1)
			root := t.TempDir()
			r := mustTake(t, s.master("quiet", "/tables.csv", "/letters.csv", "/cvs.zip"), quick(t, root))
			if r.Faulty() || r.Documents.Attachments != 2 || len(r.Tables) != 10 {
				t.Errorf("%+v; want two attachments and ten tables, and no findings", r)
			}
			for at := range archivedDocuments(t, openBag(t, root, r.Export)) {
				if !strings.HasPrefix(at.name, "CA-1") {
					t.Errorf("a document is named %q", at.name)
				}
			}
			if n := s.requests(c.path); n != 2 {
				t.Errorf("%d requests for the damaged file, want two", n)
			}
			mustVerify(t, root, r)
		})
	}
}

// One that comes damaged from two separate fetches is damaged at its source: what can be read of it is taken,
// it is kept whole, and the finding says where.
func TestAListedContainerDamagedAtItsSource(t *testing.T) {
	for path, code := range map[string]query.Code{
		"/t/Tasks.csv.gz": query.ContainerUnopened, "/p/letters.zip.002": query.ContainerDamaged,
	} {
		t.Run(string(code), func(t *testing.T) {
			t.Parallel()
			s := listedExport(t, "the terms")
			s.wrongByte(path, len(s.objects[path].body)-20, -1)
			root := t.TempDir()
			r := mustTake(t, s.master("quiet", "/tables.csv", "/letters.csv", "/cvs.zip"), quick(t, root))
			if !slices.ContainsFunc(r.Findings, func(f FindingCount) bool { return f.Code == code }) {
				t.Errorf("findings %+v; want %s", r.Findings, code)
			}
			if n := s.requests(path); n != 2 {
				t.Errorf("%d requests for the damaged file, want two", n)
			}
			for _, f := range ask(t, root, r, "select detail from findings where severity <> 'info'") {
				_, after, ok := strings.Cut(f, " in data/")
				if !ok {
					continue
				}
				words := strings.FieldsFunc(
					after, func(r rune) bool { return r == ' ' || r == ':' || r == ';' },
				)
				kept := "data/" + strings.TrimRight(words[0], ".")
				if _, err := os.Stat(filepath.Join(root, "exports", r.Export, kept)); err != nil {
					t.Errorf("%q: %v", f, err)
				}
			}
			mustVerify(t, root, r)
		})
	}
}
