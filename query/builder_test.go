package query

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdall/schemas"
)

func writeFile(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func namesIn(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func TestADatabaseAppearsWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "it's 100% #1") // a path that nobody may take for anything else
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "tables.duckdb")
	writeFile(t, path, []byte("an older one"))
	for _, finish := range []bool{false, true} {
		b, err := Create(
			ctx, path, BuildOptions{Snapshot: time.Now(), Meta: map[string]string{"tool": "test"}},
		)
		if err != nil {
			t.Fatal(err)
		}
		load(t, b, "Users.csv", "User Id,Full Name\n1,Ama\n")
		if got, _ := os.ReadFile(path); string(got) != "an older one" {
			t.Fatalf("the older database was touched: %.20q", got)
		}
		if finish {
			if err := b.Finish(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		want := []string{"tables.duckdb"}
		if finish {
			want = append(want, "tables.tables")
		}
		if d := cmp.Diff(want, namesIn(t, dir)); d != "" {
			t.Errorf("finished %t: %s", finish, d)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o444 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	one, two := open(t, path, OpenOptions{}), open(t, path, OpenOptions{})
	for _, d := range []*DB{one, two} {
		if got := answer(
			t, d, "select value from archive_meta where key = 'tool'", nil,
		); got != "value\ntest\n" {
			t.Errorf("got %q", got)
		}
	}
	if d := cmp.Diff([]string{"tables.duckdb", "tables.tables"}, namesIn(t, dir)); d != "" {
		t.Errorf("while it is open: %s", d)
	}
}

func TestOpenSaysWhatItCannotOpen(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := t.TempDir()
	if _, err := Open(ctx, filepath.Join(dir, "none"), nil, OpenOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	writeFile(t, filepath.Join(dir, "text"), bytes.Repeat([]byte("not a database\n"), 1000))
	if _, err := Open(ctx, filepath.Join(dir, "text"), nil, OpenOptions{}); !errors.Is(err, ErrOutdated) {
		t.Errorf("no database: %v", err)
	}
	b, path := build(t, BuildOptions{})
	if err := b.Finish(ctx); err != nil {
		t.Fatal(err)
	}
	open(t, path, OpenOptions{})
	old := filepath.Join(dir, "old")
	db, err := openEngine(engineOptions{path: old, work: dir, memory: defaultMemory})
	if err != nil {
		t.Fatal(err)
	}
	if err := execAll(
		ctx, db,
		"CREATE TABLE archive_meta(key VARCHAR, value VARCHAR); INSERT INTO archive_meta VALUES "+
			"('database_format', '0')",
	); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(ctx, old, nil, OpenOptions{}); !errors.Is(err, ErrOutdated) {
		t.Errorf("another format: %v", err)
	}
}

func TestCreateRefusesNonsense(t *testing.T) {
	t.Parallel()
	for _, o := range []BuildOptions{{DateOrder: "ymd"}, {TimeZone: "Mars/Olympus"}} {
		if b, err := Create(context.Background(), filepath.Join(t.TempDir(), "x"), o); err == nil {
			b.Close()
			t.Errorf("%+v was accepted", o)
		}
	}
}

func TestTablesDescribeEverything(t *testing.T) {
	t.Parallel()
	d, _ := smallDB(t)
	tables, err := d.Tables(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range tables {
		got = append(got, r.Table)
		if r.Description == "" || len(r.Columns) == 0 {
			t.Errorf("%s is not described: %+v", r.Table, r)
		}
	}
	want := []string{"attachments", "audit_logs", "candidates", "companies", "contacts", "folder_records",
		"job_pipelines", "jobs", "tasks", "users",
		"documents", "archive_meta", "findings", "quarantine", "rejects", "document_text", "stage_event",
		"task_link", "timeline"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, c := range tables[2].Columns {
		if c.Column == "date_of_birth" && (c.Type != "DATE" || c.Heading != "Date of Birth" || c.Nulls != 2 ||
			!c.Sensitive || !c.Known) {
			t.Errorf("%+v", c)
		}
		if want := map[string]string{
			"candidate_id": "primary", "reference": "unique", "owner_id": "users.user_id",
		}[c.Column]; c.Key != want {
			t.Errorf("the key of %s is %q, want %q", c.Column, c.Key, want)
		}
	}
	uncommented := answer(t, d,
		`select table_name from (select table_name, comment from duckdb_tables() where schema_name in
			('main', 'raw') and database_name = 'archive' union all
		select view_name, comment from duckdb_views() where not internal) where comment is null`, nil)
	if uncommented != "table_name\n" {
		t.Errorf("without a comment: %s", uncommented)
	}
	if got := answer(
		t, d,
		"select comment like 'SENSITIVE. %' as c from duckdb_columns() where table_name = 'candidates' "+
			"and column_name = 'gender'",
		nil,
	); got != "c\ntrue\n" {
		t.Errorf("gender: %q", got)
	}
}

func TestParquetOfATable(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	var first []byte
	for range 2 {
		_, files := simulate(t, 10, schemas.Title, false)
		b, _ := build(t, BuildOptions{})
		loadAll(t, b, files)
		if n, err := CountParquet(ctx, b.File("candidates")); n != 10 || err != nil {
			t.Errorf("counted %d, %v", n, err)
		}
		got, err := os.ReadFile(b.File("candidates"))
		if err != nil {
			t.Fatal(err)
		}
		if first != nil && !bytes.Equal(first, got) {
			t.Error("the same table gave other bytes")
		}
		first = got
		if _, err := b.WriteParquet(ctx, "nothing", filepath.Join(t.TempDir(), "it's.parquet")); err == nil {
			t.Error("a table that is not there was written")
		}
	}
}

func TestBuilderIsUsedBySeveralAtOnce(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	e, files := simulate(t, 10, schemas.Title, false)
	b, path := build(t, BuildOptions{Threads: 2})
	var all sync.WaitGroup
	for name, file := range files {
		all.Go(func() {
			if _, err := b.LoadCSV(ctx, name, file); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, part := range []string{"attachments", "cvs", "attachments"} {
		all.Go(func() {
			for _, err := range b.Match(ctx, entriesOf(e, part)) {
				if err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			if err := b.AddFindings(
				ctx, listed([]Finding{{Code: "x", Severity: "info", Detail: "y"}}),
			); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if err := b.Finish(ctx); err != nil {
		t.Fatal(err)
	}
	if got := answer(
		t, open(t, path, OpenOptions{}), "select count(*) as n from findings where code = 'x'", nil,
	); got != "n\n3\n" {
		t.Errorf("got %q", got)
	}
}

func TestTenant(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{})
	if got, err := b.Tenant(context.Background()); got != "" || err != nil {
		t.Errorf("of nothing: %q, %v", got, err)
	}
	load(
		t, b, "Users.csv",
		"User Id\nabcd0123456789abcdef0123456789abcdef\nabcd1123456789abcdef0123456789abcdef\n"+
			"zzzz1123456789abcdef0123456789abcdef\n7\n",
	)
	if got, err := b.Tenant(context.Background()); got != "abcd" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// Ctrl-C while a database is begun was a crash.
func TestABuilderThatIsStoppedAtItsBeginning(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	dir := t.TempDir()
	b, err := Create(ctx, filepath.Join(dir, "tables.duckdb"), BuildOptions{Threads: 1})
	if b != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("Create: %v, %v; want nothing, and that it was stopped", b, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
