package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"holdall/internal/takeoversim"
	"holdall/internal/testneed"
)

// ran is what came of a run of the program.
type ran struct {
	code           int
	stdout, stderr string
	killed         bool
	result         takeJSON
}

func (r *ran) location() string {
	if r.code == exitDone || r.code == exitFindings {
		return r.result.Location
	}
	return ""
}

// holdall runs a command.
func (k *simulation) holdall(args ...string) *ran {
	return k.inside(context.Background(), args...)
}

func (k *simulation) inside(ctx context.Context, args ...string) *ran {
	var out, talk bytes.Buffer
	e := &env{stdin: strings.NewReader(""), stdout: &out, stderr: &talk, console: newConsole(&talk),
		lookup: func(string) (string, bool) { return "", false },
		dial:   k.w.Network().Dial}
	code := run(ctx, e, args)
	return &ran{code: code, stdout: out.String(), stderr: talk.String()}
}

// take runs "holdall take" in virtual time, in a process of its own where that is to be killed.
func (k *simulation) take(step takeoversim.Step, renew bool) *ran {
	k.runs++
	var r *ran
	if step.Disk > 0 {
		defer k.smallDisk(step.Disk)()
	}
	if step.Kill > 0 {
		r = k.inChild(step, renew)
	} else {
		r = k.bubble(step, renew, nil)
	}
	k.logf(
		"run %d (%+v, renew %v): exit code %d, killed %v\n%s%s", k.runs, step, renew, r.code, r.killed,
		r.stdout, r.stderr,
	)
	if r.killed {
		return r
	}
	if err := json.Unmarshal([]byte(r.stdout), &r.result); err != nil {
		k.violation("exit code %d, and stdout is no JSON object: %q, %s", r.code, r.stdout, r.stderr)
	}
	for _, s := range k.w.Secrets() {
		if strings.Contains(r.stdout+r.stderr, s) {
			k.violation("a secret is printed: %s%s", r.stdout, r.stderr)
		}
	}
	return r
}

// smallDisks reports whether a disk can be made small here, which takes the rights to mount one.
func smallDisks(t *testing.T) (can bool) {
	t.Run("small disks", func(t *testing.T) {
		dir := t.TempDir()
		if err := mountDisk(dir, 64, 0); err != nil {
			testneed.Missing(
				t, fmt.Sprintf("full disks are left out, as no small one can be mounted: %v", err),
			)
		}
		can = true
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Fatal(err)
		}
	})
	return can
}

func mountDisk(dir string, kib int, flags uintptr) error {
	return syscall.Mount("holdall-simulation", dir, "tmpfs", flags, fmt.Sprintf("size=%dk", kib))
}

// ownDisk gives the archives a disk of their own, if it is to be full at some time.
func (k *simulation) ownDisk() {
	if !slices.ContainsFunc(k.w.Steps(), func(s takeoversim.Step) bool { return s.Disk > 0 }) {
		return
	}
	root := filepath.Join(k.dir, "archives")
	if err := os.MkdirAll(root, 0o755); err != nil {
		k.t.Fatal(err)
	}
	if err := mountDisk(root, 1<<20, 0); err != nil {
		k.t.Fatalf("a disk for the archives: %v", err)
	}
	k.mounted = true
}

// smallDisk leaves so many KiB free on the archives' disk until it is called back.
func (k *simulation) smallDisk(kib int) (enough func()) {
	root := filepath.Join(k.dir, "archives")
	resize := func(kib int) {
		if err := mountDisk(root, kib, syscall.MS_REMOUNT); err != nil {
			k.t.Fatalf("another size of the disk: %v", err)
		}
	}
	var s syscall.Statfs_t
	if err := syscall.Statfs(root, &s); err != nil {
		k.t.Fatal(err)
	}
	resize(kib + int(s.Blocks-s.Bfree)*int(s.Bsize)>>10)
	return func() { resize(1 << 20) }
}

// rot changes a byte of a file that an unfinished takeover left behind.
func (k *simulation) rot() { k.change(filepath.Join(k.dir, "archives", ".work")) }

// change makes a byte of some file below dir another one, and returns how to bring it back.
func (k *simulation) change(dir string) (where string, back func()) {
	var files []string
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil && info.Size() > 0 {
				files = append(files, path)
			}
		}
		return nil
	})
	if len(files) == 0 {
		return "", func() {}
	}
	r := rand.New(rand.NewPCG(k.Seed, uint64(k.runs)))
	path := files[r.IntN(len(files))]
	b, err := os.ReadFile(path)
	if err != nil {
		k.t.Fatal(err)
	}
	at := r.IntN(len(b))
	write := func(x byte) {
		b[at] ^= x
		if err := os.Chmod(path, 0o600); err != nil {
			k.t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			k.t.Fatal(err)
		}
	}
	x := byte(1) << r.IntN(8)
	write(x)
	where = fmt.Sprintf("byte %d of %s", at, path)
	k.logf("%s has rotted", where)
	return where, func() { write(x) }
}

// beside is a second run beside the first. It waits for its turn, says that it does, or finds that all is
// done.
func (k *simulation) beside(ctx context.Context, after time.Duration, args []string) {
	time.Sleep(after)
	r := k.inside(ctx, args...)
	k.logf("at the same time: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	if r.code != exitDone && r.code != exitFindings && r.code != exitNotFinished && r.code != exitLink {
		k.violation("a run at the same time: exit code %d: %s", r.code, r.stderr)
	}
}

const (
	maxRequests = 3000
	maxTime     = 3 * time.Hour // of a run, in virtual time
)

// bubble is take in virtual time. end, when not nil, ends the process.
func (k *simulation) bubble(step takeoversim.Step, renew bool, end func()) (r *ran) {
	stuck := time.AfterFunc(3*time.Minute, func() {
		buf := make([]byte, 1<<20)
		fmt.Fprintf(
			os.Stderr, "seed %d without %q is stuck:\n%s\n", k.Seed, k.Without,
			buf[:runtime.Stack(buf, true)],
		)
		os.Exit(1)
	})
	defer stuck.Stop()
	synctest.Test(k.t, func(t *testing.T) {
		time.Sleep(time.Until(k.w.State().Clock.Add(20 * time.Second)))
		master := filepath.Join(k.dir, "master.csv")
		if err := os.WriteFile(master, k.w.Master(renew), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(master, time.Now(), k.w.Issued()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if step.Interrupt > 0 {
			time.AfterFunc(step.Interrupt, cancel)
		}
		began := time.Now()
		k.w.BeginRun(step, end)
		args := []string{"take", master, "--to", filepath.Join(k.dir, "archives"), "--allow-http", "--json"}
		var beside sync.WaitGroup
		if step.Twice > 0 {
			beside.Go(func() { k.beside(ctx, step.Twice, args) })
		}
		r = k.inside(ctx, args...)
		beside.Wait()
		took := time.Since(began)
		k.w.EndRun()
		if open := k.open(); len(open) > 0 {
			k.violation("files are left open: %v", open)
		}
		if n := k.w.RunRequests(); n > maxRequests {
			k.violation("%d requests in one run", n)
		}
		if took > maxTime {
			k.violation("a run of %s", took)
		}
	})
	return r
}
