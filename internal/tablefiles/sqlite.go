package tablefiles

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	_ "github.com/mattn/go-sqlite3" // the driver sqlite3

	"holdall/internal/atomicfile"
	"holdall/query"
	"holdall/schemas"
)

// SQLite has integers of 64 bits, floating-point numbers of 64 bits, and texts
// (https://sqlite.org/datatype3.html). Booleans are 0 and 1, times ISO 8601 as SQLite's own functions read
// them, lists JSON. Amounts are numbers where those have all their digits, else texts.

// sqlite writes one SQLite file, and metadata.json, which describes the tables and columns to Datasette.
func (x *exporter) sqlite(ctx context.Context, tables []query.TableReport) (err error) {
	name := x.o.Name + ".sqlite"
	part := x.path(name + ".part")
	file, err := sql.Open("sqlite3", "file:"+uriPath(part)+"?_journal_mode=OFF&_synchronous=OFF")
	if err != nil {
		return err
	}
	file.SetMaxOpenConns(1)
	w := sqliteWriter{exporter: x, file: file, tables: tables, name: name}
	err = w.writeAll(ctx)
	if err := errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	if err := os.Rename(part, x.path(name)); err != nil {
		return err
	}
	return atomicfile.Write(
		x.path("metadata.json"), func(out io.Writer) error { return writeMetadata(out, x.o.Name, tables) },
	)
}

// uriPath escapes what ends a path in SQLite's URIs.
func uriPath(path string) string {
	return strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
}

type sqliteWriter struct {
	*exporter
	file   *sql.DB
	tables []query.TableReport
	name   string
}

func (w *sqliteWriter) writeAll(ctx context.Context) error {
	for _, t := range w.tables {
		n, err := w.table(ctx, t)
		if err != nil {
			return fmt.Errorf("export %s: %w", t.Table, err)
		}
		w.done(t, w.name, query.Written{Rows: n})
	}
	for _, t := range w.tables {
		for _, c := range keys(t) {
			index := query.QuoteName("by_" + t.Table + "_" + c)
			if _, err := w.file.ExecContext(
				ctx, fmt.Sprintf("CREATE INDEX %s ON %s (%s)", index,
					query.QuoteName(t.Table), query.QuoteName(c)),
			); err != nil {
				return err
			}
		}
	}
	return nil
}

// table writes one table, in one transaction.
func (w *sqliteWriter) table(ctx context.Context, t query.TableReport) (n int64, err error) {
	rows, err := w.db.Query(ctx, selection(t), nil)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	types, err := w.types(ctx, t)
	if err != nil {
		return 0, err
	}
	tx, err := w.file.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, w.create(t, types)); err != nil {
		return 0, err
	}
	insert, err := tx.PrepareContext(
		ctx, fmt.Sprintf("INSERT INTO %s VALUES (?%s)", query.QuoteName(t.Table),
			strings.Repeat(",?", len(types)-1)),
	)
	if err != nil {
		return 0, err
	}
	defer insert.Close()
	values := make([]any, len(types))
	for ; rows.Next(); n++ {
		for i, cell := range rows.Cells() {
			if values[i], err = sqliteValue(cell, types[i], t.Columns[i].Type); err != nil {
				return n, err
			}
		}
		if _, err := insert.ExecContext(ctx, values...); err != nil {
			return n, err
		}
	}
	if err := rows.Err(); err != nil {
		return n, err
	}
	return n, tx.Commit()
}

// create is the statement that makes a table. Keys to tables that are there are declared, which SQLite does
// not enforce by default: references that lead nowhere are kept.
func (w *sqliteWriter) create(t query.TableReport, types []string) string {
	var columns []string
	for i, c := range t.Columns {
		column := query.QuoteName(c.Column) + " " + types[i]
		if to, key, ok := strings.Cut(referenceOf(t, c), "."); ok && to != t.Table && w.has(to, key) {
			column += fmt.Sprintf(" REFERENCES %s (%s)", query.QuoteName(to), query.QuoteName(key))
		}
		columns = append(columns, column)
	}
	return fmt.Sprintf("CREATE TABLE %s (%s)", query.QuoteName(t.Table), strings.Join(columns, ", "))
}

func (w *sqliteWriter) has(table, column string) bool {
	for _, t := range w.tables {
		for _, c := range t.Columns {
			if t.Table == table && c.Column == column {
				return true
			}
		}
	}
	return false
}

// types returns the columns' types in SQLite.
func (w *sqliteWriter) types(ctx context.Context, t query.TableReport) ([]string, error) {
	var all []string
	for _, c := range t.Columns {
		typ := "TEXT"
		switch {
		case c.Type == "BOOLEAN", c.Type == "INTEGER", c.Type == "BIGINT", c.Type == "SMALLINT",
			c.Type == "TINYINT":
			typ = "INTEGER"
		case c.Type == "DOUBLE", c.Type == "FLOAT":
			typ = "REAL"
		case strings.HasPrefix(c.Type, "DECIMAL"):
			long, err := w.longest(ctx, t, c)
			if err != nil {
				return nil, err
			}
			if long <= 15 { // digits that a floating-point number keeps
				typ = "REAL"
			}
		}
		all = append(all, typ)
	}
	return all, nil
}

// longest returns the most digits that a value of a column has.
func (w *sqliteWriter) longest(ctx context.Context, t query.TableReport, c query.ColumnReport) (int, error) {
	rows, err := w.db.Query(ctx,
		fmt.Sprintf(`SELECT coalesce(max(length(regexp_replace(%s::VARCHAR, '[-.]', '', 'g'))), 0) AS n `+
			`FROM main.%s`,
			query.QuoteName(c.Column), query.QuoteName(t.Table)), nil)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	if !rows.Next() {
		return 0, rows.Err()
	}
	return strconv.Atoi(rows.Cells()[0].String)
}

// sqliteValue is a cell of type from as a value of a column of type to.
func sqliteValue(cell sql.NullString, to, from string) (any, error) {
	switch {
	case !cell.Valid:
		return nil, nil
	case from == "BOOLEAN":
		return cell.String == "true", nil
	case to == "INTEGER":
		return strconv.ParseInt(cell.String, 10, 64)
	case to == "REAL":
		return strconv.ParseFloat(cell.String, 64)
	}
	return cell.String, nil
}

// keys returns the columns of a table that it is joined by.
func keys(t query.TableReport) []string {
	var all []string
	for _, c := range t.Columns {
		s, known := schemaOf(t, c)
		if known && c.Type == "VARCHAR" && (s.Key == "primary" || s.References != "") ||
			t.Table == "documents" && strings.HasSuffix(c.Column, "_id") {
			all = append(all, c.Column)
		}
	}
	return all
}

func referenceOf(t query.TableReport, c query.ColumnReport) string {
	s, _ := schemaOf(t, c)
	if t.Table == "documents" && c.Column == "attachment_id" {
		return "attachments.attachment_id"
	}
	return s.References
}

func schemaOf(t query.TableReport, c query.ColumnReport) (schemas.Column, bool) {
	s, ok := schemas.ByName(schemas.Recruitly(), t.Table)
	if !ok || !c.Known {
		return schemas.Column{}, false
	}
	return s.Column(c.Column)
}

// writeMetadata writes what Datasette shows next to tables and columns:
// https://docs.datasette.io/en/stable/metadata.html
func writeMetadata(out io.Writer, name string, tables []query.TableReport) error {
	type table struct {
		Description string            `json:"description"`
		Columns     map[string]string `json:"columns"`
	}
	all := map[string]table{}
	for _, t := range tables {
		about := table{t.Description, map[string]string{}}
		for _, c := range t.Columns {
			about.Columns[c.Column] = c.Description
		}
		all[t.Table] = about
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", " ")
	return enc.Encode(map[string]any{"databases": map[string]any{name: map[string]any{"tables": all}}})
}
