package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"holdall/internal/reports"
	"holdall/query"
)

// runAll writes a workbook with a sheet for each report that has all that it asks for.
func (o *reportOptions) runAll(
	ctx context.Context, e *env, args []string, all []reports.Report, params map[string]string,
) error {
	write, err := o.result.check(e)
	if err != nil {
		return err
	}
	if write.Format != query.XLSX {
		return usagef(
			"add -o FILE.xlsx", "all reports together are written as an Excel workbook, not as %s",
			write.Format,
		)
	}
	if err := someReportHas(all, params); err != nil {
		return err
	}
	x, db, _, err := e.openDatabase(ctx, args, 0, 0)
	if err != nil {
		return err
	}
	defer db.Close()
	if all, err = x.fitting(ctx, all); err != nil || len(all) == 0 {
		return cmp.Or(err, x.noReports())
	}
	b := reportBook{env: e, db: db, id: x.bag.ID(), limit: write.Limit}
	make := func(w io.Writer) error { return b.write(ctx, w, all, params) }
	if o.result.output.path == "" {
		err = make(e.stdout)
	} else {
		err = o.result.output.write(e, make)
	}
	if err != nil {
		return err
	}
	if b.failed > 0 {
		return withHint(fmt.Errorf("%s could not be run", count(b.failed, "report", "reports")),
			"the sheet About says why; the others are there")
	}
	return nil
}

// someReportHas refuses a parameter that no report has.
func someReportHas(all []reports.Report, params map[string]string) error {
	known := map[string]bool{}
	for _, r := range all {
		for _, p := range r.Params {
			known[p.Name] = true
		}
	}
	for name := range params {
		if !known[name] {
			return usagef("\"holdall report\" lists the parameters", "no report has a parameter %s", name)
		}
	}
	return nil
}

// A reportBook is the workbook of all reports.
type reportBook struct {
	env    *env
	db     *query.DB
	id     string
	limit  int64
	failed int
}

func (b *reportBook) write(
	ctx context.Context, w io.Writer, all []reports.Report, params map[string]string,
) error {
	snapshot, err := oneText(ctx, b.db, "select snapshot_at()::varchar as at")
	if err != nil {
		return err
	}
	book := query.NewWorkbook(w)
	about := [][]string{
		{"Snapshot", snapshot + ": the time at which the data ends"},
		{"Made", time.Now().UTC().Format(time.DateTime) + " UTC by holdall " + version()},
		{},
		{"Report", "Title", "Rows", "What it says", "Parameters", "Remarks", "SQL"},
	}
	for _, r := range all {
		row, err := b.sheet(ctx, book, r, params)
		if err != nil {
			return err
		}
		about = append(about, row)
	}
	if err := book.AddFront("About", []string{"Export", b.id}, about); err != nil {
		return err
	}
	return book.Close()
}

// sheet runs one report into a sheet, and returns its line of the sheet About.
func (b *reportBook) sheet(
	ctx context.Context, book *query.Workbook, r reports.Report, params map[string]string,
) ([]string, error) {
	values, missing := r.Bind(valuesFor(r, params))
	var bound []string
	for _, p := range r.Params {
		if v, ok := values[p.Name]; ok {
			bound = append(bound, p.Name+"="+v)
		}
	}
	line := func(rows, remarks string) []string {
		return []string{r.Name, r.Title, rows, r.Description, strings.Join(bound, ", "), remarks, r.SQL}
	}
	if len(missing) > 0 {
		b.env.talk("%s is left out: it needs --param %s=VALUE", r.Name, missing[0].Name)
		return line("", "left out: it needs a value for "+missing[0].Name), nil
	}
	rows, err := b.db.Query(ctx, r.SQL, values)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		b.failed++
		b.env.say("report %s: %v", r.Name, err)
		return line("", "it could not be run: "+err.Error()), nil
	}
	defer rows.Close()
	done, err := book.AddSheet(r.Name, rows, b.limit)
	if err != nil {
		return nil, fmt.Errorf("report %s: %w", r.Name, err)
	}
	remarks, err := b.remarks(ctx, r, done)
	return line(fmt.Sprint(done.Rows), remarks), err
}

func (b *reportBook) remarks(ctx context.Context, r reports.Report, done query.Written) (string, error) {
	var all []string
	lacks, err := b.db.Lacking(ctx, r.SQL)
	if err != nil {
		return "", err
	}
	if len(lacks) > 0 {
		all = append(all, saysLacking(lacks))
		b.env.warn(r.Name + ": " + saysLacking(lacks))
	}
	if done.Cut {
		all = append(all, fmt.Sprintf("only the first %s rows are included", group(done.Rows)))
	}
	if done.CutCells > 0 {
		all = append(all, fmt.Sprintf("%d texts longer than a cell can be are cut", done.CutCells))
	}
	return strings.Join(all, "; "), nil
}

// valuesFor returns those of the values that a report asks for.
func valuesFor(r reports.Report, params map[string]string) map[string]string {
	of := map[string]string{}
	for _, p := range r.Params {
		if v, ok := params[p.Name]; ok {
			of[p.Name] = v
		}
	}
	return of
}

// oneText returns the one value that a query answers with.
func oneText(ctx context.Context, db *query.DB, sql string) (string, error) {
	rows, err := db.Query(ctx, sql, nil)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	if !rows.Next() {
		return "", errors.Join(rows.Err(), fmt.Errorf("%s has no answer", sql))
	}
	values, err := rows.Strings()
	return values[0], err
}
