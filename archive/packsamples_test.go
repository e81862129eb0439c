package archive_test

import (
	"bytes"
	"context"
	"io"
	"testing"

	"holdall/archive"
	"holdall/archive/storetest"
)

// small returns a builder whose packs close at 10,000 bytes or 20 rows; documents above 3,000 bytes are
// spilled, those above 15,000 are files of their own.
func small(t testing.TB, dir string) *archive.Builder {
	t.Helper()
	b, err := archive.NewSmallBuilder(dir, 10_000, 20, 3_000, 15_000)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func packer(t testing.TB, b *archive.Builder, part string) *archive.Packer {
	t.Helper()
	p, err := b.Packer(part)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func add(t testing.TB, p *archive.Packer, id string, content []byte) archive.Row {
	t.Helper()
	row, err := p.Add(
		context.Background(), archive.Document{ID: id, OwnerID: "O" + id, OriginalName: id + ".pdf"},
		bytes.NewReader(content),
	)
	if err != nil {
		t.Fatalf("add %s: %v", id, err)
	}
	return row
}

func finish(t testing.TB, ps ...*archive.Packer) {
	t.Helper()
	for _, p := range ps {
		if err := p.Finish(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

// commitSmall ends a bag and returns it with its objects.
func commitSmall(t testing.TB, b *archive.Builder) (*archive.Bag, *storetest.Memory) {
	t.Helper()
	ctx := context.Background()
	if _, err := b.WriteIndex(ctx); err != nil {
		t.Fatal(err)
	}
	if err := b.Seal(ctx, testInfo); err != nil {
		t.Fatal(err)
	}
	s := &storetest.Memory{}
	if err := b.Commit(ctx, s); err != nil {
		t.Fatal(err)
	}
	bag, err := archive.Open(ctx, s, testID)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := bag.Verify(ctx, archive.Deep, nil); err != nil || !r.Valid {
		t.Fatalf("verify: %v\n%s", err, show(r))
	}
	return bag, s
}

func checkContents(t testing.TB, bag *archive.Bag, want map[string][]byte) {
	t.Helper()
	left := len(want)
	for _, r := range rowsOf(t, bag) {
		rc, err := bag.OpenDocument(context.Background(), r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(rc)
		rc.Close()
		if err != nil || !bytes.Equal(got, want[r.ID]) {
			t.Errorf("document %s: %d bytes, %v; want %d bytes", r.ID, len(got), err, len(want[r.ID]))
		}
		left--
	}
	if left != 0 {
		t.Errorf("the index has %d rows too few", left)
	}
}
