package query

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"holdall/internal/exportsim"
)

// TestMatchSimulatedAtSize matches the small documents of an export of HOLDALL_MATCH_PEOPLE people, and
// reports seconds, peak memory and a digest of what was decided, by which two versions can be compared. The
// export is kept in HOLDALL_MATCH_DIR; HOLDALL_MATCH_MISTAKES spoils it, and HOLDALL_MATCH_MIB is what DuckDB
// may use. It is for people who tune.
func TestMatchSimulatedAtSize(t *testing.T) {
	people, _ := strconv.Atoi(os.Getenv("HOLDALL_MATCH_PEOPLE"))
	dir := os.Getenv("HOLDALL_MATCH_DIR")
	if people == 0 || dir == "" {
		t.Skip("set HOLDALL_MATCH_PEOPLE to a number of people and HOLDALL_MATCH_DIR to a directory for them")
	}
	ctx := context.Background()
	e, err := exportsim.Prepare(ctx, exportsim.Config{
		Seed: 1, People: people, Dir: dir, DocumentSize: 2500,
		Mistakes: os.Getenv("HOLDALL_MATCH_MISTAKES") != "",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	zips, err := filepath.Glob(filepath.Join(dir, "*people"+strconv.Itoa(people)+"-*", "data.zip"))
	if err != nil || len(zips) != 1 {
		t.Fatalf("%d files data.zip in %s, want 1: %v", len(zips), dir, err)
	}
	files := unzipCSVs(t, zips[0])
	limit, _ := strconv.ParseInt(os.Getenv("HOLDALL_MATCH_MIB"), 10, 64)
	b, _ := build(t, BuildOptions{MemoryLimit: limit << 20, Threads: 1})
	start, cpu := time.Now(), cpuTime(t)
	step := func(what string) {
		t.Logf("%-24s %7.2f s, CPU %7.2f s, peak %s", what, time.Since(start).Seconds(),
			(cpuTime(t) - cpu).Seconds(), peak(t))
		start, cpu = time.Now(), cpuTime(t)
	}
	maps.DeleteFunc(files, func(name, _ string) bool {
		return name == "Audit_Logs.csv" || name == "Job_Pipelines.csv" || name == "Tasks.csv"
	})
	loadAll(t, b, files)
	step("load tables")
	for _, part := range []string{"attachments", "cvs"} {
		sum, by, n := sha256.New(), map[string]int{}, 0
		for m, err := range b.Match(ctx, entriesOf(e, part)) {
			if err != nil {
				t.Fatal(err)
			}
			if err := json.NewEncoder(sum).Encode(m); err != nil {
				t.Fatal(err)
			}
			by[m.By]++
			n++
		}
		step("match " + part)
		t.Logf("%d %s, matched by %v: %x", n, part, by, sum.Sum(nil))
	}
}
