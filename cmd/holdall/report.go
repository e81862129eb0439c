package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdall/internal/reports"
	"holdall/internal/takeover"
	"holdall/query"
)

type reportOptions struct {
	all    bool
	dir    string
	params []string
	result resultOptions
}

func reportCommand() command {
	var o reportOptions
	return command{
		use:   "report [EXPORT] [NAME]",
		short: "List the named reports, or run one",
		long: `
Without NAME, list the reports: questions that recruiters, analysts and compliance officers ask,
ready to run. With NAME, run one; its number may be left out. Where a report reads a column that
this export does not have, that is said in a sentence.

With --all, run every report that has all that it asks for, into one Excel workbook: a sheet each,
and in front a sheet About with the SQL, the date of the snapshot and the numbers of rows.

Your own reports are files of SQL in a folder, named by --dir; they take the place of those of the
same name. Their first lines say what they are:

  -- title: Fees by month
  -- description: What was earned in each month.
  -- param since = 2020-01-01: Count offers made on this day or later.
  select …

A parameter with "= VALUE" may be left out.`,
		example: `  holdall report
  holdall report archives source-of-hire -o sources.xlsx
  holdall report archives 01-funnel --param since=2024-01-01
  holdall report archives --all -o workbook.xlsx`,
		args:  cobra.MaximumNArgs(2),
		flags: o.addFlags,
		run:   func(ctx context.Context, e *env, args []string) error { return o.run(ctx, e, args) },
	}
}

func (o *reportOptions) addFlags(f *pflag.FlagSet) {
	f.BoolVar(&o.all, "all", false, "run all reports, into the workbook named by -o")
	f.StringVar(&o.dir, "dir", "", "`DIR` with reports of your own")
	f.StringArrayVar(&o.params, "param", nil, "`name=value` for a parameter of the report; may be repeated")
	o.result.addFlags(f)
}

func (o *reportOptions) run(ctx context.Context, e *env, args []string) error {
	all := reports.BuiltIn()
	if o.dir != "" {
		own, err := reports.Dir(o.dir)
		if err != nil {
			return withHint(err, "--dir wants a folder with files that end in .sql")
		}
		all = reports.Merge(all, own)
	}
	params, err := parseParams(o.params)
	if err != nil {
		return err
	}
	switch {
	case o.all:
		return o.runAll(ctx, e, args, all, params)
	case len(args) == 0, len(args) == 1 && isExportPath(args[0]):
		return listReports(e, all)
	}
	r, err := reports.Find(all, args[len(args)-1])
	if err != nil {
		return usagef("\"holdall report\" lists the reports; --dir adds your own", "%v", err)
	}
	return o.runOne(ctx, e, args[:len(args)-1], r, params)
}

// reportJSON is a report as --json lists it.
type reportJSON struct {
	Name        string      `json:"name"`
	Title       string      `json:"title"`
	Description string      `json:"description"`
	Params      []paramJSON `json:"params"`
	Own         bool        `json:"own"`
}

type paramJSON struct {
	Name        string  `json:"name"`
	Description string  `json:"description"`
	Default     *string `json:"default"` // null: it must be given
}

func listReports(e *env, all []reports.Report) error {
	out := []reportJSON{}
	var rows [][]string
	for _, r := range all {
		j := reportJSON{r.Name, r.Title, r.Description, []paramJSON{}, r.Own}
		var names []string
		for _, p := range r.Params {
			pj := paramJSON{p.Name, p.Description, nil}
			if p.Optional {
				pj.Default = &p.Default
				names = append(names, "["+p.Name+"]")
			} else {
				names = append(names, p.Name)
			}
			j.Params = append(j.Params, pj)
		}
		out = append(out, j)
		rows = append(rows, []string{r.Name, r.Title, strings.Join(names, " "), r.Description})
	}
	if e.json {
		return e.printJSON(out)
	}
	return e.table([]string{"report", "title", "parameters", "description"}, nil, rows)
}

func (o *reportOptions) runOne(
	ctx context.Context, e *env, args []string, r reports.Report, given map[string]string,
) error {
	values, missing := r.Bind(given)
	if len(missing) > 0 {
		p := missing[0]
		return usagef(fmt.Sprintf("add --param %s=VALUE", p.Name), "the report %s needs a value for %s: %s",
			r.Name, p.Name, strings.TrimSuffix(lowerFirst(p.Description), "."))
	}
	for name := range given {
		if _, ok := values[name]; !ok {
			return usagef(
				"\"holdall report\" lists the parameters", "the report %s has no parameter %s", r.Name, name,
			)
		}
	}
	write, err := o.result.check(e)
	if err != nil {
		return err
	}
	x, db, _, err := e.openDatabase(ctx, args, 0, 0)
	if err != nil {
		return err
	}
	defer db.Close()
	if known, err := x.fitting(ctx, []reports.Report{r}); err != nil || len(known) == 0 {
		return cmp.Or(err, x.noReports())
	}
	statements, err := db.Statements(ctx, r.SQL, values)
	if err != nil {
		return fmt.Errorf("report %s: %w", r.Name, e.explainSQL(ctx, db, err))
	}
	lacks, err := db.Lacking(ctx, r.SQL)
	if err != nil {
		return err
	}
	if len(lacks) > 0 {
		e.warn(saysLacking(lacks))
	}
	if err := o.result.answer(ctx, e, db, statements, write); err != nil {
		return fmt.Errorf("report %s: %w", r.Name, e.explainSQL(ctx, db, err))
	}
	return nil
}

// fitting returns the reports that are for an archive's tables: the built-in ones are for Recruitly's.
func (x *export) fitting(ctx context.Context, all []reports.Report) ([]reports.Report, error) {
	s, err := takeover.ReadStatus(ctx, x.bag)
	if err != nil || s.Source == takeover.Source {
		return all, err
	}
	var own []reports.Report
	for _, r := range all {
		if r.Own {
			own = append(own, r)
		}
	}
	return own, nil
}

func (x *export) noReports() error {
	return usagef("write reports of your own, with --dir, or ask with \"holdall query\"",
		"the built-in reports know the tables of Recruitly, and %s has others", x.bag.ID())
}

// saysLacking says in one sentence what a report does without.
func saysLacking(lacks []query.Lack) string {
	var names []string
	for _, l := range lacks {
		names = append(names, l.String())
	}
	last := len(names) - 1
	list := names[last]
	if last > 0 {
		list = strings.Join(names[:last], ", ") + " and " + list
	}
	if len(lacks) == 1 {
		return "this report reads " + list + ", which this export does not have: what depends on it is empty"
	}
	return "this report reads " + list + ", which this export does not have: what depends on them is empty"
}

func lowerFirst(s string) string {
	if len(s) > 1 && s[1] >= 'a' && s[1] <= 'z' || slices.Contains([]string{"A ", "An"}, s[:min(2, len(s))]) {
		return strings.ToLower(s[:1]) + s[1:]
	}
	return s
}
