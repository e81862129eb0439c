// Package ddl writes the statements with which other engines read an archive's tables where they are: DuckDB,
// Apache Spark, Trino and Amazon Athena.
//
// Tables are the folders of Parquet below data/tables. Every column is declared, with its type and what it
// means, so that nothing is inferred: a column that a file lacks is NULL, and one that it has beyond is not
// seen. The views of an archive (stage_event, task_link, timeline) are written for DuckDB and Spark.
package ddl

import (
	"fmt"
	"strings"
)

// An Engine is what the statements are for.
type Engine string

// The engines.
const (
	DuckDB Engine = "duckdb"
	Spark  Engine = "spark"
	Trino  Engine = "trino"
	Athena Engine = "athena"
)

// Engines are all of them.
var Engines = []Engine{DuckDB, Spark, Trino, Athena}

// An Archive is what the statements are about.
type Archive struct {
	ID string
	// of the bag, as the engine finds it: a directory, file:///…, s3://… or s3a://…; without a slash at its
	// end
	Location string
	Snapshot string // 2026-01-02 03:04:05
	Zone     string // of times without one: Europe/London
	MonthsUS bool   // 01/02/2024 is the second of January
	Meta     [][2]string
	Tables   []Table
	Views    []View // as DuckDB has them, each after those that it reads
}

// A Table is one table. Its path is relative to the bag: a folder, or one file; "" for a table that was not
// received, and is empty.
type Table struct {
	Name    string
	About   string
	Path    string
	Columns []Column
}

// A Column has a DuckDB type. One that is Lacking is in none of the files.
type Column struct {
	Name    string
	Type    string
	About   string
	Lacking bool
}

// A View is a query with a name.
type View struct{ Name, SQL string }

// Write returns the statements, each with a semicolon at its end.
func Write(a Archive, e Engine) (string, error) {
	w := writer{Archive: a}
	var err error
	switch e {
	case DuckDB:
		err = w.duckdb()
	case Spark:
		err = w.spark()
	case Trino:
		err = w.trino()
	case Athena:
		err = w.athena()
	default:
		err = fmt.Errorf("engine %q: want duckdb, spark, trino or athena", e)
	}
	return w.out.String(), err
}

type writer struct {
	Archive
	out strings.Builder
}

func (w *writer) note(lines ...string) {
	for _, l := range lines {
		w.out.WriteString("-- " + l + "\n")
	}
}

func (w *writer) statement(format string, args ...any) {
	fmt.Fprintf(&w.out, format+";\n", args...)
}

// at returns where a table is.
func (w *writer) at(t Table) string { return strings.TrimSuffix(w.Location, "/") + "/" + t.Path }

func text(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// types says how engines call DuckDB's types. There are no others in an archive's tables.
var types = map[string]map[Engine]string{
	"VARCHAR":   {Spark: "STRING", Trino: "varchar", Athena: "string"},
	"JSON":      {Spark: "STRING", Trino: "varchar", Athena: "string"},
	"VARCHAR[]": {Spark: "ARRAY<STRING>", Trino: "array(varchar)", Athena: "array<string>"},
	"BOOLEAN":   {Spark: "BOOLEAN", Trino: "boolean", Athena: "boolean"},
	"INTEGER":   {Spark: "INT", Trino: "integer", Athena: "int"},
	"BIGINT":    {Spark: "BIGINT", Trino: "bigint", Athena: "bigint"},
	"DOUBLE":    {Spark: "DOUBLE", Trino: "double", Athena: "double"},
	"DATE":      {Spark: "DATE", Trino: "date", Athena: "date"},
	"TIMESTAMP": {Spark: "TIMESTAMP_NTZ", Trino: "timestamp(6)", Athena: "timestamp"},
}

func typeFor(e Engine, t Table, c Column) (string, error) {
	if e == DuckDB {
		return c.Type, nil
	}
	if strings.HasPrefix(c.Type, "DECIMAL(") {
		return strings.ToLower(c.Type), nil
	}
	if name, ok := types[c.Type][e]; ok {
		return name, nil
	}
	return "", fmt.Errorf("%s.%s: %s has no type for %s", t.Name, c.Name, e, c.Type)
}
