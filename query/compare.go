package query

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// CompareTable compares a table that was loaded with another stored form of it, cell by cell and in its
// place: the text as received, and the value. other is what is recorded of that form, file its local path. It
// returns what differs, in words that quote no cell; nothing where all is the same. That the engine cannot
// read the file is an error.
func (b *Builder) CompareTable(ctx context.Context, other TableReport, file string) ([]string, error) {
	here, ok := b.loadedReport(other.Table)
	if !ok {
		return nil, fmt.Errorf("there is no table %s to compare with", other.Table)
	}
	if was, is := shapeOf(other), shapeOf(here); !slices.Equal(was, is) {
		return []string{fmt.Sprintf("its columns are %s, and those of the CSV make %s",
			strings.Join(was, ", "), strings.Join(is, ", "))}, nil
	}
	there := readParquet(text(file))
	was, err := b.sumCells(ctx, other, there)
	if err != nil {
		return nil, err
	}
	is, err := b.sumCells(ctx, here, b.source(here.Table))
	if err != nil {
		return nil, err
	}
	if was[0] != is[0] {
		return []string{fmt.Sprintf("it has %d rows, and the CSV makes %d", was[0], is[0])}, nil
	}
	var differ []string
	columns, others := here.received(), other.received()
	for i, col := range columns {
		if was[1+2*i] == is[1+2*i] && was[2+2*i] == is[2+2*i] {
			continue
		}
		said, err := b.describeDifference(
			ctx, cellsOf(other, others[i], there), cellsOf(here, col, b.source(here.Table)),
		)
		if err != nil {
			return nil, err
		}
		differ = append(differ, col.Column+": "+said)
	}
	return differ, nil
}

// CompareRows compares the rows of a table that comes from no CSV (documents, quarantine) with those of a
// local Parquet file, in any order, and returns what differs; nothing where all is the same.
func (b *Builder) CompareRows(ctx context.Context, table, file string) ([]string, error) {
	sums := func(from string) ([]int64, error) {
		return queryInts(ctx, b.db, "SELECT count(*), coalesce(sum(hash(hash(t)) >> 32), 0)::BIGINT, "+
			"coalesce(bit_xor(hash(hash(t)) >> 1), 0)::BIGINT FROM "+from+" AS t", 3)
	}
	was, err := sums("(FROM read_parquet(" + text(file) + "))")
	if err != nil {
		return nil, err
	}
	is, err := sums("main." + ident(table))
	switch {
	case err != nil:
		return nil, err
	case was[0] != is[0]:
		return []string{fmt.Sprintf("it has %d rows, and should have %d", was[0], is[0])}, nil
	case !slices.Equal(was, is):
		return []string{"its rows are not those that the archive's other files make"}, nil
	}
	return nil, nil
}

func (b *Builder) loadedReport(table string) (TableReport, bool) {
	b.state.Lock()
	defer b.state.Unlock()
	for _, l := range b.tables {
		if l.Table == table {
			return l.TableReport, true
		}
	}
	return TableReport{}, false
}

// shapeOf names the columns that a CSV has, and their types.
func shapeOf(r TableReport) []string {
	var all []string
	for _, c := range r.received() {
		all = append(all, c.Column+" "+c.Type)
	}
	return all
}

// sumCells returns the number of rows, and cellSums.
func (b *Builder) sumCells(ctx context.Context, r TableReport, source string) ([]int64, error) {
	sums := append([]string{"count(*)"}, cellSums(r)...)
	return queryInts(ctx, b.db, "SELECT "+strings.Join(sums, ",\n")+" FROM "+source+" AS t", len(sums))
}

// cellSums is SQL for a sum of the texts of each column and one of its values, which change with any cell,
// and with its row. The engine combines hashes by exclusive or, as the sum does: only a
// hash of what it combines ties a cell to its row.
func cellSums(r TableReport) []string {
	var sums []string
	for _, c := range r.received() {
		sums = append(
			sums, textSum(r.position(), c.received(), c.Type), cellSum(r.position(), "t."+ident(c.Column)),
		)
	}
	return sums
}

// textSum is SQL for the sum of a column's texts. In a column of texts, the values say all.
func textSum(position, cell, typ string) string {
	if typ == "VARCHAR" {
		return "0::BIGINT"
	}
	return cellSum(position, cell)
}

// cellSum is SQL for one such sum.
func cellSum(position, cell string) string {
	return fmt.Sprintf("coalesce(bit_xor(hash(hash(%s, %s)) >> 1), 0)::BIGINT", position, cell)
}

// cellsOf is a query for the cells of a column, by row.
func cellsOf(r TableReport, c ColumnReport, source string) string {
	return fmt.Sprintf("SELECT %s AS r, %s AS text, t.%s AS value FROM %s AS t",
		r.position(), c.received(), ident(c.Column), source)
}

// describeDifference says how many cells of a column differ, and where the first one is.
func (b *Builder) describeDifference(ctx context.Context, was, is string) (string, error) {
	n, err := queryInts(ctx, b.db, fmt.Sprintf(`SELECT
		count(*) FILTER (texts), coalesce(min(r) FILTER (texts), 0),
		count(*) FILTER (NOT texts), coalesce(min(r) FILTER (NOT texts), 0)
		FROM (SELECT coalesce(a.r, b.r)::BIGINT AS r, a.text IS DISTINCT FROM b.text AS texts
			FROM (%s) AS a FULL JOIN (%s) AS b ON a.r = b.r
			WHERE texts OR a.value IS DISTINCT FROM b.value)`, was, is), 4)
	if err != nil {
		return "", err
	}
	var said []string
	if n[0] > 0 {
		said = append(said, fmt.Sprintf("%d cells are not the CSV's, the first in row %d", n[0], n[1]))
	}
	if n[2] > 0 {
		said = append(said, fmt.Sprintf(
			"%d values are not what is made of the CSV's cells, the first in row %d", n[2], n[3]))
	}
	return strings.Join(said, "; "), nil
}
