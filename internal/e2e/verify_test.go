package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A verifyOutcome is what the tests need of what verify prints.
type verifyOutcome struct {
	Valid      bool     `json:"valid"`
	Unfinished bool     `json:"unfinished"`
	Files      int      `json:"files"`
	Error      *failure `json:"error"`
	Faults     []struct {
		Code      string   `json:"code"`
		Path      string   `json:"path"`
		Documents []string `json:"documents"`
		About     []struct {
			ID    string `json:"doc_id"`
			File  string `json:"file"`
			Owner string `json:"owner"`
		} `json:"about"`
	} `json:"faults"`
}

// verifyInRuns runs the same command until it does not ask for that any more, and returns how often and what
// came last. between is called after the first run.
func verifyInRuns(t *testing.T, between func(), args ...string) (runs int, last verifyOutcome, code int) {
	t.Helper()
	for runs = 1; ; runs++ {
		o := start(t, append(args, "--max-duration", "1ns", "--json")...).wait()
		last = decode[verifyOutcome](t, o)
		if o.code != 3 {
			return runs, last, o.code
		}
		if !last.Unfinished || last.Valid || last.Error == nil || last.Error.Retryable == nil ||
			!*last.Error.Retryable {
			t.Fatalf("exit code 3 with %+v", last)
		}
		if runs == 1 {
			between()
		}
		if runs > 200 {
			t.Fatal("it never ends")
		}
	}
}

// A verification that may take no time at all reads one file in each run, and ends as one that takes its
// time.
func TestVerificationInSeveralRuns(t *testing.T) {
	root := copyTree(t, goldenRoot)
	bag := exportIn(t, root)
	runs, last, code := verifyInRuns(t, func() {}, "verify", root)
	if code != 0 || !last.Valid || last.Unfinished || runs < last.Files/4 {
		t.Errorf("exit code %d after %d runs: %+v", code, runs, last)
	}
	type event struct{ Type, Status string }
	log := decode[[]event](t, holdall(t, 0, "log", root, "--json"))
	if len(log) < 3 || log[0] != (event{"verify", "valid"}) || log[1] != (event{"verify", "unfinished"}) {
		t.Errorf("the log has %+v", log)
	}
	// A file that is damaged after it was read is read again: its time is another one.
	first := filepath.Join(bag, "README.txt")
	_, last, code = verifyInRuns(t, func() { flip(t, first) }, "verify", bag)
	if code != 5 || len(last.Faults) != 1 || last.Faults[0].Path != "README.txt" {
		t.Errorf("with a changed file: exit code %d, %+v", code, last)
	}
	holdall(t, 2, "verify", root, "--max-duration", "1h", "--level", "deep")
}

// What a file manager left in an archive's folder is called that; whoever vouches for the manifests is named.
func TestVerifyNamesLitterAndAnchors(t *testing.T) {
	root := copyTree(t, goldenRoot)
	bag := exportIn(t, root)
	type report struct {
		Exports []struct{ Anchors []string }
		Faults  []struct{ Code, Path, Detail string }
	}
	anchors := func(o outcome) []string {
		t.Helper()
		r := decode[report](t, o)
		if len(r.Exports) != 1 {
			t.Fatalf("%+v", r)
		}
		return r.Exports[0].Anchors
	}
	if d := cmp.Diff([]string{"manifests", "ledger"}, anchors(holdall(t, 0, "verify", root,
		"--json"))); d != "" {
		t.Error(d)
	}
	alone := copyTree(t, bag)
	if d := cmp.Diff([]string{"manifests"}, anchors(holdall(t, 0, "verify", alone, "--json"))); d != "" {
		t.Error(d)
	}
	for name, want := range map[string]string{
		".DS_Store": "macOS left it there", "data/documents/Thumbs.db": "Windows left it there",
		"data/._index.parquet": "macOS left it there", "data/letter.pdf": "no manifest names this file",
	} {
		path := filepath.Join(bag, name)
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		r := decode[report](t, holdall(t, 5, "verify", root, "--json"))
		if len(r.Faults) != 1 || r.Faults[0].Code != "unexpected" || !strings.Contains(r.Faults[0].Detail,
			want) {
			t.Errorf("%s: %+v, want %q", name, r.Faults, want)
		}
		said := holdall(t, 5, "verify", root).stderr
		if litter := !strings.HasPrefix(want, "no "); strings.Contains(said, "nothing is damaged") != litter {
			t.Errorf("%s: %s", name, said)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}
