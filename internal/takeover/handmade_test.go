package takeover

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdall/archive"
	"holdall/query"
	"holdall/schemas"
)

// A handmade export is one whose every name and byte a test decides. Its tables are CSVs by table name, with
// any of the schema's columns as headings; the rest of the schema's columns are added, empty. Tables that a
// test does not give have no rows, but for one candidate and one user.
type handmade struct {
	tables           map[string]string
	attachments, cvs []handmadeFile
}

type handmadeFile struct{ name, content string }

// data returns the CSVs of the data part.
func (h handmade) data(t *testing.T) []handmadeFile {
	t.Helper()
	var files []handmadeFile
	for _, s := range schemas.Recruitly() {
		given, ok := h.tables[s.Name]
		switch {
		case ok:
		case s.Name == "candidates":
			given = "candidate_id,reference,full_name\nabcd00000000000000000000000000000001,CA-1,Ada Byron\n"
		case s.Name == "users":
			given = "user_id,full_name\nu-1,Grace Hopper\n"
		}
		files = append(files, handmadeFile{s.File, completed(t, s, given)})
	}
	return files
}

// completed adds the columns of a schema that a CSV lacks.
func completed(t *testing.T, s schemas.Table, given string) string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(given)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) == 0 {
		rows = [][]string{nil}
	}
	for _, c := range s.Columns {
		if slices.Contains(rows[0], c.Name) {
			continue
		}
		rows[0] = append(rows[0], c.Name)
		for i := range rows[1:] {
			rows[i+1] = append(rows[i+1], "")
		}
	}
	var b strings.Builder
	if err := csv.NewWriter(&b).WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// take serves the export and takes it over into root.
func (h handmade) take(t *testing.T, root string) *Result {
	t.Helper()
	r, err := Take(t.Context(), MasterCSV{Raw: h.serve(t)}, options(t, root))
	if err != nil {
		t.Fatalf("take: %v", err)
	}
	return r
}

// serve serves the three ZIPs until the test ends and returns the master CSV.
func (h handmade) serve(t *testing.T) (master []byte) {
	t.Helper()
	objects := map[string][]byte{
		"/data.zip": zipped(t, h.data(t)), "/attachments.zip": zipped(t, h.attachments),
		"/cvs.zip": zipped(t, h.cvs),
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, ok := objects[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("ETag", fmt.Sprintf(`"%x"`, len(content)))
		http.ServeContent(w, r, "", time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), bytes.NewReader(content))
	}))
	t.Cleanup(s.Close)
	return fmt.Appendf(
		nil, "Data files,Attachments,Internal CVs\n%[1]s/data.zip,%[1]s/attachments.zip,%[1]s/cvs.zip\n",
		s.URL,
	)
}

func zipped(t *testing.T, files []handmadeFile) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range files {
		w, err := z.Create(f.name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// mustVerify verifies an archive down to its documents and tables.
func mustVerify(t *testing.T, root string, r *Result) {
	t.Helper()
	report, err := Verify(t.Context(), openBag(t, root, r.Export), archive.Deep, t.TempDir(),
		archive.VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !report.Valid {
		t.Errorf("verify finds faults in a fresh archive: %+v", report.Faults)
	}
}

// ask runs SQL on an archive's database, rebuilt, and returns the rows with their cells joined by bars.
func ask(t *testing.T, root string, r *Result, sql string) []string {
	t.Helper()
	db, err := OpenDatabase(t.Context(), openBag(t, root, r.Export), t.TempDir(), query.OpenOptions{}, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(t.Context(), sql, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		cells, err := rows.Strings()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, strings.Join(cells, "|"))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAnExportMayHaveNoDocumentsAtAll(t *testing.T) {
	const attachment = "attachment_id,record_id,record_type,file_name,file_path,file_size\n" +
		"f-1,abcd00000000000000000000000000000001,CANDIDATE,terms.txt,,5\n"
	const hasCV = "candidate_id,reference,full_name,has_cv\nabcd00000000000000000000000000000001,CA-1,Ada " +
		"Byron,true\n"
	for _, test := range []struct {
		name   string
		export handmade
		want   DocumentCount
	}{
		{"neither attachments nor CVs", handmade{}, DocumentCount{}},
		{"no CVs", handmade{
			tables:      map[string]string{"attachments": attachment},
			attachments: []handmadeFile{{"CA-1/terms.txt", "terms"}},
		}, DocumentCount{Attachments: 1, Bytes: 5}},
		{"no attachments", handmade{
			tables: map[string]string{"candidates": hasCV},
			cvs:    []handmadeFile{{"CA-1.txt", "a life"}},
		}, DocumentCount{CVs: 1, Bytes: 6}},
		{"a line break in the only name", handmade{
			tables: map[string]string{"candidates": hasCV},
			cvs:    []handmadeFile{{"CA-1 a\nb\r\nc.txt", "a life"}},
		}, DocumentCount{CVs: 1, Bytes: 6}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			r := test.export.take(t, root)
			if r.Faulty() || r.State != StateComplete {
				t.Errorf("%s with findings %+v; want complete, without any", r.State, r.Findings)
			}
			if diff := cmp.Diff(test.want, r.Documents); diff != "" {
				t.Errorf("documents (-want +got):\n%s", diff)
			}
			mustVerify(t, root, r)
			missing := ask(
				t, root, r,
				"select count(*) from findings where code in ('attachment-missing', 'cv-missing')",
			)
			if diff := cmp.Diff([]string{"0"}, missing); diff != "" {
				t.Errorf("missing (-want +got):\n%s", diff)
			}
		})
	}
}
