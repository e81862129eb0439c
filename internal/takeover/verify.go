package takeover

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"holdall/archive"
	"holdall/internal/scratch"
	"holdall/query"
)

// Verify checks an archive. At level Deep it also makes the tables again from the CSVs as received and
// compares rows and findings with the record and with the Parquet files. dir is a directory for that; ""
// means the system's.
func Verify(
	ctx context.Context, bag *archive.Bag, level archive.Level, dir string, o archive.VerifyOptions,
) (*archive.Report, error) {
	r, err := bag.VerifyWith(ctx, level, o)
	if err != nil || level != archive.Deep {
		return r, err
	}
	faults, err := compareTables(ctx, bag, dir)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		if len(r.Faults) > 0 {
			return r, nil // the damage that is already named is why
		}
		faults = append(
			faults,
			archive.Fault{
				Code: "tables-unreadable", Path: completenessFile, Documents: []string{}, Detail: err.Error(),
			},
		)
	}
	r.Faults = append(r.Faults, faults...)
	r.Valid = len(r.Faults) == 0
	return r, nil
}

// verifyPrefix begins the names of the directories that tables are made in again.
const verifyPrefix = "holdall-verify-"

func compareTables(ctx context.Context, bag *archive.Bag, dir string) ([]archive.Fault, error) {
	work, err := scratch.Make(dir, verifyPrefix)
	if err != nil {
		return nil, err
	}
	defer work.Remove()
	tmp := work.Path
	s, err := readStatus(ctx, bag)
	if err != nil {
		return nil, err
	}
	drop := func(*query.Builder, context.Context) error { return nil }
	again, err := rebuild(ctx, bag, s, filepath.Join(tmp, "tables.duckdb"), tmp, drop)
	if err != nil {
		return nil, err
	}
	var faults []archive.Fault
	fault := func(code archive.FaultCode, path, format string, args ...any) {
		faults = append(
			faults,
			archive.Fault{
				Code: code, Path: path, Documents: []string{}, Detail: fmt.Sprintf(format, args...),
			},
		)
	}
	for _, t := range s.Records {
		if got := again.rows[t.Table]; got != t.Rows {
			fault("rows-mismatch", t.Received.Path, "the CSV has %d rows, the record says %d", got, t.Rows)
		}
		got, err := parquetRows(ctx, bag, t.Parquet, tmp)
		if err != nil {
			fault("parquet-unreadable", t.Parquet.Path, "%v", err)
		} else if got != t.Rows {
			fault(
				"rows-mismatch", t.Parquet.Path, "the Parquet file has %d rows, the record says %d", got,
				t.Rows,
			)
		}
	}
	for _, d := range differences(again.findings, s.Findings) {
		fault("findings-mismatch", completenessFile, "%s", d)
	}
	return faults, nil
}

func parquetRows(ctx context.Context, bag *archive.Bag, f StoredFile, tmp string) (int64, error) {
	local := filepath.Join(tmp, "part.parquet")
	defer os.Remove(local)
	if err := copyOut(ctx, bag, f.Path, local); err != nil {
		return 0, err
	}
	return query.CountParquet(ctx, local)
}

func copyOut(ctx context.Context, bag *archive.Bag, name, to string) error {
	in, err := bag.FS(ctx).Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = out.ReadFrom(in)
	return errors.Join(err, out.Close())
}

// differences compares what reconciliation finds now with what it found then.
func differences(now, then []FindingCount) []string {
	var all []string
	counts := map[query.Code]int{}
	for _, f := range now {
		counts[f.Code] = f.Count
	}
	for _, f := range then {
		if counts[f.Code] != f.Count {
			all = append(
				all, fmt.Sprintf("%s: %d now, %d when it was archived", f.Code, counts[f.Code], f.Count),
			)
		}
		delete(counts, f.Code)
	}
	for code, n := range counts {
		all = append(all, fmt.Sprintf("%s: %d now, none when it was archived", code, n))
	}
	return all
}
