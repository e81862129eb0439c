package query

import (
	"bufio"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// A Format is a way to write a result.
type Format string

// The formats.
const (
	Table Format = "table" // aligned, for the eye; NULL is shown as such
	Line  Format = "line"  // one line a value, and an empty line between rows; NULL is shown as such
	// tab, line feed, carriage return and backslash in cells as \t, \n, \r and \\; NULL is empty
	TSV Format = "tsv"
	CSV Format = "csv" // RFC 4180, UTF-8, LF; NULL is empty, an empty text is ""
	// an array of objects; numbers, booleans, lists and NULL keep their kind, times are ISO 8601, NaN is a
	// text
	JSON     Format = "json"
	JSONL    Format = "jsonl"    // the same, an object a line
	Markdown Format = "markdown" // a table
	Parquet  Format = "parquet"
	XLSX     Format = "xlsx"
)

// WriteOptions say how a result is written. Only the format is needed.
type WriteOptions struct {
	Format Format
	Limit  int64 // of rows; 0: all
	// CSV, TSV: begin with a byte order mark, without which Excel does not take the text for UTF-8
	BOM bool
	// Table: of the terminal; what does not fit is narrowed, then hidden. 0: it does not matter
	Width int
	// CSV, TSV: put an apostrophe in front of texts that a spreadsheet program would take for formulas
	NoFormulas bool
}

// Written says what was written, and what the format had no room for.
type Written struct {
	Rows int64
	Cut  bool // there are more rows than the limit
	// CSV, TSV, XLSX: texts that begin like formulas; in XLSX they are marked as texts, in CSV as NoFormulas
	// says
	Formulas int64
	CutCells int64 // XLSX: texts longer than a cell can be; a note in them says so
	Sheets   int   // XLSX: sheets that the rows needed
	Hidden   int   // Table: columns for which there was no room
}

// An output writes rows in one format.
type output interface {
	begin(columns, types []string) error
	row([]sql.NullString) error
	end() error
}

// Write writes the rows to w. Parquet is not among the formats it can write; see QueryParquet.
func Write(w io.Writer, r *Rows, o WriteOptions) (Written, error) {
	buffered := bufio.NewWriterSize(w, 64<<10)
	var (
		out  output
		done Written
	)
	switch o.Format {
	case Table:
		out, r.form = &tableOutput{w: buffered, width: o.Width, done: &done}, formText
	case Line:
		out, r.form = &lineOutput{w: buffered}, formText
	case Markdown:
		out, r.form = &markdownOutput{w: buffered}, formText
	case TSV:
		out = &tsvOutput{w: buffered, o: o, done: &done}
	case CSV:
		out = &csvOutput{w: buffered, o: o, done: &done}
	case JSON, JSONL:
		out = &jsonOutput{w: buffered, lines: o.Format == JSONL}
	case XLSX:
		b := NewWorkbook(buffered)
		done, err := b.AddSheet("Result", r, o.Limit)
		return done, errors.Join(err, b.Close(), buffered.Flush())
	default:
		return done, fmt.Errorf(
			"format %q: want table, line, tsv, csv, json, jsonl, markdown or xlsx", o.Format,
		)
	}
	if err := copyRows(out, r, o.Limit, &done); err != nil {
		return done, err
	}
	return done, buffered.Flush()
}

func copyRows(out output, r *Rows, limit int64, done *Written) error {
	if err := out.begin(r.columns, r.types); err != nil {
		return err
	}
	for r.Next() {
		if limit > 0 && done.Rows == limit {
			done.Cut = true
			break
		}
		if err := out.row(r.row); err != nil {
			return err
		}
		done.Rows++
	}
	if err := r.Err(); err != nil {
		return err
	}
	return out.end()
}

// A tsvOutput writes one line a row, whatever the cells hold.
type tsvOutput struct {
	w     *bufio.Writer
	o     WriteOptions
	done  *Written
	types []string
}

var tsvEscape = strings.NewReplacer("\\", `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`)

func (o *tsvOutput) begin(columns, types []string) error {
	o.types = types
	writeBOM(o.w, o.o)
	for i, c := range columns {
		o.cell(i, c)
	}
	return o.w.WriteByte('\n')
}

func (o *tsvOutput) row(row []sql.NullString) error {
	for i, v := range row {
		o.cell(i, guarded(v.String, o.types[i], o.o, o.done))
	}
	return o.w.WriteByte('\n')
}

func (o *tsvOutput) cell(i int, s string) {
	if i > 0 {
		o.w.WriteByte('\t')
	}
	tsvEscape.WriteString(o.w, s)
}

func (o *tsvOutput) end() error { return nil }

// A csvOutput distinguishes NULL, which is empty, from an empty text, which is "".
type csvOutput struct {
	w     *bufio.Writer
	o     WriteOptions
	done  *Written
	types []string
}

func (o *csvOutput) begin(columns, types []string) error {
	o.types = types
	writeBOM(o.w, o.o)
	for i, c := range columns {
		o.cell(i, sql.NullString{String: guarded(c, "", o.o, o.done), Valid: true})
	}
	return o.w.WriteByte('\n')
}

func (o *csvOutput) row(row []sql.NullString) error {
	for i, v := range row {
		v.String = guarded(v.String, o.types[i], o.o, o.done)
		o.cell(i, v)
	}
	return o.w.WriteByte('\n')
}

func (o *csvOutput) cell(i int, v sql.NullString) {
	if i > 0 {
		o.w.WriteByte(',')
	}
	if v.Valid && (v.String == "" || strings.ContainsAny(v.String, ",\"\r\n") ||
		strings.TrimSpace(v.String) != v.String) {
		o.w.WriteByte('"')
		o.w.WriteString(strings.ReplaceAll(v.String, `"`, `""`))
		o.w.WriteByte('"')
		return
	}
	o.w.WriteString(v.String)
}

func (o *csvOutput) end() error { return nil }

// A jsonOutput keeps the kind of a value: what DuckDB prints for numbers, booleans and nested values is JSON
// already.
type jsonOutput struct {
	w     *bufio.Writer
	lines bool
	keys  []string // encoded, with the colon
	types []string
	rows  int64
}

func (o *jsonOutput) begin(columns, types []string) error {
	names := newNames()
	for _, c := range columns {
		// two columns of one name would hide each other
		o.keys = append(o.keys, jsonString(names.unique(c))+":")
	}
	o.types = types
	if !o.lines {
		o.w.WriteByte('[')
	}
	return nil
}

func (o *jsonOutput) row(row []sql.NullString) error {
	if !o.lines && o.rows > 0 {
		o.w.WriteByte(',')
	}
	if !o.lines {
		o.w.WriteByte('\n')
	}
	o.rows++
	o.w.WriteByte('{')
	for i, v := range row {
		if i > 0 {
			o.w.WriteByte(',')
		}
		o.w.WriteString(o.keys[i])
		o.w.WriteString(jsonValue(v, o.types[i]))
	}
	o.w.WriteByte('}')
	if o.lines {
		return o.w.WriteByte('\n')
	}
	return nil
}

func (o *jsonOutput) end() error {
	if o.lines {
		return nil
	}
	if o.rows > 0 {
		o.w.WriteByte('\n')
	}
	_, err := o.w.WriteString("]\n")
	return err
}

func jsonValue(v sql.NullString, typ string) string {
	s := v.String
	switch {
	case !v.Valid:
		return "null"
	case isNumber(typ):
		switch s {
		case "nan":
			return `"NaN"`
		case "inf":
			return `"Infinity"`
		case "-inf":
			return `"-Infinity"`
		}
		return s
	case typ == "BOOLEAN", isNested(typ), typ == "VARIANT":
		return s
	case typ == "JSON" && json.Valid([]byte(s)):
		// blanks between tokens: text has them escaped
		return strings.ReplaceAll(strings.ReplaceAll(s, "\n", " "), "\r", " ")
	case strings.HasPrefix(typ, "TIMESTAMP"):
		s = strings.Replace(s, " ", "T", 1)
	}
	return jsonString(s)
}

func jsonString(s string) string {
	b, _ := json.Marshal(s) // a string: cannot fail
	return string(b)
}

// isNumber reports whether DuckDB prints values of a type as JSON has numbers.
func isNumber(typ string) bool {
	switch typ {
	case "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER",
		"UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE":
		return true
	}
	return strings.HasPrefix(typ, "DECIMAL")
}
