package query

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"holdall/internal/scratch"
)

// EngineVersion is the version of DuckDB that is built in.
const EngineVersion = "1.5.5"

// ErrOutdated means that a database was made by another version of this package, or is not whole.
var ErrOutdated = errors.New("the database was made by another version")

// ScratchPrefix begins the names of the directories that hold parts of results while they are read.
const ScratchPrefix = "holdall-query-"

// A DB is a database opened for users' SQL: read-only, no files, no network, no settings. Its methods may be called from
// several goroutines.
type DB struct {
	db     *sql.DB
	work   *scratch.Dir // spilled data; removed with Close
	export string       // the one path that COPY may write to

	exporting sync.Mutex // one result at a time is written to export
}

// OpenOptions bound what a user's query may use; the zero value is usable.
type OpenOptions struct {
	TempDir     string // where results and what exceeds the memory limit are kept while read; "": the system's
	MemoryLimit int64  // bytes; 0: 192 MiB
	Threads     int    // 0: one a core
}

// Open opens a finished database. A file made by another version of this package is an error matching ErrOutdated:
// make it again from the archive.
func Open(ctx context.Context, path string, o OpenOptions) (*DB, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	if o.MemoryLimit == 0 {
		o.MemoryLimit = defaultMemory
	}
	work, err := scratch.Make(o.TempDir, ScratchPrefix)
	if err != nil {
		return nil, err
	}
	d := &DB{work: work, export: filepath.Join(work.Path, "result.parquet")}
	d.db, err = openEngine(engine{path: path, work: work.Path, memory: o.MemoryLimit, threads: o.Threads, readOnly: true, then: []string{
		// The order matters: after the second nothing more can be allowed, after the third nothing changed.
		"SET GLOBAL allowed_paths = [" + text(d.export) + "]",
		"SET GLOBAL enable_external_access = false",
		"SET GLOBAL lock_configuration = true",
	}})
	if err == nil {
		err = d.checkVersion(ctx)
	} else if strings.Contains(err.Error(), "version") || strings.Contains(err.Error(), "not a valid DuckDB database") {
		err = fmt.Errorf("%w: %w", ErrOutdated, err)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), d.Close())
	}
	return d, nil
}

func (d *DB) checkVersion(ctx context.Context) error {
	var version string
	err := d.db.QueryRowContext(ctx, "SELECT value FROM archive_meta WHERE key = 'database_format'").Scan(&version)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrOutdated, err)
	}
	if version != formatVersion {
		return fmt.Errorf("%w: its format is %s, this program's is %s", ErrOutdated, version, formatVersion)
	}
	return nil
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
	rows, err := d.db.QueryContext(ctx, `SELECT table_name, file, known, row_count, rejected, quarantined, encoding, delimiter, line_end, quoting, decided, lines_above, dates, description, kind
		FROM holdall.tables ORDER BY CASE WHEN known THEN 1 WHEN table_name = 'documents' THEN 2 WHEN file <> '' THEN 3 WHEN kind = 'table' THEN 4 ELSE 5 END, table_name`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []TableReport
	at := map[string]int{}
	for rows.Next() {
		var r TableReport
		if err := rows.Scan(&r.Table, &r.File, &r.Known, &r.Rows, &r.Rejected, &r.Quarantined, &r.Encoding, &r.Delimiter, &r.LineEnd, &r.Quoting, &r.Decided, &r.LinesAbove, &r.Dates, &r.Description, &r.Kind); err != nil {
			return nil, err
		}
		at[r.Table] = len(all)
		all = append(all, r)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return all, d.addColumns(ctx, all, at)
}

func (d *DB) addColumns(ctx context.Context, tables []TableReport, at map[string]int) error {
	rows, err := d.db.QueryContext(ctx, `SELECT table_name, column_name, type, heading, description, nulls, rejected, sensitive, known, notation
		FROM holdall.columns ORDER BY table_name, position`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var table string
		var c ColumnReport
		if err := rows.Scan(&table, &c.Column, &c.Type, &c.Heading, &c.Description, &c.Nulls, &c.Rejected, &c.Sensitive, &c.Known, &c.Notation); err != nil {
			return err
		}
		r := &tables[at[table]]
		r.Columns = append(r.Columns, c)
	}
	return rows.Err()
}
