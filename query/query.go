// Package query turns the CSVs of an export into typed tables in a DuckDB database, reconciles them with the documents,
// and answers SQL about them. It is the only package that imports DuckDB, and it links no network code.
//
// A Builder makes the database; Open opens one for users' SQL, read-only and sandboxed.
package query

import (
	"context"
	"io"
	"iter"
	"time"
)

// BuildOptions are the settings of a Builder; the zero value is usable.
type BuildOptions struct {
	TempDir     string            // for normalised CSVs and spilling; default: beside the database
	MemoryLimit int64             // bytes DuckDB may use; 0: 256 MiB
	Threads     int               // 0: one a core
	DateOrder   string            // dmy or mdy: decides dates the files leave ambiguous; "": dmy, and said so
	TimeZone    string            // of times without a zone; "": Europe/London
	Snapshot    time.Time         // the archive's today: when the takeover began
	Meta        map[string]string // further rows of archive_meta
}

// A Builder makes the database of one export. Its methods may be called from several goroutines.
type Builder struct{}

// Create starts a database at path, replacing a file there. It appears there, complete, with Finish.
func Create(ctx context.Context, path string, o BuildOptions) (*Builder, error) {
	panic("not built yet")
}

// TableReport says how a CSV became a table.
type TableReport struct {
	Table     string         `json:"table"` // the table's name; a CSV that is none of the ten gets a name from its file name
	File      string         `json:"file"`  // as received: the path inside the container
	Known     bool           `json:"known"` // one of the ten
	Rows      int64          `json:"rows"`
	Rejected  int64          `json:"rejected_cells"`
	Encoding  string         `json:"encoding"` // utf-8, utf-8-bom, utf-16le, utf-16be, windows-1252
	Delimiter string         `json:"delimiter"`
	LineEnd   string         `json:"line_end"` // crlf, lf, cr, mixed
	Dates     string         `json:"dates"`    // dmy, mdy, iso, ambiguous, …
	Columns   []ColumnReport `json:"columns"`
}

// ColumnReport is one column of a TableReport.
type ColumnReport struct {
	Column      string `json:"column"`
	Type        string `json:"type"`
	Heading     string `json:"heading"` // as received
	Description string `json:"description"`
	Nulls       int64  `json:"nulls"`
	Rejected    int64  `json:"rejected"`
	Sensitive   bool   `json:"sensitive"`
	Known       bool   `json:"-"`
}

// LoadCSV loads one received CSV: file is its name as received, path a local plain copy of its bytes. It makes
// raw.<table> and the typed <table>, and adds to rejects and findings. Nothing is lost silently: rows loaded plus rows
// quarantined equal an independent count, or LoadCSV fails.
func (b *Builder) LoadCSV(ctx context.Context, file, path string) (*TableReport, error) {
	panic("not built yet")
}

// An Entry is a file of the attachments or CVs part, as its container names it.
type Entry struct {
	DocID     string
	Part      string // attachments or cvs
	Container int
	Index     int   // in the container
	Offset    int64 // in the container
	Name      string
	Size      int64 // -1 when unknown
}

// A Matched is an Entry and the row it belongs to.
type Matched struct {
	Entry
	OwnerType, OwnerID, AttachmentID string
	By                               string // id, path, name-size, name-owner; "" when nothing fits
	Ambiguous                        bool   // more than one row fits equally; then there is no owner, and a finding
}

// Match finds the owners of entries: attachments in the Attachments table, CVs in Candidates, which must be loaded.
// It reads all entries first, then yields them in the order of (Container, Offset, Index). Memory does not grow with their number.
func (b *Builder) Match(ctx context.Context, entries iter.Seq2[Entry, error]) iter.Seq2[Matched, error] {
	panic("not built yet")
}

// Tenant returns the account's prefix of the record IDs, "" when there is none: an ID is four letters and 32 hexadecimal digits.
func (b *Builder) Tenant(ctx context.Context) (string, error) { panic("not built yet") }

// A Finding is one thing somebody should know about an export.
type Finding struct {
	Code     string `json:"code"`
	Severity string `json:"severity"` // info, warning, error
	Table    string `json:"table,omitempty"`
	RecordID string `json:"record_id,omitempty"`
	Detail   string `json:"detail"`
}

// AddFindings adds findings made elsewhere, such as links that could not be fetched.
func (b *Builder) AddFindings(ctx context.Context, f []Finding) error { panic("not built yet") }

// LoadDocuments loads the index (its CSV, uncompressed) into documents.
func (b *Builder) LoadDocuments(ctx context.Context, indexCSV io.Reader) error {
	panic("not built yet")
}

// Reconcile compares the tables with each other and with the documents, and adds to findings.
// parts says which of attachments and cvs were received at all.
func (b *Builder) Reconcile(ctx context.Context, parts map[string]bool) error { panic("not built yet") }

// Findings yields all findings, ordered by severity, code, table and record.
func (b *Builder) Findings(ctx context.Context) iter.Seq2[Finding, error] { panic("not built yet") }

// WriteParquet writes a typed table, or documents, to path as zstd Parquet and returns its rows.
func (b *Builder) WriteParquet(ctx context.Context, table, path string) (rows int64, err error) {
	panic("not built yet")
}

// Finish adds views, macros and comments, and makes the database appear at its path, read-only to everybody.
func (b *Builder) Finish(ctx context.Context) error { panic("not built yet") }

// Close drops an unfinished database.
func (b *Builder) Close() error { panic("not built yet") }

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
