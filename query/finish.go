package query

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// ownTables describes the relations that come from no CSV.
var ownTables = []view{
	{
		name: "archive_meta", about: "What is known of the archive as a whole, by key.",
		columns: [][2]string{{"key", "What."}, {"value", "Its value."}},
	},
	{name: "findings",
		about: "What is worth knowing about this export: what is missing, damaged or odd.",
		columns: [][2]string{
			{"code", "What kind of finding it is."}, {"severity", "error, warning or info."},
			{"table_name", "The table it is about."}, {"record_id", "The record it is about."},
			{"detail", "The finding in words."},
			{
				"found",
				"archive: it follows from the tables and documents; takeover: only the " +
					"takeover could see it.",
			}}},
	{name: "rejects",
		about: "Cells whose text does not fit their column's type; the typed table has NULL there.",
		columns: [][2]string{
			{"table_name", "The table."}, {"column_name", "The column."},
			{"row_number", "The record's position in the CSV."}, {"value", "The cell as received."},
			{"reason", "Why it does not fit."}}},
	{name: "quarantine",
		about: "Records of the CSVs that could not be loaded into their table, as received.",
		columns: [][2]string{
			{"table_name", "The table they belong to."}, {"row_number", "The record's position in the CSV."},
			{"record", "The record as received."}, {"reason", "Why it could not be loaded."}}},
}

// ownReport returns a report on one of ownTables without its rows.
func ownReport(name string) TableReport {
	r := TableReport{Table: name, Kind: "table"}
	for _, v := range ownTables {
		if v.name != name {
			continue
		}
		r.Description = v.about
		for _, col := range v.columns {
			typ := "VARCHAR"
			if col[0] == rowNumber {
				typ = "BIGINT"
			}
			r.Columns = append(
				r.Columns, ColumnReport{Column: col[0], Type: typ, Description: col[1], Known: true},
			)
		}
	}
	return r
}

// Catalog describes what was loaded so far. Its Parts are left to the caller.
func (b *Builder) Catalog(ctx context.Context) (Catalog, error) {
	end, err := b.dataEnd(ctx)
	if err != nil {
		return Catalog{}, fmt.Errorf("find out when the data end: %w", err)
	}
	b.state.Lock()
	defer b.state.Unlock()
	c := Catalog{
		Schema: b.opts.Schema, Meta: b.meta(end), LogOrder: orderDMY, Documents: b.documents,
		Parts: map[string]string{},
	}
	for _, l := range b.tables {
		c.Tables = append(c.Tables, l.TableReport)
		if l.Table == "job_pipelines" {
			c.LogOrder = l.readAs
		}
	}
	return c, nil
}

// pastTimes are columns whose times were in the past when the export was made, because they are of something
// that happened.
var pastTimes = []string{
	"event_time", "created_on", "modified_on", "last_contacted", "last_login", "last_activity_date",
}

// sqlTime is how SQL and archive_meta write a time.
const sqlTime = "2006-01-02 15:04:05"

// dataEnd returns the last time at which something happened of which the tables know, but none after the
// takeover: that is a mistake in the data. Where they know none, it is the time of the takeover.
func (b *Builder) dataEnd(ctx context.Context) (string, error) {
	taken := b.opts.Snapshot.Format(sqlTime)
	var ends []string
	b.state.Lock()
	for _, l := range b.tables {
		for _, c := range l.Columns {
			if l.Known && c.Type == "TIMESTAMP" && c.Heading != "" && slices.Contains(pastTimes, c.Column) {
				ends = append(
					ends,
					fmt.Sprintf(
						"(SELECT max(%s) FILTER (%[1]s <= TIMESTAMP %s) FROM main.%s)", ident(c.Column),
						text(taken), ident(l.Table),
					),
				)
			}
		}
	}
	b.state.Unlock()
	if len(ends) == 0 {
		return taken, nil
	}
	var end string
	query := fmt.Sprintf(
		"SELECT strftime(coalesce(greatest(%s), TIMESTAMP %s), '%%Y-%%m-%%d %%H:%%M:%%S')",
		strings.Join(ends, ", "), text(taken),
	)
	err := b.db.QueryRowContext(ctx, query).Scan(&end)
	return end, err
}

// meta returns the rows of archive_meta. end is when the data end.
func (b *Builder) meta(end string) map[string]string {
	order := b.opts.DateOrder
	if order == "" {
		order = orderDMY + " (by default)"
	}
	meta := map[string]string{}
	maps.Copy(meta, b.opts.Meta)
	maps.Copy(meta, map[string]string{"snapshot_at": end,
		"taken_at":     b.opts.Snapshot.Format(sqlTime),
		"taken_at_utc": b.opts.Snapshot.UTC().Format(time.RFC3339), "time_zone": b.opts.TimeZone,
		"date_order": order})
	return meta
}

// Finish makes a database at the Builder's path, for Open without a Resolver: the files with the rows are in
// a directory of its name (see Files), both appear whole or not at all. It is for archives that have no such
// files of their own.
func (b *Builder) Finish(ctx context.Context) error {
	c, err := b.Catalog(ctx)
	if err != nil {
		return err
	}
	for _, l := range b.tables {
		c.Parts[l.Table] = filepath.Base(b.File(l.Table))
	}
	if err := b.exec(ctx, emptyTableSQL(documentsTable)); err != nil {
		return err
	}
	for _, own := range []string{documentsTable.Name, "findings", "quarantine"} {
		n, err := queryInts(ctx, b.db, "SELECT count(*) FROM main."+ident(own), 1)
		if err != nil {
			return err
		}
		if n[0] == 0 {
			continue
		}
		if _, err := b.WriteParquet(ctx, own, b.File(own)); err != nil {
			return err
		}
		c.Parts[own] = filepath.Base(b.File(own))
	}
	if err := b.closeEngine(); err != nil {
		return err
	}
	if err := Remove(b.path); err != nil {
		return err
	}
	if err := os.Rename(b.dir, Files(b.path)); err != nil {
		return err
	}
	if err := WriteCatalog(ctx, b.path, c); err != nil {
		return errors.Join(err, Remove(b.path))
	}
	return b.Close()
}

// Files returns the directory of the files that belong to a database that Finish made at path.
func Files(path string) string { return strings.TrimSuffix(path, ".duckdb") + ".tables" }

// Remove removes a database and the files that belong to it, as far as they are there.
func Remove(path string) error {
	return errors.Join(removeIfThere(path), os.RemoveAll(Files(path)))
}

// eachText calls do with every row of a query whose columns are texts; NULL is empty.
func eachText(ctx context.Context, c *sql.Conn, query string, do func([]string)) error {
	rows, err := c.QueryContext(ctx, query)
	if err != nil {
		return sqlError(query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	values, dest := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range values {
		dest[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		row := make([]string, len(values))
		for i, v := range values {
			row[i] = v.String
		}
		do(row)
	}
	return rows.Err()
}
