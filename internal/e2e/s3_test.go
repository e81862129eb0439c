package e2e

import (
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdall/internal/s3test"
)

// Killed at any moment, also while packs go up, a takeover into S3 goes on as the same export, and a copy
// from there as the same copy. Both are what an undisturbed takeover into a directory makes.
func TestKilledOnTheWayIntoS3AndBack(t *testing.T) {
	kills := setting(t, "HOLDALL_TEST_KILLS", 8)
	dir := t.TempDir()
	p, _ := simulate(t, dir, "--people", "80", "--seed", "11")
	first := filepath.Join(dir, "undisturbed")
	undisturbed := holdall(t, 0, "take", p.master, "--to", first, "--allow-private", "--json")
	bag := decode[taken](t, undisturbed).Location
	wantDocuments, wantTables := documents(t, bag), tableDigests(t, bag)

	proxy := s3test.Start(t).NewProxy(t)
	proxy.SetFault(func(r s3test.Request) s3test.Fault { // a slow line, so that kills meet uploads
		if r.Method == "PUT" {
			return s3test.Fault{Delay: 60 * time.Millisecond}
		}
		return s3test.Fault{}
	})
	environ := s3test.Environ(dir, proxy.URL, s3test.Writer)
	const root = "s3://" + s3test.Bucket + "/killed"
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))

	work := filepath.Join(dir, "work")
	take := []string{"take", p.master, "--to", root, "--work", work, "--allow-private", "--json",
		"--max-rate", "6M"} // three seconds and some, so that the first run at least is killed
	n, last := runWithKills(t, environ, random, kills, 3*time.Second, take)
	got := decode[taken](t, last)
	t.Logf("take: %d kills; %d bytes fetched in the last run, %d reused", n, got.FetchedBytes,
		got.ReusedBytes)
	if n == 0 {
		t.Error("no run was killed: the test shows nothing")
	}
	list := startWith(t, environ, "list", root, "--json").wait()
	if all := decode[[]taken](t, list); len(all) != 1 || all[0].State != "complete" {
		t.Errorf("the root holds %s, want one complete export and nothing abandoned", list)
	}

	proxy.SetFault(func(s3test.Request) s3test.Fault { return s3test.Fault{Delay: 60 * time.Millisecond} })
	whole := startWith(t, environ, "copy", got.Location, filepath.Join(dir, "whole")).wait()
	back := filepath.Join(dir, "back")
	n, _ = runWithKills(t, environ, random, kills, whole.wall, []string{"copy", got.Location, back, "--json"})
	t.Logf("copy: %d kills, undisturbed in %s", n, whole.wall)
	copied := filepath.Join(back, "exports", got.Export)
	if diff := cmp.Diff(wantDocuments, documents(t, copied)); diff != "" {
		t.Errorf("documents (-undisturbed +copied):\n%.3000s", diff)
	}
	if diff := cmp.Diff(wantTables, tableDigests(t, copied)); diff != "" {
		t.Errorf("tables (-undisturbed +copied):\n%s", diff)
	}
	holdall(t, 0, "verify", back, "--level", "deep")
	for _, r := range proxy.Take() {
		if r.Method == "DELETE" || r.Op == "PutObject" && r.Header.Get("If-None-Match") != "*" {
			t.Errorf("%s %s: a writer may neither delete nor overwrite", r.Method, r.Key)
		}
	}
}
