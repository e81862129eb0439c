package query

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestCompareTable: each change of a stored table is noticed, and nothing else is. Long because it is one
// table of changes.
func TestCompareTable(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	b, _ := build(t, BuildOptions{})
	content := "Candidate Id,Full Name,Date of Birth,Candidate Skills,Rating,Has CV\n"
	for i := range 300 {
		content += fmt.Sprintf("c%d,Ama %d,%02d/12/1990,Go;SQL,%d,Yes\n", i, i, i%31+1, i%5)
	}
	content += "c300,,31/02/1990,Go ;SQL,,maybe\n"
	report := load(t, b, "Candidates.csv", content)
	quarantine := load(t, b, "Jobs.csv", "Job Id,Job Title\nj1,Chef\nj2,Cook,too,many\nj3,Nurse\n")
	if quarantine.Quarantined != 1 {
		t.Fatalf("%+v", quarantine)
	}
	replace := func(column, with string) string {
		return fmt.Sprintf("SELECT * REPLACE (%s AS %s) FROM %%s", with, column)
	}
	for name, tt := range map[string]struct {
		table, change, want string
	}{
		"as it is":     {"candidates", "SELECT * FROM %s", ""},
		"with numbers": {"jobs", "SELECT * FROM %s", ""},
		"a cell": {
			"candidates", replace("full_name", "CASE full_name WHEN 'Ama 7' THEN 'Ama 8' ELSE full_name END"),
			"full_name: 1 cells are not the CSV's, the first in row 8",
		},
		"a value that many have": {
			"candidates", replace("rating", "CASE rating WHEN 4 THEN 3 ELSE rating END"),
			"rating: 60 cells are not the CSV's, the first in row 5",
		},
		"a kept text": {
			"candidates", replace("as_received", "CASE WHEN as_received.has_cv IS NULL THEN as_received "+
				"ELSE struct_update(as_received, has_cv := 'perhaps') END"),
			"has_cv: 1 cells are not the CSV's, the first in row 301",
		},
		"only a value": {
			"candidates", replace("has_cv", "CASE candidate_id WHEN 'c300' THEN true ELSE has_cv END"),
			"has_cv: 1 values are not what is made of the CSV's cells, the first in row 301",
		},
		"an empty text in place of none": {
			"candidates", replace("full_name", "coalesce(full_name, '')"), "full_name: 1 values are not",
		},
		"the order": {
			"candidates", "SELECT * FROM %s ORDER BY full_name DESC NULLS LAST",
			"candidate_id: 300 cells are not the CSV's",
		},
		"a row in place of another": {
			"candidates", "SELECT * FROM %s WHERE candidate_id <> 'c9' UNION ALL " +
				"SELECT * FROM %[1]s WHERE candidate_id = 'c8'", "candidate_id: ",
		},
		"a row less": {
			"candidates", "SELECT * FROM %s WHERE candidate_id <> 'c9'",
			"it has 300 rows, and the CSV makes 301",
		},
		"the number of a row": {"jobs", replace("row_number", "row_number + 1"), "job_id: "},
		"the order within a list": {
			"candidates", replace("skills", "list_reverse(skills)"), "skills: 300 cells",
		},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "part.parquet")
			source := "read_parquet(" + text(b.File(tt.table)) + ")"
			change := fmt.Sprintf(tt.change, source)
			copySQL := fmt.Sprintf("COPY (%s) TO %s %s", change, text(file), parquetOptions)
			if err := b.exec(ctx, copySQL); err != nil {
				t.Fatal(err)
			}
			r := *report
			if tt.table == "jobs" {
				r = *quarantine
			}
			got, err := b.CompareTable(ctx, r, file)
			if err != nil {
				t.Fatal(err)
			}
			if all := strings.Join(got, "\n"); tt.want == "" && all != "" || !strings.Contains(all, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	if _, err := b.CompareTable(ctx, *report, b.File("jobs")); err == nil {
		t.Error("another table's file is compared without an error")
	}
	file := filepath.Join(t.TempDir(), "quarantine.parquet")
	if _, err := b.WriteParquet(ctx, "quarantine", file); err != nil {
		t.Fatal(err)
	}
	if got, err := b.CompareRows(ctx, "quarantine", file); err != nil || len(got) > 0 {
		t.Errorf("quarantine: %q, %v", got, err)
	}
	if err := b.exec(ctx, "UPDATE main.quarantine SET record = record || ' '"); err != nil {
		t.Fatal(err)
	}
	if got, err := b.CompareRows(ctx, "quarantine", file); err != nil || len(got) == 0 {
		t.Errorf("quarantine, changed: %q, %v", got, err)
	}
}
