package query

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdall/internal/exportsim"
	"holdall/schemas"
)

// simulate invents an export and returns it with its CSVs, unpacked, by name.
func simulate(
	t testing.TB, people int, dialect schemas.Dialect, mistakes bool,
) (*exportsim.Export, map[string]string) {
	t.Helper()
	dir := t.TempDir()
	e, err := exportsim.Prepare(
		context.Background(),
		exportsim.Config{Seed: 7, People: people, Dialect: dialect, Mistakes: mistakes, Dir: dir},
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	out := t.TempDir()
	if err := e.WriteFiles(out); err != nil {
		t.Fatal(err)
	}
	return e, unzipCSVs(t, filepath.Join(out, "data.zip"))
}

func unzipCSVs(t testing.TB, name string) map[string]string {
	t.Helper()
	z, err := zip.OpenReader(name)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	dir, files := t.TempDir(), map[string]string{}
	for i, f := range z.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, strconv.Itoa(i)+".csv")
		out, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(out, in); err != nil {
			t.Fatal(err)
		}
		in.Close()
		out.Close()
		files[f.Name] = path
	}
	return files
}

// build makes a builder in a directory of the test.
func build(t testing.TB, o BuildOptions) (*Builder, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tables.duckdb")
	if o.Threads == 0 {
		o.Threads = 1 // for many small databases at a time
	}
	if o.Snapshot.IsZero() {
		o.Snapshot = time.Date(2026, 3, 31, 17, 30, 0, 0, time.UTC)
	}
	b, err := Create(context.Background(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b, path
}

// loadAll loads CSVs in the order of their names.
func loadAll(t testing.TB, b *Builder, files map[string]string) map[string]*TableReport {
	t.Helper()
	reports := map[string]*TableReport{}
	for _, name := range sortedKeys(files) {
		r, err := b.LoadCSV(context.Background(), name, files[name])
		if err != nil {
			t.Fatal(err)
		}
		reports[r.Table] = r
	}
	return reports
}

// entriesOf are the documents of a simulated export as their containers list them.
func entriesOf(e *exportsim.Export, part string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		n := 0
		for d, err := range e.Documents() {
			if d.Part != part && err == nil {
				continue
			}
			if !yield(
				Entry{
					DocID: fmt.Sprintf("%s-%06d", part, n), Part: part, Container: 1, Index: n,
					Offset: int64(n) * 10, Name: d.Entry, Size: d.Size,
				},
				err,
			) {
				return
			}
			n++
		}
	}
}

// loadSimulated matches and loads the documents of a simulated export, and returns what was matched by
// document.
func loadSimulated(t testing.TB, b *Builder, e *exportsim.Export) map[string]Matched {
	t.Helper()
	ctx := context.Background()
	truth, count := map[string]exportsim.Document{}, map[string]int{}
	for d, err := range e.Documents() {
		if err != nil {
			t.Fatal(err)
		}
		n := count[d.Part]
		count[d.Part]++
		truth[fmt.Sprintf("%s-%06d", d.Part, n)] = d
	}
	var index bytes.Buffer
	w := csv.NewWriter(&index)
	w.Write([]string{
		"doc_id", "part", "pack", "offset", "size", "sha256", "media_type", "owner_type", "owner_id",
		"attachment_id", "original_name", "state", "matched_by",
	})
	matched := map[string]Matched{}
	for _, part := range []string{"attachments", "cvs"} {
		for m, err := range b.Match(ctx, entriesOf(e, part)) {
			if err != nil {
				t.Fatal(err)
			}
			matched[m.DocID] = m
			d := truth[m.DocID]
			w.Write([]string{
				m.DocID, m.Part, "p.zip", "10", strconv.FormatInt(m.Size, 10), d.SHA256.String(), d.MediaType,
				m.OwnerType, m.OwnerID, m.AttachmentID, m.Name, stateOf(d.Mistake), m.By,
			})
		}
	}
	w.Flush()
	if err := b.LoadDocuments(ctx, &index); err != nil {
		t.Fatal(err)
	}
	for id, m := range matched {
		d := truth[id]
		if (m.OwnerID != d.OwnerID || m.AttachmentID != d.AttachmentID) && d.Mistake == "" {
			t.Errorf(
				"%s: matched with %s %s by %q, truth is %s %s", m.Name, m.OwnerID, m.AttachmentID, m.By,
				d.OwnerID, d.AttachmentID,
			)
		}
	}
	return matched
}

// stateOf is what an archive says of a document that was spoilt.
func stateOf(mistake string) string {
	switch mistake {
	case exportsim.MistakeEmpty:
		return "empty"
	case exportsim.MistakeHTML, exportsim.MistakeXML:
		return "error-page"
	case exportsim.MistakeLocked, exportsim.MistakeEncrypted:
		return "locked"
	case exportsim.MistakeCRC:
		return "damaged-in-source"
	}
	return "ok"
}

// reconciled loads a simulated export whole and returns its findings.
func reconciled(t testing.TB, b *Builder, e *exportsim.Export, files map[string]string) []Finding {
	t.Helper()
	ctx := context.Background()
	loadAll(t, b, files)
	loadSimulated(t, b, e)
	if err := b.Reconcile(ctx, map[string]bool{"attachments": true, "cvs": true}); err != nil {
		t.Fatal(err)
	}
	var all []Finding
	for f, err := range b.Findings(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	return all
}

// The same agency in three dialects loads to the same typed tables, and there is nothing to look at.
func TestThreeDialectsLoadToTheSameTables(t *testing.T) {
	t.Parallel()
	want := map[string][][]string{}
	for _, dialect := range []schemas.Dialect{schemas.Title, schemas.Camel, schemas.Snake} {
		e, files := simulate(t, 20, dialect, false)
		b, _ := build(t, BuildOptions{})
		for _, f := range reconciled(t, b, e, files) {
			if f.Severity != SeverityInfo {
				t.Errorf("%s: %+v", dialect, f)
			}
		}
		for _, l := range b.tables {
			if l.misread != nil {
				t.Errorf("%s: DuckDB misread a clean file: %v", l.File, l.misread)
			}
			if l.Rejected+l.Quarantined > 0 || !l.Known {
				t.Errorf(
					"%s: %d cells rejected, %d rows in quarantine, known %t", l.File, l.Rejected,
					l.Quarantined, l.Known,
				)
			}
		}
		for _, table := range schemas.Recruitly() {
			var columns []string
			for _, c := range table.Columns {
				columns = append(columns, ident(c.Name)+"::VARCHAR")
			}
			got := cells(t, b, "select "+strings.Join(columns, ", ")+" from "+ident(table.Name))
			if want[table.Name] == nil {
				want[table.Name] = got
			} else if d := cmp.Diff(want[table.Name], got); d != "" {
				t.Errorf("%s in %s: %.2000s", table.Name, dialect, d)
			}
		}
	}
}

func TestEveryMistakeOfAnExportIsFound(t *testing.T) {
	t.Parallel()
	e, files := simulate(t, 100, schemas.Title, true)
	b, _ := build(t, BuildOptions{})
	found := reconciled(t, b, e, files)
	codes := map[string]bool{}
	for _, m := range e.Truth().Mistakes {
		codes[m.Code] = true
		if !slices.ContainsFunc(found, func(f Finding) bool { return fits(m, f) }) && m.Code != "" &&
			m.Code != "entry-refused" {
			t.Errorf("nothing found of %+v", m)
		}
	}
	for _, f := range found {
		if i := slices.IndexFunc(
			Codes(), func(c CodeInfo) bool { return c.Code == f.Code },
		); !slices.Contains(Codes()[i].Severities, f.Severity) {
			t.Errorf("a severity that is not documented: %+v", f)
		}
		if f.Severity != SeverityInfo && !codes[string(f.Code)] {
			t.Errorf("found what is not there: %+v", f)
		}
	}
}

// fits reports whether a finding tells of a mistake.
func fits(m exportsim.Mistake, f Finding) bool {
	return string(f.Code) == m.Code && (m.RecordID == "" || m.RecordID == f.RecordID ||
		f.RecordID == "" && f.Table == m.Table ||
		f.Table == "documents" && strings.Contains(f.Detail, m.File)) && (m.File == "" || m.RecordID != "" ||
		strings.Contains(f.Detail, m.File))
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
