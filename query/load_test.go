package query

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"holdall/schemas"
)

func TestDuplicateHeadingsAreNumbered(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{})
	r := load(t, b, "Candidates.csv", "Candidate Id,Gender,gender,GENDER,Odd,Odd,\n1,f,m,x,a,b,c\n")
	var got []string
	for _, c := range r.Columns {
		if c.Heading != "" || !c.Known {
			got = append(got, fmt.Sprintf("%s %q %t", c.Column, c.Heading, c.Sensitive))
		}
	}
	want := []string{
		`candidate_id "Candidate Id" false`, `gender "Gender" true`, `gender_2 "gender" true`,
		`gender_3 "GENDER" true`, `odd "Odd" false`, `odd_2 "Odd" false`, `column_7 "" false`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(
		[][]string{{"f", "m", "x", "a", "b", "c"}},
		cells(t, b, "select gender, gender_2, gender_3, odd, odd_2, column_7 from candidates"),
	); d != "" {
		t.Error(d)
	}
}

func TestRejectsKeepTheCell(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{})
	r := load(
		t, b, "Candidates.csv", "Candidate Id,Current Salary,Rating\n1,negotiable,5\n2,4.47E+11,x\n3,100,1\n",
	)
	want := [][]string{
		{"candidates", "current_salary", "1", "negotiable"},
		{"candidates", "current_salary", "2", "4.47E+11"}, {"candidates", "rating", "2", "x"},
	}
	if d := cmp.Diff(
		want, cells(t, b, "select table_name, column_name, row_number, value from rejects order by all"),
	); d != "" {
		t.Error(d)
	}
	if r.Rejected != 3 {
		t.Errorf("%d rejects, want 3", r.Rejected)
	}
	if found := codes(t, b); !has(
		found, "warning cells-rejected", "current_salary: 2", "spreadsheet program",
	) {
		t.Errorf("%q", found)
	}
}

func TestDamageOfSpreadsheetsIsReportedNotRepaired(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{})
	load(
		t, b, "Candidates.csv",
		"Candidate Id,Mobile,Surname\n1,4.47E+11,x\n2,\"=\"\"0044\"\"\",y\n3,=\"0045\",z\n",
	)
	if d := cmp.Diff(
		[][]string{{"4.47E+11"}, {`="0044"`}, {`="0045"`}}, cells(t, b, "select mobile from candidates"),
	); d != "" {
		t.Error(d)
	}
	if found := codes(t, b); !has(found, "warning cells-damaged: mobile: 3 cells") {
		t.Errorf("%q", found)
	}
}

// TestRaggedRowsGoToQuarantine: long because it is one table of cases.
func TestRaggedRowsGoToQuarantine(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		rows       string
		loaded     string
		quarantine [][]string
	}{
		"too few and too many": {
			"1,a,b\n2,a\n3,a,b,c\n4,d,e\n", "1 4",
			[][]string{{"2", "2,a", "too few cells"}, {"3", "3,a,b,c", "too many cells"}},
		},
		"a quote that nobody closes swallows one line, not the " +
			"rest": {"1,a,b\n2,\"x,y\n3,a,b\n4,\"c\",\"d\"\n5,e,f\n", "1 3 4 5",
			[][]string{{"2", `2,"x,y`, "its quotes make no sense"}}},
		"an empty cell too many may be a comma that nobody quoted": {"1,a,b\n2,c,d\n3,Smith, John,\n4,e,f\n",
			"1 2 4",
			[][]string{{"3", "3,Smith, John,", "an empty cell too many, unlike other records"}}},
		"a line break that nobody quoted": {
			"1,a,b\n2,c,one\ntwo\n3,d,e\n", "1 3",
			[][]string{
				{"2", "2,c,one", "the next line looks like the rest of it"}, {"3", "two", "too few cells"},
			},
		},
		"a line that sums up is not a row": {
			"1,a,b\n2,c,d\nTotal: 2 rows\n", "1 2", [][]string{{"3", "Total: 2 rows", "too few cells"}},
		},
		"the headings again": {
			"1,a,b\n\ufeffcandidate id,Surname,Status\n2,c,d\n", "1 2",
			[][]string{{"2", "\ufeffcandidate id,Surname,Status", "the headings again"}},
		},
		"headings in another order": {
			"1,a,b\nSurname,Status,Candidate Id\nc,d,2\nCandidate Id,Surname,Status\n3,e,f\n", "1 3",
			[][]string{
				{"2", "Surname,Status,Candidate Id", "the headings again"},
				{"3", "c,d,2", "it is below other headings"},
				{"4", "Candidate Id,Surname,Status", "the headings again"},
			},
		},
		"nor when it is the last": {
			"1,a,b\n2,\"x,y\n", "1", [][]string{{"2", `2,"x,y`, "its quotes make no sense"}},
		},
		"only the last cells are missing": {
			"1001,a,b\n1002,c,d\n1003,e,f\n1004,g\n1005,h,i\n1006,j,k\n1007,l,m\n1008,\n1009,n,o\n1010,p,q\n",
			"1001 1002 1003 1004 1005 1006 1007 1008 1009 1010", nil,
		},
		"what is left of two records": {
			"1001,a,b\n1002,c,d\n1003,e,f\n1004,g\nh,i\n1006,j,k\n1007,l,m\n1008,n,o\n",
			"1001 1002 1003 1006 1007 1008",
			[][]string{{"4", "1004,g", "too few cells"}, {"5", "h,i", "too few cells"}},
		},
		"the end of the file is missing": {
			"1001,a,b\n1002,c,d\n1003,e,f\n1004,g,h\n1005,i", "1001 1002 1003 1004",
			[][]string{{"5", "1005,i", "too few cells"}},
		},
		"bare quotes within a line stay": {"1,\"say \"hi\" now\",b\n2,5\" pipe,c\n", "1 2", nil},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := build(t, BuildOptions{})
			r := load(t, b, "Candidates.csv", "Candidate Id,Surname,Status\n"+tt.rows)
			var ids []string
			for _, row := range cells(t, b, "select candidate_id from candidates") {
				ids = append(ids, row[0])
			}
			if got := strings.Join(ids, " "); got != tt.loaded {
				t.Errorf("loaded %s, want %s", got, tt.loaded)
			}
			got := cells(
				t, b,
				"select row_number, record, reason from quarantine where table_name = 'candidates' order "+
					"by row_number",
			)
			if d := cmp.Diff(tt.quarantine, got, cmpopts.EquateEmpty()); d != "" {
				t.Error(d)
			}
			if int(r.Quarantined) != len(tt.quarantine) ||
				has(codes(t, b), "warning rows-ragged") != (len(tt.quarantine) > 0 &&
					name != "the headings again") {
				t.Errorf("%d in quarantine; findings %q", r.Quarantined, codes(t, b))
			}
		})
	}
}

func TestFilesThatAreOdd(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		file, content, table string
		known                bool
		rows                 int64
		finding              string
	}{
		"no bytes at all": {"Users.csv", "", "users", true, 0, "warning table-empty"},
		"headings only": {
			"Tasks.csv", "Task Id,Subject\n", "tasks", true, 0, "info table-empty",
		},
		"candidates with no rows": {
			"Candidates.csv", "Candidate Id\n", "candidates", true, 0, "warning table-empty",
		},
		"in a folder, in other case": {
			"export/data/JOB_PIPELINES.CSV", "pipelineId,jobId\n1,2\n", "job_pipelines", true, 1, "",
		},
		"renamed, known by its columns": {
			"export (3).csv", "User Id,Full Name,Email,Time Zone,Archived\n1,a,b,c,yes\n", "users", true, 1,
			"",
		},
		"an eleventh table": {
			"Placements 2026.csv", "Placement Id,Fee,Start\nPL-1,100.50,2026-01-31\n", "placements_2026",
			false, 1, "info table-unknown",
		},
		"one that is named like ours": {
			"findings.csv", "a,b\n1,2\n", "findings_2", false, 1, "warning table-repeated",
		},
		"one column":           {"Odd.csv", "only\na\n\nb\n", "odd", false, 3, "info table-unknown"},
		"a name of no letters": {"数据.csv", "a,b\n1,2\n", "unnamed", false, 1, "info table-unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			b, path := build(t, BuildOptions{})
			r := load(t, b, tt.file, tt.content)
			if r.Table != tt.table || r.Known != tt.known || r.Rows != tt.rows {
				t.Errorf("got table %s, known %t, %d rows", r.Table, r.Known, r.Rows)
			}
			if found := codes(t, b); tt.finding != "" && !has(found, tt.finding) {
				t.Errorf("no %s in %q", tt.finding, found)
			}
			if tt.known {
				return
			}
			if err := b.Finish(context.Background()); err != nil {
				t.Fatal(err)
			}
			open(t, path, OpenOptions{})
		})
	}
}

func TestASecondFileOfATableIsKeptApart(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{})
	load(t, b, "Users.csv", "User Id\n1\n")
	r := load(t, b, "old/Users.csv", "User Id\n2\n")
	if r.Table != "users_2" || r.Known || !has(codes(t, b), "warning table-repeated") {
		t.Errorf("got %s; %q", r.Table, codes(t, b))
	}
}

func TestMissingColumnsAreThereAsNULL(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{})
	load(t, b, "Job_Pipelines.csv", "Pipeline Id,Status Code\n1,PLACED\n")
	if d := cmp.Diff(
		[][]string{{"1", "NULL", "NULL", "NULL"}},
		cells(t, b, "select pipeline_id, job_id, commission_value, offer_date from job_pipelines"),
	); d != "" {
		t.Error(d)
	}
	found := codes(t, b)
	if !has(found, "warning columns-missing", "job_id", "candidate_id") ||
		!has(found, "info columns-missing", "offer_date") {
		t.Errorf("%q", found)
	}
}

func TestACellOf20MegabytesLoads(t *testing.T) {
	t.Parallel()
	var content bytes.Buffer
	content.WriteString("Candidate Id,Conversation Thread,Status\n0,a,b\n1,\"")
	for content.Len() < 20<<20 {
		content.WriteString("He said \"\"no\"\", and\nthen, again, yes. ")
	}
	content.WriteString("\",x\n2,y,z\n")
	b, _ := build(t, BuildOptions{})
	r := load(t, b, "Candidates.csv", content.String())
	if r.Rows != 3 {
		t.Errorf("%d rows, want 3", r.Rows)
	}
	got := cells(
		t, b,
		"select length(conversation_thread) > 19000000, status from candidates where candidate_id = '1'",
	)
	if d := cmp.Diff([][]string{{"true", "x"}}, got); d != "" {
		t.Error(d)
	}
}

func TestWhatDuckDBMisreadsIsReadAgain(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{})
	path := filepath.Join(t.TempDir(), "x.csv")
	if err := os.WriteFile(path, []byte("Candidate Id,Surname\n1,\"a\n\"\n2,b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ctx := context.Background()
	s, err := scanFile(
		ctx, f, encodingReport{name: encUTF8}, recogniser{schemas.Recruitly(), "Candidates.csv"},
	)
	if err != nil {
		t.Fatal(err)
	}
	s.ends = [4]int64{endCRLF: 3} // DuckDB is told CRLF, and reads nothing or something else
	l := b.plan("Candidates.csv", s)
	if err := b.load(ctx, l, s, f); err != nil {
		t.Fatal(err)
	}
	if l.misread == nil || l.Rows != 2 {
		t.Errorf("misread %v, %d rows", l.misread, l.Rows)
	}
	s.records++ // and where the count itself does not fit, nothing is loaded
	l = b.plan("Other.csv", s)
	if err := b.load(ctx, l, s, f); err == nil || !strings.Contains(err.Error(), "3 records") {
		t.Errorf("got error %v, want one that names 3 records", err)
	}
}

func TestLoadingStopsWithItsContext(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{})
	path := filepath.Join(t.TempDir(), "x.csv")
	if err := os.WriteFile(path, []byte("Candidate Id\n"+strings.Repeat("1\n", 5000)), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := b.LoadCSV(ctx, "Candidates.csv", path); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want a cancelled context", err)
	}
	if r := load(t, b, "Candidates.csv", "Candidate Id\n1\n"); r.Table != "candidates" || r.Rows != 1 {
		t.Errorf("afterwards: %+v", r)
	}
}
