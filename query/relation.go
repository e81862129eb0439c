package query

import (
	"fmt"
	"slices"
	"strings"
)

// A stored table is one Parquet file in the order of the CSV's records. It has the columns that the CSV has,
// typed, and besides them
//
//	as_received  a structure with the text of each cell that its typed value does not give back,
//	             by column; NULL for the others
//	row_number   the record's number in the CSV, only where that is not the row's own
//
// Everything else is a view of it: <table> with all columns that are known, raw.<table> with every cell as
// text, and rejects.
const (
	asReceived    = "as_received"
	rowNumber     = "row_number"
	fileRowNumber = "file_row_number" // what read_parquet calls the row's place, from 0
)

// storedColumns are the names that no column of a CSV gets.
var storedColumns = []string{asReceived, rowNumber, fileRowNumber}

// readParquet is a call of DuckDB's reader. files is SQL: a path or a list of paths.
func readParquet(files string) string {
	return "read_parquet(" + files + ", " + fileRowNumber + " = true)"
}

// received returns the columns that the CSV has, in its order.
func (r *TableReport) received() []ColumnReport {
	all := slices.DeleteFunc(slices.Clone(r.Columns), func(c ColumnReport) bool { return c.Position == 0 })
	slices.SortFunc(all, func(a, b ColumnReport) int { return a.Position - b.Position })
	return all
}

// position is SQL for a record's number in the CSV.
func (r *TableReport) position() string {
	if r.Numbered {
		return rowNumber
	}
	return fileRowNumber + " + 1"
}

// typedSQL is a query for the typed table from a stored one, and for further columns.
func (r *TableReport) typedSQL(source string, further ...string) string {
	columns := make([]string, len(r.Columns))
	for i, c := range r.Columns {
		columns[i] = ident(c.Column)
		if c.Position == 0 {
			columns[i] = fmt.Sprintf("NULL::%s AS %s", c.Type, ident(c.Column))
		}
	}
	return "SELECT " + strings.Join(append(columns, further...), ", ") + " FROM " + source
}

// rawSQL is a query for every cell as text.
func (r *TableReport) rawSQL(source string) string {
	columns := []string{r.position() + " AS " + rowNumber}
	for _, c := range r.received() {
		columns = append(columns, c.received()+" AS "+ident(c.Column))
	}
	return "SELECT " + strings.Join(columns, ", ") + " FROM " + source + " AS t"
}

// rejectsSQL is a query for the cells that have text but no value, one column after the other; "" if there
// are none.
func (r *TableReport) rejectsSQL(source string) string {
	var all []string
	for _, c := range r.received() {
		if c.Rejected > 0 {
			all = append(all,
				fmt.Sprintf("SELECT %s AS table_name, %s AS column_name, %s AS row_number, %s AS value, "+
					"%s AS reason FROM %s AS t WHERE %s",
					text(r.Table), text(c.Column), r.position(), c.kept(), text(c.Reason), source,
					c.isRejected()))
		}
	}
	return strings.Join(all, "\nUNION ALL ")
}

// received is SQL for the text of the column's cells.
func (c ColumnReport) received() string {
	ref := "t." + ident(c.Column)
	switch {
	case c.Type == "VARCHAR":
		return "coalesce(" + ref + ", '')"
	case c.Layout == "":
		return "coalesce(" + c.kept() + ", '')"
	}
	return "coalesce(" + c.kept() + ", " + writtenAs(ref, c.Type, c.Layout) + ", '')"
}

// kept is SQL for the texts that are kept as they were received, in a column that is not of texts.
func (c ColumnReport) kept() string { return "t." + asReceived + "." + ident(c.Column) }

// isRejected is SQL for a cell that has text but no value.
func (c ColumnReport) isRejected() string {
	return fmt.Sprintf("t.%s IS NULL AND trim(%s) <> ''", ident(c.Column), c.kept())
}
