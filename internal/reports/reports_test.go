package reports

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		name, content string
		want          Report
	}{
		{"all that can be said",
			"\uFEFF-- title: Fees by month\r\n-- description: What was earned,\r\n--   by month: all of " +
				"it.\r\n" +
				"-- param since = 2020-01-01: From when on.\r\n-- param $owner: The ID\r\n--   of a " +
				"user.\r\n-- param none = : Nothing.\r\n\r\nselect 1 -- one\r\n",
			Report{Title: "Fees by month", Description: "What was earned, by month: all of it.",
				SQL: "select 1 -- one", Params: []Param{
					{"since", "From when on.", "2020-01-01", true},
					{"owner", "The ID of a user.", "", false}, {"none", "Nothing.", "", true}}}},
		{"nothing but SQL", "select 1;", Report{SQL: "select 1;"}},
		{"comments of another kind",
			"-- by Ama, 2024\n--   indented\n-- Title: Mine\nselect 1\n-- description: not at the top",
			Report{
				Title: "Mine", SQL: "select 1\n-- description: not at the top"}},
		{"a time as default", "-- param at = 2020-01-01 10:00:00: When.\nselect 1", Report{SQL: "select 1",
			Params: []Param{{"at", "When.", "2020-01-01 10:00:00", true}}}},
		{"nothing at all", "", Report{}},
	} {
		tc.want.Name = "x"
		if diff := cmp.Diff(tc.want, parse("x", tc.content)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

var parameter = regexp.MustCompile(`\$[a-z]+`)

func TestBuiltInReportsDescribeThemselves(t *testing.T) {
	all := BuiltIn()
	if len(all) != 25 {
		t.Fatalf("%d reports, want 25", len(all))
	}
	for _, r := range all {
		if r.Title == "" || r.Description == "" || r.SQL == "" || r.Own {
			t.Errorf("%+v says too little", r)
		}
		var described []string
		for _, p := range r.Params {
			described = append(described, "$"+p.Name)
			if p.Description == "" {
				t.Errorf("%s: $%s has no description", r.Name, p.Name)
			}
		}
		used := parameter.FindAllString(r.SQL, -1)
		slices.Sort(used)
		slices.Sort(described)
		if diff := cmp.Diff(slices.Compact(used), described); diff != "" {
			t.Errorf("%s: parameters (-used +described):\n%s", r.Name, diff)
		}
	}
}

func TestDirAndFind(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"fees.sql": "-- title: Fees\nselect 1", "01-funnel.sql": "select 2", "notes.txt": "x",
		".hidden.sql": "x",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	own, err := Dir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := Merge(BuiltIn(), own)
	if len(all) != 26 {
		t.Errorf("%d reports, want 26", len(all))
	}
	for name, want := range map[string]string{
		"fees": "fees", "fees.sql": "fees", "FUNNEL": "01-funnel", "01-funnel": "01-funnel",
		"c9": "C9-orphans", "orphans": "C9-orphans",
	} {
		r, err := Find(all, name)
		if err != nil || r.Name != want {
			t.Errorf("%s: %s, %v", name, r.Name, err)
		}
		if r.Name == "01-funnel" && r.SQL != "select 2" {
			t.Errorf("one's own %s did not take the place of the program's", r.Name)
		}
	}
	if _, err := Find(all, "nothing"); !errors.Is(err, ErrUnknown) {
		t.Errorf("got %v", err)
	}
	if _, err := Dir(filepath.Join(dir, "no")); err == nil {
		t.Error("a directory that is not there was read")
	}
}

func TestBind(t *testing.T) {
	r := Report{Params: []Param{{Name: "a", Default: "1", Optional: true}, {Name: "b"}, {Name: "c"}}}
	values, missing := r.Bind(map[string]string{"b": "2", "z": "9"})
	if diff := cmp.Diff(map[string]string{"a": "1", "b": "2"}, values); diff != "" || len(missing) != 1 ||
		missing[0].Name != "c" {
		t.Errorf("missing %v\n%s", missing, diff)
	}
}
