package query

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"holdall/internal/scratch"
)

// QueryParquet writes the result of one SELECT to w as zstd Parquet and returns its rows; limit 0 means all.
func (d *DB) QueryParquet(ctx context.Context, w io.Writer, query string, params map[string]string, limit int64) (n int64, err error) {
	r, err := d.Query(ctx, query, params)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if r.stored == "" {
		return 0, errors.New("only the rows of a SELECT can be written as Parquet, not a plan")
	}
	d.exporting.Lock()
	defer d.exporting.Unlock()
	defer os.Remove(d.export)
	source := "temp." + r.stored
	if limit > 0 {
		source += fmt.Sprintf(" LIMIT %d", limit)
	}
	result, err := r.conn.ExecContext(ctx, fmt.Sprintf("COPY (FROM %s) TO %s (FORMAT parquet, COMPRESSION zstd, PRESERVE_ORDER true, USE_TMP_FILE false)", source, text(d.export)))
	if err != nil {
		return 0, plainError(ctx, err)
	}
	if n, err = result.RowsAffected(); err != nil {
		return 0, err
	}
	f, err := os.Open(d.export)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	_, err = io.Copy(w, contextReader{ctx, f})
	return n, err
}

// CountParquet returns the number of rows that a local Parquet file says it has, after reading them all.
func CountParquet(ctx context.Context, path string) (_ int64, err error) {
	if _, err := os.Stat(path); err != nil {
		return 0, err
	}
	work, err := scratch.Make("", ScratchPrefix)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, work.Remove()) }()
	db, err := openEngine(engine{work: work.Path, memory: defaultMemory})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	file := text(path)
	n, err := queryInts(ctx, db, fmt.Sprintf(`SELECT (SELECT num_rows FROM parquet_file_metadata(%[1]s))::BIGINT,
		(SELECT count(hash(t)) FROM read_parquet(%[1]s) AS t)::BIGINT`, file), 2)
	if err != nil {
		return 0, err
	}
	if n[0] != n[1] {
		return 0, fmt.Errorf("%s says that it has %d rows, but has %d", path, n[0], n[1])
	}
	return n[0], nil
}
