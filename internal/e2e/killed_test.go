package e2e

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Killed at any moment, and run again each time, a takeover ends in the archive that an undisturbed one
// makes.
func TestKilledTakeoverGoesOn(t *testing.T) {
	kills, people := setting(t, "HOLDALL_TEST_KILLS", 8), setting(t, "HOLDALL_TEST_KILL_PEOPLE", 80)
	dir := t.TempDir()
	p, _ := simulate(t, dir, "--people", strconv.Itoa(people), "--seed", "11")
	var size int64
	for _, o := range readTruth(t, p.truth).Objects {
		size += o.Size
	}
	rate := strconv.FormatInt(size/3, 10) // some seconds, so that kills land everywhere
	take := func(root string) []string {
		return []string{
			"take", p.master, "--to", root, "--allow-private", "--json", "--tenant", "killed", "--max-rate",
			rate,
		}
	}
	whole := holdall(t, 0, take(filepath.Join(dir, "undisturbed"))...)
	bag := decode[taken](t, whole).Location
	wantDocuments, wantTables := documents(t, bag), tableDigests(t, bag)
	t.Logf("%d documents in %d bytes, undisturbed in %s", len(wantDocuments), size, whole.wall)

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for round, done := 1, 0; done < kills; round++ {
		root := filepath.Join(dir, "killed")
		n, last := runWithKills(t, nil, random, kills-done, whole.wall, take(root))
		done += n
		got := decode[taken](t, last)
		t.Logf(
			"round %d: %d kills, then %d bytes fetched, %d reused", round, n, got.FetchedBytes,
			got.ReusedBytes,
		)
		checkSurvivor(t, root, got, wantDocuments, wantTables)
		if t.Failed() {
			return
		}
		if err := os.RemoveAll(root); err != nil {
			t.Fatal(err)
		}
	}
}

// runWithKills runs the command again and again, kills most runs, and returns the number of kills and the
// run that was left in peace to the end.
func runWithKills(t *testing.T, environ []string, random *rand.Rand, most int, whole time.Duration,
	args []string) (int, outcome) {
	t.Helper()
	for killed := 0; ; {
		r := startWith(t, environ, args...)
		if killed < most {
			// What is left gets less with each run: late moments must be hit, too.
			delay := time.Duration(random.Float64() * float64(whole) / float64(1+killed%3))
			timer := time.AfterFunc(delay, func() { r.cmd.Process.Kill() })
			o := r.wait()
			timer.Stop()
			if o.code == -1 {
				killed++
				continue
			}
			if o.code != 0 {
				t.Fatalf("after %d kills:\n%s", killed, o)
			}
			return killed, o
		}
		o := r.wait()
		if o.code != 0 {
			t.Fatalf("after %d kills, the last run:\n%s", killed, o)
		}
		return killed, o
	}
}

func checkSurvivor(
	t *testing.T, root string, got taken, wantDocuments []string, wantTables map[string]string,
) {
	t.Helper()
	if list := decode[[]taken](t, holdall(t, 0, "list", root, "--json")); len(list) != 1 ||
		list[0].State != "complete" {
		t.Errorf("the root holds %+v, want one complete export", list)
	}
	if diff := cmp.Diff(wantDocuments, documents(t, got.Location)); diff != "" {
		t.Errorf("documents (-undisturbed +killed):\n%.3000s", diff)
	}
	if diff := cmp.Diff(wantTables, tableDigests(t, got.Location)); diff != "" {
		t.Errorf("tables (-undisturbed +killed):\n%s", diff)
	}
	holdall(t, 0, "verify", got.Location, "--level", "deep")
	if left, _ := filepath.Glob(filepath.Join(root, ".work", "*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// setting reads a number from the environment.
func setting(t *testing.T, name string, otherwise int) int {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		t.Fatalf("%s=%q is no number", name, s)
	}
	return n
}

// Files of a listing wait in a directory of their own while the program is killed; the last run is not
// reported.
func TestAKilledListingGoesOnFromASpoolElsewhere(t *testing.T) {
	dir := t.TempDir()
	p, _ := simulate(t, dir, "--people", "60", "--seed", "12", "--shape", "listing")
	var size int64
	for _, o := range readTruth(t, p.truth).Objects {
		size += o.Size
	}
	take := func(root string, more ...string) []string {
		return append([]string{"take", p.master, "--to", root, "--allow-private", "--json", "--tenant",
			"killed",
			"--max-rate", strconv.FormatInt(max(size/3, 1<<20), 10)}, more...)
	}
	whole := holdall(t, 0, take(filepath.Join(dir, "undisturbed"))...)
	bag := decode[taken](t, whole).Location
	root, spool := filepath.Join(dir, "killed"), filepath.Join(dir, "elsewhere")
	kills := 0
	for _, part := range []float64{0.4, 0.3} {
		r := start(t, take(root, "--spool", spool)...)
		timer := time.AfterFunc(time.Duration(part*float64(whole.wall)), func() { r.cmd.Process.Kill() })
		if o := r.wait(); o.code == -1 {
			kills++
		}
		timer.Stop()
	}
	if kills == 0 {
		t.Fatal("no run was killed")
	}
	unfinished := decode[[]struct {
		State      string
		Unfinished *struct{ Spool string }
	}](t, holdall(t, 0, "list", root, "--json"))
	if len(unfinished) != 1 || unfinished[0].Unfinished == nil ||
		filepath.Dir(unfinished[0].Unfinished.Spool) != spool {
		t.Errorf(
			"after %d kills, list shows %+v, want one unfinished takeover with its bytes in %s", kills,
			unfinished, spool,
		)
	}
	got := decode[taken](t, holdall(t, 0, take(root)...))
	t.Logf("%d kills, then %d bytes fetched, %d reused", kills, got.FetchedBytes, got.ReusedBytes)
	if got.ReusedBytes == 0 {
		t.Error("nothing was reused of what waited elsewhere")
	}
	checkSurvivor(t, root, got, documents(t, bag), tableDigests(t, bag))
	if again := decode[taken](t, holdall(t, 0, take(root)...)); again.Export != got.Export ||
		again.FetchedBytes != 0 {
		t.Errorf(
			"taken again: %s with %d bytes fetched, want %s and nothing fetched", again.Export,
			again.FetchedBytes, got.Export,
		)
	}
}
