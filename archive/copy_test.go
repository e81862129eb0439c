package archive_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdall/archive"
	"holdall/archive/dirstore"
	"holdall/archive/storetest"
	"holdall/internal/digest"
)

func openDir(t *testing.T) *dirstore.Store {
	t.Helper()
	s, err := dirstore.Open(t.TempDir(), true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// bagObjects returns what lies below the sample bag's folder.
func bagObjects(t *testing.T, s archive.Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	for info, err := range s.List(context.Background(), "exports/"+testID) {
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Open(context.Background(), info.Name, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		all[info.Name] = string(b)
	}
	return all
}

func TestACopyIsByteIdenticalAndVouchedForByItsLedger(t *testing.T) {
	ctx := context.Background()
	first, object, last := openDir(t), &storetest.Memory{}, openDir(t)
	bag := committed(t, first)
	for _, to := range []archive.Store{object, last} {
		report, err := archive.Copy(ctx, bag, to, nil)
		if err != nil || report.Copied != report.Bytes || report.Present != 0 {
			t.Fatalf("copy: %+v, %v", report, err)
		}
		if diff := cmp.Diff(bagObjects(t, to), bagObjects(t, first)); diff != "" {
			t.Errorf("the copy differs: %s", diff)
		}
		if report, err = archive.Copy(ctx, bag, to, nil); err != nil || report.Copied != 0 {
			t.Errorf("again: %+v, %v; want nothing copied", report, err)
		}
		events := 0
		for e, err := range archive.Events(ctx, to) {
			known := e.Kind == archive.KindCopied && e.Export == testID && e.Facts["from"] == bag.Location()
			if err != nil || !known {
				t.Errorf("event: %+v, %v", e, err)
			}
			events++
		}
		r, err := archive.CheckRoot(ctx, to)
		if err != nil || len(r.Faults)+len(r.Notes) != 0 || events != 1 {
			t.Errorf("root: %+v, %v, %d events", r, err, events)
		}
		if bag, err = archive.Open(ctx, to, testID); err != nil {
			t.Fatal(err)
		}
		checkDocuments(t, bag, samples())
		if r, err := bag.Verify(ctx, archive.Deep, nil); err != nil || !r.Valid {
			t.Errorf("verify: %v\n%s", err, show(r))
		}
	}
}

func TestACopyGoesOnAfterAFaultAtAnyOperation(t *testing.T) {
	ctx := context.Background()
	bag := committed(t, openDir(t))
	for n := 1; ; n++ {
		for _, lost := range []bool{false, true} {
			store := &storetest.Memory{}
			faulty := &storetest.Faulty{Store: store, FailAt: n, LostAnswer: lost}
			_, err := archive.Copy(ctx, bag, faulty, nil)
			if !faulty.Failed() {
				if err != nil || n < 30 {
					t.Errorf("a copy takes %d operations and ends with %v", n-1, err)
				}
				return
			}
			checkCompleteOrNot(t, store, n)
			if _, err := archive.Copy(ctx, bag, store, nil); err != nil {
				t.Fatalf("going on after a fault at operation %d: %v", n, err)
			}
			if diff := cmp.Diff(bagObjects(t, store), bagObjects(t, bagStore(t, bag))); diff != "" {
				t.Fatalf("after a fault at operation %d the copy differs", n)
			}
		}
	}
}

// bagStore opens the store that a bag in a directory lies in.
func bagStore(t *testing.T, bag *archive.Bag) archive.Store {
	t.Helper()
	s, err := dirstore.Open(strings.TrimSuffix(bag.Location(), "/exports/"+testID), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestADamagedArchiveIsNotCopied(t *testing.T) {
	ctx := context.Background()
	for name, content := range map[string][]byte{
		"a changed file": []byte("PAR1 not really PAR2"), "a lost file": nil,
	} {
		t.Run(name, func(t *testing.T) {
			from, to := &storetest.Memory{}, &storetest.Memory{}
			bag := committed(t, from)
			const hurt = "data/tables/candidates/part-00000.parquet"
			from.Replace("exports/"+testID+"/"+hurt, content)
			if _, err := archive.Copy(ctx, bag, to, nil); err == nil || !strings.Contains(err.Error(), hurt) {
				t.Errorf("copy: %v, want an error that names %s", err, hurt)
			}
			checkCompleteOrNot(t, to, 0)
			if ids, err := archive.IDs(ctx, to); err != nil || len(ids) > 0 {
				t.Errorf("the copy is complete: %v, %v", ids, err)
			}
		})
	}
}

func TestACopyDoesNotOverwrite(t *testing.T) {
	from, to := &storetest.Memory{}, &storetest.Memory{}
	bag := committed(t, from)
	const name = "exports/" + testID + "/datapackage.json"
	other := []byte("another file")
	err := to.Put(context.Background(), name, bytes.NewReader(other), int64(len(other)), digest.Of(other))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Copy(context.Background(), bag, to, nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("copy: %v, want fs.ErrExist", err)
	}
	if got := string(to.Objects()[name]); got != "another file" {
		t.Errorf("it was overwritten with %q", got)
	}
}
