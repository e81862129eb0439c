// Package query turns the CSVs of an export into typed tables in a DuckDB database, reconciles them with the documents,
// and answers SQL about them. It is the only package that imports DuckDB, and it links no network code.
//
// A Builder makes the database; Open opens one for users' SQL, read-only and sandboxed.
package query

import (
	"context"
	"io"
)

// A DB is a database opened for users' SQL: read-only, no files, no network, no settings.
type DB struct{}

// OpenOptions bound what a user's query may use; the zero value is usable.
type OpenOptions struct {
	TempDir     string
	MemoryLimit int64
	Threads     int
}

// Open opens a finished database. A file made by another version of this package is an error matching ErrOutdated:
// make it again from the archive.
func Open(ctx context.Context, path string, o OpenOptions) (*DB, error) { panic("not built yet") }

// Close closes the database.
func (d *DB) Close() error { panic("not built yet") }

// Query runs SQL, which may be several statements; the last one's rows are returned. Parameters are $name.
func (d *DB) Query(ctx context.Context, sql string, params map[string]string) (*Rows, error) {
	panic("not built yet")
}

// Tables describes the tables and views, the ten first.
func (d *DB) Tables(ctx context.Context) ([]TableReport, error) { panic("not built yet") }

// Rows is a result being read.
type Rows struct{}

// Columns returns the names of the columns; Types their DuckDB types.
func (r *Rows) Columns() []string { panic("not built yet") }
func (r *Rows) Types() []string   { panic("not built yet") }

// Close ends the result.
func (r *Rows) Close() error { panic("not built yet") }

// CountParquet returns the number of rows that a local Parquet file says it has, after reading them all.
func CountParquet(ctx context.Context, path string) (int64, error) { panic("not built yet") }

// A Format is a way to write a result.
type Format string

// The formats.
const (
	Table    Format = "table"
	TSV      Format = "tsv"
	CSV      Format = "csv"
	JSON     Format = "json"
	JSONL    Format = "jsonl"
	Markdown Format = "markdown"
	Parquet  Format = "parquet"
	XLSX     Format = "xlsx"
)

// Write writes the rows to w and returns how many; limit 0 means all. cut reports that there were more.
// Parquet is not among the formats it can write; see QueryParquet.
func Write(w io.Writer, r *Rows, f Format, limit int64) (n int64, cut bool, err error) {
	panic("not built yet")
}

// QueryParquet writes the result of one SELECT to w as Parquet.
func (d *DB) QueryParquet(ctx context.Context, w io.Writer, sql string, params map[string]string, limit int64) (n int64, err error) {
	panic("not built yet")
}
