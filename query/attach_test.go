package query

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
)

func TestAttachedTablesAreReadAndNotChanged(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "x.duckdb")
	b, err := Create(ctx, path, BuildOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Finish(ctx); err != nil {
		t.Fatal(err)
	}
	db, err := Open(ctx, path, nil, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Attach(ctx, "ledger",
		Attached{Name: "runs", Columns: "run VARCHAR, records BIGINT", Comment: "One row a run.",
			Rows: func(add func(...any) error) error {
				return errors.Join(add("r1", int64(4)), add("r2", int64(5)))
			}})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := db.Query(
		ctx, "SELECT sum(records) AS n, current_date > DATE '2020-01-01' AS b FROM ledger.runs", nil,
	)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if !rows.Next() || string(rows.JSON()[0]) != "9" || string(rows.JSON()[1]) != "true" {
		t.Errorf("got %s, %v", rows.JSON(), rows.Err())
	}
	for _, sql := range []string{"DELETE FROM ledger.runs", "DROP TABLE ledger.runs", "DETACH ledger"} {
		if r, err := db.Query(ctx, sql, nil); err == nil {
			r.Close()
			t.Errorf("%s is run", sql)
		}
	}
}
