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
// anything by it. source is a query for the texts.
func (l *loaded) typeUnknown(ctx context.Context, c *sql.Conn, source string, conv converter) error {
	var dates []*column
	for i := range l.columns {
		col := &l.columns[i]
		if !l.mayBeTyped(col) {
			continue
		}
		if col.stats.dates.count == col.stats.filled {
			dates = append(dates, col)
		}
		col.setType(col.stats.plain.typeOf(col.stats.filled))
	}
	return typeDates(ctx, c, source, dates, conv)
}

// mayBeTyped reports whether a column is one that the schema does not know, with values. In those, dates that
// can be read both ways are not read at all.
func (l *loaded) mayBeTyped(col *column) bool {
	if col.known || col.stats.filled == 0 {
		return false
	}
	if l.Dates == orderAmbiguous || l.Dates == orderMixed {
		col.stats.dates.shapes &^= shapeSlashed | shapeTwelve
	}
	return true
}

// setType gives a type to a column that the schema does not know and whose values fit it.
func (c *column) setType(typ string) {
	c.typ = typ
	if expected(typ) == classNumber { // each is a plain one
		c.stats.numbers = numberEvidence{integers: c.stats.filled, simple: c.stats.filled}
	}
}

// typeDates gives columns whose values all look like dates a type, unless one of them is not a date:
// 31/02/2024.
func typeDates(ctx context.Context, c *sql.Conn, source string, columns []*column, conv converter) error {
	if len(columns) == 0 {
		return nil
	}
	var times, counts []string
	for i, col := range columns {
		ref := ident(col.name)
		times = append(
			times,
			fmt.Sprintf(
				"CASE WHEN trim(%s) <> '' THEN %s END AS t%d", ref,
				conv.timestamp(ref, col.stats.dates.shapes), i,
			),
		)
		counts = append(
			counts, fmt.Sprintf("count(t%[1]d), count(*) FILTER (t%[1]d = date_trunc('day', t%[1]d))", i),
		)
	}
	query := fmt.Sprintf(
		"SELECT %s FROM (SELECT %s FROM (%s))", strings.Join(counts, ", "), strings.Join(times, ",\n"),
		source,
	)
	n, err := queryInts(ctx, c, query, 2*len(columns))
	if err != nil {
		return err
	}
	for i, col := range columns {
		switch col.stats.filled {
		case n[2*i+1]:
			col.typ = "DATE"
		case n[2*i]:
			col.typ = "TIMESTAMP"
		}
	}
	return nil
}

// plainEvidence counts the values of a column that is not known which are in the form that leaves no doubt:
// 007 and +44 are text.
type plainEvidence struct{ whole, amounts, flags int64 }

func (e *plainEvidence) add(v []byte) {
	switch whole, amount := isPlainNumber(v); {
	case whole:
		e.whole++
	case amount:
		e.amounts++
	case len(v) <= 5:
		switch strings.ToLower(string(v)) {
		case "true", "false", "yes", "no":
			e.flags++
		}
	}
}

// isPlainNumber reports whether a value is a whole number of at most 15 digits, or such a number with two
// decimals.
func isPlainNumber(v []byte) (whole, amount bool) {
	if len(v) > 0 && v[0] == '-' {
		v = v[1:]
	}
	n, rest := leadingDigits(v)
	if n == 0 || n > 15 || n > 1 && v[0] == '0' {
		return false, false
	}
	if len(rest) == 0 {
		return true, false
	}
	return false, len(rest) == 3 && rest[0] == '.' && isDigit(rest[1]) && isDigit(rest[2])
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

// typeOf returns the type that all of a column's values fit.
func (e plainEvidence) typeOf(filled int64) string {
	switch filled {
	case e.whole:
		return "BIGINT"
	case e.whole + e.amounts:
		return "DECIMAL(18,2)"
	case e.flags:
		return "BOOLEAN"
	}
	return "VARCHAR"
}

// describeColumns begins the report on the columns, whose types are known now.
func (l *loaded) describeColumns(conv converter) {
	l.TableReport.Columns = nil
	for i := range l.columns {
		col := &l.columns[i]
		r := ColumnReport{Column: col.name, Type: col.typ, Heading: col.heading, Position: col.index + 1,
			Notation:    col.stats.notation.String(),
			Description: col.about, Sensitive: col.sensitive, Known: col.known}
		if col.index >= 0 && col.typ != "VARCHAR" {
			col.layout = layoutOf(col.typ, conv.order, col.stats)
			r.Layout, r.Reason = col.layout, conv.rejection(col.typ, col.stats)
		}
		l.TableReport.Columns = append(l.TableReport.Columns, r)
	}
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

// storeReport keeps a report in the catalog, for DB.Tables.
func storeReport(ctx context.Context, c *sql.Conn, position int, r *TableReport) error {
	_, err := c.ExecContext(ctx,
		`INSERT INTO holdall.tables VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		position, r.Table, cleanText([]byte(r.File)), r.Known, r.Kind, r.Rows, r.Quarantined, r.Rejected,
		r.Encoding, r.Delimiter, r.LineEnd, r.Quoting, cleanText([]byte(r.Decided)), r.LinesAbove, r.Dates,
		r.Description)
	if err != nil {
		return err
	}
	return appendRows(c, catalog, "holdall", "columns", func(add func(...any) error) error {
		for i, col := range r.Columns {
			if err := add(
				r.Table, int32(i+1), col.Column, col.Type, col.Heading, col.Description, col.Nulls,
				col.Rejected, col.Sensitive, col.Known, col.Notation,
			); err != nil {
				return err
			}
		}
		return nil
	})
}
