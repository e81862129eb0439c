package e2e

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"holdall/internal/exportsim"
)

// expectedBeside are findings that a mistake leads to besides, or instead of, the one that it is made for.
var expectedBeside = map[string]string{
	"symlink-entry":    "entry-refused",
	"cv-without-owner": "owner-unknown",
	"encrypted-entry":  "attachment-refused", // its row has a file that cannot be opened
}

// Each mistake that was put into an export is found at its record, and whatever is found was put there.
func TestFindingsAreTheMistakes(t *testing.T) {
	dir := t.TempDir()
	p, _ := simulate(t, dir, "--people", "200", "--mistakes", "--seed", "5")
	mistakes := readTruth(t, p.truth).Mistakes
	if len(mistakes) < 20 {
		t.Fatalf("only %d mistakes were made", len(mistakes))
	}
	root := filepath.Join(dir, "archives")
	holdall(t, 5, "take", p.master, "--to", root, "--allow-private")
	if code, out := reader(t, "verify", exportIn(t, root), root); code != 0 {
		t.Errorf("the reader of the format: exit code %d: %s", code, out)
	}
	found := decode[struct{ Findings []detailed }](t, holdall(t, 0, "status", root, "--json")).Findings
	names := documentNames(t, root)
	for i, f := range found {
		for _, id := range documentID.FindAllString(f.Detail, -1) {
			found[i].Detail += ", " + names[id]
		}
	}
	for _, m := range mistakes {
		if m.Code != "" && !slices.ContainsFunc(
			found, func(f detailed) bool { return f.Code == m.Code && f.isAbout(m) },
		) {
			t.Errorf("not found: %+v", m)
		}
	}
	for _, f := range found {
		explained := func(m exportsim.Mistake) bool {
			return (m.Code == f.Code || expectedBeside[m.Kind] == f.Code) && f.isAbout(m)
		}
		if f.Severity != "info" && !slices.ContainsFunc(mistakes, explained) {
			t.Errorf("found, but never made: %+v", f)
		}
	}
}

var documentID = regexp.MustCompile(`\b[a-z][0-9]+-[0-9]{6}\b`)

// documentNames returns the received name of each document by its ID.
func documentNames(t *testing.T, root string) map[string]string {
	t.Helper()
	names := map[string]string{}
	for _, f := range decode[[]map[string]any](t, holdall(t, 0, "files", root, "--json")) {
		names[f["doc_id"].(string)], _ = f["original_name"].(string)
	}
	return names
}

// detailed is a finding as status prints it.
type detailed struct {
	Code     string `json:"code"`
	Severity string `json:"severity"`
	Table    string `json:"table"`
	RecordID string `json:"record_id"`
	Detail   string `json:"detail"`
}

// isAbout compares what both name: the record, the file, or the table alone. A row that stands twice has all
// its keys twice.
func (f detailed) isAbout(m exportsim.Mistake) bool {
	switch {
	case m.RecordID != "" && f.RecordID == m.RecordID, m.File != "" && strings.Contains(f.Detail, m.File):
		return true
	}
	return m.Table != "" && f.Table == m.Table && (f.RecordID == "" || f.Code == "duplicate-key")
}
