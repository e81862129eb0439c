package archive_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdall/archive"
)

const testID = "recruitly-acme-20261122T013300Z-abcd"

// A sample is a document with its bytes.
type sample struct {
	archive.Document
	content []byte
}

// noise returns bytes that do not compress.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	r.Read(b)
	return b
}

func pdf(seed uint64, n int) []byte { return append([]byte("%PDF-1.4\n"), noise(seed, n)...) }

// samples are documents of both parts: stored, deflated, empty, repeated within a part and between parts,
// oddly named.
func samples() map[string][]sample {
	doc := func(id, owner, name string, content []byte) sample {
		ownerType := "CANDIDATE"
		if owner == "" {
			ownerType = ""
		}
		return sample{archive.Document{ID: id, OwnerType: ownerType, OwnerID: owner, OriginalName: name,
			OriginalNameRaw: []byte(name),
			ReceivedIn:      "01 attachments.zip", Modified: time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC),
			MatchedBy: "path"}, content}
	}
	text := []byte(strings.Repeat("Wanda Example, welder, 07700 900123. ", 300))
	return map[string][]sample{
		"attachments": {
			doc("a1-000001", "CAND1", "cv one.pdf", pdf(1, 5000)),
			doc("a1-000002", "CAND2", "Lebenslauf Jörg Müller.txt", text),
			doc("a1-000003", "CAND3", "empty.docx", nil),
			doc("a1-000004", "CAND4", "copy of cv one.pdf", pdf(1, 5000)),
			doc("a1-000005", "", "履歴書.pdf", pdf(5, 9000)),
			doc(
				"a1-000006", "CAND6", "error.pdf",
				[]byte("<!DOCTYPE html><html><title>Access denied</title></html>"),
			),
			doc("a1-000007", "CAND7", "../../etc/passwd", pdf(7, 100)),
			doc("a1-000008", "CAND8", "bad\x00name\n.pdf", pdf(8, 20000)),
		},
		"cvs": {
			doc("c2-000001", "CAND1", "cv one.pdf", pdf(1, 5000)),
			doc("c2-000002", "CAND9", "cv nine.pdf", pdf(9, 3000)),
			doc("c2-000003", "CAND2", "text.txt", text),
		},
	}
}

// addDocuments adds the samples that the builder does not have, and finishes.
func addDocuments(t testing.TB, b *archive.Builder, all map[string][]sample) {
	t.Helper()
	ctx := context.Background()
	for _, part := range []string{"attachments", "cvs"} {
		p, err := b.Packer(part)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range all[part] {
			if p.Has(s.ID) {
				continue
			}
			if _, err := p.Add(ctx, s.Document, bytes.NewReader(s.content)); err != nil {
				t.Fatalf("add %s: %v", s.ID, err)
			}
		}
	}
	for _, part := range []string{"attachments", "cvs"} {
		p, _ := b.Packer(part)
		if err := p.Finish(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

const tableCSV = "Candidate Id,Name\r\nCAND1,Wanda Example\r\n"

// tiny is the smallest export with a document.
func tiny() map[string][]sample {
	return map[string][]sample{"attachments": samples()["attachments"][:1]}
}

// sealedTiny returns a staging directory that holds a sealed bag of few files.
func sealedTiny(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "staging")
	b, err := archive.NewBuilder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	writeFile(t, b, "data/received/master.csv", "part,link\n")
	addDocuments(t, b, tiny())
	if _, err := b.WriteIndex(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := b.Seal(context.Background(), testInfo); err != nil {
		t.Fatal(err)
	}
	return dir
}

// fill brings a bag to the point where it can be sealed, from wherever an earlier process left it.
func fill(t testing.TB, b *archive.Builder) {
	t.Helper()
	writeFile(t, b, "data/received/master.csv", "part,link\nattachments,https://files.example.com/…\n")
	writeFile(t, b, "custody/receipts.jsonl", "{}\n")
	writeFile(t, b, "custody/completeness.json", "{}\n")
	writeFile(t, b, "datapackage.json", "{}\n")
	writeFile(t, b, "data/tables/candidates/part-00000.parquet", "PAR1 not really PAR1")
	if _, ok := b.Has("data/received/tables/Candidates.csv.zst"); !ok {
		z, err := b.CreateZstd("data/received/tables/Candidates.csv.zst")
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		if _, err := io.WriteString(z, tableCSV); err != nil {
			t.Fatal(err)
		}
		if _, err := z.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	addDocuments(t, b, samples())
	if _, err := b.WriteIndex(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func writeFile(t testing.TB, b *archive.Builder, name, content string) {
	t.Helper()
	if _, ok := b.Has(name); ok {
		return
	}
	f, err := b.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.WriteString(f, content); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Commit(); err != nil {
		t.Fatal(err)
	}
}

var testInfo = archive.BagInfo{
	ID: testID, Organization: "Example platform, account acme",
	Started:  time.Date(2026, 11, 22, 1, 33, 0, 0, time.UTC),
	Software: "holdall v0.0.0-test", Description: "invented\npeople",
}

// sealed returns a builder with the sample bag, sealed.
func sealed(t testing.TB, dir string) *archive.Builder {
	t.Helper()
	b, err := archive.NewBuilder(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	fill(t, b)
	if err := b.Seal(context.Background(), testInfo); err != nil {
		t.Fatal(err)
	}
	return b
}

// committed puts the sample bag into a store and opens it.
func committed(t testing.TB, s archive.Store) *archive.Bag {
	t.Helper()
	ctx := context.Background()
	if err := sealed(t, t.TempDir()).Commit(ctx, s); err != nil {
		t.Fatal(err)
	}
	bag, err := archive.Open(ctx, s, "")
	if err != nil {
		t.Fatal(err)
	}
	return bag
}

// rowsOf reads the index.
func rowsOf(t testing.TB, bag *archive.Bag) []archive.Row {
	t.Helper()
	var rows []archive.Row
	for r, err := range bag.Rows(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	return rows
}

// checkDocuments reads every document and compares it with its sample.
func checkDocuments(t testing.TB, bag *archive.Bag, all map[string][]sample) {
	t.Helper()
	want := map[string][]byte{}
	for _, part := range all {
		for _, s := range part {
			want[s.ID] = s.content
		}
	}
	for _, r := range rowsOf(t, bag) {
		rc, err := bag.OpenDocument(context.Background(), r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(rc)
		rc.Close()
		if err != nil || !bytes.Equal(got, want[r.ID]) {
			t.Errorf("document %s: %v, %d bytes; want %d", r.ID, err, len(got), len(want[r.ID]))
		}
		delete(want, r.ID)
	}
	if len(want) > 0 {
		t.Errorf("%d documents are not in the index: %v", len(want), fmt.Sprint(want)[:100])
	}
}
