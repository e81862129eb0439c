// Package tablefiles hands the tables of an archive on, as files that other programs open: Parquet, CSV, JSON
// lines, an Excel workbook, an SQLite file (it is the only importer of SQLite) or a DuckDB file.
package tablefiles

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"holdall/internal/atomicfile"
	"holdall/query"
)

// A Format is what the files are.
type Format string

// The formats. Parquet, CSV and JSONL are a file a table, the others one file.
const (
	Parquet Format = "parquet"
	CSV     Format = "csv"
	JSONL   Format = "jsonl"
	XLSX    Format = "xlsx"
	SQLite  Format = "sqlite"
	DuckDB  Format = "duckdb"
)

// Formats are all of them.
var Formats = []Format{Parquet, CSV, JSONL, XLSX, SQLite, DuckDB}

// Options say what is exported, and how.
type Options struct {
	Format           Format
	Dir              string   // it exists, and is empty
	Name             string   // of a file that holds all tables, without its suffix
	Tables           []string // empty: all that have rows or columns of the export's
	WithoutSensitive bool     // leave out the columns that are marked as sensitive
	NoFormulas       bool     // CSV: as query.WriteOptions has it
}

// A Table is one that was exported.
type Table struct {
	Table string
	File  string
	query.Written
}

// A Result says what was exported.
type Result struct {
	Tables  []Table
	LeftOut []string // columns, as table.column, that WithoutSensitive left out
	Unknown []string // columns that no schema knows, and that WithoutSensitive cannot judge
}

// ErrNoTable means that a table to be exported is not there.
var ErrNoTable = errors.New("there is no such table")

// Run exports the tables of db. What it leaves in the directory after an error is not whole.
func Run(ctx context.Context, db *query.DB, o Options) (*Result, error) {
	known, err := db.Tables(ctx)
	if err != nil {
		return nil, err
	}
	chosen, err := selectTables(known, o.Tables)
	if err != nil {
		return nil, err
	}
	x := exporter{db: db, o: o, result: &Result{}}
	if o.WithoutSensitive {
		chosen = x.withoutSensitive(chosen)
	}
	if err := x.describe(chosen); err != nil {
		return nil, err
	}
	switch o.Format {
	case XLSX:
		err = x.workbook(ctx, chosen)
	case SQLite:
		err = x.sqlite(ctx, chosen)
	case DuckDB:
		err = x.duckdb(ctx, chosen)
	default:
		err = x.files(ctx, chosen)
	}
	return x.result, err
}

// selectTables returns the tables of these names, or all.
func selectTables(known []query.TableReport, names []string) ([]query.TableReport, error) {
	if len(names) == 0 {
		return slices.DeleteFunc(
			known, func(t query.TableReport) bool { return t.Table == "document_text" && t.Rows == 0 },
		), nil
	}
	var all []query.TableReport
	for _, name := range names {
		i := slices.IndexFunc(known, func(t query.TableReport) bool { return t.Table == name })
		if i < 0 {
			return nil, fmt.Errorf("%w: %q", ErrNoTable, name)
		}
		all = append(all, known[i])
	}
	return all, nil
}

type exporter struct {
	db     *query.DB
	o      Options
	result *Result
}

func (x *exporter) withoutSensitive(tables []query.TableReport) []query.TableReport {
	var all []query.TableReport
	for _, t := range tables {
		var columns []query.ColumnReport
		for _, c := range t.Columns {
			name := t.Table + "." + c.Column
			if c.Sensitive {
				x.result.LeftOut = append(x.result.LeftOut, name)
				continue
			}
			if !c.Known && t.File != "" && t.Table != "documents" {
				x.result.Unknown = append(x.result.Unknown, name)
			}
			columns = append(columns, c)
		}
		t.Columns = columns
		if len(columns) > 0 {
			all = append(all, t)
		}
	}
	return all
}

// selection is SQL for a table with the columns that are exported. Tables keep the order of their files;
// views have none, and are sorted, so that the same archive is exported alike each time.
func selection(t query.TableReport) string {
	var columns []string
	for _, c := range t.Columns {
		columns = append(columns, query.QuoteName(c.Column))
	}
	sql := "SELECT " + strings.Join(columns, ", ") + " FROM main." + query.QuoteName(t.Table)
	if t.Kind == "view" {
		sql += " ORDER BY ALL"
	}
	return sql
}

func (x *exporter) path(name string) string { return filepath.Join(x.o.Dir, name) }

func (x *exporter) done(t query.TableReport, file string, w query.Written) {
	x.result.Tables = append(x.result.Tables, Table{t.Table, file, w})
}

// files writes a file for each table.
func (x *exporter) files(ctx context.Context, tables []query.TableReport) error {
	for _, t := range tables {
		name := t.Table + "." + string(x.o.Format)
		var w query.Written
		err := atomicfile.Write(x.path(name), func(out io.Writer) (err error) {
			w, err = x.write(ctx, out, t)
			return err
		})
		if err != nil {
			return fmt.Errorf("export %s: %w", t.Table, err)
		}
		x.done(t, name, w)
	}
	return nil
}

func (x *exporter) write(ctx context.Context, out io.Writer, t query.TableReport) (query.Written, error) {
	if x.o.Format == Parquet {
		return x.db.QueryParquet(ctx, out, selection(t), nil, 0)
	}
	rows, err := x.db.Query(ctx, selection(t), nil)
	if err != nil {
		return query.Written{}, err
	}
	defer rows.Close()
	o := query.WriteOptions{Format: query.JSONL}
	if x.o.Format == CSV {
		o = query.WriteOptions{Format: query.CSV, BOM: true, NoFormulas: x.o.NoFormulas}
	}
	return query.Write(out, rows, o)
}

// describe writes columns.csv, which says what every column means.
func (x *exporter) describe(tables []query.TableReport) error {
	return atomicfile.Write(x.path("columns.csv"), func(out io.Writer) error {
		return writeColumns(out, tables)
	})
}

// workbook writes one Excel file with a sheet for each table.
func (x *exporter) workbook(ctx context.Context, tables []query.TableReport) error {
	name := x.o.Name + ".xlsx"
	return atomicfile.Write(x.path(name), func(out io.Writer) error {
		book := query.NewWorkbook(out)
		for _, t := range tables {
			rows, err := x.db.Query(ctx, selection(t), nil)
			if err != nil {
				return err
			}
			w, err := book.AddSheet(t.Table, rows, 0)
			if err := errors.Join(err, rows.Close()); err != nil {
				return fmt.Errorf("export %s: %w", t.Table, err)
			}
			x.done(t, name, w)
		}
		return book.Close()
	})
}

// duckdb writes one database, from the tables as Parquet.
func (x *exporter) duckdb(ctx context.Context, tables []query.TableReport) (err error) {
	name := x.o.Name + ".duckdb"
	tmp, err := os.MkdirTemp(x.o.Dir, ".parquet-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	var plain []query.PlainTable
	for _, t := range tables {
		p := query.PlainTable{TableReport: t, Parquet: filepath.Join(tmp, t.Table+".parquet")}
		var w query.Written
		err := atomicfile.Write(p.Parquet, func(out io.Writer) (err error) {
			w, err = x.db.QueryParquet(ctx, out, selection(t), nil, 0)
			return err
		})
		if err != nil {
			return fmt.Errorf("export %s: %w", t.Table, err)
		}
		plain = append(plain, p)
		x.done(t, name, w)
	}
	snapshot, err := x.snapshot(ctx)
	if err != nil {
		return err
	}
	part := filepath.Join(tmp, "all.duckdb")
	if err := query.CreatePlain(ctx, part, snapshot, plain); err != nil {
		return err
	}
	return os.Rename(part, x.path(name))
}

func (x *exporter) snapshot(ctx context.Context) (string, error) {
	rows, err := x.db.Query(ctx, "SELECT snapshot_at()::VARCHAR AS at", nil)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	if !rows.Next() {
		return "", errors.Join(rows.Err(), errors.New("the archive has no snapshot_at()"))
	}
	return rows.Cells()[0].String, nil
}
