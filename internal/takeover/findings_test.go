package takeover

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdall/archive"
	"holdall/query"
)

func allFindings(t *testing.T, s *Status, bag *archive.Bag) []query.Finding {
	t.Helper()
	var all []query.Finding
	for f, err := range s.EachFinding(t.Context(), bag) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	return all
}

func TestFindingsBeyondWhatIsHeldWaitInAFile(t *testing.T) {
	t.Parallel()
	f := findings{path: filepath.Join(t.TempDir(), "found.jsonl")}
	const n = 3*findingsHeld + 7
	var want []string
	for i := range n {
		x := query.Finding{
			Code: query.FileUnavailable, Severity: query.SeverityError,
			Detail: fmt.Sprintf("file %d\r\n\xff", i),
		}
		want = append(want, fmt.Sprintf("file %d\r\n\ufffd", i))
		f.add(x)
	}
	if len(f.held) >= findingsHeld {
		t.Errorf("%d findings are held in memory", len(f.held))
	}
	for range 2 { // they can be read again
		var got []string
		for x, err := range f.all() {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, strings.ToValidUTF8(x.Detail, "\ufffd"))
		}
		slices.Sort(got)
		slices.Sort(want)
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("-added +read:\n%.500s", d)
		}
	}
	if err := f.close(); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(f.path); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestFindingsThatCannotBeKeptAreAFailure(t *testing.T) {
	t.Parallel()
	f := findings{path: filepath.Join(t.TempDir(), "no such directory", "found.jsonl")}
	for range findingsHeld {
		f.add(query.Finding{Code: query.FileUnavailable})
	}
	for _, err := range f.all() {
		if err == nil {
			t.Error("findings were read although they could not be kept")
		}
	}
}

// Of thousands of missing files the record has the first, and a file of the archive has all.
func TestAnArchiveHasEveryFinding(t *testing.T) {
	t.Parallel()
	const n = 3 * findingsShown
	rows := "attachment_id,record_id,record_type,file_name,file_size\n"
	for i := range n {
		rows += fmt.Sprintf(
			"f-%03d,abcd00000000000000000000000000000001,CANDIDATE,letter %d.txt,%d\n", i, i, i+10,
		)
	}
	root := t.TempDir()
	r := handmade{tables: map[string]string{"attachments": rows}}.take(t, root)
	i := slices.IndexFunc(r.Findings, func(f FindingCount) bool { return f.Code == query.AttachmentMissing })
	if i < 0 || r.Findings[i].Count != n || r.Findings[i].Detail != "no file for letter 0.txt" {
		t.Errorf("findings %+v; want %d missing attachments", r.Findings, n)
	}
	bag := openBag(t, root, r.Export)
	s, err := ReadStatus(t.Context(), bag)
	if err != nil {
		t.Fatal(err)
	}
	missing := func(f query.Finding) bool { return f.Code == query.AttachmentMissing }
	var ids []string
	for _, f := range allFindings(t, s, bag) {
		if missing(f) {
			ids = append(ids, f.RecordID)
		}
	}
	if len(ids) != n || len(slices.Compact(ids)) != n {
		t.Errorf("%d findings of missing attachments in the archive, want %d", len(ids), n)
	}
	shown := slices.DeleteFunc(s.Shown, func(f query.Finding) bool { return !missing(f) })
	if len(shown) != findingsShown {
		t.Errorf("%d are in the record, want %d", len(shown), findingsShown)
	}
	mustVerify(t, root, r)
	if got := ask(
		t, root, r, "select count(*) from findings where code = 'attachment-missing'",
	); got[0] != fmt.Sprint(n) {
		t.Errorf("the database made from the archive has %s", got)
	}
}

// Archives that were made before there was a file of findings have them in the record.
func TestFindingsOfOlderArchivesAreRead(t *testing.T) {
	t.Parallel()
	s := &Status{Details: Details{
		Shown:    []query.Finding{{Code: query.CVMissing}, {Code: query.FileUnavailable}},
		External: []query.Finding{{Code: query.FileUnavailable}},
	}}
	var all, taking []query.Code
	for f := range s.EachFinding(t.Context(), &archive.Bag{}) {
		all = append(all, f.Code)
	}
	for f := range s.taking(t.Context(), &archive.Bag{}) {
		taking = append(taking, f.Code)
	}
	if d := cmp.Diff([]query.Code{query.CVMissing, query.FileUnavailable}, all); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]query.Code{query.FileUnavailable}, taking); d != "" {
		t.Error(d)
	}
}
