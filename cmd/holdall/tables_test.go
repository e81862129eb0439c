package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A column that is nearly empty is not empty, and one that is nearly full not full.
func TestTheShareOfNullsIsNotRoundedAway(t *testing.T) {
	var csv strings.Builder
	csv.WriteString("Candidate Id,Candidate Ref,Full Name,Email,Mobile,Twitter\n")
	for i := range 300 {
		email, mobile := "a@example.org", ""
		if i == 7 {
			email, mobile = "", "07700 900000"
		}
		fmt.Fprintf(&csv, "a%d,CA-%[1]d,Bo Li,%s,%s,\n", i, email, mobile)
	}
	o := holdall(t, "tables", takenOver(t, map[string]string{"Candidates.csv": csv.String()}), "candidates")
	for _, want := range []string{
		"\tEmail\t<1 %\t", "\tMobile\t>99 %\t", "\tTwitter\t100 %\t", "\tFull Name\t0 %\t",
	} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("there is no %q in\n%s", want, o.stdout)
		}
	}
}

// The rows of a view have no order of their own: unsorted, two exports of one archive would differ.
func TestViewsAreExportedSorted(t *testing.T) {
	root, _, _ := demo(t)
	dir := filepath.Join(t.TempDir(), "out")
	if o := holdall(t, "export", root, "--format", "jsonl", "--to", dir, "--tables", "stage_event"); o.code != 0 {
		t.Fatalf("%+v", o)
	}
	lines := strings.Split(strings.TrimSpace(read(t, filepath.Join(dir, "stage_event.jsonl"))), "\n")
	// each begins with its pipeline_id, a text
	ids := make([]string, len(lines))
	for i, line := range lines {
		ids[i], _, _ = strings.Cut(line, `","`)
	}
	if len(ids) < 10 || !slices.IsSorted(ids) {
		t.Errorf("%d stage events are not sorted by their cards", len(ids))
	}
}

// The demo shows eight rows of an answer, and says so where there are more.
func TestTheDemoSaysThatAnAnswerGoesOn(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	root := filepath.Join(t.TempDir(), "demo")
	o := holdall(t, "demo", "--people", "500", "--to", root)
	rows := holdall(t, "report", root, "15")
	more := "… and more: holdall report " + root + " 15-open-tasks-by-leaver\n"
	if n := strings.Count(rows.stdout, "\n") - 1; n <= 8 || !strings.Contains(o.stdout, more) {
		t.Errorf("the report has %d rows, and the demo says\n%s%s", n, o.stdout, o.stderr)
	}
}
