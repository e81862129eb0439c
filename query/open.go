package query

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"holdall/internal/scratch"
	"holdall/schemas"
)

// EngineVersion is the version of DuckDB that is built in.
const EngineVersion = "1.5.5"

// ErrOutdated means that a database was made by another version of this package, or is not whole.
var ErrOutdated = errors.New("the database was made by another version")

// ScratchPrefix begins the names of the directories that hold parts of results while they are read.
const ScratchPrefix = "holdall-query-"

// A DB is a database opened for users' SQL: read-only, no files, no network, no settings. Its methods may
// be called from several goroutines.
type DB struct {
	db     *sql.DB
	work   *scratch.Dir // spilled data; removed with Close
	export string       // the one path that COPY may write to
	parts  parts

	exporting sync.Mutex // one result at a time is written to export
}

// OpenOptions bound what a user's query may use; the zero value is usable.
type OpenOptions struct {
	// where results and what exceeds the memory limit are kept while read; "": the system's
	TempDir     string
	MemoryLimit int64 // bytes; 0: 1 GiB
	Threads     int   // 0: one a core

	// Fetch copies a file to the path that the Resolver gave for it, when a statement first reads it.
	// nil: they are there.
	Fetch func(ctx context.Context, path string) error
}

// A Resolver returns the local path of a file that Catalog.Parts names.
type Resolver func(name string) (path string, err error)

// Open opens a database: the catalog at path, and the files that its views read, which resolve finds. SQL
// reaches nothing but these files. A nil Resolver is for databases that Builder.Finish made. A catalog
// made by another version of this package is an error matching ErrOutdated: make it again from the
// archive.
func Open(ctx context.Context, path string, resolve Resolver, o OpenOptions) (*DB, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	if resolve == nil {
		resolve = func(name string) (string, error) { return filepath.Join(Files(path), name), nil }
	}
	if o.MemoryLimit == 0 {
		o.MemoryLimit = 1 << 30
	}
	work, err := scratch.Make(o.TempDir, ScratchPrefix)
	if err != nil {
		return nil, err
	}
	d := &DB{work: work, export: filepath.Join(work.Path, "result.parquet"), parts: parts{fetch: o.Fetch}}
	// For small statements a second thread is only one to wait for.
	e := engineOptions{path: path, work: work.Path, memory: o.MemoryLimit, threads: 1, readOnly: true}
	threads := "RESET GLOBAL threads"
	if o.Threads > 0 {
		threads = fmt.Sprintf("SET GLOBAL threads = %d", o.Threads)
	}
	e.onFirstConn = func(c driver.Conn) ([]string, error) { return d.sealSandbox(ctx, c, resolve, threads) }
	if d.db, err = openEngine(e); err != nil && (strings.Contains(err.Error(), "version") ||
		strings.Contains(err.Error(), "not a valid DuckDB database")) {
		err = fmt.Errorf("%w: %w", ErrOutdated, err)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, plainError(ctx, err)), d.Close())
	}
	return d, nil
}

// sealSandbox reads the catalog on the first connection, and then cuts the engine off from everything but the
// files that the catalog names, after one more setting. It returns the statements that every connection
// begins with.
func (d *DB) sealSandbox(
	ctx context.Context, c driver.Conn, resolve Resolver, setting string,
) ([]string, error) {
	version, err := pairs(
		ctx, c, "SELECT key, value FROM "+catalog+".archive_meta WHERE key = 'database_format'",
	)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOutdated, err)
	}
	if v := version["database_format"]; v != catalogVersion {
		return nil, fmt.Errorf("%w: its format is %s, this program's is %s", ErrOutdated, v, catalogVersion)
	}
	parts, err := pairs(ctx, c, "SELECT relation, name FROM "+catalog+".holdall.parts")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOutdated, err)
	}
	allowed := []string{text(d.export)}
	for relation, name := range parts {
		file, err := resolve(name)
		if err != nil {
			return nil, err
		}
		parts[relation] = file
		d.parts.paths = append(d.parts.paths, file)
		allowed = append(allowed, text(file))
	}
	// The order matters: after the third nothing more can be allowed, after the last nothing changed.
	for _, s := range []string{
		setting,
		"SET GLOBAL allowed_paths = [" + strings.Join(allowed, ", ") + "]",
		"SET GLOBAL enable_external_access = false",
		"SET GLOBAL lock_configuration = true",
	} {
		if _, err := c.(driver.ExecerContext).ExecContext(ctx, s, nil); err != nil {
			return nil, err
		}
	}
	return []string{partsVariable(parts)}, nil
}

// pairs returns the rows of a query of two texts by the first.
func pairs(ctx context.Context, c driver.Conn, query string) (map[string]string, error) {
	rows, err := c.(driver.QueryerContext).QueryContext(ctx, query, nil)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all, row := map[string]string{}, make([]driver.Value, 2)
	for {
		switch err := rows.Next(row); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		}
		key, _ := row[0].(string)
		all[key], _ = row[1].(string)
	}
}

// Close closes the database.
func (d *DB) Close() error {
	var err error
	if d.db != nil {
		err = d.db.Close()
	}
	return errors.Join(err, d.work.Remove())
}

// Tables describes the tables and views: the ten, documents, what other CSVs became, then the rest.
func (d *DB) Tables(ctx context.Context) ([]TableReport, error) {
	rows, err := d.db.QueryContext(ctx,
		`SELECT table_name, file, known, row_count, rejected, quarantined, encoding, delimiter, line_end,
			quoting, decided, lines_above, dates, description, kind
		FROM holdall.tables ORDER BY CASE WHEN known THEN 1 WHEN table_name = 'documents' THEN 2
			WHEN file <> '' THEN 3 WHEN kind = 'table' THEN 4 ELSE 5 END, table_name`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []TableReport
	at := map[string]int{}
	for rows.Next() {
		var r TableReport
		if err := rows.Scan(
			&r.Table, &r.File, &r.Known, &r.Rows, &r.Rejected, &r.Quarantined, &r.Encoding, &r.Delimiter,
			&r.LineEnd, &r.Quoting, &r.Decided, &r.LinesAbove, &r.Dates, &r.Description, &r.Kind,
		); err != nil {
			return nil, err
		}
		at[r.Table] = len(all)
		all = append(all, r)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Rows != rowsUnknown {
			continue
		}
		err := d.parts.retryFetching(ctx, func() error {
			n, err := queryInts(ctx, d.db, "SELECT count(*) FROM main."+ident(all[i].Table), 1)
			if err == nil {
				all[i].Rows = n[0]
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, d.addColumns(ctx, all, at)
}

func (d *DB) addColumns(ctx context.Context, tables []TableReport, at map[string]int) error {
	rows, err := d.db.QueryContext(ctx,
		`SELECT table_name, column_name, type, heading, description, nulls, rejected, sensitive, known,
			notation
		FROM holdall.columns ORDER BY table_name, position`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var table string
		var c ColumnReport
		if err := rows.Scan(
			&table, &c.Column, &c.Type, &c.Heading, &c.Description, &c.Nulls, &c.Rejected, &c.Sensitive,
			&c.Known, &c.Notation,
		); err != nil {
			return err
		}
		r := &tables[at[table]]
		if r.Known && c.Known {
			c.Key = keyOf(table, c.Column)
		}
		r.Columns = append(r.Columns, c)
	}
	return rows.Err()
}

// keyOf says what the column of a known table is a key of.
func keyOf(table, column string) string {
	t, _ := schemas.ByName(schemas.Recruitly(), table)
	c, _ := t.Column(column)
	if c.References != "" {
		return c.References
	}
	return c.Key
}
