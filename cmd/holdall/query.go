package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdall/internal/term"
	"holdall/query"
)

type queryOptions struct {
	file    string
	timeout time.Duration
	params  []string
	result  resultOptions
}

func queryCommand() command {
	var o queryOptions
	return command{
		use:   "query [EXPORT] [SQL | -]",
		short: "Answer SQL over the tables and documents of an export",
		long: `
Run SQL (DuckDB's) over the ten tables, documents, findings, rejects and the views stage_event,
task_link and timeline of an export; "holdall tables EXPORT" lists them. SQL is an argument, a file
with -f, or standard input with -; without any, on a terminal, a shell opens.

The database is read-only and sealed off: SQL can reach no file, no network and no setting. It is
made from the archive the first time, and can be deleted at any time.`,
		example: `  holdall query archives "select status_code, count(*) from job_pipelines group by all"
  holdall query archives -f question.sql --param since=2024-01-01 -o answer.xlsx
  holdall query archives "from candidates where list_contains(skills, \$skill)" --param skill=Go --format jsonl`,
		args:  cobra.MaximumNArgs(2),
		flags: o.addFlags,
		run:   func(ctx context.Context, e *env, args []string) error { return o.run(ctx, e, args) },
	}
}

func (o *queryOptions) addFlags(f *pflag.FlagSet) {
	f.StringVarP(&o.file, "file", "f", "", "read the SQL from `FILE`")
	o.result.addFlags(f)
	f.DurationVar(&o.timeout, "timeout", 0, "give up after this `TIME`, such as 30s")
	f.StringArrayVar(&o.params, "param", nil, "`name=value` for $name in the SQL; may be repeated")
}

func (o *queryOptions) run(ctx context.Context, e *env, args []string) error {
	params, err := parseParams(o.params)
	if err != nil {
		return err
	}
	write, err := o.result.check(e)
	if err != nil {
		return err
	}
	most := 1
	if o.file != "" {
		most = 0
	}
	export, args, err := e.exportArgs(args, 0, most)
	if err != nil {
		return err
	}
	sql, interactive, err := o.sql(e, args)
	if err != nil {
		return err
	}
	if !interactive && query.IsEmpty(sql) {
		return usagef("add SQL as an argument, -f FILE, or - for standard input", "no SQL given")
	}
	x, err := openExport(ctx, e, export)
	if err != nil {
		return err
	}
	db, err := x.database(ctx, e)
	if err != nil {
		return err
	}
	defer db.Close()
	if interactive {
		return runShell(ctx, e, x, db)
	}
	if needsLedger(sql) {
		if err := x.attachLedger(ctx, e, db, sql); err != nil {
			return err
		}
	}
	if o.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(
			ctx, o.timeout, fmt.Errorf("the query took longer than %s", o.timeout),
		)
		defer cancel()
	}
	if err := o.answer(ctx, e, db, sql, params, write); err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return withHint(context.Cause(ctx), "raise --timeout, or ask for less")
		}
		return e.explainSQL(ctx, db, err)
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
		return "", false, usagef(
			"add SQL as an argument, -f FILE, or - for standard input", "no SQL given",
		)
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

func (o *queryOptions) answer(ctx context.Context, e *env, db *query.DB, sql string, params map[string]string,
	write query.WriteOptions) error {
	statements, err := db.Statements(ctx, sql, params)
	if err != nil {
		return err
	}
	return o.result.answer(ctx, e, db, statements, write)
}
