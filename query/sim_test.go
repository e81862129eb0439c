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
	"testing"
	"time"

	"holdall/internal/exportsim"
	"holdall/schemas"
)

// simulate invents an export and returns it with its CSVs, unpacked, by name.
func simulate(t testing.TB, people int, dialect schemas.Dialect, mistakes bool) (*exportsim.Export, map[string]string) {
	t.Helper()
	dir := t.TempDir()
	e, err := exportsim.Prepare(context.Background(), exportsim.Config{Seed: 7, People: people, Dialect: dialect, Mistakes: mistakes, Dir: dir})
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
			if !yield(Entry{DocID: fmt.Sprintf("%s-%06d", part, n), Part: part, Container: 1, Index: n, Offset: int64(n) * 10, Name: d.Entry, Size: d.Size}, err) {
				return
			}
			n++
		}
	}
}

// loadSimulated matches and loads the documents of a simulated export, and returns what was matched by document.
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
	w.Write([]string{"doc_id", "part", "pack", "offset", "size", "sha256", "media_type", "owner_type", "owner_id", "attachment_id", "original_name", "state", "matched_by"})
	matched := map[string]Matched{}
	for _, part := range []string{"attachments", "cvs"} {
		for m, err := range b.Match(ctx, entriesOf(e, part)) {
			if err != nil {
				t.Fatal(err)
			}
			matched[m.DocID] = m
			d := truth[m.DocID]
			w.Write([]string{m.DocID, m.Part, "p.zip", "10", strconv.FormatInt(m.Size, 10), d.SHA256.String(), d.MediaType, m.OwnerType, m.OwnerID, m.AttachmentID, m.Name, "ok", m.By})
		}
	}
	w.Flush()
	if err := b.LoadDocuments(ctx, &index); err != nil {
		t.Fatal(err)
	}
	for id, m := range matched {
		d := truth[id]
		if (m.OwnerID != d.OwnerID || m.AttachmentID != d.AttachmentID) && d.Mistake == "" {
			t.Errorf("%s: matched with %s %s by %q, truth is %s %s", m.Name, m.OwnerID, m.AttachmentID, m.By, d.OwnerID, d.AttachmentID)
		}
	}
	return matched
}

func TestSimulatedExport(t *testing.T) {
	ctx := context.Background()
	e, files := simulate(t, 200, schemas.Title, false)
	b, _ := build(t, BuildOptions{})
	for name, r := range loadAll(t, b, files) {
		t.Log(name, r.Rows, r.Rejected, r.Quarantined, r.Encoding, r.LineEnd, r.Dates)
	}
	how := map[string]int{}
	for _, m := range loadSimulated(t, b, e) {
		how[m.Part+" "+m.By]++
	}
	t.Log(how)
	if err := b.Reconcile(ctx, map[string]bool{"attachments": true, "cvs": true}); err != nil {
		t.Fatal(err)
	}
	for f, err := range b.Findings(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		t.Log(f)
	}
	if err := b.Finish(ctx); err != nil {
		t.Fatal(err)
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
