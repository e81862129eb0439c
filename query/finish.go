package query

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"holdall/internal/atomicfile"
	"holdall/schemas"
)

// formatVersion is that of the databases this package makes. A change that makes older ones wrong or unreadable raises it.
const formatVersion = "4"

// ownTables describes the relations that no CSV brings.
var ownTables = []view{
	{name: "archive_meta", about: "What is known of the archive as a whole, by key.", columns: [][2]string{{"key", "What."}, {"value", "Its value."}}},
	{name: "findings", about: "What somebody should know about this export: what is missing, damaged or odd.", columns: [][2]string{
		{"code", "What kind of finding it is."}, {"severity", "error, warning or info."}, {"table_name", "The table it is about."}, {"record_id", "The record it is about."}, {"detail", "The finding in words."},
		{"found", "archive: the tables and documents tell it; takeover: only the takeover could see it."}}},
	{name: "rejects", about: "Cells whose text does not fit their column's type; the typed table has NULL there.", columns: [][2]string{
		{"table_name", "The table."}, {"column_name", "The column."}, {"row_number", "The record's position in the CSV."}, {"value", "The cell as received."}, {"reason", "Why it does not fit."}}},
	{name: "quarantine", about: "Records of the CSVs that could not be loaded into their table, as received.", columns: [][2]string{
		{"table_name", "The table they belong to."}, {"row_number", "The record's position in the CSV."}, {"record", "The record as received."}, {"reason", "Why it could not be loaded."}}},
}

// Finish adds views, macros and comments, and makes the database appear at its path, read-only to everybody.
func (b *Builder) Finish(ctx context.Context) error {
	b.write.Lock()
	defer b.write.Unlock()
	if err := b.inTransaction(ctx, func(c *sql.Conn) error { return b.complete(ctx, c) }); err != nil {
		return fmt.Errorf("finish the database: %w", err)
	}
	if err := b.checkpoint(ctx); err != nil {
		return err
	}
	b.state.Lock()
	defer b.state.Unlock()
	if err := b.db.Close(); err != nil {
		return err
	}
	b.db = nil
	if err := b.appear(); err != nil {
		return err
	}
	b.closed = true
	return os.RemoveAll(b.work)
}

// fewRows is how many rows a database's tables have at most for which trying out compressions takes longer than all else,
// and saves nothing.
const fewRows = 2048

// checkpoint writes the database into its file.
func (b *Builder) checkpoint(ctx context.Context) error {
	most, err := queryInts(ctx, b.db, "SELECT coalesce(max(estimated_size), 0)::BIGINT FROM duckdb_tables()", 1)
	if err != nil {
		return err
	}
	if most[0] <= fewRows {
		if err := execAll(ctx, b.db, "SET GLOBAL force_compression = 'uncompressed'"); err != nil {
			return err
		}
	}
	return execAll(ctx, b.db, "CHECKPOINT "+catalog)
}

// appear makes the finished file durable and gives it its name.
func (b *Builder) appear() error {
	if _, err := os.Stat(b.part + ".wal"); err == nil {
		return fmt.Errorf("%s.wal is left after the checkpoint", b.part)
	}
	f, err := os.OpenFile(b.part, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Chmod(b.part, 0o444); err != nil {
		return err
	}
	if err := os.Rename(b.part, b.path); err != nil {
		return err
	}
	return atomicfile.SyncDir(filepath.Dir(b.path))
}

// complete adds what makes tables a database that explains itself.
func (b *Builder) complete(ctx context.Context, c *sql.Conn) error {
	r := reconciler{b: b, missing: map[string]bool{}}
	if err := r.ensureTables(ctx, c); err != nil {
		return err
	}
	snapshot := b.opts.Snapshot.Format("2006-01-02 15:04:05")
	if err := execAll(ctx, c, "CREATE MACRO main.snapshot_at() AS TIMESTAMP "+text(snapshot)); err != nil {
		return err
	}
	if err := b.writeMeta(ctx, c, snapshot); err != nil {
		return err
	}
	all := views(converter{order: b.orderOf("job_pipelines"), zone: b.opts.TimeZone})
	for _, v := range all {
		if err := execAll(ctx, c, fmt.Sprintf("CREATE VIEW main.%s AS %s", ident(v.name), v.sql)); err != nil {
			return err
		}
	}
	if err := describeOwn(ctx, c, append(all, ownTables...)); err != nil {
		return err
	}
	return comment(ctx, c)
}

// orderOf returns the order in which a table's dates were read.
func (b *Builder) orderOf(table string) string {
	b.state.Lock()
	defer b.state.Unlock()
	for _, l := range b.tables {
		if l.Table == table {
			return l.readAs
		}
	}
	return orderDMY
}

func (b *Builder) writeMeta(ctx context.Context, c *sql.Conn, snapshot string) error {
	order := b.opts.DateOrder
	if order == "" {
		order = orderDMY + " (by default)"
	}
	meta := map[string]string{"snapshot_at": snapshot, "snapshot_at_utc": b.opts.Snapshot.UTC().Format(time.RFC3339), "time_zone": b.opts.TimeZone,
		"date_order": order, "database_format": formatVersion}
	for k, v := range b.opts.Meta {
		if _, ours := meta[k]; !ours {
			meta[k] = v
		}
	}
	keys := make([]string, 0, len(meta))
	for k := range meta {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return appendRows(c, catalog, "main", "archive_meta", func(add func(...any) error) error {
		for _, k := range keys {
			if err := add(k, meta[k]); err != nil {
				return err
			}
		}
		return nil
	})
}

// describeOwn stores the reports of the relations that no CSV brings, with the types that their columns have.
func describeOwn(ctx context.Context, c *sql.Conn, all []view) error {
	types := map[string]string{}
	err := eachText(ctx, c, "SELECT table_name || '.' || column_name, data_type FROM duckdb_columns() WHERE database_name = "+text(catalog)+" AND schema_name = 'main'",
		func(v []string) { types[v[0]] = v[1] })
	if err != nil {
		return err
	}
	counts := make([]string, len(all))
	for i, v := range all {
		counts[i] = "(SELECT count(*) FROM main." + ident(v.name) + ")"
	}
	n, err := queryInts(ctx, c, "SELECT "+strings.Join(counts, ", "), len(all))
	if err != nil {
		return err
	}
	for i, v := range all {
		report := TableReport{Table: v.name, Kind: "table", Description: v.about, Rows: n[i]}
		if v.sql != "" {
			report.Kind = "view"
		}
		for _, col := range v.columns {
			typ := types[v.name+"."+col[0]]
			if typ == "" {
				return fmt.Errorf("%s has no column %s", v.name, col[0])
			}
			report.Columns = append(report.Columns, ColumnReport{Column: col[0], Type: typ, Description: col[1], Known: true})
		}
		if err := storeReport(ctx, c, &report); err != nil {
			return err
		}
	}
	return nil
}

// comment writes the descriptions where any SQL tool shows them.
func comment(ctx context.Context, c *sql.Conn) error {
	var statements []string
	add := func(what, on, says string) {
		statements = append(statements, fmt.Sprintf("COMMENT ON %s %s IS %s", what, on, text(says)))
	}
	err := eachText(ctx, c, "SELECT upper(kind), table_name, description FROM holdall.tables", func(v []string) {
		add(v[0], "main."+ident(v[1]), v[2])
	})
	if err != nil {
		return err
	}
	err = eachText(ctx, c, "SELECT table_name, column_name, CASE WHEN sensitive THEN 'SENSITIVE.' END, description, heading FROM holdall.columns", func(v []string) {
		says := []string{v[2], v[3], ""}
		if v[4] != "" {
			says[2] = "Heading as received: " + v[4] + "."
		}
		says = slices.DeleteFunc(says, func(s string) bool { return s == "" })
		add("COLUMN", "main."+ident(v[0])+"."+ident(v[1]), strings.Join(says, " "))
	})
	if err != nil {
		return err
	}
	err = eachText(ctx, c, `SELECT what, name, file FROM (SELECT 'VIEW' AS what, view_name AS name FROM duckdb_views() WHERE database_name = '`+catalog+`' AND schema_name = 'raw'
		UNION ALL SELECT 'TABLE', table_name FROM duckdb_tables() WHERE database_name = '`+catalog+`' AND schema_name = 'raw') JOIN holdall.tables ON table_name = name`, func(v []string) {
		add(v[0], "raw."+ident(v[1]), "The cells of "+v[2]+" as received, as text.")
	})
	if err != nil {
		return err
	}
	return execAll(ctx, c, statements...)
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

// ensureTables makes the known tables and documents where neither a CSV nor Reconcile has.
func (r *reconciler) ensureTables(ctx context.Context, c *sql.Conn) error {
	have := map[string]bool{}
	err := eachText(ctx, c, "SELECT table_name FROM duckdb_tables() WHERE database_name = "+text(catalog)+" AND schema_name = 'main'", func(v []string) { have[v[0]] = true })
	if err != nil {
		return err
	}
	for _, t := range append(slices.Clone(schemas.Recruitly()), documentsTable) {
		if !have[t.Name] {
			if err := makeGap(ctx, c, t); err != nil {
				return err
			}
		}
	}
	return nil
}
