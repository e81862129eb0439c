package query

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"holdall/internal/ctxio"
	"holdall/internal/scratch"
)

// QueryParquet writes the result of one SELECT to w as zstd Parquet; limit 0 means all rows. Values are
// exact: those of types that Parquet has no place for are written as decimals of 38 digits where they fit,
// else as text.
func (d *DB) QueryParquet(
	ctx context.Context, w io.Writer, query string, params map[string]string, limit int64,
) (done Written, err error) {
	r, err := d.Query(ctx, query, params)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if r.stored == "" {
		return done, errors.New("only the rows of a SELECT can be written as Parquet, not a plan")
	}
	columns, err := r.parquetColumns()
	if err != nil {
		return done, err
	}
	d.exporting.Lock()
	defer d.exporting.Unlock()
	defer os.Remove(d.export)
	source := fmt.Sprintf("SELECT %s FROM temp.%s ORDER BY rowid", strings.Join(columns, ", "), r.stored)
	if limit > 0 {
		source += fmt.Sprintf(" LIMIT %d", limit)
	}
	result, err := r.conn.ExecContext(
		ctx,
		fmt.Sprintf(
			"COPY (%s) TO %s (FORMAT parquet, COMPRESSION zstd, PRESERVE_ORDER true, USE_TMP_FILE false)",
			source, text(d.export),
		),
	)
	if err != nil {
		return done, plainError(ctx, err)
	}
	if done.Rows, err = result.RowsAffected(); err != nil {
		return done, err
	}
	done.Cut = done.Rows < r.total
	f, err := os.Open(d.export)
	if err != nil {
		return done, err
	}
	defer f.Close()
	_, err = io.Copy(w, ctxio.NewReader(ctx, f))
	return done, err
}

// parquetColumns is SQL for the columns of a result as Parquet can hold them.
func (r *Rows) parquetColumns() ([]string, error) {
	var all []string
	for i, name := range r.names {
		ref, t := ident(name), parseType(r.types[i])
		if t.has(isUntyped) {
			all = append(all, t.json(ref, 0)+" AS "+ref)
			continue
		}
		asText := false
		if misfits := t.anySQL(ref, 0, misfitsParquet); misfits != "" {
			n, err := queryInts(
				r.ctx, r.conn, fmt.Sprintf("SELECT count(*) FILTER (%s) FROM temp.%s", misfits, r.stored), 1,
			)
			if err != nil {
				return nil, err
			}
			asText = n[0] > 0
		}
		as := t.replace(func(leaf string) string { return parquetType(leaf, asText) }).String()
		if as == t.String() {
			all = append(all, ref)
		} else {
			all = append(all, fmt.Sprintf("(%s)::%s AS %[1]s", ref, as))
		}
	}
	return all, nil
}

// isUntyped reports whether the values of a type have types of their own. Parquet gets them as JSON.
func isUntyped(leaf string) bool { return leaf == "UNION" || leaf == "VARIANT" }

// misfitsParquet is SQL for whether a value has no place in the Parquet type that its type has: DuckDB would
// write integers of 128 bits as floating-point numbers, and infinite dates as numbers that other programs
// fail to read.
func misfitsParquet(ref, leaf string) string {
	switch {
	case leaf == "HUGEINT":
		return fmt.Sprintf(
			"(%[1]s > 99999999999999999999999999999999999999 OR %[1]s < "+
				"-99999999999999999999999999999999999999)",
			ref,
		)
	case leaf == "UHUGEINT":
		return ref + " > 99999999999999999999999999999999999999"
	case leaf == "DATE", strings.HasPrefix(leaf, "TIMESTAMP"):
		return fmt.Sprintf("isinf(%s)", ref)
	}
	return ""
}

// parquetType is the type that values of a type are written as. asText says that there are some that misfit.
func parquetType(leaf string, asText bool) string {
	switch {
	case asText && misfitsParquet("", leaf) != "":
		return "VARCHAR"
	case leaf == "HUGEINT", leaf == "UHUGEINT":
		return "DECIMAL(38,0)"
	case leaf == "INTERVAL", leaf == "TIME WITH TIME ZONE", leaf == "BIT", leaf == "BIGNUM":
		return "VARCHAR" // Parquet's interval has milliseconds, its times no zones
	}
	return leaf
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
	db, err := openEngine(engineOptions{work: work.Path, memory: defaultMemory})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	file := text(path)
	n, err := queryInts(ctx, db,
		fmt.Sprintf(`SELECT (SELECT num_rows FROM parquet_file_metadata(%[1]s))::BIGINT,
		(SELECT count(hash(t)) FROM read_parquet(%[1]s) AS t)::BIGINT`, file), 2)
	if err != nil {
		return 0, err
	}
	if n[0] != n[1] {
		return 0, fmt.Errorf("%s says that it has %d rows, but has %d", path, n[0], n[1])
	}
	return n[0], nil
}
