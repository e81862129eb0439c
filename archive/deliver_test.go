package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdall/archive"
	"holdall/archive/storetest"
	"holdall/internal/digest"
)

const packSize = 64 << 10

// delivering opens a builder of small packs whose files go to s at once.
func delivering(t *testing.T, dir string, s archive.Store) *archive.Builder {
	t.Helper()
	b, err := archive.NewSmallBuilder(dir, packSize, 1000, 1<<20, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	final := func(name string) bool { return strings.HasPrefix(name, "data/received/tables/") }
	if err := b.DeliverTo(archive.Delivery{Store: s, ID: testID, Final: final}); err != nil {
		t.Fatal(err)
	}
	return b
}

// manyPacks are documents that fill some dozen packs.
func manyPacks() []sample {
	var all []sample
	for i := range 60 {
		name := fmt.Sprintf("letter %d.pdf", i)
		doc := archive.Document{ID: fmt.Sprintf("a-%06d", i), OriginalName: name}
		all = append(all, sample{doc, pdf(uint64(i), 12<<10)})
	}
	return all
}

// addAll adds what is not there yet, and finishes.
func addAll(b *archive.Builder, all []sample, after func(i int)) error {
	ctx := context.Background()
	p, err := b.Packer("attachments")
	if err != nil {
		return err
	}
	for i, s := range all {
		if p.Has(s.ID) {
			continue
		}
		if _, err := p.Add(ctx, s.Document, bytes.NewReader(s.content)); err != nil {
			return err
		}
		after(i)
	}
	return p.Finish(ctx)
}

// finishBag makes the rest of the bag and commits it.
func finishBag(b *archive.Builder, s archive.Store) error {
	ctx := context.Background()
	const table = "data/received/tables/Candidates.csv.zst"
	if _, ok := b.HasZstd(table); !ok {
		z, err := b.CreateZstd(table)
		if err != nil {
			return err
		}
		defer z.Close()
		if _, err := io.WriteString(z, tableCSV); err != nil {
			return err
		}
		if _, err := z.Commit(); err != nil {
			return err
		}
	}
	if _, err := b.WriteIndex(ctx); err != nil {
		return err
	}
	if err := b.Seal(ctx, testInfo); err != nil {
		return err
	}
	return b.Commit(ctx, s)
}

// packsIn counts the bytes of the packs in a staging directory.
func packsIn(t *testing.T, dir string) (n int64) {
	t.Helper()
	packs, err := filepath.Glob(filepath.Join(dir, "bag", "data", "documents", "*.zip*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packs {
		if fi, err := os.Stat(p); err == nil { // else it was removed this moment
			n += fi.Size()
		}
	}
	return n
}

func TestFilesAreDeliveredWhileOthersAreMade(t *testing.T) {
	store, dir := &storetest.Memory{}, filepath.Join(t.TempDir(), "staging")
	b := delivering(t, dir, store)
	all := manyPacks()
	var most int64
	early := 0
	err := addAll(b, all, func(int) {
		most, early = max(most, packsIn(t, dir)), len(store.Objects())
		time.Sleep(5 * time.Millisecond)
	})
	if err != nil {
		t.Fatal(err)
	}
	if early < 5 {
		t.Errorf("%d packs were there when the last document was added, want most of them", early)
	}
	if limit := int64((archive.Backlog + 3) * packSize); most > limit {
		t.Errorf("%d bytes of packs were here at once, want %d at most", most, limit)
	}
	if err := finishBag(b, store); err != nil {
		t.Fatal(err)
	}
	if n := packsIn(t, dir); n != 0 {
		t.Errorf("%d bytes of packs are still here", n)
	}
	checkCommitted(t, store, archive.Deep, map[string][]sample{"attachments": all})
}

// A blocked store takes nothing until it is let go.
type blocked struct {
	archive.Store
	until chan struct{}
}

func (s blocked) Put(ctx context.Context, name string, r io.Reader, size int64, sum digest.Sum) error {
	select {
	case <-s.until:
		return s.Store.Put(ctx, name, r, size, sum)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestNoMoreDocumentsAreTakenWhileTooManyWaitToBeDelivered(t *testing.T) {
	store := blocked{&storetest.Memory{}, make(chan struct{})}
	dir := filepath.Join(t.TempDir(), "staging")
	b := delivering(t, dir, store)
	p, err := b.Packer("attachments")
	if err != nil {
		t.Fatal(err)
	}
	taken := 0
	for _, s := range manyPacks() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		_, err = p.Add(ctx, s.Document, bytes.NewReader(s.content))
		cancel()
		if err != nil {
			break
		}
		taken++
	}
	if !errors.Is(err, context.DeadlineExceeded) || taken < 5 || taken > 40 {
		t.Fatalf("%d documents were taken, then: %v; want some, then a wait", taken, err)
	}
	close(store.until)
	if err := addAll(b, manyPacks()[taken:], func(int) {}); err != nil {
		t.Fatalf("when the store takes packs again: %v", err)
	}
	if err := finishBag(b, store); err != nil {
		t.Fatal(err)
	}
	checkCommitted(t, store, archive.Deep, map[string][]sample{"attachments": manyPacks()})
}

func TestCloseDoesNotWaitForAStore(t *testing.T) {
	store := blocked{&storetest.Memory{}, make(chan struct{})}
	b := delivering(t, filepath.Join(t.TempDir(), "staging"), store)
	failed := make(chan error, 1)
	go func() { failed <- addAll(b, manyPacks(), func(int) {}) }()
	time.Sleep(200 * time.Millisecond)
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if err := <-failed; err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("adding to a closed bag: %v, want an error that is no interruption", err)
	}
}

func TestDeliveryGoesOnAfterAFaultAtAnyOperation(t *testing.T) {
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprintf("answer lost %v", lost), func(t *testing.T) {
			t.Parallel()
			n := 1
			for deliverWithFault(t, n, lost) {
				n += 3 // the operations are alike; all of them take minutes
			}
			if n < 30 {
				t.Errorf("a delivery takes only %d operations", n-1)
			}
		})
	}
}

// deliverWithFault makes a bag with a fault of the store at the n-th operation, and then goes on; it
// reports whether there was an n-th.
func deliverWithFault(t *testing.T, n int, lost bool) bool {
	t.Helper()
	store, dir := &storetest.Memory{}, filepath.Join(t.TempDir(), "staging")
	faulty := &storetest.Faulty{Store: store, FailAt: n, LostAnswer: lost}
	all := manyPacks()[:30]
	b := delivering(t, dir, faulty)
	err := addAll(b, all, func(int) {})
	if err == nil {
		err = finishBag(b, faulty)
	}
	b.Close()
	if !faulty.Failed() {
		if err != nil {
			t.Errorf("without a fault: %v", err)
		}
		return false
	}
	checkCompleteOrNot(t, store, n)
	b = delivering(t, dir, store)
	if err = addAll(b, all, func(int) {}); err == nil {
		err = finishBag(b, store)
	}
	if err != nil && !errors.Is(err, archive.ErrSealed) { // ErrSealed: only the commit was left
		t.Fatalf("going on after a fault at operation %d: %v", n, err)
	}
	if err != nil {
		err = b.Commit(context.Background(), store)
	}
	if err != nil {
		t.Fatalf("commit after a fault at operation %d: %v", n, err)
	}
	b.Close()
	checkCommitted(t, store, archive.Deep, map[string][]sample{"attachments": all})
	return true
}

func TestABagWhoseDeliveredFilesAreNotThereAsTheyWereIsDamaged(t *testing.T) {
	for name, change := range map[string]func([]byte) []byte{
		"gone":    func([]byte) []byte { return nil },
		"cut":     func(b []byte) []byte { return b[:len(b)/2] },
		"changed": func(b []byte) []byte { return append(bytes.Clone(b[:len(b)-1]), b[len(b)-1]^1) },
	} {
		t.Run(name, func(t *testing.T) {
			store := &storetest.Memory{}
			b := delivering(t, filepath.Join(t.TempDir(), "staging"), store)
			if err := addAll(b, manyPacks()[:20], func(int) {}); err != nil {
				t.Fatal(err)
			}
			for len(store.Objects()) == 0 {
				time.Sleep(10 * time.Millisecond)
			}
			for name, content := range store.Objects() {
				store.Replace(name, change(content))
				break
			}
			if err := finishBag(b, store); !errors.Is(err, archive.ErrDamaged) {
				t.Errorf("commit: %v, want ErrDamaged", err)
			}
			_, err := archive.Open(context.Background(), store, testID)
			if !errors.Is(err, archive.ErrIncomplete) {
				t.Errorf("open: %v, want ErrIncomplete", err)
			}
		})
	}
}

func TestABagGoesToOnePlace(t *testing.T) {
	store, dir := &storetest.Memory{}, filepath.Join(t.TempDir(), "staging")
	delivering(t, dir, store).Close()
	b, err := archive.NewBuilder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	other := strings.Replace(testID, "-abcd", "-k3fq", 1)
	if err := b.DeliverTo(archive.Delivery{Store: store, ID: other}); err == nil || other == testID {
		t.Errorf("delivery as %s after one as %s: %v, want an error", other, testID, err)
	}
}
