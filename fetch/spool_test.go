package fetch

import (
	"errors"
	"os"
	"testing"
	"time"

	"holdall/fetch/failure"
)

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// dropDurable takes the durable and hash records out of the only object's journal, as a kill before the first
// sync would.
func dropDurable(t *testing.T, w *faultWorld) {
	t.Helper()
	f, err := os.Open(w.spoolFile(".journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	mem, err := readJournal(f)
	if err != nil {
		t.Fatal(err)
	}
	j, err := createJournal(w.spoolFile(".journal"), mem.pieceSize, mem.mark)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range mem.pieces {
		if err := j.piece(p, mem.mark); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.f.Close(); err != nil {
		t.Fatal(err)
	}
}

// "Run again to fetch the new one" has to be true, also where nothing but the bytes tells that it is another
// one.
func TestAnObjectThatChangedIsBegunAnewByTheNextRun(t *testing.T) {
	s := newFaultServer(t)
	body := zipLike(faultSize, 5)
	o := s.put("/x.zip", body)
	o.etag, o.mod = "", time.Time{}
	stopAfter(1<<20)(nil, o)
	m, dir := s.master(t, "", "/x.zip", ""), t.TempDir()
	r, err := take(t, newTestFetcher(t, nil), m, dir)
	if err == nil {
		t.Fatal("the first run was to break off")
	}
	r.Close()
	s.mu.Lock()
	o.fault = nil
	o.body = append(body[:500_000:500_000], zipLike(faultSize, 77)[500_000:]...)
	s.mu.Unlock()
	var fe *failure.Error
	if r, err = take(t, newTestFetcher(t, nil), m, dir); !errors.As(err, &fe) ||
		fe.Code != failure.ObjectChanged {
		t.Fatalf("the second run: %v, want that the object has changed", err)
	}
	r.Close()
	r, err = take(t, newTestFetcher(t, nil), m, dir)
	if err != nil {
		t.Fatalf("the third run: %v", err)
	}
	wantBytes(t, r.Objects[0], o.body)
}
