package schemas

import (
	"go/build"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRecruitlyHasTheTenTablesOfAnExport(t *testing.T) {
	var got []string
	for _, table := range Recruitly() {
		got = append(got, table.File)
	}
	want := []string{"Attachments.csv", "Audit_Logs.csv", "Candidates.csv", "Companies.csv", "Contacts.csv",
		"Folder_Records.csv", "Job_Pipelines.csv", "Jobs.csv", "Tasks.csv", "Users.csv"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// A slip in the data file would otherwise show only as a column that is quietly taken for another.
func TestTablesAreSound(t *testing.T) {
	t.Run("recruitly", func(t *testing.T) { checkSound(t, Recruitly()) })
	t.Run("eploy", func(t *testing.T) { checkSound(t, Eploy()) })
}

func checkSound(t *testing.T, tables []Table) {
	snake := regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	types := []string{
		"VARCHAR", "VARCHAR[]", "JSON", "BOOLEAN", "INTEGER", "BIGINT", "DECIMAL(18,2)", "DATE", "TIMESTAMP",
	}
	evidence := []string{"spreadsheet", "api", "inferred", "invented", "guide", "seen"}
	for _, table := range tables {
		if !strings.HasSuffix(table.Description, ".") {
			t.Errorf("%s is not described by a sentence", table.Name)
		}
		if _, ok := table.PrimaryKey(); !ok {
			t.Errorf("%s has no primary key", table.Name)
		}
		spelt := map[string]string{}
		for _, c := range table.Columns {
			where := table.Name + "." + c.Name
			if !strings.HasSuffix(c.Description, ".") && !strings.HasSuffix(c.Description, "…") {
				t.Errorf("%s is not described by a sentence", where)
			}
			if !snake.MatchString(c.Name) {
				t.Errorf("%s is not snake_case", where)
			}
			if !slices.Contains(types, c.Type) || !slices.Contains(evidence, c.Evidence) {
				t.Errorf("%s has type %q and evidence %q", where, c.Type, c.Evidence)
			}
			for _, s := range append([]string{c.Name, c.Heading}, c.Aliases...) {
				n := Normalize(s)
				if other, ok := spelt[n]; ok && other != c.Name {
					t.Errorf("%s and %s are both spelt %q", where, other, s)
				}
				spelt[n] = c.Name
			}
			if to, ok := strings.CutSuffix(c.References, "*"); !ok && to != "" {
				name, column, _ := strings.Cut(to, ".")
				target, _ := ByName(tables, name)
				if _, ok := target.Column(column); !ok {
					t.Errorf("%s references %s, which does not exist", where, to)
				}
			}
		}
	}
}

func TestEveryDialectNamesEveryColumn(t *testing.T) {
	for _, table := range Recruitly() {
		want := make([]int, len(table.Columns))
		for i := range want {
			want[i] = i
		}
		for _, d := range []Dialect{Title, Camel, Snake} {
			var headings []string
			for _, c := range table.Columns {
				headings = append(headings, c.HeadingIn(d))
			}
			if diff := cmp.Diff(want, table.Match(headings)); diff != "" {
				t.Errorf("%s in %s: %s", table.Name, d, diff)
			}
			if got, ok := ByColumns(Recruitly(), headings); !ok || got.Name != table.Name {
				t.Errorf("%s in %s is recognised by its columns as %q", table.Name, d, got.Name)
			}
		}
	}
}

func TestHeadingIn(t *testing.T) {
	c := Column{Name: "address_line1", Heading: "Address Line 1"}
	got := []string{c.HeadingIn(Title), c.HeadingIn(Camel), c.HeadingIn(Snake)}
	if d := cmp.Diff([]string{"Address Line 1", "addressLine1", "address_line1"}, got); d != "" {
		t.Error(d)
	}
}

func TestMatch(t *testing.T) {
	table, _ := ByName(Recruitly(), "candidates")
	tests := []struct {
		name     string
		headings []string
		want     []string
	}{
		{
			"a byte order mark and blanks do not hide a heading", []string{"\ufeffCandidate Id ", " E-MAIL"},
			[]string{"candidate_id", "email"},
		},
		{"other vendors' and versions' words are aliases",
			[]string{"_id", "lastName", "updatedOn", "address.cityName"},
			[]string{"candidate_id", "surname", "modified_on", "address_city"}},
		{
			"of two equal headings the first is the column", []string{"Gender", "Gender"},
			[]string{"gender", ""},
		},
		{
			"the column's own words go before an alias that comes first", []string{"Last Name", "Surname"},
			[]string{"", "surname"},
		},
		{"an empty heading names nothing", []string{"", "---"}, []string{"", ""}},
		{"an unknown heading names nothing", []string{"Star Sign"}, []string{""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, i := range table.Match(tt.headings) {
				if i < 0 {
					got = append(got, "")
				} else {
					got = append(got, table.Columns[i].Name)
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestByFile(t *testing.T) {
	for file, want := range map[string]string{
		"Candidates.csv":             "candidates",
		"export/data/CANDIDATES.CSV": "candidates",
		`export\Audit_Logs.csv`:      "audit_logs",
		"job-pipelines.csv":          "job_pipelines",
		"Job.csv":                    "jobs",
		"Candidates.CSV.txt":         "candidates",
		"Candidates (2).csv":         "candidates",
		"Users_2026-11-22.csv":       "users",
		"Placements.csv":             "",
		"":                           "",
	} {
		got, ok := ByFile(Recruitly(), file)
		if got.Name != want || ok != (want != "") {
			t.Errorf("ByFile(%q) = %q, want %q", file, got.Name, want)
		}
	}
}

func TestByColumnsDoesNotGuess(t *testing.T) {
	for _, headings := range [][]string{
		nil, {"Id"}, {"Id", "Name", "Email"},
		{"Placement Id", "Fee", "Start", "Full Name", "Email", "Mobile", "Margin"},
	} {
		if got, ok := ByColumns(Recruitly(), headings); ok {
			t.Errorf("%q is taken for %s", headings, got.Name)
		}
	}
}

func TestSchemasImportNothingOfOurs(t *testing.T) {
	p, err := build.ImportDir(".", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range p.Imports {
		if strings.Contains(i, ".") || strings.HasPrefix(i, "holdall") {
			t.Errorf("schemas imports %s", i)
		}
	}
}
