package query

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
)

// A Stored is a table as it was made before: what is recorded of it, and the local path of its Parquet file.
type Stored struct {
	Report TableReport
	File   string
}

// ErrStoredDiffers says that a table's Parquet file is not what its CSV makes.
var ErrStoredDiffers = errors.New("the stored table is not what the CSV makes")

// LoadStored is LoadCSV, or LoadNDJSON for a name that ends in .ndjson, for a table that was stored before:
// its columns have the types and layouts that are recorded, whatever would be inferred today, and its Parquet
// file is used where it is. It has to stay there until Close. First every cell, text and value, is compared
// with the CSV's in its place: where one differs, the error matches ErrStoredDiffers, and nothing is loaded.
// Without a File the table is stored anew, with the types that are recorded.
func (b *Builder) LoadStored(ctx context.Context, file, path string, was Stored) (*TableReport, error) {
	if !strings.HasSuffix(file, ".ndjson") {
		return b.loadCSV(ctx, file, path, nil, &was)
	}
	flat, err := b.flattenFile(ctx, file, path)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", file, err)
	}
	defer os.Remove(flat)
	return b.loadCSV(ctx, file, flat, nil, &was)
}

// storeOrAdopt decides how a table's columns are typed, and stores it, or takes what is stored already, to be
// compared with the sums of cells that it returns.
func (b *Builder) storeOrAdopt(
	ctx context.Context, c *sql.Conn, l *loaded, source string,
) (cells []int64, err error) {
	if l.was != nil {
		if err := l.typeAs(l.was.Report, b.converter(l)); err != nil {
			return nil, err
		}
		if l.was.File != "" {
			b.adopted.Store(l.Table, l.was.File)
			return queryInts(ctx, c, sumsOfTexts(l, b.converter(l), source), 2*len(l.received()))
		}
		return nil, b.store(ctx, c, l, source)
	}
	if err := l.typeUnknown(ctx, c, source, b.converter(l)); err != nil {
		return nil, err
	}
	l.describeColumns(b.converter(l))
	return nil, b.store(ctx, c, l, source)
}

// forget leaves a table's name to the next one.
func (n *names) forget(name string) { delete(n.taken, strings.ToLower(name)) }

// typeAs gives the columns the types and layouts that are recorded of them.
func (l *loaded) typeAs(was TableReport, conv converter) error {
	differ := func(what string, is, was any) error {
		return fmt.Errorf("%w: %s of the CSV is %v, the record says %v", ErrStoredDiffers, what, is, was)
	}
	if l.Table != was.Table || l.Numbered != was.Numbered {
		return differ("the table", l.Table, was.Table)
	}
	if is, was := len(l.received()), len(was.received()); is != was {
		return differ("the number of columns", is, was)
	}
	for i := range l.columns {
		col := &l.columns[i]
		if col.index < 0 {
			continue
		}
		r := was.report(col.name)
		if r == nil || r.Position != col.index+1 {
			return differ("a column", col.name, "otherwise")
		}
		if l.mayBeTyped(col) {
			col.setType(r.Type)
		} else {
			col.typ = r.Type
		}
	}
	l.describeColumns(conv)
	for i := range l.columns {
		col := &l.columns[i]
		if col.index >= 0 && col.typ != "VARCHAR" {
			col.layout = was.report(col.name).Layout
			l.TableReport.Columns[i].Layout = col.layout
		}
	}
	return nil
}

// sumsOfTexts is a query for what cellSums returns, from a query for texts.
func sumsOfTexts(l *loaded, conv converter, source string) string {
	const row = `"the row"` // no column is called so
	position := rowNumber + "::BIGINT"
	if !l.Numbered {
		position = "row_number() OVER ()"
	}
	cells, from := convertedSQL(l, conv, "SELECT *, "+position+" AS "+row+" FROM ("+source+")")
	var sums []string
	for i, col := range l.received() {
		sums = append(sums, textSum(row, ident(col.name), col.typ), cellSum(row, cells[i].value))
	}
	return "SELECT " + strings.Join(sums, ",\n") + " FROM (" + from + ")"
}
