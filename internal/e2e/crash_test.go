package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"holdall/internal/testneed"
)

// A crashed is a takeover whose every operation on the disk may be the last before a crash.
type crashed struct {
	root          string
	take          []string
	wantDocuments []string
	wantTables    map[string]string
}

func newCrashed(t *testing.T) *crashed {
	dir := t.TempDir()
	p, _ := simulate(t, dir, "--people", "6", "--seed", "23")
	take := func(root string) []string {
		return []string{"take", p.master, "--to", root, "--allow-private", "--json", "--tenant", "crashed"}
	}
	bag := decode[taken](t, holdall(t, 0, take(filepath.Join(dir, "undisturbed"))...)).Location
	c := &crashed{wantDocuments: documents(t, bag), wantTables: tableDigests(t, bag)}
	c.root = filepath.Join(dir, "crashed")
	c.take = take(c.root)
	return c
}

// goesOn runs the same command again and wants what an undisturbed run makes.
func (c *crashed) goesOn(t *testing.T) {
	t.Helper()
	last := holdall(t, 0, c.take...)
	checkSurvivor(t, c.root, decode[taken](t, last), c.wantDocuments, c.wantTables)
	if code, out := reader(t, "verify", decode[taken](t, last).Location, c.root); code != 0 {
		t.Errorf("the reader of the format, with the ledger: %s", out)
	}
}

// record runs the command below strace and returns what it did to the disk.
func (c *crashed) record(t *testing.T, strace string) []diskOp {
	t.Helper()
	trace := c.root + ".trace"
	args := append([]string{
		"-f", "-qq", "-y", "-xx", "-s", "100000000", "-e", "signal=none", "-e", "trace=" + traced, "-o", trace,
		program,
	}, c.take...)
	out, err := exec.Command(strace, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("below strace: %v: %s", err, out)
	}
	return readTrace(t, trace, c.root)
}

// After the power has failed at any operation of a takeover, and the disk holds what was synced, or that and
// a part of the rest, the same command makes the archive that an undisturbed run makes.
//
//	HOLDALL_TEST_CRASHES=2000    how many crashes are tried, at random; "0" means each operation in each way
//	HOLDALL_TEST_CRASH_SEED=7    the crashes of another run
func TestPowerFailsAtAnyOperation(t *testing.T) {
	strace := testneed.Command(t, "strace", "Debian strace")
	c := newCrashed(t)
	ops := c.record(t, strace)
	var moments []int
	for i, o := range ops {
		if o.changes() {
			moments = append(moments, i)
		}
	}
	if len(moments) < 300 {
		t.Fatalf("%d operations were recorded: too few to be a takeover", len(moments))
	}
	replay := newCrashDisk(c.root)
	for _, o := range ops {
		replay.do(o)
	}
	compareWithDisk(t, replay.root, c.root)

	seed := uint64(setting(t, "HOLDALL_TEST_CRASH_SEED", int(time.Now().UnixNano()%1e9)))
	random := rand.New(rand.NewPCG(seed, 0))
	ways := []string{strict, ordered, ordered, killed}
	type crash struct {
		at  int
		way string
	}
	var crashes []crash
	if n := setting(t, "HOLDALL_TEST_CRASHES", 16); n > 0 {
		for range n {
			crashes = append(crashes, crash{moments[random.IntN(len(moments))], ways[random.IntN(len(ways))]})
		}
	} else {
		for _, at := range moments {
			for _, way := range ways[1:] {
				crashes = append(crashes, crash{at, way})
			}
		}
	}
	t.Logf("seed %d: %d crashes at %d operations", seed, len(crashes), len(moments))
	for i, x := range crashes {
		t.Run(fmt.Sprintf("%d/%s after operation %d", i, x.way, x.at), func(t *testing.T) {
			if err := leave(c.root, ops, x.at, x.way, random); err != nil {
				t.Fatal(err)
			}
			c.goesOn(t)
			if t.Failed() {
				o := ops[x.at]
				t.Logf("seed %d, after %s %s%s, %d bytes at %d", seed, o.call, o.path, o.path2, len(o.data),
					o.at)
				if keep := os.Getenv("HOLDALL_TEST_KEEP"); keep != "" {
					t.Log(os.CopyFS(filepath.Join(keep, strconv.Itoa(i)), os.DirFS(c.root)))
				}
			}
		})
	}
}

// leave makes what is left of the disk after operation at.
func leave(root string, ops []diskOp, at int, way string, random *rand.Rand) error {
	disk, names, synced := newCrashDisk(root), newCrashDisk(root), 0
	for i, o := range ops[:at+1] {
		disk.do(o)
		if o.call == "fsync" { // a journal makes all names before that last
			synced = i
		}
	}
	for _, o := range ops[:synced+random.IntN(at-synced+1)+1] {
		names.do(o)
	}
	return disk.writeOut(way, names.root, random)
}

// compareWithDisk makes sure that the recorded operations are all that there were.
func compareWithDisk(t *testing.T, n *diskNode, path string) {
	t.Helper()
	found, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != len(n.entries) {
		t.Errorf("%s has %d entries, replayed %d", path, len(found), len(n.entries))
	}
	for _, e := range found {
		child := n.entries[e.Name()]
		switch {
		case child == nil:
			t.Errorf("%s is not replayed", filepath.Join(path, e.Name()))
		case e.IsDir():
			compareWithDisk(t, child, filepath.Join(path, e.Name()))
		default:
			b, err := os.ReadFile(filepath.Join(path, e.Name()))
			if err != nil || string(b) != string(child.data) {
				t.Errorf("%s has %d bytes, or others, than the %d that are replayed (%v)",
					filepath.Join(path, e.Name()), len(b), len(child.data), err)
			}
		}
	}
}

// When the disk is full, or fails, at any operation, the same command makes the archive later.
func TestTheDiskFailsAtAnyOperation(t *testing.T) {
	strace := testneed.Command(t, "strace", "Debian strace")
	c := newCrashed(t)
	seed := uint64(setting(t, "HOLDALL_TEST_CRASH_SEED", int(time.Now().UnixNano()%1e9)))
	random := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	calls := []struct {
		name string
		most int // how often one thread makes it at most, about
	}{
		{"fsync", 120}, {"renameat", 30}, {"mkdirat", 40}, {"pwrite64", 30}, {"ftruncate", 10}, {"unlinkat",
			40},
		{"linkat", 4},
	}
	failed := 0
	for i := range setting(t, "HOLDALL_TEST_DISK_FAULTS", 10) {
		call := calls[random.IntN(len(calls))]
		fault := []string{"error=ENOSPC", "error=EIO", "signal=SIGKILL"}[random.IntN(3)]
		inject := call.name + ":" + fault + ":when=" + strconv.Itoa(1+random.IntN(call.most))
		t.Run(fmt.Sprintf("%d/%s", i, inject), func(t *testing.T) {
			if err := os.RemoveAll(c.root); err != nil {
				t.Fatal(err)
			}
			args := append([]string{
				"-f", "-qq", "-o", os.DevNull, "-e", "trace=" + call.name, "-e", "inject=" + inject, program,
			}, c.take...)
			cmd := exec.Command(strace, args...)
			out, err := cmd.CombinedOutput()
			if cmd.ProcessState == nil {
				t.Fatal(err)
			}
			if cmd.ProcessState.ExitCode() != 0 {
				failed++
			}
			c.goesOn(t)
			if t.Failed() {
				t.Logf("seed %d: exit code %d: %s", seed, cmd.ProcessState.ExitCode(), out)
			}
		})
	}
	if failed == 0 {
		t.Error("no run failed: nothing was tried")
	}
}
