package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdall/internal/term"
	"holdall/query"
)

type queryOptions struct {
	file    string
	output  outputFile
	format  string
	limit   int64
	timeout time.Duration
	params  []string
	sheet   spreadsheetOptions
}

// spreadsheetOptions make text files that spreadsheet programs open as they are meant.
type spreadsheetOptions struct{ bom, noFormulas bool }

func (o *spreadsheetOptions) addFlags(f *pflag.FlagSet) {
	f.BoolVar(&o.bom, "bom", false, "begin CSV and TSV with a byte order mark, for Excel")
	f.BoolVar(&o.noFormulas, "no-formulas", false, "in CSV and TSV, put an apostrophe before texts that a spreadsheet program would run as formulas")
}

func queryCommand() command {
	var o queryOptions
	return command{
		use:   "query EXPORT [SQL | -]",
		short: "Answer SQL over the tables and documents of an export",
		long: `
Run SQL (DuckDB's) over the ten tables, documents, findings, rejects and the views stage_event, task_link and timeline of
an export; "holdall tables EXPORT" lists them. SQL is an argument, a file with -f, or standard input with -; without any,
on a terminal, a shell opens.

The database is read-only and sealed off: SQL can reach no file, no network and no setting. It is made from the archive
the first time, and can be deleted at any time.`,
		example: `  holdall query archives "select status_code, count(*) from job_pipelines group by all"
  holdall query archives -f question.sql --param since=2024-01-01 -o answer.xlsx
  holdall query archives "from candidates where list_contains(skills, \$skill)" --param skill=Go --format jsonl`,
		args:  cobra.RangeArgs(1, 2),
		flags: o.addFlags,
		run:   func(ctx context.Context, e *env, args []string) error { return o.run(ctx, e, args) },
	}
}

func (o *queryOptions) addFlags(f *pflag.FlagSet) {
	f.StringVarP(&o.file, "file", "f", "", "read the SQL from `FILE`")
	o.output.addFlags(f)
	o.sheet.addFlags(f)
	f.StringVar(&o.format, "format", "", "`FORMAT`: table, tsv, csv, json, jsonl, markdown, parquet, xlsx (default: table on a terminal, else tsv)")
	f.Int64Var(&o.limit, "limit", -1, "at most `N` rows, 0 for all (default: 500 in tables on a terminal, else all)")
	f.DurationVar(&o.timeout, "timeout", 0, "give up after this `TIME`, such as 30s")
	f.StringArrayVar(&o.params, "param", nil, "`name=value` for $name in the SQL; may be repeated")
}

func (o *queryOptions) run(ctx context.Context, e *env, args []string) error {
	if o.limit < -1 {
		return usagef("use a number of rows, or 0 for all", "--limit %d makes no sense", o.limit)
	}
	params, err := parseParams(o.params)
	if err != nil {
		return err
	}
	if err := o.output.check(); err != nil {
		return err
	}
	format, err := o.chooseFormat(e)
	if err != nil {
		return err
	}
	sql, interactive, err := o.sql(e, args[1:])
	if err != nil {
		return err
	}
	if !interactive && query.IsEmpty(sql) {
		return usagef("add SQL as an argument, -f FILE, or - for standard input", "there is no SQL to run")
	}
	x, err := openExport(ctx, args[0])
	if err != nil {
		return err
	}
	db, err := x.database(ctx, e)
	if err != nil {
		return err
	}
	defer db.Close()
	if interactive {
		return shell(ctx, e, db, x.bag.ID())
	}
	if o.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, o.timeout, fmt.Errorf("the query took longer than %s", o.timeout))
		defer cancel()
	}
	if err := o.answer(ctx, e, db, sql, params, format); err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return withHint(context.Cause(ctx), "raise --timeout, or ask for less")
		}
		return err
	}
	return nil
}

// sql finds the statement: an argument, -f, or standard input.
func (o *queryOptions) sql(e *env, args []string) (sql string, interactive bool, err error) {
	switch {
	case o.file != "" && len(args) > 0:
		return "", false, usagef("leave one of them out", "SQL was given both as an argument and with -f")
	case o.file != "":
		b, err := os.ReadFile(o.file)
		return string(b), false, withHint(err, "-f wants a file with SQL in it")
	case len(args) > 0 && args[0] != "-":
		return args[0], false, nil
	case len(args) == 0 && term.Is(e.stdin):
		return "", true, nil
	case len(args) == 0:
		return "", false, usagef("add SQL as an argument, -f FILE, or - for standard input", "there is no SQL to run")
	}
	b, err := io.ReadAll(e.stdin)
	return string(b), false, err
}

func parseParams(given []string) (map[string]string, error) {
	params := map[string]string{}
	for _, p := range given {
		name, value, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			return nil, usagef("write --param since=2024-01-01 for $since", "%q is not name=value", p)
		}
		params[strings.TrimPrefix(name, "$")] = value
	}
	return params, nil
}

var formats = []query.Format{query.Table, query.TSV, query.CSV, query.JSON, query.JSONL, query.Markdown, query.Parquet, query.XLSX}

func (o *queryOptions) chooseFormat(e *env) (query.Format, error) {
	suffix := strings.TrimPrefix(strings.ToLower(filepath.Ext(o.output.path)), ".")
	switch suffix {
	case "md":
		suffix = string(query.Markdown)
	case "ndjson":
		suffix = string(query.JSONL)
	case "txt":
		suffix = string(query.Table)
	}
	switch {
	case o.format != "":
	case e.json:
		return query.JSON, nil
	case o.output.path != "":
		if !slices.Contains(formats, query.Format(suffix)) {
			return "", usagef("add --format, or end the file name in .csv, .tsv, .json, .jsonl, .md, .parquet or .xlsx", "the name %q does not tell the format", o.output.path)
		}
		return query.Format(suffix), nil
	case term.Is(e.stdout):
		return query.Table, nil
	default:
		return query.TSV, nil
	}
	f := query.Format(o.format)
	if !slices.Contains(formats, f) {
		return "", usagef("use table, tsv, csv, json, jsonl, markdown, parquet or xlsx", "unknown format %q", o.format)
	}
	if (f == query.Parquet || f == query.XLSX) && o.output.path == "" && term.Is(e.stdout) {
		return "", usagef("add -o FILE", "%s is not for a terminal", f)
	}
	return f, nil
}

func (o *queryOptions) answer(ctx context.Context, e *env, db *query.DB, sql string, params map[string]string, f query.Format) error {
	limit := max(o.limit, 0)
	if o.limit < 0 && f == query.Table && o.output.path == "" && term.Is(e.stdout) {
		limit = defaultRows
	}
	statements, err := db.Statements(ctx, sql, params)
	if err != nil {
		return err
	}
	if len(statements) > 1 && (f == query.Parquet || f == query.XLSX) {
		return usagef("ask them one by one, or use --format csv",
			"a file in the format %s has room for one result, and there are %d", f, len(statements))
	}
	options := query.WriteOptions{Format: f, Limit: limit, BOM: o.sheet.bom, NoFormulas: o.sheet.noFormulas}
	if o.output.path == "" {
		return writeAnswers(ctx, e, e.stdout, db, statements, options)
	}
	return o.output.write(e, func(w io.Writer) error { return writeAnswers(ctx, e, w, db, statements, options) })
}

// defaultRows is the most rows that a table on a terminal shows unasked.
const defaultRows = 500

// writeAnswers writes the results of all statements: with an empty line between them, as JSON as an array of the results.
func writeAnswers(ctx context.Context, e *env, w io.Writer, db *query.DB, statements []query.Statement, o query.WriteOptions) error {
	before, between, after := "", "\n", ""
	switch {
	case len(statements) == 1 || o.Format == query.JSONL:
		between = ""
	case o.Format == query.JSON:
		before, between, after = "[", ",", "]\n"
	}
	for i, s := range statements {
		if i > 0 {
			before = between
		}
		if _, err := io.WriteString(w, before); err != nil {
			return err
		}
		if err := writeAnswer(ctx, e, w, db, s, o); err != nil {
			return err
		}
		o.BOM = false // one at the beginning of a file is all there can be
	}
	_, err := io.WriteString(w, after)
	return err
}

func writeAnswer(ctx context.Context, e *env, w io.Writer, db *query.DB, s query.Statement, o query.WriteOptions) error {
	if o.Format == query.Parquet {
		done, err := db.QueryParquet(ctx, w, s.SQL, s.Params, o.Limit)
		if err == nil {
			sayWritten(e, done, o)
		}
		return err
	}
	rows, err := db.Query(ctx, s.SQL, s.Params)
	if err != nil {
		return err
	}
	defer rows.Close()
	done, err := query.Write(w, rows, o)
	if err != nil {
		return err
	}
	sayWritten(e, done, o)
	return nil
}

// sayWritten says what a result lacks, or might do, in the format that it was written in.
func sayWritten(e *env, done query.Written, o query.WriteOptions) {
	if done.Cut {
		e.talk("only the first %s rows are shown; --limit 0 shows all", group(done.Rows))
	} else {
		e.detail("%s", count(int(done.Rows), "row", "rows"))
	}
	if done.CutCells > 0 {
		e.warn(fmt.Sprintf("%s longer than an Excel cell can be (32,767 characters), and cut; csv, jsonl and parquet keep them whole",
			count(int(done.CutCells), "text is", "texts are")))
	}
	if done.Sheets > 1 {
		e.talk("a sheet has no room for more than 1,048,576 rows: the result is in %d sheets", done.Sheets)
	}
	begin := count(int(done.Formulas), "text begins like a formula", "texts begin like formulas")
	switch {
	case done.Formulas == 0:
	case o.Format == query.XLSX:
		e.talk("%s; in the workbook they are marked as texts, and do nothing", begin)
	case o.NoFormulas:
		e.talk("%s, and got an apostrophe in front", begin)
	case o.Format == query.CSV:
		e.talk("%s: a spreadsheet program would run them; --no-formulas makes them harmless", begin)
	}
}
