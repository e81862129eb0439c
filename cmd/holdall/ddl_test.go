package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdall/archive"
	"holdall/archive/dirstore"
	"holdall/archive/s3store"
	"holdall/internal/reports"
	"holdall/internal/s3test"
	"holdall/internal/testneed"
)

// someSkill is a skill for which 08-rediscover-placeable finds somebody.
func someSkill(t *testing.T, root string) string {
	t.Helper()
	o := holdall(t, "query", root,
		`select s from (select candidate_id, unnest(skills) as s from candidates where not coalesce(do_not_contact, false)
		and coalesce(last_contacted, timestamp '1970-01-01') < snapshot_at() - interval 12 month) join job_pipelines using (candidate_id)
		where interview_date is not null order by 1 limit 1`)
	if lines := strings.Split(o.stdout, "\n"); o.code == 0 && len(lines) > 2 {
		return lines[1]
	}
	return "Sage"
}

// reportParams gives every report what it asks for.
func reportParams(skill, person, name string) map[string]string {
	return map[string]string{"since": "2015-01-01", "until": "2026-12-31", "skill": skill, "person": person,
		"q":     name,
		"email": "nobody@example.org", "months": "12"}
}

// reported returns the rows of a report as holdall answers it.
func reported(t *testing.T, root string, r reports.Report, all map[string]string) [][]string {
	t.Helper()
	args := []string{"report", root, r.Name, "--format", "tsv"}
	for _, p := range r.Params {
		args = append(args, "--param", p.Name+"="+all[p.Name])
	}
	o := holdall(t, args...)
	if o.code != 0 {
		t.Fatalf("%q: %+v", args, o)
	}
	var rows [][]string
	for _, line := range strings.Split(strings.TrimSuffix(o.stdout, "\n"), "\n")[1:] {
		rows = append(rows, strings.Split(line, "\t"))
	}
	return rows
}

// alike makes rows comparable that programs print in other ways and orders: 2.50 and 2.5, ["a","b"] and [a,
// b].
func alike(rows [][]string) []string {
	var all []string
	for _, row := range rows {
		var cells []string
		for _, c := range row {
			if f, err := strconv.ParseFloat(c, 64); err == nil {
				c = strconv.FormatFloat(f, 'f', 6, 64)
			}
			cells = append(cells, strings.NewReplacer(`"`, "", ", ", ",", `\n`, "\n", `\\`, `\`).Replace(c))
		}
		all = append(all, strings.Join(cells, "|"))
	}
	slices.Sort(all)
	return all
}

// onS3 copies the archive of a root to a real S3 server, and returns where it is there.
func onS3(t *testing.T, server *s3test.Server, bag, id string) (location string) {
	t.Helper()
	ctx := context.Background()
	s3test.Setenv(t, server.URL, s3test.Root)
	from, err := dirstore.Open(filepath.Dir(filepath.Dir(bag)), false)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	b, err := archive.Open(ctx, from, id)
	if err != nil {
		t.Fatal(err)
	}
	to, err := s3store.Open(ctx, "s3://"+s3test.Bucket+"/root", s3store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Copy(ctx, b, to, nil); err != nil {
		t.Fatal(err)
	}
	return "s3a://" + s3test.Bucket + "/root/exports/" + id
}

// Apache Spark, a real distributed engine, reads an archive in a directory and one on a real S3 server,
// through its own reader of S3, by exactly the statements that ddl prints; and answers what holdall answers.
// Long because one Spark process, which takes long to start, answers everything.
func TestSparkReadsAnArchive(t *testing.T) {
	python := testneed.Command(t, "python3", "Debian python3")
	testneed.Command(t, "java", "Debian openjdk-17-jre-headless")
	jars, _ := filepath.Glob(filepath.Join(os.Getenv("HOLDALL_TEST_SPARK_JARS"), "*.jar"))
	if err := exec.Command(python, "-c", "import pyspark").Run(); err != nil || len(jars) < 5 {
		testneed.Missing(
			t,
			"pyspark (from PyPI), or the jars of hadoop-aws in HOLDALL_TEST_SPARK_JARS "+
				"(.ci/spark-jars.py), are missing",
		)
	}
	server := s3test.Start(t) // before the user's cache directory, in which it lies, is another
	root, id, bag := demo(t)
	location := onS3(t, server, bag, id)
	dir := t.TempDir()
	var ddls []string
	for name, args := range map[string][]string{"0-dir.sql": nil, "1-s3.sql": {"--location", location}} {
		o := holdall(t, append([]string{"ddl", root, "--engine", "spark"}, args...)...)
		if o.code != 0 || !strings.Contains(o.stdout, "CREATE TABLE `candidates`") {
			t.Fatalf("%+v", o)
		}
		ddls = append(ddls, put(t, filepath.Join(dir, name), o.stdout))
	}
	slices.Sort(ddls)
	athena := holdall(t, "ddl", root, "--engine", "athena", "--location", "s3://bucket/x")
	ddls = append(ddls, put(t, filepath.Join(dir, "tables.athena"), athena.stdout))
	skill := someSkill(t, root)
	questions := read(t, filepath.Join("..", "..", "internal", "ddl", "testdata", "questions-spark.sql"))
	asked := put(t, filepath.Join(dir, "questions.sql"), strings.ReplaceAll(questions, "{skill}", skill))
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, python,
		append([]string{filepath.Join("..", "..", "internal", "ddl", "testdata", "spark.py"), asked,
			"spark.sql.warehouse.dir=" + filepath.Join(dir, "warehouse"),
			"spark.jars=" + strings.Join(jars, ","),
			"spark.hadoop.fs.s3a.endpoint=" + server.URL,
			"spark.hadoop.fs.s3a.access.key=" + s3test.Reader.AccessKey,
			"spark.hadoop.fs.s3a.secret.key=" + s3test.Reader.SecretKey,
			"spark.hadoop.fs.s3a.endpoint.region=" + s3test.Region,
			"spark.hadoop.fs.s3a.path.style.access=true",
			"spark.hadoop.fs.s3a.connection.ssl.enabled=false",
			"spark.hadoop.fs.s3a.aws.credentials.provider=" +
				"org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider", "--"}, ddls...)...)
	var talk strings.Builder
	cmd.Stderr = &talk
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("spark: %v\n%s", err, talk.String())
	}
	all := reportParams(skill, "", "")
	answered := 0
	for line := range strings.Lines(string(out)) {
		var (
			which int
			name  string
			rows  [][]string
		)
		if err := json.Unmarshal([]byte(line), &[]any{&which, &name, &rows}); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		r, err := reports.Find(reports.BuiltIn(), name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(alike(reported(t, root, r, all)), alike(rows)); diff != "" {
			t.Errorf("%s in %s (-holdall +spark):\n%s", name, []string{"a directory", "S3"}[which], diff)
		}
		answered++
	}
	if answered != 30 {
		t.Errorf("Spark answered %d questions, want 15 of each archive", answered)
	}
}

// askReports makes an archive known to DuckDB by a file of statements, and prints the answers to queries as
// JSON lines.
const askReports = `
import sys, json, duckdb
db = duckdb.connect()
db.execute(open(sys.argv[1], encoding="utf-8").read())
for name, sql, params in json.load(open(sys.argv[2], encoding="utf-8")):
    db.execute("CREATE OR REPLACE TEMP TABLE answer AS " + sql, params or None)
    rows = db.execute("SELECT COLUMNS(*)::VARCHAR FROM answer").fetchall()
    print(json.dumps([name, [["" if v is None else v for v in row] for row in rows]]))
`

// DuckDB's own build, of another version, reads an archive by the statements that ddl prints, and answers
// what holdall answers.
func TestDuckDBReadsAnArchive(t *testing.T) {
	root, _, _ := demo(t)
	o := holdall(t, "ddl", root, "--engine", "duckdb")
	if o.code != 0 {
		t.Fatalf("%+v", o)
	}
	dir := t.TempDir()
	statements := put(t, filepath.Join(dir, "ddl.sql"), o.stdout)
	who := strings.Split(
		holdall(
			t, "query", root, "select candidate_id, candidate_name from job_pipelines order by 1 limit 1",
		).stdout,
		"\n",
	)[1]
	person, name, _ := strings.Cut(who, "\t")
	all := reportParams(someSkill(t, root), person, name)
	asked := [][]any{}
	for _, r := range reports.BuiltIn() {
		if r.Name == "C10-takeover-statement" {
			continue // it counts what DuckDB has stored, and here nothing is
		}
		params, _ := r.Bind(all)
		asked = append(asked, []any{r.Name, r.SQL, params})
	}
	b, err := json.Marshal(asked)
	if err != nil {
		t.Fatal(err)
	}
	out := askPython(t, "duckdb", askReports, statements, put(t, filepath.Join(dir, "asked.json"), string(b)))
	answered := 0
	for line := range strings.Lines(out) {
		var (
			name string
			rows [][]string
		)
		if err := json.Unmarshal([]byte(line), &[]any{&name, &rows}); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		r, err := reports.Find(reports.BuiltIn(), name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(alike(reported(t, root, r, all)), alike(rows)); diff != "" {
			t.Errorf("%s (-holdall +DuckDB):\n%s", name, diff)
		}
		answered++
	}
	if answered != 24 {
		t.Errorf("DuckDB answered %d reports, want 24", answered)
	}
}

func TestDDLForOtherEngines(t *testing.T) {
	root, _, _ := demo(t)
	for _, tc := range []struct {
		args []string
		code int
		want string
	}{
		{
			[]string{"--engine", "trino", "--location", "s3://b/x/"}, 0,
			`external_location = 's3://b/x/data/tables/candidates'`,
		},
		{[]string{"--engine", "trino"}, 0, `"skills" array(varchar) COMMENT`},
		{
			[]string{"--engine", "athena", "--location", "s3://b/x"}, 0,
			`LOCATION 's3://b/x/data/tables/candidates/'`,
		},
		{[]string{"--engine", "athena"}, 0, "-- Athena reads only from S3"},
		{[]string{"--engine", "oracle"}, 2, ""},
		{nil, 2, ""},
	} {
		if o := holdall(t, append([]string{"ddl", root}, tc.args...)...); o.code != tc.code ||
			!strings.Contains(o.stdout, tc.want) {
			t.Errorf("%q: %+v", tc.args, o)
		}
	}
}
