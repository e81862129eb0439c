package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"holdall/archive"
	"holdall/archive/dirstore"
	"holdall/archive/storetest"
)

// sealedTemplate seals the sample bag once, for tests that take copies.
func sealedTemplate(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "staging")
	if err := sealed(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func copyTree(t *testing.T, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "staging")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

func reopen(t *testing.T, dir string) *archive.Builder {
	t.Helper()
	b, err := archive.NewBuilder(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func TestCommitGoesOnAfterAFaultAtAnyOperation(t *testing.T) {
	template := sealedTiny(t)
	for _, tc := range []struct {
		kind string
		lost bool // the operation that fails takes effect
	}{
		{"object store", false}, {"object store", true}, {"directory", false}, {"directory", true},
		{"directory on another disk", false},
	} {
		t.Run(fmt.Sprintf("%s, answer lost %v", tc.kind, tc.lost), func(t *testing.T) {
			t.Parallel() // most of it waits for the disk
			n := 1
			for commitWithFault(t, template, tc.kind, n, tc.lost) {
				n++
			}
			if n < 10 {
				t.Errorf("a commit takes only %d operations", n-1)
			}
		})
	}
}

// commitWithFault commits with a fault at the n-th operation, and then without; it reports whether there was
// an n-th.
func commitWithFault(t *testing.T, template, kind string, n int, lost bool) bool {
	t.Helper()
	ctx := context.Background()
	staging := copyTree(t, template)
	var store archive.Store = &storetest.Memory{}
	if kind != "object store" {
		d, err := dirstore.Open(t.TempDir(), true)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		store = d
	}
	faulty := &storetest.Faulty{Store: store, FailAt: n, LostAnswer: lost}
	target := archive.Store(faulty)
	if kind == "directory" {
		target = faulty.Adopter()
	}
	b := reopen(t, staging)
	err := b.Commit(ctx, target)
	if !faulty.Failed() {
		if err != nil {
			t.Errorf("commit without a fault: %v", err)
		}
		return false
	}
	if err == nil && !lost {
		t.Errorf("commit with a fault at operation %d succeeded", n)
	}
	b.Close()
	checkCompleteOrNot(t, store, n)
	b = reopen(t, staging)
	again := archive.Store(&storetest.Faulty{Store: store, FailAt: 1 << 30})
	if kind == "directory" {
		again = store
	}
	if err := b.Commit(ctx, again); err != nil {
		t.Fatalf("commit after a fault at operation %d: %v", n, err)
	}
	b.Close()
	checkCommitted(t, store, archive.Full, tiny())
	return true
}

// checkCompleteOrNot checks the crash rule: a bag without bagit.txt, or one that verifies.
func checkCompleteOrNot(t *testing.T, s archive.Store, n int) {
	t.Helper()
	ctx := context.Background()
	bag, err := archive.Open(ctx, s, testID)
	if errors.Is(err, archive.ErrIncomplete) || errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		t.Fatalf("open after a fault at operation %d: %v", n, err)
	}
	if r, err := bag.Verify(ctx, archive.Full, nil); err != nil || !r.Valid {
		t.Errorf(
			"after a fault at operation %d the bag has a bagit.txt and does not verify: %v\n%s", n, err,
			show(r),
		)
	}
}

func checkCommitted(t *testing.T, s archive.Store, level archive.Level, all map[string][]sample) {
	t.Helper()
	ctx := context.Background()
	bag, err := archive.Open(ctx, s, "")
	if err != nil {
		t.Fatal(err)
	}
	if r, err := bag.Verify(ctx, level, nil); err != nil || !r.Valid {
		t.Errorf("verify: %v\n%s", err, show(r))
	}
	checkDocuments(t, bag, all)
	taken := 0
	for e, err := range archive.Events(ctx, s) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == archive.KindTaken && e.Export == testID {
			taken++
		}
	}
	if taken != 1 {
		t.Errorf("the ledger says %d times that the export was taken, want once", taken)
	}
}

// TestWhatAnEarlierProcessLeftIsNotTrustedBlindly: long because it is one table of cases.
func TestWhatAnEarlierProcessLeftIsNotTrustedBlindly(t *testing.T) {
	template := sealedTemplate(t)
	unseal := func(t *testing.T) string {
		dir := copyTree(t, template)
		b := reopen(t, dir)
		if err := b.Discard("datapackage.json"); err != nil {
			t.Fatal(err)
		}
		b.Close()
		return dir
	}
	const pack = "bag/data/documents/attachments-00001.zip"
	for _, tc := range []struct {
		name   string
		damage func(t *testing.T, dir string) error
		open   error // of NewBuilder
		seal   error // of Seal
	}{
		{"a file is gone", func(t *testing.T, dir string) error {
			return os.Remove(filepath.Join(dir, "bag/data/received/master.csv"))
		}, nil, nil},
		{"a file is shorter", func(t *testing.T, dir string) error {
			return os.Truncate(filepath.Join(dir, "bag/data/received/master.csv"), 3)
		}, nil, nil},
		{"a file that nobody recorded", func(t *testing.T, dir string) error {
			return os.WriteFile(filepath.Join(dir, "bag/data/received/other.csv"), nil, 0o600)
		}, nil, nil},
		{
			"a pack is gone",
			func(t *testing.T, dir string) error { return os.Remove(filepath.Join(dir, pack)) },
			archive.ErrDamaged, nil,
		},
		{
			"a bit of a pack is flipped",
			func(t *testing.T, dir string) error { return flipBit(filepath.Join(dir, pack), 100) }, nil,
			archive.ErrDamaged,
		},
		{"a bit of a pack's rows is flipped", func(t *testing.T, dir string) error {
			b, err := os.ReadFile(filepath.Join(dir, pack))
			return errors.Join(
				err, flipBit(filepath.Join(dir, pack), bytes.LastIndex(b, []byte("a1-000004,attachments"))),
			)
		}, archive.ErrDamaged, nil},
		{"a bit of a file is flipped", func(t *testing.T, dir string) error {
			return flipBit(filepath.Join(dir, "bag/data/received/master.csv"), 5)
		}, nil, archive.ErrDamaged},
		{
			"a line of the journal is damaged",
			func(t *testing.T, dir string) error { return flipBit(filepath.Join(dir, "journal.jsonl"), 0) },
			archive.ErrDamaged, nil,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := unseal(t)
			if err := tc.damage(t, dir); err != nil {
				t.Fatal(err)
			}
			b, err := archive.NewBuilder(dir)
			if !errors.Is(err, tc.open) {
				t.Fatalf("NewBuilder: %v, want %v", err, tc.open)
			}
			if err != nil {
				return
			}
			defer b.Close()
			fill(t, b)
			err = b.Seal(context.Background(), testInfo)
			if !errors.Is(err, tc.seal) {
				t.Fatalf("Seal: %v, want %v", err, tc.seal)
			}
			if err == nil {
				s := &storetest.Memory{}
				if err := b.Commit(context.Background(), s); err != nil {
					t.Fatal(err)
				}
				checkCommitted(t, s, archive.Deep, samples())
			}
		})
	}
}

// flipBit changes one bit of a file; a negative position counts from its end.
func flipBit(path string, pos int) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if pos < 0 {
		pos += len(b)
	}
	b[pos] ^= 0x04
	return os.WriteFile(path, b, 0o600)
}

func TestASealComesOffUntilTheCommitBegins(t *testing.T) {
	ctx := context.Background()
	b := sealed(t, t.TempDir())
	if err := b.Seal(ctx, testInfo); err != nil {
		t.Errorf("seal again under the same ID: %v", err)
	}
	if err := b.Discard("datapackage.json"); err != nil {
		t.Fatalf("discard from a sealed bag: %v", err)
	}
	if err := b.Commit(ctx, &storetest.Memory{}); err == nil {
		t.Fatal("a bag whose seal came off was committed")
	}
	writeFile(t, b, "datapackage.json", "{\"new\":true}\n")
	other := testInfo
	other.ID = "recruitly-other-20261122T013300Z-zzzz"
	for _, info := range []archive.BagInfo{testInfo, other, testInfo} {
		if err := b.Seal(ctx, info); err != nil {
			t.Fatalf("seal as %s: %v", info.ID, err)
		}
	}
	s := &storetest.Memory{}
	if err := b.Commit(ctx, s); err != nil {
		t.Fatal(err)
	}
	checkCommitted(t, s, archive.Deep, samples())
	if err := b.Discard("datapackage.json"); !errors.Is(err, archive.ErrSealed) {
		t.Errorf("discard after the commit: %v, want ErrSealed", err)
	}
	if _, err := b.Create("data/more.csv"); !errors.Is(err, archive.ErrSealed) {
		t.Errorf("create after the commit: %v, want ErrSealed", err)
	}
}

func TestTwoBuildersDoNotShareADirectory(t *testing.T) {
	dir := t.TempDir()
	reopen(t, dir)
	if _, err := archive.NewBuilder(dir); !errors.Is(err, archive.ErrBusy) {
		t.Errorf("second NewBuilder: %v, want ErrBusy", err)
	}
}

func TestABagIsNotCommittedOverAnother(t *testing.T) {
	ctx := context.Background()
	s := &storetest.Memory{}
	committed(t, s)
	b := reopen(t, t.TempDir())
	writeFile(t, b, "data/received/master.csv", "another")
	if err := b.Seal(ctx, testInfo); err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(ctx, s); err == nil {
		t.Error("another bag was committed under the same ID")
	}
	checkCommitted(t, s, archive.Deep, samples())
}
