package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"holdall/internal/takeoversim"
)

// A simulation is one world and what its user does.
type simulation struct {
	t *testing.T
	takeoversim.Selection
	loud bool

	w     *takeoversim.World
	dir   string // of the user: master.csv and archives
	runs  int
	found []string

	mounted bool // archives is a disk of its own
	extra   int  // exports that were taken twice, since what came the first time had been altered on its way
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
	k.w = takeoversim.New(k.Selection)
	k.logf("%s", strings.Join(k.w.Story(), " "))
	k.dir = scratch(k.t)
	defer k.remove()
	k.ownDisk()
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
	if os.Getenv("HOLDALL_SIM_KEEP") != "" {
		k.t.Logf("left in %s", k.dir)
		return
	}
	if k.mounted {
		if err := syscall.Unmount(filepath.Join(k.dir, "archives"), syscall.MNT_DETACH); err != nil {
			k.t.Errorf("seed %d: unmount: %v", k.Seed, err)
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
		if name, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil &&
			strings.HasPrefix(name, k.dir+"/archives/") {
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
		case r.code == exitNotFinished:
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
	level, exit := "full", exitDone
	if k.Seed%8 == 0 {
		level, exit = "deep", last.code // the findings are told again
	}
	if v := k.holdall("verify", last.location(), "--level", level); v.code != exit {
		k.violation("verify: exit code %d: %s%s", v.code, v.stdout, v.stderr)
	}
	if k.w.Rots() {
		where, back := k.change(last.location())
		if v := k.holdall("verify", last.location(), "--level", "full"); v.code != exitFindings {
			k.violation("%s has rotted, and verify: exit code %d: %s%s", where, v.code, v.stdout, v.stderr)
		}
		back()
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
	if k.w.Altered(last.location()) || k.w.Altered(r.location()) {
		if r.location() != last.location() {
			k.extra++
		}
		return
	}
	if r.location() != last.location() || r.code != last.code {
		k.violation(
			"taken again: exit code %d and %q, not %d and %q: %s", r.code, r.location(), last.code,
			last.location(), r.stderr,
		)
	}
	if exports, err := os.ReadDir(filepath.Join(k.dir, "archives", "exports")); err != nil ||
		len(exports) != k.w.Generation()+1+k.extra && !k.w.TakesTwo() {
		k.violation("%d exports in the root after taking again: %v", len(exports), err)
	}
}

// anotherExport lets the vendor serve another export at the same places. While nothing can be reached, nobody
// can know.
func (k *simulation) anotherExport() {
	k.w.NextGeneration()
	r := k.take(takeoversim.Step{Outage: true}, true)
	if r.code != exitNotFinished && r.code != exitLink {
		k.violation(
			"links that nobody has looked at: exit code %d, %s %s", r.code, r.result.State, r.location(),
		)
	}
}
