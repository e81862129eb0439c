package query

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// describe begins the reports of the relations that come from no CSV, with the types that their columns have.
// Their rows are counted on demand.
func (w *catalogWriter) describe(ctx context.Context, c *sql.Conn, all []view) error {
	types := map[string]string{}
	err := eachText(ctx, c,
		"SELECT table_name || '.' || column_name, data_type FROM duckdb_columns() WHERE database_name = '"+
			catalog+"' AND schema_name = 'main'",
		func(v []string) { types[v[0]] = v[1] })
	if err != nil {
		return err
	}
	for _, v := range all {
		report := TableReport{Table: v.name, Kind: "table", Description: v.about, Rows: rowsUnknown}
		if v.sql != "" {
			report.Kind = "view"
		}
		for _, col := range v.columns {
			typ := types[v.name+"."+col[0]]
			if typ == "" {
				return fmt.Errorf("%s has no column %s", v.name, col[0])
			}
			report.Columns = append(report.Columns,
				ColumnReport{Column: col[0], Type: typ, Description: col[1], Known: true,
					Sensitive: slices.Contains(sensitiveOwn, v.name+"."+col[0])})
		}
		w.reports = append(w.reports, report)
	}
	return nil
}

// rowsUnknown is the number of rows of a relation whose rows have not been counted yet.
const rowsUnknown = -1

// comment writes the descriptions where any SQL tool shows them.
func (w *catalogWriter) comment(ctx context.Context, c *sql.Conn) error {
	isView := map[string]bool{}
	err := eachText(ctx, c,
		"SELECT view_name FROM duckdb_views() WHERE database_name = '"+catalog+"' AND schema_name = 'main'",
		func(v []string) { isView[v[0]] = true })
	if err != nil {
		return err
	}
	var statements []string
	add := func(what, on, says string) {
		statements = append(statements, fmt.Sprintf("COMMENT ON %s %s IS %s", what, on, text(says)))
	}
	for _, r := range w.reports {
		kind := "TABLE"
		if isView[r.Table] {
			kind = "VIEW"
		}
		add(kind, "main."+ident(r.Table), r.Description)
		for _, col := range r.Columns {
			add("COLUMN", "main."+ident(r.Table)+"."+ident(col.Column), col.comment())
		}
	}
	for _, r := range w.Tables {
		add("VIEW", "raw."+ident(r.Table), "The cells of "+cleanText([]byte(r.File))+" as received, as text.")
	}
	return execAll(ctx, c, strings.Join(statements, ";\n"))
}

func (c ColumnReport) comment() string {
	var says []string
	if c.Sensitive {
		says = append(says, "SENSITIVE.")
	}
	if c.Description != "" {
		says = append(says, c.Description)
	}
	if c.Heading != "" {
		says = append(says, "Heading as received: "+c.Heading+".")
	}
	return strings.Join(says, " ")
}
