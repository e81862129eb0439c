package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// demoRoot is a root with one archive, made once: copy it with demo.
var demoRoot = sync.OnceValues(func() (string, error) {
	demoMade.Store(true)
	root, err := os.MkdirTemp("", "holdall-demo-")
	if err != nil {
		return "", err
	}
	var talk bytes.Buffer
	e := &env{
		stdin: strings.NewReader(""), stdout: &talk, stderr: &talk, console: newConsole(&talk),
		lookup: func(string) (string, bool) { return "", false },
	}
	if code := run(context.Background(), e, []string{"demo", "--people", "10", "--to", root}); code != 0 {
		return root, &usageError{message: talk.String()}
	}
	return root, nil
})

var demoMade atomic.Bool

func TestAnArchiveIsFoundByEveryPathThatLeadsToIt(t *testing.T) {
	root, id, bag := demo(t)
	away := t.TempDir()
	link := filepath.Join(away, "link")
	renamed := filepath.Join(away, "The account's data (copy)")
	for _, err := range []error{os.Symlink(bag, link), os.Symlink(root, filepath.Join(away, "root")),
		os.CopyFS(renamed, os.DirFS(bag)),
		os.CopyFS(filepath.Join(root, "exports", "second-copy"), os.DirFS(bag))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(filepath.Dir(root))
	for _, path := range []string{"archives", "archives/", "./archives/../archives", root,
		"archives/exports", "archives/exports/" + id, "archives/exports/" + id + "/",
		"archives/exports/second-copy", "archives/exports/" + id + "/data/documents", bag + "/bagit.txt",
		link, filepath.Join(away, "root"), renamed, renamed + "/data"} {
		o := holdall(t, "status", path, "--json")
		var s struct{ Export string }
		if err := json.Unmarshal([]byte(o.stdout), &s); err != nil || s.Export != id {
			t.Errorf("status %s: exit %d, export %q\n%s", path, o.code, s.Export, o.stderr)
		}
		if v, faults := verify(t, 0, path); len(v.Exports) == 0 || v.Exports[0].Export != id {
			t.Errorf("verify %s: %+v, faults %q", path, v, faults)
		}
	}
	t.Chdir(renamed)
	if _, faults := verify(t, 0, "."); faults != "" {
		t.Errorf("verify .: faults %q", faults)
	}
	if o := holdall(t, "query", ".", "select count(*) as n from candidates"); o.stdout != "n\n10\n" ||
		!strings.Contains(o.stderr, os.Getenv("XDG_CACHE_HOME")) {
		t.Errorf("query: exit %d, %q; the database's place is not told: %q", o.code, o.stdout, o.stderr)
	}
	if diff := cmp.Diff(written(t, bag), written(t, renamed)); diff != "" {
		t.Errorf("reading an archive wrote into it (-original +copy):\n%s", diff)
	}
}

// TestVerifyOfARootHoldsItAgainstItsLedger: long because it is one table of cases.
func TestVerifyOfARootHoldsItAgainstItsLedger(t *testing.T) {
	const bagit = "missing bagit.txt"
	for _, tc := range []struct {
		name   string
		damage func(t *testing.T, root, bag string)
		exit   int
		want   string // codes and paths of the faults
		note   string
	}{
		{"nothing happened", func(*testing.T, string, string) {}, 0, "", ""},
		{
			"the export was deleted", func(t *testing.T, _, bag string) { os.RemoveAll(bag) }, 5,
			"export-missing exports/ID", "",
		},
		{
			"all exports were deleted with their directory",
			func(t *testing.T, root, _ string) { os.RemoveAll(root + "/exports") }, 5,
			"export-missing exports/ID", "",
		},
		{
			"the export was renamed",
			func(t *testing.T, root, bag string) { rename(t, bag, root+"/exports/old") }, 0, "", "",
		},
		{"the export was moved and linked to", func(t *testing.T, root, bag string) {
			away := t.TempDir() + "/moved"
			rename(t, bag, away)
			if err := os.Symlink(away, bag); err != nil {
				t.Fatal(err)
			}
		}, 0, "", ""},
		{
			"it has lost its bagit.txt", func(t *testing.T, _, bag string) { os.Remove(bag + "/bagit.txt") },
			5, bagit, "",
		},
		{"an event of the ledger was changed", func(t *testing.T, root, _ string) {
			names, _ := filepath.Glob(root + "/ledger/*-taken.json")
			if len(names) != 1 || os.WriteFile(
				names[0], []byte(`{"number":1,"kind":"taken","export":"x","previous":"00"}`), 0o600,
			) != nil {
				t.Fatal(names)
			}
		}, 5, "ledger-broken ledger/", ""},
		{
			"the ledger was deleted", func(t *testing.T, root, _ string) { os.RemoveAll(root + "/ledger") },
			5, "ledger-broken ledger/", "",
		},
		{"an export was copied here", func(t *testing.T, root, bag string) {
			if err := os.CopyFS(root+"/exports/again", os.DirFS(bag)); err != nil {
				t.Fatal(err)
			}
		}, 0, "", "are the same export"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root, id, bag := demo(t)
			tc.damage(t, root, bag)
			v, faults := verify(t, tc.exit, root)
			if want := strings.ReplaceAll(tc.want, "ID", id); tc.name[:8] != "an event" && faults != want ||
				!strings.Contains(faults, want) {
				t.Errorf("faults %q, want %q", faults, want)
			}
			if notes := strings.Join(v.Notes, "\n"); !strings.Contains(notes, tc.note) || tc.note == "" &&
				notes != "" {
				t.Errorf("notes %q, want %q", notes, tc.note)
			}
		})
	}
}

// The first of two exports is deleted: the newest being valid does not make the root so.
func TestADeletedOlderExportIsAFault(t *testing.T) {
	root, id, bag := demo(t)
	if o := holdall(t, "demo", "--people", "11", "--to", root); o.code != 0 {
		t.Fatalf("%+v", o)
	}
	v, _ := verify(t, 0, root)
	if len(v.Exports) != 2 {
		t.Fatalf("%d exports were verified, want 2", len(v.Exports))
	}
	if err := os.RemoveAll(bag); err != nil {
		t.Fatal(err)
	}
	v, faults := verify(t, 5, root)
	if want := "export-missing exports/" + id; faults != want || len(v.Exports) != 1 || !v.Exports[0].Valid {
		t.Errorf("faults %q, want %q; exports %+v", faults, want, v.Exports)
	}
	o := holdall(t, "verify", root, "--level", "quick")
	if !strings.Contains(o.stderr, "the root does not hold what its ledger says: 1 fault") ||
		!strings.Contains(o.stdout, "valid (quick") {
		t.Errorf("exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
}

// What is not a complete archive is reported for what it is. Long because it is two tables of the same cases.
func TestWhatIsNoArchive(t *testing.T) {
	root, _, bag := demo(t)
	empty := t.TempDir()
	if err := os.Remove(filepath.Join(bag, "bagit.txt")); err != nil {
		t.Fatal(err)
	}
	got := map[string]outcome{}
	for name, args := range map[string][]string{
		"an empty directory":           {"status", empty},
		"verify of an empty directory": {"verify", empty},
		"nothing":                      {"query", filepath.Join(empty, "no"), "select 1"},
		"an empty argument":            {"verify", ""},
		"an archive without bagit.txt": {"tables", bag},
		"a root with such an archive":  {"tables", root},
		"a list of what is an archive": {"list", bag},
		"a bucket without a name":      {"files", "s3:///x"},
		"an archive that is gone": {
			"status", filepath.Join(root, "exports", "recruitly-x-20240101T000000Z-aaaa"),
		},
		"a file of somebody else's":       {"tables", filepath.Join(root, "README.txt")},
		"a document that is not there":    {"cat", empty, "c1-000001"},
		"a takeover into a bag":           {"take", "-", "--to", filepath.Join(bag, "more")},
		"a takeover into exports/":        {"take", "-", "--to", filepath.Join(root, "exports")},
		"a spool in a bag":                {"take", "-", "--to", empty, "--spool", bag},
		"documents copied into an export": {"files", bag, "--to", filepath.Join(bag, "data", "copy")},
	} {
		got[name] = holdall(t, args...)
	}
	want := map[string]struct {
		code   int
		stderr string
	}{
		"an empty directory":              {1, "no complete export in " + empty},
		"verify of an empty directory":    {1, "no export in " + empty},
		"nothing":                         {1, filepath.Join(empty, "no") + " does not exist"},
		"an empty argument":               {2, "the path is empty"},
		"an archive without bagit.txt":    {1, `hint: "holdall verify `},
		"a root with such an archive":     {1, `hint: what is there is not whole: "holdall verify `},
		"a list of what is an archive":    {2, "is in an archive, not a root of archives"},
		"a bucket without a name":         {2, "is not of the form s3://bucket/prefix"},
		"an archive that is gone":         {1, "no export "},
		"a file of somebody else's":       {1, "README.txt"},
		"a document that is not there":    {1, "no complete export in"},
		"a takeover into a bag":           {2, "is inside the archive"},
		"a takeover into exports/":        {2, "is inside the folder exports"},
		"a spool in a bag":                {2, "is inside of an archive"},
		"documents copied into an export": {2, "is inside of an archive"},
	}
	for name, w := range want {
		if o := got[name]; o.code != w.code || !strings.Contains(o.stderr, w.stderr) ||
			!strings.Contains(o.stderr, "hint: ") || o.stdout != "" {
			t.Errorf(
				"%s: exit %d, want %d and %q with a hint\nstdout: %s\nstderr: %s", name, o.code, w.code,
				w.stderr, o.stdout, o.stderr,
			)
		}
	}
	if v, faults := verify(t, 5, bag); faults != "missing bagit.txt" ||
		!strings.Contains(v.Faults[0].Detail, "without it") {
		t.Errorf("verify without bagit.txt: %q: %+v", faults, v)
	}
	// What is refused is refused before anything is written.
	before := written(t, filepath.Dir(root))
	for _, dir := range []string{
		"db/x", ".work/x", "exports/x", "ledger", filepath.Join("exports", filepath.Base(bag), "data", "x"),
	} {
		o := holdall(
			t, "take", put(t, filepath.Join(empty, "m.csv"), "Data,https://a.example/x.zip\n"), "--to",
			filepath.Join(root, dir),
		)
		if o.code != 2 || !strings.Contains(o.stderr, "is inside") {
			t.Errorf("take --to ROOT/%s: exit %d, %s", dir, o.code, o.stderr)
		}
	}
	if diff := cmp.Diff(before, written(t, filepath.Dir(root))); diff != "" {
		t.Errorf("written (-before +after):\n%s", diff)
	}
}

// What cannot be read is not said to have changed.
func TestWhatCannotBeReadIsNotCalledChanged(t *testing.T) {
	root, _, bag := demo(t)
	name := filepath.Join(bag, "bagit-profile.json")
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	// Nothing outside of a root is ever opened. The link is as long as the file was.
	if err := errors.Join(
		os.Remove(name), os.Symlink(strings.Repeat("/", int(info.Size())), name),
	); err != nil {
		t.Fatal(err)
	}
	o := holdall(t, "verify", root)
	if o.code != 5 || !strings.Contains(o.stdout, "unreadable") ||
		!strings.Contains(o.stderr, "1 file could not be read") ||
		strings.Contains(o.stderr, "has changed since") {
		t.Errorf("exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
}

// A root with nothing but an unfinished takeover has a status, by any path; beside a broken archive that is
// not all there is.
func TestStatusOfARootThatHoldsOnlyUnfinishedTakeovers(t *testing.T) {
	root, _, bag := demo(t)
	put(t, root+"/.work/20260203T040506Z-unfi/run.json", `{"started":"2026-02-03T04:05:06Z"}`)
	const begun = "the takeover begun at 2026-02-03 04:05:06 UTC is not finished"
	if o := holdall(t, "status", root); o.code != 0 || !strings.Contains(o.stderr, begun) ||
		!strings.Contains(o.stdout, "complete") {
		t.Errorf("beside an archive: exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	if o := holdall(t, "status", bag); strings.Contains(o.stderr, begun) {
		t.Errorf("of the archive itself: %s", o.stderr)
	}
	if err := os.Remove(bag + "/bagit.txt"); err != nil {
		t.Fatal(err)
	}
	if o := holdall(t, "status", root); o.code != 1 ||
		!strings.Contains(o.stderr, "what is there is not whole") {
		t.Errorf("beside a broken archive: exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	if err := errors.Join(os.RemoveAll(bag), os.RemoveAll(root+"/ledger")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(root)
	for _, path := range []string{".", root, root + "/"} {
		if o := holdall(t, "status", path); o.code != 0 || !strings.Contains(o.stderr, begun) {
			t.Errorf("alone, as %s: exit %d\n%s%s", path, o.code, o.stdout, o.stderr)
		}
	}
	if o := holdall(t, "query", root, "select 1"); o.code != 1 ||
		!strings.Contains(o.stderr, `run "holdall take" again`) {
		t.Errorf("query: exit %d\n%s", o.code, o.stderr)
	}
}

// A damaged record is an error that says what to do, not only a digest.
func TestADamagedRecordHasAHint(t *testing.T) {
	root, _, bag := demo(t)
	name := filepath.Join(bag, "custody", "completeness.json")
	if err := errors.Join(os.Chmod(name, 0o600), os.WriteFile(name, []byte("{}"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if o := holdall(t, "status", root); o.code != 1 || !strings.Contains(
		o.stderr, `hint: the archive is damaged there; "holdall verify"`,
	) {
		t.Errorf("exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
}

// EXPORT may be left out where it is clear which archive is meant.
func TestTheArchiveMayBeLeftOut(t *testing.T) {
	root, id, bag := demo(t)
	outside := t.TempDir()
	in := func(dir, named string, args ...string) outcome {
		t.Helper()
		t.Chdir(dir)
		var out, talk bytes.Buffer
		e := &env{stdin: strings.NewReader(""), stdout: &out, stderr: &talk, console: newConsole(&talk),
			lookup: func(name string) (string, bool) {
				return named, named != "" && name == "HOLDALL_EXPORT"
			}}
		return outcome{run(t.Context(), e, args), out.String(), talk.String()}
	}
	for _, dir := range []string{
		root, filepath.Join(root, "exports"), bag, filepath.Join(bag, "data", "tables"),
	} {
		for want, args := range map[string][]string{
			"n\n10\n":                 {"query", "select count(*) as n from candidates"},
			"candidates\t10\t":        {"tables"},
			"candidate_id\tVARCHAR\t": {"tables", "candidates"},
			"doc_id\t":                {"files"},
			id:                        {"status"},
			id + ": valid":            {"verify", "--level", "quick"},
			id + "\t":                 {"list"},
			"stage\treached\t":        {"report", "funnel"},
			"%PDF-":                   {"cat", "c3-000000"},
		} {
			if o := in(dir, "", args...); o.code != 0 || !strings.Contains(o.stdout, want) {
				t.Errorf("in %s: %q: %+v", dir, args, o)
			}
		}
	}
	if o := in(outside, root, "query", "select count(*) as n from candidates"); o.stdout != "n\n10\n" {
		t.Errorf("with HOLDALL_EXPORT: %+v", o)
	}
	if o := in(
		outside, filepath.Join(outside, "no"), "query", root, "select count(*) as n from candidates",
	); o.stdout != "n\n10\n" {
		t.Errorf("an argument beats HOLDALL_EXPORT: %+v", o)
	}
	if o := in(bag, "", "query", root, "select count(*) as n from jobs"); o.code != 0 {
		t.Errorf("an argument beats the directory: %+v", o)
	}
	for _, args := range [][]string{
		{"tables"}, {"verify"}, {"report", "funnel"}, {"cat", "c3-000000"}, {"list"},
	} {
		if o := in(outside, "", args...); o.code != 2 || !strings.Contains(
			o.stderr, "no archive is named, and "+outside+" is not in one",
		) {
			t.Errorf("in no archive: %q: %+v", args, o)
		}
	}
	if o := in(outside, "", "query", "select 1"); o.code != 2 ||
		!strings.Contains(o.stderr, "no archive is named") {
		t.Errorf("SQL in no archive: %+v", o)
	}
}
