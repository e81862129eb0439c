package takeover

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdall/archive"
	"holdall/archive/dirstore"
	"holdall/query"
)

// beforeCatalogsAnswers is what the archive in testdata/before-catalogs answers.
var beforeCatalogsAnswers = map[string]string{
	"select candidate_id, date_of_birth, skills, star_sign from " +
		"candidates": "c-0001|1987-07-31|[\"Go\",\"SQL\"]|Leo\nc-0002|||Virgo",
	"select row_number, date_of_birth, current_salary, has_cv from " +
		"raw.candidates": "1|31/07/1987|45000.00|Yes\n2|31/02/1990|n/a|No",
	"select column_name, row_number, value from rejects order by " +
		"all": "current_salary|2|n/a\ndate_of_birth|2|31/02/1990",
	"select row_number, record from " +
		"quarantine": "3|c-0003,Cai Rees",
	"select count(*) from findings where code = 'rows-ragged'": "1",
	"select original_name, owner_id, owner_name from documents where part = " +
		"'cvs'": "Ama Mensah CV.txt|c-0001|Ama Mensah",
	"select count(*) from timeline where kind = 'file' and record_id = 'c-0001'":    "1",
	"select estimated_size from duckdb_tables() where table_name in ('candidates')": "2",
	"select comment from duckdb_views() where view_name = 'attachments' and not " +
		"internal": "One row for each file that was uploaded to a record, whether or not the file " +
		"itself came with the export.\nThe cells of Attachments.csv as received, as text.",
}

// Archives of before the Parquet files gave the received texts back, and of before there were catalogs, open
// like others.
func TestArchivesOfBeforeCatalogsOpen(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS("testdata/before-catalogs")); err != nil {
		t.Fatal(err)
	}
	store, err := dirstore.Open(root, false)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	bag, err := archive.Open(ctx, store, "")
	if err != nil {
		t.Fatal(err)
	}
	said := 0
	ask := func(sql string) string {
		t.Helper()
		db, err := OpenDatabase(
			ctx, bag, filepath.Join(root, "db"), query.OpenOptions{}, func(string, ...any) { said++ },
		)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		rows, err := db.Query(ctx, sql, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var all []string
		for rows.Next() {
			row, err := rows.Strings()
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, strings.Join(row, "|"))
		}
		return strings.Join(all, "\n")
	}
	for sql, want := range beforeCatalogsAnswers {
		if got := ask(sql); got != want {
			t.Errorf("%s: got %q, want %q", sql, got, want)
		}
	}
	if said != 1 {
		t.Errorf("its tables were made %d times", said)
	}
	r, err := Verify(ctx, bag, archive.Deep, t.TempDir(), archive.VerifyOptions{})
	if err != nil || !r.Valid {
		t.Errorf("verify: %+v, %v", r, err)
	}
}
