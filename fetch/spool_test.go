package fetch

import (
	"os"
	"testing"
)

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// dropDurable takes the durable and hash records out of the only object's journal, as a kill before the first sync would.
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
