package e2e

import (
	"path/filepath"
	"testing"
)

// A verifyOutcome is what the tests need of what verify prints.
type verifyOutcome struct {
	Valid      bool     `json:"valid"`
	Unfinished bool     `json:"unfinished"`
	Files      int      `json:"files"`
	Error      *failure `json:"error"`
	Faults     []struct {
		Code string `json:"code"`
		Path string `json:"path"`
	} `json:"faults"`
}

// verifyInRuns runs the same command until it does not ask for that any more, and returns how often and what came
// last. between is called after the first run.
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

// A verification that may take no time at all reads one file in each run, and ends as one that takes its time.
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
