package query

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdall/schemas"
)

const twoPlacements = `{"PlacementId":7,"StartDate":"2026-03-09T00:00:00","PlacementStatus":{"Id":"2","Description":"Confirmed","Reference":""},"Candidate":{"Id":5026,"Url":"http://localhost/candidates/5026"},"Salary":{"Salary":31500.5,"SalaryInterval":{"Id":null,"Description":"0"},"PaySalaryItem":null},"Comments":"a, \"b\"\r\nc","Questions":[{"QuestionId":31,"Answer":"4 weeks"}]}
{"PlacementId":8,"PlacementStatus":null,"Candidate":{"Id":5027,"Url":"x"},"NewField":12,"Salary":{"Salary":37.500}}
`

func TestRecordsAreFlattenedByTheirShape(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	file := filepath.Join(dir, "in")
	if err := os.WriteFile(file, []byte(twoPlacements), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := Create(ctx, filepath.Join(dir, "x.duckdb"), BuildOptions{Schema: schemas.Eploy()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	report, err := b.LoadNDJSON(ctx, "placements.ndjson", file)
	if err != nil {
		t.Fatal(err)
	}
	if report.Table != "placements" || report.Rows != 2 || report.Rejected != 0 {
		t.Errorf("%+v", report)
	}
	if err := b.Reconcile(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if err := b.Finish(ctx); err != nil {
		t.Fatal(err)
	}
	db, err := Open(ctx, filepath.Join(dir, "x.duckdb"), nil, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const sql = `SELECT placement_id, start_date, placement_status, placement_status_id, candidate_id,
		salary_salary, salary_salary_interval,
		salary_salary_interval_id, comments, questions, new_field FROM placements ORDER BY 1`
	rows, err := db.Query(ctx, sql, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got [][]string
	for rows.Next() {
		var row []string
		for _, v := range rows.JSON() {
			row = append(row, string(v))
		}
		got = append(got, row)
	}
	want := [][]string{
		{`"7"`, `"2026-03-09T00:00:00"`, `"Confirmed"`, `"2"`, `"5026"`, `31500.50`, `"0"`, `null`,
			`"a, \"b\"\r\nc"`,
			`[{"QuestionId":31,"Answer":"4 weeks"}]`, `null`},
		{`"8"`, `null`, `null`, `null`, `"5027"`, `37.50`, `null`, `null`, `null`, `null`, `12`},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
