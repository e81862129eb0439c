package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdall/archive/dirstore"
)

func put(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// litter puts into a root, and into the places of its user, one of everything that clean knows. It returns
// what is to go and what is to stay; unfinished is the name of a takeover.
func litter(t *testing.T, root, id string) (goes, stays []string, unfinished string) {
	t.Helper()
	tmp, cache, away := t.TempDir(), os.Getenv("XDG_CACHE_HOME"), t.TempDir()
	t.Setenv("TMPDIR", tmp)
	const finished, begun = "20260102T030405Z-fini", "20260203T040506Z-unfi"
	work := filepath.Join(root, ".work")
	goes = []string{
		put(t, root+"/db/recruitly-gone-20240101T000000Z-aaaa.duckdb", "of an export that is gone"),
		put(t, root+"/db/"+id+".duckdb.part", "half a database"),
		put(
			t, cache+"/holdall/db/recruitly-x-20240101T000000Z-aaaa.duckdb",
			"of an archive that may not be written to",
		),
		put(t, cache+"/holdall/history", "select 1;\n"),
		put(
			t, work+"/"+finished+"/run.json",
			`{"sealed":{"export":"`+id+`"},"spool":"`+away+"/"+finished+`"}`,
		),
		put(t, away+"/"+finished+"/object-01.data", "received"),
		put(t, tmp+"/holdall-query-dead/.lock", ""),
		put(t, tmp+"/holdall-verify-dead/.lock", ""),
	}
	stays = []string{
		put(t, work+"/"+begun+"/run.json", `{"started":"2026-02-03T04:05:06Z"}`),
		put(t, work+"/"+begun+"/spool/object-01.data", "received, and nowhere else"),
		put(t, work+"/nobody-knows/what", "?"),
		put(t, root+"/db/notes.txt", "somebody's own"),
		put(t, cache+"/other/file", "another program's"),
		put(t, tmp+"/holdall-query-just-made/x", "its process is about to lock it"),
		put(t, away+"/20260303T000000Z-othr/object-01.data", "another root's spool"),
	}
	return goes, stays, begun
}

func there(paths []string) (all []string) {
	for _, path := range paths {
		if _, err := os.Stat(path); err == nil {
			all = append(all, path)
		}
	}
	return all
}

func TestCleanRemovesWhatIsListedAndNothingElse(t *testing.T) {
	root, id, bag := demo(t)
	goes, stays, unfinished := litter(t, root, id)
	goes = append(goes, root+"/db/"+id+".duckdb") // the demo has made it
	if o := holdall(t, "list", root); !strings.Contains(
		o.stderr, "holds 1 database of an export that is gone",
	) {
		t.Errorf("list does not notice the database of an export that is gone: %s", o.stderr)
	}

	o := holdall(t, "clean", root)
	if got := there(slices.Concat(goes, stays)); o.code != 0 || len(got) != len(goes)+len(stays) ||
		!strings.Contains(o.stderr, "hint: nothing was removed: --yes removes 8 things") {
		t.Fatalf(
			"without --yes %d of %d are left; exit %d\n%s%s", len(got), len(goes)+len(stays), o.code,
			o.stdout, o.stderr,
		)
	}
	for _, path := range goes {
		if !strings.Contains(o.stdout, path) && !strings.Contains(o.stdout, filepath.Dir(path)+"\t") &&
			!strings.HasSuffix(path, "object-01.data") {
			t.Errorf("%s is not listed:\n%s", path, o.stdout)
		}
	}

	o = holdall(t, "clean", root, "--yes", "--json")
	var out cleaned
	if err := json.Unmarshal([]byte(o.stdout), &out); err != nil || o.code != 0 || !out.Removed ||
		len(out.Items) != 10 {
		t.Errorf("exit %d, %v, %d items, want 10:\n%s%s", o.code, err, len(out.Items), o.stdout, o.stderr)
	}
	if got := there(goes); len(got) > 0 {
		t.Errorf("left: %q", got)
	}
	if diff := cmp.Diff(stays, there(stays)); diff != "" {
		t.Errorf("removed what was to stay:\n%s", diff)
	}
	if _, faults := verify(t, 0, root); faults != "" {
		t.Errorf("the archive has faults: %q", faults)
	}

	if o := holdall(t, "clean", root, "--yes", "--run", "no-such"); o.code != 2 {
		t.Errorf("an unknown run: %+v", o)
	}
	if o := holdall(t, "clean", root, "--yes", "--run", unfinished); o.code != 0 {
		t.Errorf("%+v", o)
	}
	if diff := cmp.Diff(stays[2:], there(stays)); diff != "" {
		t.Errorf("after --run:\n%s", diff)
	}
	if _, err := os.Stat(bag); err != nil {
		t.Error(err)
	}
}

// What a running takeover works on is left alone.
func TestCleanLeavesARunningTakeoverAlone(t *testing.T) {
	root, id, _ := demo(t)
	litter(t, root, id)
	store, err := dirstore.Open(root, false)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	unlock, err := store.Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	before := names(t, root+"/.work")
	o := holdall(t, "clean", root, "--yes")
	if o.code != 3 || !strings.Contains(o.stderr, "is held by process") ||
		strings.Contains(o.stdout, ".work") {
		t.Errorf("exit %d, want 3\n%s%s", o.code, o.stdout, o.stderr)
	}
	if diff := cmp.Diff(before, names(t, root+"/.work")); diff != "" || len(before) != 3 {
		t.Errorf("the work was touched:\n%s", diff)
	}
}
