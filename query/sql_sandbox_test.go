package query

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// smallDB is a database of three candidates and nothing else.
func smallDB(t testing.TB) (*DB, string) {
	t.Helper()
	ctx := context.Background()
	b, path := build(t, BuildOptions{})
	load(t, b, "Candidates.csv",
		"Candidate Id,Full Name,Candidate Skills,Current Salary,Date of Birth,Created On,Has CV\n"+
			"a1,Ama Mensah,\"sql;go\",41000.50,1990-02-03,2026-01-02 03:04:05,yes\na2,\"Bo \"\"B\"\" "+
			"Li\",,,,,no\na3,,x,0,,,\n")
	if err := b.Finish(ctx); err != nil {
		t.Fatal(err)
	}
	return open(t, path, OpenOptions{}), path
}

// load loads one CSV of the given content.
func load(t testing.TB, b *Builder, name, content string) *TableReport {
	t.Helper()
	path := filepath.Join(t.TempDir(), "received.csv")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := b.LoadCSV(context.Background(), name, path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestSandboxRefuses: long because it is one table of cases.
func TestSandboxRefuses(t *testing.T) {
	t.Parallel()
	d, path := smallDB(t)
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret.csv")
	if err := os.WriteFile(secret, []byte("a\nTOP SECRET\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	inDir := func(name string) string { return text(filepath.Join(dir, name)) }
	attacks := []struct{ name, sql, want string }{
		{
			"reading a file by function", "select * from read_csv(" + text(secret) + ")",
			"read_csv() is not allowed: ",
		},
		{"reading a file by name", "select * from " + text(secret), "file system operations are disabled"},
		{
			"reading a file by a quoted name", `select * from "` + secret + `"`,
			"file system operations are disabled",
		},
		{
			"reading a file as text", "select content from read_text(" + text(secret) + ")",
			"read_text() is not allowed: ",
		},
		{"reading a file by a method call", text(secret) + ".read_text()", "READ_TEXT is not allowed: "},
		{
			"reading a file inside another statement",
			"select 1 where exists (from read_blob(" + text(secret) + "))", "read_blob() is not allowed: ",
		},
		{"listing a directory", "select * from glob(" + inDir("*") + ")", "glob() is not allowed: "},
		{
			"reading the network", "select * from read_csv('http://127.0.0.1:9/x.csv')",
			"read_csv() is not allowed: ",
		},
		{"reading a bucket", "select * from 's3://bucket/x.parquet'", "file system operations are disabled"},
		{"writing a file", "copy (select 1) to " + inDir("out.csv"), "COPY is not allowed: "},
		{"writing the database out", "export database " + inDir("out"), "EXPORT is not allowed: "},
		{"attaching a file", "attach " + inDir("x.db") + " as x", "ATTACH is not allowed: "},
		{
			"attaching the very file that is open", "attach " + text(path) + " as again",
			"ATTACH is not allowed: ",
		},
		{"attaching a database in memory", "attach ':memory:' as x", "ATTACH is not allowed: "},
		{"detaching", "detach archive", "DETACH is not allowed: "},
		{"installing an extension", "install httpfs", "INSTALL is not allowed: "},
		{"loading an extension", "load httpfs", "LOAD is not allowed: "},
		{"changing a setting", "set memory_limit = '20GB'", "SET is not allowed: "},
		{
			"changing a setting by pragma", "pragma enable_external_access = true",
			"PRAGMA enable_external_access is not allowed: ",
		},
		{"switching access on", "set enable_external_access = true", "SET is not allowed: "},
		{"unlocking", "set lock_configuration = false", "SET is not allowed: "},
		{"resetting", "reset all", "RESET is not allowed: "},
		{"making a secret", "create secret s (type s3, key_id 'x', secret 'y')", "CREATE is not allowed: "},
		{"changing data", "update candidates set full_name = 'x'", "UPDATE is not allowed: "},
		{"deleting data", "delete from candidates", "DELETE is not allowed: "},
		{"dropping a table", "drop table candidates", "DROP is not allowed: "},
		{"making a table", "create table t as select 1", "CREATE is not allowed: "},
		{"making a table in memory", "create table memory.main.t as select 1", "CREATE is not allowed: "},
		{"making a macro", "create macro m() as 1", "CREATE is not allowed: "},
		{"a change behind a query", "select 1; drop table candidates", "DROP is not allowed: "},
		{"a change behind a comment", "select 1 --;\n; drop table candidates", "DROP is not allowed: "},
		{
			"a change hidden from a careless splitter", "select $x$ ; $x$; drop table candidates",
			"DROP is not allowed: ",
		},
		{
			"a change in WITH", "with x as (select 1) insert into archive_meta (key) select 'x'",
			"this kind of statement is not allowed: ",
		},
		{
			"a change under EXPLAIN ANALYZE", "explain analyze create table memory.main.t as select 1",
			"CREATE is not allowed: ",
		},
		{
			"a change under EXPLAIN with options", "explain (format json) drop table candidates",
			"DROP is not allowed: ",
		},
		{"SQL in a string", "select * from query('select 1')", "query() is not allowed: "},
		{
			"SQL in a tree", "select * from json_execute_serialized_sql(json_serialize_sql('select 1'))",
			"json_execute_serialized_sql() is not allowed: ",
		},
		{
			"logging to a file",
			"select * from enable_logging(storage = 'file', storage_config = {'path': " + inDir("log") + "})",
			"enable_logging() is not allowed: ",
		},
		{
			"logging by a quoted name", `select * from "enable_logging"('QueryLog')`,
			"enable_logging() is not allowed: ",
		},
		{
			"logging by a name with a comment behind it", "select * from enable_logging/* */('QueryLog')",
			"enable_logging() is not allowed: ",
		},
		{
			"profiling to standard output", "select * from enable_profiling()",
			"enable_profiling() is not allowed: ",
		},
		{"a checkpoint", "checkpoint", "CHECKPOINT is not allowed: "},
		{
			"a checkpoint by function", "select * from force_checkpoint('archive')",
			"force_checkpoint() is not allowed: ",
		},
		{"preparing", "prepare p as select 1", "PREPARE is not allowed: "},
		{"calling", "call pragma_version()", "CALL is not allowed: "},
		{"a transaction", "begin", "BEGIN is not allowed: "},
		{"switching the database", "use memory", "USE is not allowed: "},
		{"an open quote", "select 'x", "not closed"},
		{"an open comment", "select 1 /* x", "not closed"},
		{"nothing", " ; -- nothing\n", "no SQL given"},
	}
	for _, attack := range attacks {
		t.Run(attack.name, func(t *testing.T) {
			rows, err := d.Query(context.Background(), attack.sql, nil)
			if err == nil {
				var out bytes.Buffer
				Write(&out, rows, WriteOptions{Format: TSV})
				rows.Close()
				t.Fatalf("was run, and answered %q", &out)
			}
			if !strings.Contains(err.Error(), attack.want) ||
				strings.HasSuffix(attack.want, "not allowed: ") != errors.Is(err, ErrRefused) {
				t.Errorf("refused with %q, want %q", err, attack.want)
			}
			if strings.Contains(err.Error(), "TOP SECRET") {
				t.Errorf("the error tells the file's content: %v", err)
			}
		})
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("the attacks left %v", left)
	}
	if got := answer(t, d, "select count(*) from candidates", nil); got != "count_star()\n3\n" {
		t.Errorf("after the attacks the database answers %q", got)
	}
}

// The second wall alone: what gets past the first is refused by the engine.
func TestTheEngineItselfIsSealed(t *testing.T) {
	t.Parallel()
	d, _ := smallDB(t)
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret.csv")
	if err := os.WriteFile(secret, []byte("a\nTOP SECRET\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const sealed, locked, readOnly = "disabled by configuration", "configuration has been locked", "read-only"
	for _, attack := range []struct{ name, sql, want string }{
		{"reading a table", "select * from read_csv(" + text(secret) + ")", sealed},
		{"reading a text", "select content from read_text(" + text(secret) + ")", sealed},
		{"listing a directory", "select * from glob(" + text(filepath.Join(dir, "*")) + ")", sealed},
		{"writing a file", "copy (select 1) to " + text(filepath.Join(dir, "out.csv")), sealed},
		{"attaching a file", "attach " + text(filepath.Join(dir, "x.db")) + " as x", sealed},
		{
			"loading an extension", "load " + text(filepath.Join(dir, "x.duckdb_extension")),
			"disabled through configuration",
		},
		{"switching access on", "set global enable_external_access = true", locked},
		{"changing a setting", "set memory_limit = '20GB'", locked},
		{"changing data", "update archive_meta set value = 'x'", readOnly},
		{"dropping a table", "drop view candidates", readOnly},
	} {
		_, err := d.db.ExecContext(context.Background(), attack.sql)
		if err == nil || !strings.Contains(err.Error(), attack.want) {
			t.Errorf("%s: %v, want %q", attack.name, err, attack.want)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("the attacks left %v", left)
	}
}

// answer returns what a query yields as TSV.
func answer(t testing.TB, d *DB, query string, params map[string]string) string {
	t.Helper()
	rows, err := d.Query(context.Background(), query, params)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var out bytes.Buffer
	if _, err := Write(&out, rows, WriteOptions{Format: TSV}); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return out.String()
}

// TestSandboxAllows: long because it is one table of cases.
func TestSandboxAllows(t *testing.T) {
	t.Parallel()
	d, _ := smallDB(t)
	for name, tt := range map[string]struct {
		sql    string
		params map[string]string
		want   string
	}{
		"a semicolon and a comment at the end": {"select 1 as a; -- done", nil, "a\n1\n"},
		"several statements answer the last":   {"select 1; select 2 as b;", nil, "b\n2\n"},
		"FROM first": {
			"from candidates select candidate_id where has_cv", nil, "candidate_id\na1\n",
		},
		"a quoted semicolon": {"select ';' as a, $$;'$$ as b", nil, "a\tb\n;\t;'\n"},
		"DESCRIBE": {
			"describe select 1 as a", nil,
			"column_name\tcolumn_type\tnull\tkey\tdefault\textra\na\tINTEGER\tYES\t\t\t\n",
		},
		"a parameter that is cast": {
			"select $d::date + $n::int as a, $q as b",
			map[string]string{"d": "2026-01-01", "n": "2", "q": "x"}, "a\tb\n2026-01-03\tx\n",
		},
		"a parameter in several statements": {
			"select $a; select $a as a, $b as b", map[string]string{"a": "1", "b": "2"}, "a\tb\n1\t2\n",
		},
		"two columns of one name": {"select 1 as a, 2 as a", nil, "a\ta\n1\t2\n"},
		"a CTE":                   {"with x as (select 5 as v) select v from x", nil, "v\n5\n"},
		// the last that happened, not the takeover
		"the snapshot": {
			"select snapshot_at() as s", nil, "s\n2026-01-02 03:04:05\n",
		},
		"the takeover": {
			"select value from archive_meta where key = 'taken_at'", nil, "value\n2026-03-31 18:30:00\n",
		},
		"plain words in lists": {
			"select candidate_id from candidates where has(skills, 'SQL') or skills::varchar ilike " +
				"'%nothing%'",
			nil, "candidate_id\na1\n",
		},
		"a PIVOT": {
			"pivot (select 'x' as k, 1 as v) on k in ('x') using sum(v)", nil, "x\n1\n",
		},
		"PRAGMA table_info": {
			"select count(*) > 5 as many from (describe candidates)", nil, "many\ntrue\n",
		},
		"a word that looks like a refused call": {"select query from (select 1 as query)", nil, "query\n1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, answer(t, d, tt.sql, tt.params)); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, sql := range []string{
		"show tables", "summarize candidates", "explain select 1", "explain analyze select 1",
		"pragma table_info('candidates')", "explain (format json) select 1",
	} {
		if got := answer(t, d, sql, nil); len(got) < 10 {
			t.Errorf("%s answers %q", sql, got)
		}
	}
}

func TestParametersMustFit(t *testing.T) {
	t.Parallel()
	d, _ := smallDB(t)
	for sql, params := range map[string]map[string]string{"select $a": nil, "select 1": {"a": "1"}} {
		if _, err := d.Query(context.Background(), sql, params); err == nil ||
			!strings.Contains(err.Error(), "$a") {
			t.Errorf("%s with %v: got error %v, want one that names $a", sql, params, err)
		}
	}
}

func TestATimeoutEndsAQuery(t *testing.T) {
	t.Parallel()
	d, _ := smallDB(t)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := d.Query(
		ctx, "select sum(a.range * b.range) from range(10000000) as a, range(10000000) as b", nil,
	)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got error %v, want the deadline", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v to stop", took)
	}
	if got := answer(t, d, "select 1 as a", nil); got != "a\n1\n" {
		t.Errorf("afterwards the database answers %q", got)
	}
}

func TestSortingMoreThanMemoryGoesToDisk(t *testing.T) {
	t.Parallel()
	_, path := smallDB(t)
	d := open(t, path, OpenOptions{MemoryLimit: 48 << 20, Threads: 1})
	rows, err := d.Query(
		context.Background(),
		"select range as i, md5(range::varchar) || repeat('x', 100) as h from range(300000) order by h", nil,
	)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	last, n := "", 0
	for rows.Next() {
		row, _ := rows.Strings()
		if row[1] < last {
			t.Fatalf("row %d is out of order", n)
		}
		last = row[1]
		n++
	}
	if rows.Err() != nil || n != 300000 {
		t.Errorf("read %d rows, %v", n, rows.Err())
	}
}

func TestSplitSQL(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		sql  string
		want []string
	}{
		"plain":                         {"select 1;select 2", []string{"select 1", "select 2"}},
		"empty statements are left out": {";; select 1 ;\n-- x\n;", []string{"select 1"}},
		"semicolons in quotes": {
			`select ';', "a;b", E'\';' ; select 2`, []string{`select ';', "a;b", E'\';'`, "select 2"},
		},
		"dollar quotes and parameters": {
			"select $a, $$;$$, $t$ ; $$ $t$; select $b",
			[]string{"select $a, $$;$$, $t$ ; $$ $t$", "select $b"},
		},
		"comments nest": {
			"select /* ; /* ; */ ; */ 1 -- ;\n; select 2",
			[]string{"select /* ; /* ; */ ; */ 1 -- ;", "select 2"},
		},
		"a backslash is only a backslash":  {`select '\'; select 2`, []string{`select '\'`, "select 2"}},
		"words of other scripts are words": {"select ä; select 2", []string{"select ä", "select 2"}},
		"a doubled quote does not end text": {
			"select 'a'';'; select 2", []string{"select 'a'';'", "select 2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			statements, err := splitSQL(tt.sql)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range statements {
				got = append(got, s.text)
				if n, err := countStatements(s.text); n != 1 || err != nil {
					t.Errorf("the engine finds %d statements in %q: %v", n, s.text, err)
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}
