package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"holdall/internal/takeoversim"
)

// TestSimulation runs the program in invented worlds (package takeoversim), as a user would who runs "take" again until it
// is done or asks for a new link, and compares what they have then with the truth.
//
//	HOLDALL_SIM_TIME=2m          how long; else only worlds in which something went wrong once
//	HOLDALL_SIM_SEED=17          one world, with all that happens in it
//	HOLDALL_SIM_FROM=1           worlds from a seed on, instead of from a fresh one
//	HOLDALL_SIM_COUNT=20000      how many worlds; else as many as the time allows
//	HOLDALL_SIM_WITHOUT=a,b      leaves oddities out
func TestSimulation(t *testing.T) {
	without := fields(os.Getenv("HOLDALL_SIM_WITHOUT"))
	if s := os.Getenv("HOLDALL_SIM_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range (&simulation{t: t, seed: seed, without: without, loud: true}).violations() {
			t.Error(v)
		}
		return
	}
	for _, seed := range regressionSeeds(t) {
		t.Run(fmt.Sprint("regression/", seed), func(t *testing.T) { check(t, seed, without) })
	}
	limit, err := time.ParseDuration(orElse(os.Getenv("HOLDALL_SIM_TIME"), "0s"))
	if err != nil {
		t.Fatal(err)
	}
	first, err := strconv.ParseUint(orElse(os.Getenv("HOLDALL_SIM_FROM"), fmt.Sprint(rand.Uint32())), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	count, err := strconv.ParseUint(orElse(os.Getenv("HOLDALL_SIM_COUNT"), fmt.Sprint(1<<30)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("worlds from seed %d on", first)
	fresh(t, first, count, limit, without)
}

// fresh checks worlds side by side until the time is over.
func fresh(t *testing.T, first, count uint64, limit time.Duration, without []string) {
	end := time.Now().Add(limit)
	seeds := make(chan uint64)
	done := 0
	t.Run("fresh", func(t *testing.T) {
		for i := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				for seed := range seeds {
					check(t, seed, without)
				}
			})
		}
		go func() {
			defer close(seeds)
			for seed := first; seed < first+count && (os.Getenv("HOLDALL_SIM_COUNT") != "" || time.Now().Before(end)); seed++ {
				seeds <- seed
				done++
			}
		}()
	})
	t.Logf("%d worlds", done)
}

// check runs one world. When it goes wrong there, the world is made as small as it can be while it still goes wrong.
func check(t *testing.T, seed uint64, without []string) {
	found := (&simulation{t: t, seed: seed, without: without}).violations()
	if len(found) == 0 {
		return
	}
	without, found = shrink(t, seed, without, found)
	story := takeoversim.New(seed, without).Story()
	command := fmt.Sprintf("HOLDALL_SIM_SEED=%d HOLDALL_SIM_WITHOUT=%s go test ./cmd/holdall -run TestSimulation -v", seed, shellQuoted(strings.Join(without, ",")))
	t.Errorf("seed %d, %s:\n  %s\nagain: %s", seed, strings.Join(story, " "), strings.Join(found, "\n  "), command)
}

// maxShrinks bounds how long making a world small may take.
const maxShrinks = 40

// shrink leaves oddities out, one after the other, as long as something still goes wrong.
func shrink(t *testing.T, seed uint64, without, found []string) ([]string, []string) {
	odds := takeoversim.New(seed, without).Story()
	for _, odd := range odds[:min(len(odds), maxShrinks)] {
		fewer := append(append([]string{}, without...), odd)
		if f := (&simulation{t: t, seed: seed, without: fewer}).violations(); len(f) > 0 {
			without, found = fewer, f
		}
	}
	return without, found
}

func fields(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' })
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func shellQuoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// regressionSeeds are worlds in which something went wrong once.
func regressionSeeds(t *testing.T) []uint64 {
	b, err := os.ReadFile("testdata/simulation-seeds.txt")
	if err != nil {
		t.Fatal(err)
	}
	var seeds []uint64
	for line := range strings.Lines(string(b)) {
		if line, _, _ = strings.Cut(line, "#"); strings.TrimSpace(line) == "" {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(line), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seeds = append(seeds, n)
	}
	return seeds
}

// A simulation is one world and what its user does.
type simulation struct {
	t       *testing.T
	seed    uint64
	without []string
	loud    bool

	w     *takeoversim.World
	dir   string // of the user: master.csv and archives
	runs  int
	found []string

	mounted bool // archives is a disk of its own
}

func (k *simulation) violation(format string, args ...any) {
	k.found = append(k.found, fmt.Sprintf(format, args...))
}

func (k *simulation) logf(format string, args ...any) {
	if k.loud {
		k.t.Logf(format, args...)
	}
}

// violations runs the world to its end.
func (k *simulation) violations() []string {
	k.w = takeoversim.New(k.seed, k.without)
	k.logf("%s", strings.Join(k.w.Story(), " "))
	k.dir = scratch(k.t)
	defer k.remove()
	seen := map[string]bool{}
	for generation := range k.w.Truths {
		if generation > 0 {
			k.anotherExport()
		}
		last := k.untilDone()
		if last == nil {
			return k.found
		}
		if location := last.location(); seen[location] {
			k.violation("export %d is taken for an earlier one, %s", generation, location)
		} else {
			seen[location] = true
		}
		k.judge(generation, last)
		k.again(last)
	}
	return k.found
}

func (k *simulation) remove() {
	if k.mounted {
		if err := syscall.Unmount(filepath.Join(k.dir, "archives"), syscall.MNT_DETACH); err != nil {
			k.t.Errorf("seed %d: unmount: %v", k.seed, err)
		}
	}
	if err := os.RemoveAll(k.dir); err != nil {
		k.t.Error(err)
	}
}

// open names the files below the user's directory that this process has open.
func (k *simulation) open() []string {
	var names []string
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, fd := range fds {
		if name, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(name, k.dir+"/archives/") {
			names = append(names, name)
		}
	}
	return names
}

// scratch returns a directory in memory where there is one: nothing here is to be kept.
func scratch(t *testing.T) string {
	base := "/dev/shm"
	if _, err := os.Stat(base); err != nil {
		base = ""
	}
	dir, err := os.MkdirTemp(base, "holdall-simulation-")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// maxRuns is how often a user may have to run take. Faults end, so it has to.
const maxRuns = 20

// untilDone runs take as its exit codes say, and returns the run that ended in an archive.
func (k *simulation) untilDone() *ran {
	renew := false
	steps := k.w.Steps()
	for i := range maxRuns {
		var step takeoversim.Step
		if k.runs < len(steps) {
			step = steps[k.runs]
		}
		r := k.take(step, renew || i == 0 && k.runs > 0)
		renew = false
		if step.Rot && r.location() == "" {
			k.rot()
		}
		switch {
		case r.killed:
		case r.code == exitDone, r.code == exitFindings:
			return r
		case r.code == exitInterrupted && step.Interrupt > 0:
		case r.code == exitGoOn:
			k.retryable(r, true)
		case r.code == exitLink:
			k.retryable(r, false)
			if !k.w.MayNeedNewLinks() {
				k.violation("a new link is asked for, though the links are good: %s", r.stderr)
				return nil
			}
			renew = true
		default:
			k.violation("exit code %d: %s", r.code, r.stderr)
			return nil
		}
		if len(k.found) > 0 {
			return nil
		}
	}
	k.violation("not done after %d runs", maxRuns)
	return nil
}

func (k *simulation) retryable(r *ran, want bool) {
	if r.result.Error == nil || r.result.Error.Retryable != want {
		k.violation("exit code %d with error %+v", r.code, r.result.Error)
	} else if r.result.Error.Hint == "" {
		k.violation("exit code %d without a hint: %s", r.code, r.stderr)
	}
}

// judge compares the archive with the truth.
func (k *simulation) judge(generation int, last *ran) {
	o := takeoversim.Outcome{Location: last.location(), Query: func(sql string) ([]map[string]any, error) {
		r := k.holdall("query", last.location(), sql, "--format", "json")
		var rows []map[string]any
		if r.code != exitDone {
			return nil, fmt.Errorf("exit code %d: %s", r.code, r.stderr)
		}
		return rows, json.Unmarshal([]byte(r.stdout), &rows)
	}}
	status := k.holdall("status", last.location(), "--json")
	var all struct{ Findings []takeoversim.Finding }
	if err := json.Unmarshal([]byte(status.stdout), &all); err != nil {
		k.violation("status: %v: %s", err, status.stderr)
		return
	}
	o.Findings = all.Findings
	bad := 0
	for _, f := range all.Findings {
		k.logf("%s %s: %s", f.Severity, f.Code, f.Detail)
		if f.Severity != "info" {
			bad++
		}
	}
	if (last.code == exitFindings) != (bad > 0) {
		k.violation("exit code %d with %d findings", last.code, bad)
	}
	k.found = append(k.found, k.w.Judge(generation, o)...)
	level := "full"
	if k.seed%8 == 0 {
		level = "deep"
	}
	if v := k.holdall("verify", last.location(), "--level", level); v.code != exitDone {
		k.violation("verify: exit code %d: %s%s", v.code, v.stdout, v.stderr)
	}
	if l := k.w.Leaks(k.dir); len(l) > 1 { // one is the master CSV itself
		k.violation("secrets are in %v", l)
	}
}

// again has the export taken once more when all is done: that must end in the same archive.
func (k *simulation) again(last *ran) {
	r := k.untilDone()
	if r == nil {
		return
	}
	if r.location() != last.location() || r.code != last.code {
		k.violation("taken again: exit code %d and %q, not %d and %q: %s", r.code, r.location(), last.code, last.location(), r.stderr)
	}
	if exports, err := os.ReadDir(filepath.Join(k.dir, "archives", "exports")); err != nil || len(exports) != k.w.Generation()+1 {
		k.violation("%d exports in the root after taking again: %v", len(exports), err)
	}
}

// anotherExport lets the vendor serve another export at the same places. While nothing can be reached, nobody can know.
func (k *simulation) anotherExport() {
	k.w.NextGeneration()
	r := k.take(takeoversim.Step{Outage: true}, true)
	if r.code != exitGoOn && r.code != exitLink {
		k.violation("links that nobody has looked at: exit code %d, %s %s", r.code, r.result.State, r.location())
	}
}

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
	e := &env{stdin: strings.NewReader(""), stdout: &out, stderr: &talk, voice: newVoice(&talk), lookup: func(string) (string, bool) { return "", false },
		dial: k.w.Network().Dial}
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
	k.logf("run %d (%+v, renew %v): exit code %d, killed %v\n%s%s", k.runs, step, renew, r.code, r.killed, r.stdout, r.stderr)
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

// smallDisk lets the archives' disk hold so many KiB until it is called back. It needs root.
func (k *simulation) smallDisk(kib int) (enough func()) {
	root := filepath.Join(k.dir, "archives")
	if os.Geteuid() != 0 {
		return func() {}
	}
	resize := func(size string, flags uintptr) {
		if err := syscall.Mount("holdall-simulation", root, "tmpfs", flags, "size="+size); err != nil {
			k.t.Fatalf("a small disk: %v", err)
		}
	}
	if !k.mounted {
		if err := os.MkdirAll(root, 0o755); err != nil {
			k.t.Fatal(err)
		}
		if left, _ := os.ReadDir(root); len(left) > 0 { // it cannot be moved below a mount
			return func() {}
		}
		resize(fmt.Sprint(kib, "k"), 0)
		k.mounted = true
	} else {
		resize(fmt.Sprint(kib, "k"), syscall.MS_REMOUNT)
	}
	return func() { resize("1g", syscall.MS_REMOUNT) }
}

// rot changes a byte of a file that an unfinished takeover left behind.
func (k *simulation) rot() {
	var files []string
	_ = filepath.WalkDir(filepath.Join(k.dir, "archives", ".work"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil && info.Size() > 0 {
				files = append(files, path)
			}
		}
		return nil
	})
	if len(files) == 0 {
		return
	}
	r := rand.New(rand.NewPCG(k.seed, uint64(k.runs)))
	path := files[r.IntN(len(files))]
	b, err := os.ReadFile(path)
	if err != nil {
		k.t.Fatal(err)
	}
	at := r.IntN(len(b))
	b[at] ^= 1 << r.IntN(8)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		k.t.Fatal(err)
	}
	k.logf("byte %d of %s has rotted", at, path)
}

const (
	maxRequests = 3000
	maxTime     = 3 * time.Hour // of a run, in virtual time
)

// bubble is take in virtual time. end, when not nil, ends the process.
func (k *simulation) bubble(step takeoversim.Step, renew bool, end func()) (r *ran) {
	stuck := time.AfterFunc(3*time.Minute, func() {
		buf := make([]byte, 1<<20)
		fmt.Fprintf(os.Stderr, "seed %d without %q is stuck:\n%s\n", k.seed, k.without, buf[:runtime.Stack(buf, true)])
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
		r = k.inside(ctx, "take", master, "--to", filepath.Join(k.dir, "archives"), "--allow-http", "--json")
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

// An order is what a child process is to do.
type order struct {
	Seed    uint64
	Without []string
	State   []byte
	Dir     string
	Step    takeoversim.Step
	Renew   bool
	Code    int // filled in by the child when it comes to an end
	Stdout  string
	Stderr  string
	Ended   bool
}

// inChild runs take in a process that kills itself.
func (k *simulation) inChild(step takeoversim.Step, renew bool) *ran {
	path := filepath.Join(k.dir, "..", filepath.Base(k.dir)+".order")
	defer os.Remove(path)
	o := order{Seed: k.seed, Without: k.without, State: k.w.Save(), Dir: k.dir, Step: step, Renew: renew}
	if err := o.write(path); err != nil {
		k.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestSimulationChild$")
	cmd.Env = append(os.Environ(), "HOLDALL_SIM_ORDER="+path)
	out, err := cmd.CombinedOutput()
	var died *exec.ExitError
	if err != nil && !(errors.As(err, &died) && died.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL) {
		k.violation("a run in a process of its own: %v\n%s", err, out)
	}
	if o, err = readOrder(path); err != nil {
		k.t.Fatal(err)
	}
	if err := k.w.Restore(o.State); err != nil {
		k.t.Fatal(err)
	}
	return &ran{code: o.Code, stdout: o.Stdout, stderr: o.Stderr, killed: !o.Ended}
}

func (o order) write(path string) error {
	b, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}

func readOrder(path string) (o order, err error) {
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &o)
	}
	return o, err
}

// TestSimulationChild is the process that inChild starts.
func TestSimulationChild(t *testing.T) {
	path := os.Getenv("HOLDALL_SIM_ORDER")
	if path == "" {
		t.SkipNow() // only TestSimulation runs it
	}
	o, err := readOrder(path)
	if err != nil {
		t.Fatal(err)
	}
	k := &simulation{t: t, seed: o.Seed, without: o.Without, dir: o.Dir, w: takeoversim.New(o.Seed, o.Without)}
	if err := k.w.Restore(o.State); err != nil {
		t.Fatal(err)
	}
	r := k.bubble(o.Step, o.Renew, func() {
		o.State = k.w.Save()
		if err := o.write(path); err == nil {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		select {}
	})
	o.State, o.Code, o.Stdout, o.Stderr, o.Ended = k.w.Save(), r.code, r.stdout, r.stderr, true
	if err := o.write(path); err != nil {
		t.Fatal(err)
	}
}
