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

	"holdall/internal/atomicfile"
	"holdall/internal/scratch"
	"holdall/schemas"
)

// catalogVersion is that of the catalogs this package makes. A change that makes older ones wrong or
// unreadable raises it.
const catalogVersion = "8"

// A Catalog says of an archive what its files say of themselves only in part: which tables there are, how
// their texts are given back, and what describes them. Together with the files (Parts) it is all that SQL
// over an archive needs.
type Catalog struct {
	Tables    []TableReport     `json:"-"`         // one a CSV, as LoadCSV returned them
	Documents TableReport       `json:"documents"` // as LoadDocuments made it
	Meta      map[string]string `json:"meta"`      // the rows of archive_meta, but for database_format
	// the order of day and month in the status logs of job_pipelines
	LogOrder string `json:"log_order"`

	// Schema is what is known of the source's tables, as in BuildOptions.
	Schema []schemas.Table `json:"-"`

	// Parts names the file of each relation that has one: the tables, documents, quarantine as Parquet, and
	// findings as Parquet or as zstd-compressed lines of JSON. The names are whatever the Resolver given to
	// Open understands.
	Parts map[string]string `json:"parts"`
}

// BuildPrefix begins the names of the directories that databases are made in, next to them.
const BuildPrefix = ".rebuild-"

// WriteCatalog makes the database that Open opens: nothing but views of the files that hold the rows, with a
// comment on everything. It holds no personal data, can be made again at any time, and does not say where the
// files are. It appears at path whole or not at all, read-only to everybody.
func WriteCatalog(ctx context.Context, path string, c Catalog) (err error) {
	work, err := scratch.Make(filepath.Dir(path), BuildPrefix)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, work.Remove()) }()
	part := filepath.Join(work.Path, "catalog.duckdb")
	db, err := openEngine(engineOptions{path: part, work: work.Path, memory: defaultMemory, threads: 1})
	if err != nil {
		return err
	}
	w := catalogWriter{Catalog: c, work: work.Path}
	err = inTransaction(ctx, db, func(conn *sql.Conn) error { return w.write(ctx, conn) })
	if err == nil { // trying out compressions would take longer than all else, and save nothing
		err = execAll(ctx, db, "SET GLOBAL force_compression = 'uncompressed'", "CHECKPOINT "+catalog)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("make the catalog: %w", plainError(ctx, err))
	}
	return publish(part, path)
}

// publish makes a finished database durable and gives it its name.
func publish(part, path string) error {
	if _, err := os.Stat(part + ".wal"); err == nil {
		return fmt.Errorf("%s.wal is left after the checkpoint", part)
	}
	f, err := os.OpenFile(part, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close(), os.Chmod(part, 0o444)); err != nil {
		return err
	}
	if err := os.Rename(part, path); err != nil {
		return err
	}
	return atomicfile.SyncDir(filepath.Dir(path))
}

// A catalogWriter writes one catalog. Views are made over empty files of the right columns: the real ones
// need not be at hand, and are not read.
type catalogWriter struct {
	Catalog
	work    string
	reports []TableReport // of all relations that SQL sees
}

func (w *catalogWriter) write(ctx context.Context, c *sql.Conn) error {
	if err := execAll(
		ctx, c, catalogSQL, "CREATE MACRO main.snapshot_at() AS TIMESTAMP "+text(w.Meta["snapshot_at"]),
		hasMacro,
	); err != nil {
		return err
	}
	if err := w.writeParts(ctx, c); err != nil {
		return err
	}
	if err := w.writeTables(ctx, c); err != nil {
		return err
	}
	if err := w.writeOwn(ctx, c); err != nil {
		return err
	}
	if err := execAll(ctx, c, "CREATE VIEW holdall.records AS "+w.recordsSQL(),
		"COMMENT ON VIEW holdall.records IS 'What ledger.run_records says of the takeover of this archive.'",
	); err != nil {
		return err
	}
	var derived []view
	if w.Schema == nil {
		derived = views(converter{order: w.LogOrder, zone: w.Meta["time_zone"]})
	}
	for _, v := range derived {
		if err := execAll(
			ctx, c, fmt.Sprintf("CREATE VIEW main.%s AS %s", ident(v.name), v.sql),
		); err != nil {
			return err
		}
	}
	if err := w.describe(ctx, c, append(derived, ownTables...)); err != nil {
		return err
	}
	for i := range w.reports {
		if err := storeReport(ctx, c, i+1, &w.reports[i]); err != nil {
			return err
		}
	}
	if err := execAll(ctx, c, shownTablesSQL); err != nil {
		return err
	}
	return w.comment(ctx, c)
}

// hasMacro searches lists with plain words: has(skills, 'go') is whether an item has that text in it, without
// case and accents.
const hasMacro = `CREATE MACRO main.has(items, part) AS
	coalesce(len(list_filter(items, lambda item: contains(strip_accents(lower(item)),
		strip_accents(lower(part))))) > 0, false)`

// writeParts records the names of the files and of what archive_meta says, and makes the empty files.
func (w *catalogWriter) writeParts(ctx context.Context, c *sql.Conn) error {
	files := map[string]string{}
	for relation, name := range w.Parts {
		files[relation] = filepath.Join(w.work, fmt.Sprintf("part-%d", len(files)))
		if isJSON(name) {
			if err := os.WriteFile(files[relation], nil, 0o600); err != nil {
				return err
			}
		}
	}
	if err := appendPairs(c, "holdall", "parts", w.Parts); err != nil {
		return err
	}
	meta := maps.Clone(w.Meta) // of an archive that an earlier version made, perhaps
	meta["database_format"] = catalogVersion
	if err := appendPairs(c, "main", "archive_meta", meta); err != nil {
		return err
	}
	statements := []string{partsVariable(files)}
	empty := func(relation, columns string) {
		if name, ok := w.Parts[relation]; ok && !isJSON(name) {
			statements = append(
				statements,
				fmt.Sprintf(
					"COPY (SELECT %s WHERE false) TO %s (FORMAT parquet)", columns, text(files[relation]),
				),
			)
		}
	}
	for i := range w.Tables {
		empty(w.Tables[i].Table, w.Tables[i].storedTypes())
	}
	for _, r := range []TableReport{w.Documents, ownReport("findings"), ownReport("quarantine")} {
		empty(r.Table, nulls(r.Columns))
	}
	return execAll(ctx, c, statements...)
}

func appendPairs(c *sql.Conn, schema, table string, pairs map[string]string) error {
	return appendRows(c, catalog, schema, table, func(add func(...any) error) error {
		for _, key := range slices.Sorted(maps.Keys(pairs)) {
			if err := add(key, pairs[key]); err != nil {
				return err
			}
		}
		return nil
	})
}

// partsVariable sets the variable by which the views find the files.
func partsVariable(files map[string]string) string {
	var keys, values []string
	for _, relation := range slices.Sorted(maps.Keys(files)) {
		keys, values = append(keys, text(relation)), append(values, text(files[relation]))
	}
	return fmt.Sprintf(
		"SET VARIABLE holdall_parts = MAP([%s]::VARCHAR[], [%s]::VARCHAR[])", strings.Join(keys, ", "),
		strings.Join(values, ", "),
	)
}

// partOf is SQL for the path of a relation's file.
func partOf(relation string) string { return "getvariable('holdall_parts')[" + text(relation) + "]" }

func isJSON(name string) bool { return strings.HasSuffix(name, ".jsonl.zst") }

// nulls is SQL for columns without rows.
func nulls(columns []ColumnReport) string {
	all := make([]string, len(columns))
	for i, c := range columns {
		all[i] = fmt.Sprintf("NULL::%s AS %s", c.Type, ident(c.Column))
	}
	return strings.Join(all, ", ")
}

// storedTypes is SQL for the columns of a stored table, without rows.
func (r *TableReport) storedTypes() string {
	var columns, kept []string
	if r.Numbered {
		columns = append(columns, "NULL::BIGINT AS "+rowNumber)
	}
	received := r.received()
	if len(received) > 0 {
		columns = append(columns, nulls(received))
	}
	for _, c := range received {
		if c.Type != "VARCHAR" {
			kept = append(kept, ident(c.Column)+" VARCHAR")
		}
	}
	if len(kept) > 0 {
		columns = append(columns, fmt.Sprintf("NULL::STRUCT(%s) AS %s", strings.Join(kept, ", "), asReceived))
	}
	return strings.Join(columns, ", ")
}

// writeTables makes the views of the tables that CSVs became, and the known tables that there are none of.
func (w *catalogWriter) writeTables(ctx context.Context, c *sql.Conn) error {
	have := map[string]bool{}
	for i := range w.Tables {
		r := &w.Tables[i]
		have[r.Table] = true
		source := readParquet(partOf(r.Table))
		if err := execAll(ctx, c,
			fmt.Sprintf("CREATE VIEW main.%s AS %s", ident(r.Table), r.typedSQL(source)),
			fmt.Sprintf("CREATE VIEW raw.%s AS %s", ident(r.Table), r.rawSQL(source))); err != nil {
			return err
		}
		w.reports = append(w.reports, *r)
	}
	documents := w.Documents
	if w.Parts[documents.Table] != "" {
		if err := execAll(
			ctx, c, "CREATE VIEW main.documents AS FROM read_parquet("+partOf(documents.Table)+")",
		); err != nil {
			return err
		}
		have[documents.Table] = true
		w.reports = append(w.reports, documents)
	}
	for _, t := range append(slices.Clone(known(w.Schema)), documentsTable) {
		if have[t.Name] {
			continue
		}
		report := emptyReport(t)
		if err := execAll(ctx, c, emptyTableSQL(t)); err != nil {
			return err
		}
		w.reports = append(w.reports, report)
	}
	return nil
}

// writeOwn makes the relations that come from no CSV.
func (w *catalogWriter) writeOwn(ctx context.Context, c *sql.Conn) error {
	var rejects []string
	for i := range w.Tables {
		if sql := w.Tables[i].rejectsSQL(readParquet(partOf(w.Tables[i].Table))); sql != "" {
			rejects = append(rejects, sql)
		}
	}
	for _, v := range ownTables {
		body := fmt.Sprintf("SELECT %s WHERE false", nulls(ownReport(v.name).Columns))
		switch name := w.Parts[v.name]; {
		case v.name == "archive_meta":
			body = ""
		case v.name == "rejects" && len(rejects) > 0:
			body = strings.Join(rejects, "\nUNION ALL ")
		case isJSON(name):
			body = findingsOfJSON
		case name != "":
			body = "FROM read_parquet(" + partOf(v.name) + ")"
		}
		if body == "" {
			continue
		}
		if err := execAll(ctx, c, fmt.Sprintf("CREATE VIEW main.%s AS %s", ident(v.name), body)); err != nil {
			return err
		}
	}
	return nil
}

// shownTablesSQL lets SQL that asks the engine for its tables find those of the archive, with their rows,
// although they are views.
const shownTablesSQL = `CREATE MACRO main.duckdb_tables() AS TABLE
	SELECT database_name, schema_name, table_name, comment, internal, temporary, estimated_size,
		column_count, sql FROM system.main.duckdb_tables()
		WHERE database_name <> '` + catalog + `' OR schema_name <> 'main' OR table_name NOT IN (SELECT
			table_name FROM holdall.tables)
	UNION ALL SELECT '` + catalog + `', 'main', table_name, description, false, false, greatest(row_count, 0),
		(SELECT count(*) FROM holdall.columns AS c WHERE c.table_name = t.table_name), NULL
		FROM holdall.tables AS t WHERE kind = 'table'`

// findingsOfJSON is a query for the findings where they are lines of JSON.
var findingsOfJSON = `SELECT code, severity, nullif("table", '') AS table_name, nullif(record_id,
	'') AS record_id, detail,
	CASE WHEN taking THEN '` + foundTaking + `' ELSE '` + foundArchive + `' END AS found
	FROM read_json(` + partOf("findings") + `, format = 'newline_delimited', compression = 'zstd',
		maximum_object_size = 4194304,
		columns = {code: 'VARCHAR', severity: 'VARCHAR', "table": 'VARCHAR', record_id: 'VARCHAR',
			detail: 'VARCHAR', taking: 'BOOLEAN'})`
