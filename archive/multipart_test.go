package archive_test

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"holdall/archive"
	"holdall/archive/storetest"
)

// An object store keeps no SHA-256 of an object that it took in parts. The parts' own are in the bag.
func TestLongFilesAreCheckedByTheirParts(t *testing.T) {
	ctx := context.Background()
	const limit = 10_000
	store := &storetest.Memory{PartLimit: limit}
	b, err := archive.NewPartsBuilder(filepath.Join(t.TempDir(), "staging"), limit)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	const long = "data/received/containers/01-attachments.zip"
	writeFile(t, b, long, strings.Repeat("a container ", 2000))
	if err := b.DeliverTo(archive.Delivery{Store: store, ID: testID}); err != nil {
		t.Fatal(err)
	}
	fill(t, b)
	reads := &reading{Store: store}
	if err := b.Seal(ctx, testInfo); err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(ctx, reads); err != nil {
		t.Fatal(err)
	}
	if n := reads.of[long]; n > 0 {
		t.Errorf("the long file was read back %d times, though the digests of its parts are known", n)
	}
	list := string(store.Objects()["exports/"+testID+"/custody/parts.csv"])
	if !strings.HasPrefix(list, "path,part,bytes,sha256\n"+long+",1,24000,") {
		t.Errorf("custody/parts.csv: %s", list)
	}
	bag, err := archive.Open(ctx, store, testID)
	if err != nil {
		t.Fatal(err)
	}
	for _, level := range []archive.Level{archive.Quick, archive.Deep} {
		if r, err := bag.Verify(ctx, level, nil); err != nil || !r.Valid {
			t.Errorf("verify %s: %v\n%s", level, err, show(r))
		}
	}
	other := &storetest.Memory{PartLimit: limit}
	if _, err := archive.Copy(ctx, bag, other, nil); err != nil {
		t.Errorf("copy: %v", err)
	}
	store.Replace("exports/"+testID+"/"+long, []byte(strings.Repeat("b container ", 2000)))
	r, err := bag.Verify(ctx, archive.Quick, nil)
	if err != nil || len(r.Faults) != 1 || r.Faults[0].Path != long || r.Faults[0].Code != archive.FaultHash {
		t.Errorf("quick verification of a changed file: %v\n%s", err, show(r))
	}
}

// A reading store counts what is read, by the name in the bag.
type reading struct {
	archive.Store
	of map[string]int
}

func (s *reading) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if s.of == nil {
		s.of = map[string]int{}
	}
	s.of[strings.TrimPrefix(name, "exports/"+testID+"/")]++
	return s.Store.Open(ctx, name, off, n)
}
