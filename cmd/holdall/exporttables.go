package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdall/internal/tablefiles"
	"holdall/query"
)

type exportOptions struct {
	format     string
	to         string
	tables     []string
	without    string
	noFormulas bool
}

func exportCommand() command {
	var o exportOptions
	return command{
		use:   "export [EXPORT]",
		short: "Hand the tables on as files for other programs",
		long: `
Write the tables into a directory that is empty or missing, for other programs:

  parquet, csv, jsonl   a file for each table; the CSV begins with a byte order mark, for Excel
  xlsx                  one Excel workbook with a sheet for each table
  sqlite                one file for sqlite3, Datasette (with the descriptions in metadata.json) and the like
  duckdb                one file that any DuckDB from 1.0 on opens, with comments and snapshot_at()

Views are written as tables. columns.csv says what every column means, and which ones are sensitive.
--without sensitive leaves those out; columns that no schema knows are listed, because it is not
known whether they are sensitive.`,
		example: `  holdall export archives --format sqlite --to handed-on
  holdall export archives --format csv --to handed-on --tables candidates,jobs --without sensitive`,
		args:  cobra.MaximumNArgs(1),
		flags: o.addFlags,
		run:   func(ctx context.Context, e *env, args []string) error { return o.run(ctx, e, args) },
	}
}

func (o *exportOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.format, "format", "", "`FORMAT`: parquet, csv, jsonl, xlsx, sqlite, duckdb")
	f.StringVar(&o.to, "to", "", "write into this `DIR`, which must be empty or missing")
	f.StringSliceVar(&o.tables, "tables", nil, "only these `TABLES`, with commas between them")
	f.StringVar(&o.without, "without", "", "leave out columns of this `KIND`: sensitive")
	f.BoolVar(
		&o.noFormulas, "no-formulas", false,
		"in CSV, put an apostrophe before texts that a spreadsheet program would run as formulas",
	)
}

func (o *exportOptions) check() error {
	switch {
	case o.format == "":
		return usagef("add --format parquet, csv, jsonl, xlsx, sqlite or duckdb", "missing --format")
	case !slices.Contains(tablefiles.Formats, tablefiles.Format(o.format)):
		return usagef("use parquet, csv, jsonl, xlsx, sqlite or duckdb", "unknown format %q", o.format)
	case o.to == "":
		return usagef("add --to DIR", "missing --to")
	case o.without != "" && o.without != "sensitive":
		return usagef("use --without sensitive", "there are no columns of a kind %q to leave out", o.without)
	}
	return checkOutside("--to", o.to)
}

func (o *exportOptions) run(ctx context.Context, e *env, args []string) error {
	if err := o.check(); err != nil {
		return err
	}
	x, db, _, err := e.openDatabase(ctx, args, 0, 0)
	if err != nil {
		return err
	}
	defer db.Close()
	dir, err := emptyDir(o.to)
	if err != nil {
		return err
	}
	if err := dir.Close(); err != nil {
		return err
	}
	result, err := tablefiles.Run(ctx, db,
		tablefiles.Options{Format: tablefiles.Format(o.format), Dir: o.to, Name: x.bag.ID(), Tables: o.tables,
			WithoutSensitive: o.without != "", NoFormulas: o.noFormulas})
	if errors.Is(err, tablefiles.ErrNoTable) {
		return usagef("\"holdall tables\" lists them", "%v", err)
	}
	if err != nil {
		return withHint(err, "what is in "+o.to+" is not whole: remove it, and try again")
	}
	return o.report(e, result)
}

// exportedJSON is what export prints with --json.
type exportedJSON struct {
	Directory string              `json:"directory"`
	Format    string              `json:"format"`
	Tables    []exportedTableJSON `json:"tables"`
	LeftOut   []string            `json:"left_out"`
	Unknown   []string            `json:"unknown"`
}

type exportedTableJSON struct {
	Table string `json:"table"`
	File  string `json:"file"`
	Rows  int64  `json:"rows"`
}

func (o *exportOptions) report(e *env, r *tablefiles.Result) error {
	out := exportedJSON{
		o.to, o.format, []exportedTableJSON{}, append([]string{}, r.LeftOut...),
		append([]string{}, r.Unknown...),
	}
	var rows [][]string
	for _, t := range r.Tables {
		out.Tables = append(out.Tables, exportedTableJSON{t.Table, t.File, t.Rows})
		rows = append(rows, []string{t.Table, fmt.Sprint(t.Rows), t.File})
		reportWrittenAs(
			e, t.Table, t.Written,
			query.WriteOptions{Format: query.Format(o.format), NoFormulas: o.noFormulas},
		)
	}
	if len(r.LeftOut) > 0 {
		e.talk("left out as sensitive: %s", strings.Join(r.LeftOut, ", "))
	}
	if len(r.Unknown) > 0 {
		e.warn("no schema knows these columns, so it is not known whether they are sensitive; they " +
			"are exported: " +
			strings.Join(r.Unknown, ", "))
	}
	if e.json {
		return e.printJSON(out)
	}
	return e.table([]string{"table", "rows", "file"}, []int{1}, rows)
}
