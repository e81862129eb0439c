package e2e

import (
	"path/filepath"
	"testing"

	"holdall/internal/testneed"
)

// Receipts reach the disk while others are still to come: a loss of power costs the last of them only.
func TestReceiptsAreSyncedAsTheyCome(t *testing.T) {
	strace := testneed.Command(t, "strace", "Debian strace")
	c := newCrashed(t)
	c.take = append(c.take, "--max-rate", "800k")
	written, synced, before := 0, 0, 0 // before the last receipt
	receipts := map[int]bool{}         // by file descriptor
	for _, o := range c.record(t, strace) {
		switch {
		case o.call == "openat":
			dir, name := filepath.Split(o.path)
			receipts[o.fd] = name == "receipts.jsonl" && filepath.Base(dir) != "custody"
		case o.call == "close":
			receipts[o.fd] = false
		case o.call == "write" && receipts[o.fd]:
			written++
			before = synced
		case o.call == "fsync" && receipts[o.fd]:
			synced++
		}
	}
	if written < 3 || before < 2 {
		t.Errorf("%d receipts, synced %d times before the last one; want three and two at least", written,
			before)
	}
}
