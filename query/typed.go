package query

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
)

// typeUnknown gives a type to columns that the schema does not know, where every value fits and none loses
// anything by it.
func typeUnknown(ctx context.Context, c *sql.Conn, l *loaded, conv converter) error {
	for i := range l.columns {
		col := &l.columns[i]
		if col.known || col.stats.filled == 0 {
			continue
		}
		if l.Dates == orderAmbiguous || l.Dates == orderMixed {
			col.stats.dates.shapes &^= shapeSlashed | shapeTwelve
		}
		typ, err := narrowestType(ctx, c, l.Table, *col, conv)
		if err != nil {
			return err
		}
		col.typ = typ
		if expected(typ) == classNumber { // each is a plain one
			col.stats.numbers = numberEvidence{integers: col.stats.filled, simple: col.stats.filled}
		}
	}
	return nil
}

// narrowestType tries types on the values of a column. Numbers count only in their plain form: 007 and +44
// are text.
func narrowestType(ctx context.Context, c *sql.Conn, table string, col column, conv converter) (string, error) {
	ref := ident(col.name)
	when := "ts"
	if col.stats.dates.count != col.stats.filled {
		when = "NULL::TIMESTAMP"
	}
	const plain = `-?(0|[1-9]\d{0,14})`
	query := fmt.Sprintf(`SELECT count(*) FILTER (regexp_full_match(%[1]s, '%[2]s')),
		count(*) FILTER (regexp_full_match(%[1]s, '%[2]s(\.\d{2})')),
		count(*) FILTER (lower(%[1]s) IN ('true', 'false', 'yes', 'no')),
		count(%[3]s), count(*) FILTER (%[3]s = date_trunc('day', %[3]s))
		FROM (SELECT %[1]s, %[4]s AS ts FROM raw.%[5]s WHERE trim(%[1]s) <> '') AS conv`,
		ref, plain, when, conv.timestamp(ref, col.stats.dates.shapes), ident(table))
	n, err := queryInts(ctx, c, query, 5)
	if err != nil {
		return "", err
	}
	all := col.stats.filled
	switch {
	case n[4] == all:
		return "DATE", nil
	case n[3] == all:
		return "TIMESTAMP", nil
	case n[0] == all:
		return "BIGINT", nil
	case n[0]+n[1] == all:
		return "DECIMAL(18,2)", nil
	case n[2] == all:
		return "BOOLEAN", nil
	}
	return "VARCHAR", nil
}

// makeTyped makes the typed table in the order of the file's rows.
func makeTyped(ctx context.Context, c *sql.Conn, l *loaded, conv converter) error {
	var selected []string
	for _, col := range l.columns {
		value := "NULL::" + col.typ
		if col.index >= 0 {
			value = conv.expression(ident(col.name), col.typ, col.stats)
		}
		selected = append(selected, fmt.Sprintf("(%s)::%s AS %s", value, col.typ, ident(col.name)))
	}
	return execAll(ctx, c, fmt.Sprintf("CREATE TABLE main.%s AS SELECT %s FROM raw.%s", ident(l.Table), strings.Join(selected, ",\n"), ident(l.Table)))
}

// countCells fills in the report's columns, and lists in rejects the cells that have text but no value.
func countCells(ctx context.Context, c *sql.Conn, l *loaded, conv converter) error {
	counts := make([]string, len(l.columns))
	for i, col := range l.columns {
		counts[i] = fmt.Sprintf("count(%s)", ident(col.name))
	}
	values, err := queryInts(ctx, c, fmt.Sprintf("SELECT %s FROM main.%s", strings.Join(counts, ", "), ident(l.Table)), len(counts))
	if err != nil {
		return err
	}
	l.TableReport.Columns, l.Rejected = nil, 0
	for i, col := range l.columns {
		rejected := int64(0)
		if col.typ != "VARCHAR" {
			rejected = col.stats.filled - values[i]
		}
		if rejected != 0 {
			if err := listRejects(ctx, c, l.Table, col, conv, rejected); err != nil {
				return err
			}
		}
		l.Rejected += rejected
		l.TableReport.Columns = append(l.TableReport.Columns, ColumnReport{Column: col.name, Type: col.typ, Heading: col.heading,
			Notation: col.stats.notation.String(), Description: col.about, Nulls: l.Rows - values[i], Rejected: rejected, Sensitive: col.sensitive, Known: col.known})
	}
	return nil
}

func listRejects(ctx context.Context, c *sql.Conn, table string, col column, conv converter, want int64) error {
	ref := ident(col.name)
	query := fmt.Sprintf("INSERT INTO rejects SELECT %s, %s, row_number, %s, %s FROM raw.%s WHERE trim(%s) <> '' AND (%s) IS NULL",
		text(table), text(col.name), ref, text(conv.rejection(col.typ, col.stats)), ident(table), ref, conv.expression(ref, col.typ, col.stats))
	result, err := c.ExecContext(ctx, query)
	if err != nil {
		return sqlError(query, err)
	}
	if n, err := result.RowsAffected(); err != nil || n != want {
		return errors.Join(err, fmt.Errorf("column %s: %d cells have no value, but %d are listed", col.name, want, n))
	}
	return nil
}

// appendRows adds rows to a table in bulk, those that fill passes to add. It takes part in the connection's
// transaction.
func appendRows(c *sql.Conn, catalog, schema, table string, fill func(add func(...any) error) error) error {
	return c.Raw(func(conn any) error {
		a, err := duckdb.NewAppender(conn.(driver.Conn), catalog, schema, table)
		if err != nil {
			return err
		}
		var row []driver.Value
		err = fill(func(values ...any) error {
			row = row[:0]
			for _, v := range values {
				row = append(row, v)
			}
			return a.AppendRow(row...)
		})
		return errors.Join(err, a.Close())
	})
}

// storeReport keeps a report in the database, for DB.Tables.
func storeReport(ctx context.Context, c *sql.Conn, r *TableReport) error {
	_, err := c.ExecContext(ctx, `INSERT INTO holdall.tables SELECT coalesce(max(position), 0) + 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM holdall.tables`,
		r.Table, cleanText([]byte(r.File)), r.Known, r.Kind, r.Rows, r.Quarantined, r.Rejected, r.Encoding, r.Delimiter, r.LineEnd, r.Quoting, cleanText([]byte(r.Decided)), r.LinesAbove, r.Dates, r.Description)
	if err != nil {
		return err
	}
	return appendRows(c, catalog, "holdall", "columns", func(add func(...any) error) error {
		for i, col := range r.Columns {
			if err := add(r.Table, int32(i+1), col.Column, col.Type, col.Heading, col.Description, col.Nulls, col.Rejected, col.Sensitive, col.Known, col.Notation); err != nil {
				return err
			}
		}
		return nil
	})
}
