package query

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"holdall/internal/scratch"
)

// A PlainTable is a table of a plain database: what it is called and means, and its rows as Parquet in a
// local file.
type PlainTable struct {
	TableReport
	Parquet string
}

// plainVersion is the storage version of plain databases: every DuckDB since 1.0 reads it.
const plainVersion = "v1.0.0"

// plainHasMacro is hasMacro without a lambda, whose notation differs between versions of DuckDB.
const plainHasMacro = `CREATE MACRO plain.main.has(items, part) AS coalesce(contains(
	strip_accents(lower(array_to_string(items, chr(31)))), strip_accents(lower(part))), false)`

// CreatePlain makes a DuckDB file that needs nothing of this program: tables with their comments, and the
// macros snapshot_at and has. There must be no file at path.
func CreatePlain(ctx context.Context, path, snapshot string, tables []PlainTable) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s is there already", path)
	}
	work, err := scratch.Make("", ScratchPrefix)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, work.Remove()) }()
	db, err := openEngine(engineOptions{work: work.Path, memory: defaultMemory})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	statements := []string{
		fmt.Sprintf("ATTACH %s AS plain (STORAGE_VERSION %s)", text(path), text(plainVersion)),
		"CREATE MACRO plain.main.snapshot_at() AS TIMESTAMP " + text(snapshot),
		plainHasMacro,
	}
	for _, t := range tables {
		statements = append(statements, t.statements()...)
	}
	return execAll(ctx, db, append(statements, "DETACH plain")...)
}

// statements are what makes the table, with the types that the archive has.
func (t PlainTable) statements() []string {
	name := "plain.main." + ident(t.Table)
	var columns []string
	for _, c := range t.Columns {
		columns = append(columns, fmt.Sprintf("%s::%s AS %[1]s", ident(c.Column), c.Type))
	}
	all := []string{
		fmt.Sprintf(
			"CREATE TABLE %s AS SELECT %s FROM read_parquet(%s)", name, strings.Join(columns, ", "),
			text(t.Parquet),
		),
		fmt.Sprintf("COMMENT ON TABLE %s IS %s", name, text(t.Description)),
	}
	for _, c := range t.Columns {
		about := c.Description
		if c.Sensitive {
			about = strings.TrimSpace("SENSITIVE. " + about)
		}
		all = append(all, fmt.Sprintf("COMMENT ON COLUMN %s.%s IS %s", name, ident(c.Column), text(about)))
	}
	return all
}
