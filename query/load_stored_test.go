package query

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// A table is taken as it was stored, under the types that were recorded then: what a later version would make
// of a column that no schema knows is no damage. A cell that is not the CSV's is.
func TestLoadStored(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	const csv = "Candidate Id,Full Name,Lucky Number\nc1,Ama,7\nc2,Bo,11\nc3,,\n"
	path := filepath.Join(t.TempDir(), "Candidates.csv")
	if err := os.WriteFile(path, []byte(csv), 0o600); err != nil {
		t.Fatal(err)
	}
	today, _ := build(t, BuildOptions{})
	report := load(t, today, "Candidates.csv", csv)
	for _, typ := range []string{"BIGINT", "VARCHAR", "DECIMAL(18,2)"} {
		t.Run(typ, func(t *testing.T) {
			was := *report
			was.Columns = append([]ColumnReport(nil), report.Columns...)
			was.report("lucky_number").Type, was.report("lucky_number").Layout = typ, "0"
			then, _ := build(t, BuildOptions{})
			stored, err := then.LoadStored(ctx, "Candidates.csv", path, Stored{Report: was})
			if err != nil {
				t.Fatal(err)
			}
			if got := stored.report("lucky_number").Type; got != typ {
				t.Fatalf("stored as %s, want %s", got, typ)
			}
			now, _ := build(t, BuildOptions{})
			changed := filepath.Join(t.TempDir(), "changed.parquet")
			if err := now.exec(ctx, fmt.Sprintf(
				"COPY (SELECT * REPLACE (replace(full_name, 'Bo', 'Bob') AS full_name) "+
					"FROM read_parquet(%s)) TO %s %s",
				text(then.File("candidates")), text(changed), parquetOptions)); err != nil {
				t.Fatal(err)
			}
			_, err = now.LoadStored(ctx, "Candidates.csv", path, Stored{*stored, changed})
			if !errors.Is(err, ErrStoredDiffers) {
				t.Errorf("with a changed cell: %v, want %v", err, ErrStoredDiffers)
			}
			same := Stored{*stored, then.File("candidates")}
			again, err := now.LoadStored(ctx, "Candidates.csv", path, same)
			if err != nil || again.Rows != 3 || again.Table != "candidates" {
				t.Errorf("as it is: %+v, %v", again, err)
			}
		})
	}
}
