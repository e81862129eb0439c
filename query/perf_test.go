package query

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdall/internal/exportsim"
	"holdall/internal/reports"
)

// TestLoadAtSize loads an export of HOLDALL_QUERY_PEOPLE people and reports time and peak memory. It is for
// people who tune. Long because it is one sequence of measured steps.
func TestLoadAtSize(t *testing.T) {
	people, _ := strconv.Atoi(os.Getenv("HOLDALL_QUERY_PEOPLE"))
	if people == 0 {
		t.Skip("set HOLDALL_QUERY_PEOPLE to a number of people to measure with")
	}
	ctx := context.Background()
	dir := os.Getenv("HOLDALL_QUERY_CHILD")
	if dir == "" {
		dir = t.TempDir()
		e, err := exportsim.Prepare(ctx, exportsim.Config{Seed: 1, People: people, Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		e.Close()
		child := exec.Command(os.Args[0], "-test.run=TestLoadAtSize", "-test.v")
		child.Env = append(os.Environ(), "HOLDALL_QUERY_CHILD="+dir)
		out, err := child.CombinedOutput()
		t.Logf("%s", out)
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	e, err := exportsim.Prepare(ctx, exportsim.Config{Seed: 1, People: people, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	out := t.TempDir()
	if err := e.WriteFiles(out); err != nil {
		t.Fatal(err)
	}
	files := unzipCSVs(t, filepath.Join(out, "data.zip"))
	b, path := build(t, BuildOptions{Threads: 2})
	start, cpu := time.Now(), cpuTime(t)
	step := func(what string) {
		t.Logf(
			"%-40s %6.2f s, CPU %6.2f s, peak %s", what, time.Since(start).Seconds(),
			(cpuTime(t) - cpu).Seconds(), peak(t),
		)
		start, cpu = time.Now(), cpuTime(t)
	}
	for _, name := range sortedKeys(files) {
		r, err := b.LoadCSV(ctx, name, files[name])
		if err != nil {
			t.Fatal(err)
		}
		info, _ := os.Stat(files[name])
		step(
			name + " " + strconv.FormatInt(r.Rows, 10) + " rows " + strconv.FormatInt(info.Size()>>20, 10) +
				" MiB",
		)
	}
	loadSimulated(t, b, e)
	step("match, documents")
	if err := b.Reconcile(ctx, map[string]bool{"attachments": true, "cvs": true}); err != nil {
		t.Fatal(err)
	}
	step("reconcile")
	n := map[string]int{}
	for f, err := range b.Findings(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		n[string(f.Severity)+" "+string(f.Code)]++
		if n[string(f.Severity)+" "+string(f.Code)] < 4 && f.Severity != "info" {
			t.Log(f)
		}
	}
	t.Log(n)
	if err := b.Finish(ctx); err != nil {
		t.Fatal(err)
	}
	step("finish")
	info, _ := os.Stat(path)
	t.Logf("database %d MiB", info.Size()>>20)
	d := open(t, path, OpenOptions{})
	for _, q := range reports.BuiltIn() {
		if strings.Contains(q.SQL, "$") || strings.Contains(q.SQL, "document_text") {
			continue
		}
		rows, err := d.Query(ctx, q.SQL, nil)
		if err != nil {
			t.Fatal(err)
		}
		rows.Close()
		step(q.Name)
	}
}

// peak returns the process's highest resident memory so far.
func peak(t testing.TB) string {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("no /proc")
	}
	for line := range strings.Lines(string(b)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return strings.TrimSpace(value)
		}
	}
	return "?"
}

// cpuTime returns what the process has used of all cores so far.
func cpuTime(t testing.TB) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
