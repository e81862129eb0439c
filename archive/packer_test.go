package archive_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"holdall/archive"
)

func TestPacksCloseAtTheirLimits(t *testing.T) {
	b := small(t, t.TempDir())
	p := packer(t, b, "attachments")
	want := map[string][]byte{}
	for i := range 60 {
		// Small ones in numbers, one that fills a pack by itself, one longer than a pack, one longer than a
		// file may be.
		n := []int{10, 10, 10, 10, 2000, 10, 9900, 12_000, 20_000, 4000}[i%10]
		id := fmt.Sprintf("a1-%06d", i)
		want[id] = noise(uint64(i), n)
		row := add(t, p, id, want[id])
		if large := strings.HasPrefix(row.Pack, "data/documents/large/"); large != (n > 15_000) {
			t.Errorf("a document of %d bytes is in %s", n, row.Pack)
		}
	}
	finish(t, p)
	bag, s := commitSmall(t, b)
	checkContents(t, bag, want)
	for name, content := range s.Objects() {
		if filepath.Ext(name) != ".zip" {
			continue
		}
		z, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(content) > 10_000 && len(z.File) != 2 { // the document and _pack.csv
			t.Errorf("%s has %d bytes and %d entries", name, len(content), len(z.File))
		}
		if last := z.File[len(z.File)-1].Name; last != "_pack.csv" {
			t.Errorf("%s ends with the entry %s, want _pack.csv", name, last)
		}
	}
}

func TestThePacksRowsAreTheIndex(t *testing.T) {
	b := small(t, t.TempDir())
	fill(t, b)
	_, s := commitSmall(t, b)
	var union strings.Builder
	for _, part := range []string{"attachments", "cvs"} {
		for n := 1; ; n++ {
			content, ok := s.Objects()[fmt.Sprintf("%sdata/documents/%s-%05d.zip", bagPrefix, part, n)]
			if !ok {
				break
			}
			union.WriteString(ownRows(t, content))
		}
	}
	bag, err := archive.Open(context.Background(), s, testID)
	if err != nil {
		t.Fatal(err)
	}
	r, err := bag.OpenIndexCSV(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	header, rows, _ := strings.Cut(string(got), "\n")
	if header != strings.Join(archive.Columns, ",") {
		t.Errorf("header %s", header)
	}
	if diff := cmp.Diff(rows, union.String()); diff != "" {
		t.Errorf("index and union of _pack.csv (-index +union):\n%s", diff)
	}
}

// ownRows returns a pack's _pack.csv without its header.
func ownRows(t testing.TB, pack []byte) string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(pack), int64(len(pack)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := z.Open("_pack.csv")
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	_, rows, _ := strings.Cut(string(b), "\n")
	return rows
}

func TestTheSameBytesAreStoredOnce(t *testing.T) {
	b := small(t, t.TempDir())
	att, cvs := packer(t, b, "attachments"), packer(t, b, "cvs")
	same, long, huge := pdf(1, 500), pdf(2, 6000), pdf(3, 18_000)
	want := map[string][]byte{}
	put := func(p *archive.Packer, id string, content []byte) archive.Row {
		want[id] = content
		return add(t, p, id, content)
	}
	first := put(att, "a-1", same)
	for _, tc := range []struct {
		name string
		row  archive.Row
	}{
		{"in the same open pack", put(att, "a-2", same)},
		{"in another packer's open pack", put(cvs, "c-1", same)},
	} {
		if tc.row.Pack != first.Pack || tc.row.Offset != first.Offset {
			t.Errorf(
				"%s: %s at %d, want %s at %d", tc.name, tc.row.Pack, tc.row.Offset, first.Pack, first.Offset,
			)
		}
	}
	if cvs.Has("c-1") {
		t.Error("a document whose bytes are in another packer's open pack counts as durable")
	}
	finish(t, cvs) // c-1 cannot be settled yet
	if cvs.Has("c-1") {
		t.Error("the row became durable before its bytes")
	}
	finish(t, att)
	if !att.Has("a-1") || !att.Has("a-2") {
		t.Error("documents of a closed pack are not durable")
	}
	if row := put(cvs, "c-2", same); row.Pack != first.Pack {
		t.Errorf("in a closed pack: %s, want %s", row.Pack, first.Pack)
	}
	for i, content := range [][]byte{long, huge} {
		a := put(att, fmt.Sprint("a-1", i), content)
		c := put(cvs, fmt.Sprint("c-1", i), content)
		if a.Pack != c.Pack {
			t.Errorf("%d bytes are in %s and in %s", len(content), a.Pack, c.Pack)
		}
	}
	finish(t, cvs, att) // the row in cvs that waits for attachments is settled by WriteIndex
	bag, s := commitSmall(t, b)
	checkContents(t, bag, want)
	stored := 0
	for _, content := range s.Objects() {
		stored += bytes.Count(content, same[100:200])
	}
	if stored != 1 {
		t.Errorf("the bytes are stored %d times", stored)
	}
}

func TestRowsThatWaitForAnotherPackDoNotPileUp(t *testing.T) {
	b, err := archive.NewBuilder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	att, cvs := packer(t, b, "attachments"), packer(t, b, "cvs")
	add(t, att, "a-1", nil)
	for i := range archive.MaxPending + 10 { // the same empty CV for everybody
		add(t, cvs, fmt.Sprint("c-", i), nil)
	}
	if !att.Has("a-1") {
		t.Error("the pack that so many rows wait for is still open")
	}
	finish(t, att, cvs)
	if !cvs.Has("c-0") || !cvs.Has(fmt.Sprint("c-", archive.MaxPending+9)) {
		t.Error("rows are still waiting")
	}
	if n, err := b.WriteIndex(context.Background()); err != nil || n != archive.MaxPending+11 {
		t.Errorf("WriteIndex: %d rows, %v", n, err)
	}
}

func TestAReaderThatFailsLeavesThePackAsItWas(t *testing.T) {
	b := small(t, t.TempDir())
	p := packer(t, b, "attachments")
	failure := errors.New("the link died")
	want := map[string][]byte{}
	for i, n := range []int{0, 10, 2999, 3001, 8000, 300_000} {
		id := fmt.Sprint("a-", i)
		content := noise(uint64(i+1), n)
		broken := io.MultiReader(bytes.NewReader(content), iotest.ErrReader(failure))
		if _, err := p.Add(context.Background(), archive.Document{ID: id}, broken); err != failure {
			t.Errorf("add of a reader that fails after %d bytes: %v, want the reader's own error", n, err)
		}
		want[id] = content
		add(t, p, id, content)
	}
	finish(t, p)
	bag, _ := commitSmall(t, b)
	checkContents(t, bag, want)
}

func TestAddRefuses(t *testing.T) {
	b := small(t, t.TempDir())
	p := packer(t, b, "attachments")
	add(t, p, "a-1", []byte("x"))
	for _, tc := range []struct {
		name string
		doc  archive.Document
		want error // nil: any
	}{
		{"an ID that an open pack has", archive.Document{ID: "a-1"}, fs.ErrExist},
		{"an ID with a slash", archive.Document{ID: "a/1"}, nil},
		{"no ID", archive.Document{}, nil},
		{"a document of another part", archive.Document{ID: "a-2", Part: "cvs"}, nil},
	} {
		_, err := p.Add(context.Background(), tc.doc, strings.NewReader("y"))
		if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
	for _, part := range []string{"", "../x", "UP", "a/b"} {
		if _, err := b.Packer(part); err == nil {
			t.Errorf("Packer(%q) succeeded", part)
		}
	}
}

func TestTwoPackersWithManyCallers(t *testing.T) {
	b := small(t, t.TempDir())
	want := map[string][]byte{}
	var wg sync.WaitGroup
	for _, part := range []string{"attachments", "cvs"} {
		p := packer(t, b, part)
		for caller := range 4 {
			for i := range 40 {
				id := fmt.Sprintf("%s-%d-%d", part, caller, i)
				want[id] = noise(uint64(i%25), 50+400*(i%25)) // the same in all callers of both parts
			}
			wg.Go(func() {
				for i := range 40 {
					id := fmt.Sprintf("%s-%d-%d", part, caller, i)
					if _, err := p.Add(
						context.Background(), archive.Document{ID: id},
						bytes.NewReader(noise(uint64(i%25), 50+400*(i%25))),
					); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	finish(t, packer(t, b, "attachments"), packer(t, b, "cvs"))
	bag, s := commitSmall(t, b)
	checkContents(t, bag, want)
	var stored int
	for name, content := range s.Objects() {
		if filepath.Ext(name) == ".zip" {
			z, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
			if err != nil {
				t.Fatal(err)
			}
			stored += len(z.File) - 1
		}
	}
	if stored != 25 {
		t.Errorf("%d contents are stored, want 25", stored)
	}
}

// TestARowNeverOutlivesItsBytes plays takeovers that die again and again. What was durable once stays so, and
// no durable row points at bytes that are not.
func TestARowNeverOutlivesItsBytes(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 7))
			dir := t.TempDir()
			want := map[string][]byte{}
			durable := map[string]bool{}
			for life := range 6 {
				b := small(t, dir) // fails with ErrDamaged where a row points at nothing
				ps := []*archive.Packer{packer(t, b, "attachments"), packer(t, b, "cvs")}
				for id := range durable {
					if !ps[0].Has(id) {
						t.Fatalf("life %d: %s was durable and is gone", life, id)
					}
				}
				for range 60 {
					i := random.IntN(150)
					p := ps[i%2]
					id := fmt.Sprint("d-", i)
					want[id] = noise(uint64(i%20), (i%20)*(i%20)*60)
					if random.IntN(15) == 0 {
						finish(t, p)
					}
					_, err := p.Add(context.Background(), archive.Document{ID: id}, bytes.NewReader(want[id]))
					if err != nil && !errors.Is(err, fs.ErrExist) {
						t.Fatal(err)
					}
				}
				if life == 5 {
					for id, content := range want {
						if _, err := ps[0].Add(
							context.Background(), archive.Document{ID: id}, bytes.NewReader(content),
						); err != nil && !errors.Is(err, fs.ErrExist) {
							t.Fatal(err)
						}
					}
					finish(t, ps...)
					bag, _ := commitSmall(t, b)
					checkContents(t, bag, want)
				}
				for id := range want {
					if ps[0].Has(id) {
						durable[id] = true
					}
				}
				b.Close() // the open packs are lost
			}
		})
	}
}
