package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"holdall/internal/testneed"
)

// exported exports a root's newest archive into a new directory.
func exported(t *testing.T, root string, args ...string) (dir string, r exportedJSON) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "out")
	o := holdall(t, append([]string{"export", root, "--to", dir, "--json"}, args...)...)
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil || o.code != 0 {
		t.Fatalf("%v\n%+v", err, o)
	}
	return dir, r
}

// askPython runs a program with arguments and returns what it prints.
func askPython(t *testing.T, module, program string, args ...string) string {
	t.Helper()
	python := testneed.Command(t, "python3", "Debian python3")
	if err := exec.Command(python, "-c", "import "+module).Run(); err != nil {
		testneed.Missing(t, "the module "+module+" (from PyPI) is not installed")
	}
	out, err := exec.Command(python, append([]string{"-c", program}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("python: %v\n%s", err, out)
	}
	return string(out)
}

// exportedQuery has a value of each type that the tables have.
const exportedQuery = `select candidate_id, full_name, current_salary::varchar as salary, skills::varchar as skills, has_cv, rating,
	date_of_birth::varchar as birth, created_on::varchar as made from %s order by 1`

// askDuckDB prints the answer to a query as TSV, by DuckDB's own module for Python.
const askDuckDB = `
import sys, duckdb
db = duckdb.connect(sys.argv[1], read_only=sys.argv[1] != ":memory:")
for row in db.execute(sys.argv[2]).fetchall():
    print("\t".join("" if v is None else str(v).lower() if isinstance(v, bool) else str(v) for v in row))
`

// TestExportsAreReadByOthers: long because it is the same question put to one program after the other.
func TestExportsAreReadByOthers(t *testing.T) {
	root, id, _ := demo(t)
	o := holdall(t, "query", root, strings.ReplaceAll(exportedQuery, "%s", "candidates"))
	_, want, _ := strings.Cut(o.stdout, "\n")
	if strings.Count(want, "\n") != 10 {
		t.Fatalf("%+v", o)
	}
	t.Run("parquet", func(t *testing.T) {
		dir, r := exported(t, root, "--format", "parquet")
		got := askPython(
			t, "duckdb", askDuckDB, ":memory:",
			strings.ReplaceAll(exportedQuery, "%s", "'"+dir+"/candidates.parquet'"),
		)
		if got != want || len(r.Tables) < 17 {
			t.Errorf("%d tables; got\n%s\nwant\n%s", len(r.Tables), got, want)
		}
	})
	t.Run("duckdb", func(t *testing.T) {
		dir, r := exported(t, root, "--format", "duckdb")
		file := filepath.Join(dir, id+".duckdb")
		if got := askPython(
			t, "duckdb", askDuckDB, file, strings.ReplaceAll(exportedQuery, "%s", "candidates"),
		); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		counts := askPython(t, "duckdb", askDuckDB, file,
			"select snapshot_at() is not null, (select count(*) from timeline), "+
				"(select count(*) from duckdb_columns() where comment is not null and table_name = "+
				"'candidates') > 60")
		if want := "true\t" + rowsIn(r, "timeline") + "\ttrue\n"; counts != want {
			t.Errorf("got %q, want %q", counts, want)
		}
		old := os.Getenv("HOLDALL_TEST_OLD_DUCKDB")
		if old == "" {
			testneed.Missing(
				t,
				"HOLDALL_TEST_OLD_DUCKDB does not name a directory with the module duckdb 1.0.0 (from PyPI)",
			)
		}
		program := "import sys; sys.path.insert(0, '" + old +
			"'); import duckdb; assert duckdb.__version__ == '1.0.0'\n" + askDuckDB
		if got := askPython(
			t, "sys", program, file, strings.ReplaceAll(exportedQuery, "%s", "candidates"),
		); got != want {
			t.Errorf("DuckDB 1.0: got\n%s\nwant\n%s", got, want)
		}
		const having = "select count(*), count(*) filter (has(skills, 'ZZ')) from candidates where has(skills, 'a')"
		wantHaving := strings.SplitN(holdall(t, "query", root, having, "--format", "tsv").stdout, "\n", 2)[1]
		for name, program := range map[string]string{"today's": askDuckDB, "1.0's": program} {
			if got := askPython(t, "sys", program, file, having); got != wantHaving || got[0] == '0' {
				t.Errorf("%s has(): got %q, want %q", name, got, wantHaving)
			}
		}
	})
	t.Run("sqlite", func(t *testing.T) {
		sqlite := testneed.Command(t, "sqlite3", "Debian sqlite3")
		dir, r := exported(t, root, "--format", "sqlite")
		out, err := exec.Command(sqlite, "-readonly", "-separator", "\t", filepath.Join(dir, id+".sqlite"),
			`select candidate_id, full_name,
			case when current_salary is not null then printf('%.2f', current_salary) end, '[' || (select group_concat(value, ', ') from json_each(skills)) || ']',
			case has_cv when 1 then 'true' when 0 then 'false' end, rating, date_of_birth, created_on from candidates order by 1;
			select count(*) from pragma_integrity_check where integrity_check <> 'ok'; select count(*) from timeline;
			select "table" from pragma_foreign_key_list('job_pipelines') where "from" = 'candidate_id';`).CombinedOutput()
		if want := want + "0\n" + rowsIn(r, "timeline") + "\ncandidates\n"; err != nil ||
			string(out) != want {
			t.Errorf("%v; got\n%s\nwant\n%s", err, out, want)
		}
		var metadata struct {
			Databases map[string]struct {
				Tables map[string]struct{ Columns map[string]string }
			}
		}
		if err := json.Unmarshal(
			[]byte(read(t, filepath.Join(dir, "metadata.json"))), &metadata,
		); err != nil ||
			metadata.Databases[id].Tables["candidates"].Columns["email"] == "" {
			t.Errorf("metadata: %v, %+v", err, metadata)
		}
	})
	t.Run("csv", func(t *testing.T) {
		dir, _ := exported(t, root, "--format", "csv", "--tables", "candidates,jobs")
		got := askPython(t, "csv", `
import sys, csv
rows = list(csv.reader(open(sys.argv[1], encoding="utf-8-sig", newline="")))
print(rows[0][0], len(rows), {len(r) for r in rows} == {len(rows[0])})
`, filepath.Join(dir, "candidates.csv"))
		if got != "candidate_id 11 True\n" || !strings.HasPrefix(
			read(t, filepath.Join(dir, "candidates.csv")), "\uFEFF",
		) {
			t.Errorf("got %q", got)
		}
		if got := strings.Join(names(t, dir), " "); got != "candidates.csv columns.csv jobs.csv" {
			t.Errorf("files %q", got)
		}
	})
	t.Run("jsonl", func(t *testing.T) {
		dir, _ := exported(t, root, "--format", "jsonl", "--tables", "candidates")
		o := holdall(t, "query", root, "from candidates", "--format", "jsonl")
		if got := read(t, filepath.Join(dir, "candidates.jsonl")); got != o.stdout || got == "" {
			t.Errorf("%d bytes, want the %d of query", len(got), len(o.stdout))
		}
	})
	t.Run("xlsx", func(t *testing.T) {
		dir, _ := exported(t, root, "--format", "xlsx")
		got := askPython(t, "openpyxl", `
import sys, openpyxl
book = openpyxl.load_workbook(sys.argv[1])
print(book["candidates"].max_row, book["timeline"].max_row > 100, len(book.sheetnames) > 16)
`, filepath.Join(dir, id+".xlsx"))
		if got != "11 True True\n" {
			t.Errorf("got %q", got)
		}
	})
}

func rowsIn(r exportedJSON, table string) string {
	for _, t := range r.Tables {
		if t.Table == table {
			b, _ := json.Marshal(t.Rows)
			return string(b)
		}
	}
	return ""
}

func TestExportLeavesOutWhatIsSensitive(t *testing.T) {
	root := takenOver(t, map[string]string{
		"Candidates.csv": "Candidate Id,Full Name,Gender,Date of Birth,Internal Note,Star Sign\na1,Ama " +
			"Mensah,F,no date,secret note,Leo\n",
		"Audit_Logs.csv": "Audit Id,Event Time,Action,Entity Type,Entity Id,Message\nl1,2024-01-02 " +
			"03:04:05,CALL,CANDIDATE,a1,secret call\n",
	})
	dir, r := exported(t, root, "--format", "csv", "--without", "sensitive")
	for _, name := range names(t, dir) {
		if name == "columns.csv" {
			continue
		}
		for _, secret := range []string{"secret", "no date", "gender"} {
			if strings.Contains(read(t, filepath.Join(dir, name)), secret) {
				t.Errorf("%s has %q", name, secret)
			}
		}
	}
	if all := strings.Join(r.LeftOut, " "); !strings.Contains(all, "candidates.internal_note") ||
		!strings.Contains(all, "timeline.detail") ||
		!strings.Contains(all, "rejects.value") || strings.Join(r.Unknown, " ") != "candidates.star_sign" {
		t.Errorf("%+v", r)
	}
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"--to", dir, "--format", "csv"}, "is not empty"},
		{[]string{"--to", dir + "/x", "--format", "odt"}, "unknown format"},
		{[]string{"--to", dir + "/x"}, "missing --format"},
		{[]string{"--format", "csv"}, "missing --to"},
		{
			[]string{"--to", dir + "/x", "--format", "csv", "--tables", "people"},
			`there is no such table: "people"`,
		},
		{[]string{"--to", dir + "/x", "--format", "csv", "--without", "money"}, "no columns of a kind"},
	} {
		if o := holdall(t, append([]string{"export", root}, tc.args...)...); o.code != 2 ||
			!strings.Contains(o.stderr, tc.want) {
			t.Errorf("%q: %+v", tc.args, o)
		}
	}
}
