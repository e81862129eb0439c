package ddl

import (
	"fmt"
	"strings"
)

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// duckdb makes views over the files, and the archive's own views as they are.
func (w *writer) duckdb() error {
	w.note("The tables of "+w.ID+" in DuckDB, read where they are. Run it in an empty database:",
		"  duckdb answers.duckdb < this.sql",
		"DuckDB reads s3:// with its extension httpfs, and time zones with icu.")
	for _, t := range w.Tables {
		var columns []string
		for _, c := range t.Columns {
			column := fmt.Sprintf("%s::%s AS %[1]s", quoted(c.Name), c.Type)
			if c.Lacking || t.Path == "" {
				column = fmt.Sprintf("NULL::%s AS %s", c.Type, quoted(c.Name))
			}
			columns = append(columns, column)
		}
		from := "WHERE false"
		if t.Path != "" {
			from = "FROM read_parquet(" + text(filesOf(w.at(t))) + ")"
		}
		w.statement(
			"CREATE OR REPLACE VIEW %s AS SELECT %s %s", quoted(t.Name), strings.Join(columns, ", "), from,
		)
		w.statement("COMMENT ON VIEW %s IS %s", quoted(t.Name), text(t.About))
		for _, c := range t.Columns {
			if c.About != "" {
				w.statement("COMMENT ON COLUMN %s.%s IS %s", quoted(t.Name), quoted(c.Name), text(c.About))
			}
		}
	}
	var meta []string
	for _, m := range w.Meta {
		meta = append(meta, fmt.Sprintf("(%s, %s)", text(m[0]), text(m[1])))
	}
	w.statement(
		"CREATE OR REPLACE VIEW archive_meta AS SELECT * FROM (VALUES %s) AS m(\"key\", \"value\")",
		strings.Join(meta, ", "),
	)
	w.statement("CREATE OR REPLACE MACRO snapshot_at() AS TIMESTAMP %s", text(w.Snapshot))
	w.statement("CREATE OR REPLACE MACRO has(items, part) AS coalesce(len(list_filter(items, lambda item: " +
		"contains(strip_accents(lower(item)), strip_accents(lower(part))))) > 0, false)")
	for _, v := range w.Views {
		w.statement("CREATE OR REPLACE VIEW %s AS %s", quoted(v.Name), v.SQL)
	}
	return nil
}

// filesOf turns a folder into a pattern for its files.
func filesOf(path string) string {
	if strings.HasSuffix(path, ".parquet") {
		return path
	}
	return path + "/*.parquet"
}

// external writes a statement for each table that was received. makes gets the columns, already joined.
func (w *writer) external(
	e Engine, column func(c Column, typ string) string, make func(t Table, columns string),
) error {
	for _, t := range w.Tables {
		if t.Path == "" {
			w.note("The export has no table " + t.Name + ".")
			continue
		}
		if strings.HasSuffix(t.Path, ".parquet") {
			w.note("The table "+t.Name+" is one file next to others: "+w.at(t)+". This engine wants a folder",
				"of its own: copy it into one, and put that in place of the location below.")
		}
		var columns []string
		for _, c := range t.Columns {
			typ, err := typeFor(e, t, c)
			if err != nil {
				return err
			}
			columns = append(columns, "  "+column(c, typ))
		}
		make(t, strings.Join(columns, ",\n"))
	}
	return nil
}

// trino writes tables for Trino's Hive connector: https://trino.io/docs/current/connector/hive.html
func (w *writer) trino() error {
	w.note("The tables of "+w.ID+" for Trino, in the current schema of a Hive catalog that has",
		"hive.parquet.use-column-names=true, hive.timestamp-precision=MICROSECONDS and "+
			"hive.non-managed-table-writes-enabled=false.")
	return w.external(Trino,
		func(c Column, typ string) string { return quoted(c.Name) + " " + typ + " COMMENT " + text(c.About) },
		func(t Table, columns string) {
			w.statement("CREATE TABLE %s (\n%s\n)\nCOMMENT %s\nWITH (format = 'PARQUET', "+
				"external_location = %s)",
				quoted(t.Name), columns, text(t.About), text(folderOf(w.at(t))))
		})
}

// athena writes tables for Amazon Athena: https://docs.aws.amazon.com/athena/latest/ug/create-table.html
func (w *writer) athena() error {
	w.note(
		"The tables of " + w.ID + " for Amazon Athena, in the current database. Athena runs one statement " +
			"at a time.",
	)
	if !strings.HasPrefix(w.Location, "s3://") {
		w.note(
			"Athena reads only from S3: copy the archive there, and print this again with --location " +
				"s3://BUCKET/….",
		)
	}
	return w.external(Athena, func(c Column, typ string) string {
		return "`" + c.Name + "` " + typ + " COMMENT " + hiveText(c.About, 255)
	},
		func(t Table, columns string) {
			w.statement("CREATE EXTERNAL TABLE `%s` (\n%s\n)\nCOMMENT %s\nSTORED AS PARQUET\nLOCATION %s",
				t.Name, columns, hiveText(t.About, 255), text(folderOf(w.at(t))+"/"))
		})
}

func folderOf(path string) string {
	if strings.HasSuffix(path, ".parquet") {
		path = path[:strings.LastIndex(path, "/")]
	}
	return path
}

// hiveText quotes a text as Hive and Spark do, of at most so many characters: Glue keeps 255 of a comment.
func hiveText(s string, most int) string {
	if r := []rune(s); len(r) > most {
		s = string(r[:most-1]) + "…"
	}
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`, "\n", " ").Replace(s) + "'"
}
