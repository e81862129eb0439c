package main

import (
	"context"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdall/internal/ddl"
	"holdall/internal/takeover"
	"holdall/query"
)

type ddlOptions struct{ engine, location string }

func ddlCommand() command {
	var o ddlOptions
	return command{
		use:   "ddl [EXPORT]",
		short: "Print the SQL with which another engine reads the tables where they are",
		long: `
Print the statements that make the tables of an export known to another engine, which then reads the
archive's own Parquet: DuckDB and Apache Spark with the views stage_event, task_link and timeline;
Trino and Amazon Athena with the tables. Nothing is copied.

This is the way beyond one machine: copy the archive to S3, and let a cluster read it there.
--location says where the engine finds the archive, when that is not where it is now.`,
		example: `  holdall ddl archives --engine duckdb | duckdb answers.duckdb
  holdall ddl archives --engine spark --location s3a://bucket/exports/recruitly-acme-20261122T013300Z-k3fq > tables.sql`,
		args: cobra.MaximumNArgs(1),
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&o.engine, "engine", "", "`ENGINE`: duckdb, spark, trino, athena")
			f.StringVar(
				&o.location, "location", "",
				"`URL` or directory of the archive, as the engine finds it (default: where it is)",
			)
		},
		run: func(ctx context.Context, e *env, args []string) error { return o.run(ctx, e, args) },
	}
}

func (o *ddlOptions) run(ctx context.Context, e *env, args []string) error {
	engine := ddl.Engine(o.engine)
	if !slices.Contains(ddl.Engines, engine) {
		return usagef("add --engine duckdb, spark, trino or athena", "there is no engine %q", o.engine)
	}
	x, db, _, err := e.openDatabase(ctx, args, 0, 0)
	if err != nil {
		return err
	}
	defer db.Close()
	a, err := describeFor(ctx, x, db)
	if err != nil {
		return err
	}
	if o.location != "" {
		a.Location = strings.TrimSuffix(o.location, "/")
	}
	sql, err := ddl.Write(a, engine)
	if err != nil {
		return err
	}
	if e.json {
		return e.printJSON(map[string]string{"engine": o.engine, "location": a.Location, "sql": sql})
	}
	_, err = io.WriteString(e.stdout, sql)
	return err
}

// describeFor gathers what other engines have to know of an archive.
func describeFor(ctx context.Context, x *export, db *query.DB) (ddl.Archive, error) {
	a := ddl.Archive{ID: x.bag.ID(), Location: x.bag.Location()}
	status, err := takeover.ReadStatus(ctx, x.bag)
	if err != nil {
		return a, err
	}
	paths := map[string]string{"documents": "data/documents/index.parquet"}
	for _, r := range status.Records {
		paths[r.Table] = path.Dir(r.Parquet.Path)
	}
	tables, err := db.Tables(ctx)
	if err != nil {
		return a, err
	}
	for _, t := range tables {
		if t.Kind != "table" || !t.Known && paths[t.Table] == "" {
			continue // findings and the like are not tables of the export
		}
		table := ddl.Table{Name: t.Table, About: t.Description, Path: paths[t.Table]}
		for _, c := range t.Columns {
			lacking := t.Known && c.Known && c.Heading == ""
			table.Columns = append(
				table.Columns,
				ddl.Column{Name: c.Column, Type: c.Type, About: c.Description, Lacking: lacking},
			)
		}
		a.Tables = append(a.Tables, table)
	}
	if a.Views, err = viewsOf(ctx, db); err != nil {
		return a, err
	}
	return a, metaOf(ctx, db, &a)
}

// viewsOf returns the views of the database, each after those that it reads.
func viewsOf(ctx context.Context, db *query.DB) ([]ddl.View, error) {
	rows, err := db.Query(ctx,
		`SELECT view_name, sql FROM duckdb_views() WHERE schema_name = 'main' AND NOT internal
		AND view_name IN ('stage_event', 'task_link', 'timeline', 'document_text') ORDER BY view_name`, nil)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []ddl.View
	for rows.Next() {
		v, err := rows.Strings()
		if err != nil {
			return nil, err
		}
		_, body, _ := strings.Cut(v[1], " AS ")
		all = append(all, ddl.View{Name: v[0], SQL: strings.TrimSuffix(strings.TrimSpace(body), ";")})
	}
	return all, rows.Err()
}

func metaOf(ctx context.Context, db *query.DB, a *ddl.Archive) error {
	rows, err := db.Query(ctx, `SELECT "key", "value" FROM archive_meta ORDER BY 1`, nil)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		v, err := rows.Strings()
		if err != nil {
			return err
		}
		a.Meta = append(a.Meta, [2]string{v[0], v[1]})
		switch v[0] {
		case "snapshot_at":
			a.Snapshot = v[1]
		case "time_zone":
			a.Zone = v[1]
		case "date_order":
			a.MonthsUS = strings.HasPrefix(v[1], "mdy")
		}
	}
	return rows.Err()
}
