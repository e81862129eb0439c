package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"holdall/internal/term"
	"holdall/query"
)

// resultOptions say how and where to results are written.
type resultOptions struct {
	output     outputFile
	format     string
	limit      int64
	bom        bool
	noFormulas bool
}

func (o *resultOptions) addFlags(f *pflag.FlagSet) {
	o.output.addFlags(f)
	f.StringVar(&o.format, "format", "",
		"`FORMAT`: table, line (one line a value), tsv, csv, json, jsonl, markdown, parquet, xlsx, "+
			"orgvue-json, orgvue-csv "+
			"(default: table on a terminal, else tsv)")
	f.Int64Var(
		&o.limit, "limit", -1, "at most `N` rows, 0 for all (default: 500 in tables on a terminal, else all)",
	)
	f.BoolVar(&o.bom, "bom", false, "begin CSV and TSV with a byte order mark, for Excel")
	f.BoolVar(&o.noFormulas, "no-formulas", false, "in CSV and TSV, put an apostrophe before texts that "+
		"a spreadsheet program would run as formulas")
}

// check refuses options that make no sense, before any work is done for them.
func (o *resultOptions) check(e *env) (query.WriteOptions, error) {
	w := query.WriteOptions{Limit: max(o.limit, 0), BOM: o.bom, NoFormulas: o.noFormulas}
	if o.limit < -1 {
		return w, usagef("use a number of rows, or 0 for all", "--limit %d makes no sense", o.limit)
	}
	if err := o.output.check(); err != nil {
		return w, err
	}
	var err error
	if w.Format, err = o.chooseFormat(e); err != nil {
		return w, err
	}
	if o.output.path == "" && term.Is(e.stdout) {
		w.Width = term.Width(e.stdout)
		if o.limit < 0 && w.Format == query.Table {
			w.Limit = defaultRows
		}
	}
	return w, nil
}

var formats = []query.Format{
	query.Table, query.Line, query.TSV, query.CSV, query.JSON, query.JSONL, query.Markdown, query.Parquet,
	query.XLSX,
}

func (o *resultOptions) chooseFormat(e *env) (query.Format, error) {
	switch {
	case o.format != "":
		return o.namedFormat(e)
	case e.json:
		return query.JSON, nil
	case o.output.path != "":
		return formatOf(o.output.path)
	case term.Is(e.stdout):
		return query.Table, nil
	}
	return query.TSV, nil
}

func (o *resultOptions) namedFormat(e *env) (query.Format, error) {
	f := query.Format(o.format)
	if _, ok := payloadFormats[f]; ok {
		return f, nil
	}
	if !slices.Contains(formats, f) {
		return "", usagef(
			"use table, tsv, csv, json, jsonl, markdown, parquet, xlsx, orgvue-json or orgvue-csv",
			"unknown format %q", o.format,
		)
	}
	if (f == query.Parquet || f == query.XLSX) && o.output.path == "" && term.Is(e.stdout) {
		return "", usagef("add -o FILE", "%s is not for a terminal", f)
	}
	return f, nil
}

// formatOf returns the format that a file's name ends in.
func formatOf(path string) (query.Format, error) {
	suffix := strings.TrimPrefix(strings.ToLower(filepath.Ext(path)), ".")
	switch suffix {
	case "md":
		return query.Markdown, nil
	case "ndjson":
		return query.JSONL, nil
	case "txt":
		return query.Table, nil
	}
	if !slices.Contains(formats, query.Format(suffix)) {
		return "", usagef("add --format, or end the file name in .csv, .tsv, .json, .jsonl, .md, .parquet "+
			"or .xlsx",
			"the name %q does not say which format", path)
	}
	return query.Format(suffix), nil
}

// answer runs statements and writes their results.
func (o *resultOptions) answer(
	ctx context.Context, e *env, db *query.DB, statements []query.Statement, w query.WriteOptions,
) error {
	if len(statements) > 1 && (w.Format == query.Parquet || w.Format == query.XLSX) {
		return usagef("ask them one by one, or use --format csv",
			"a file in the format %s has room for one result, and there are %d", w.Format, len(statements))
	}
	if o.output.path == "" {
		return writeAnswers(ctx, e, e.stdout, db, statements, w)
	}
	return o.output.write(
		e, func(out io.Writer) error { return writeAnswers(ctx, e, out, db, statements, w) },
	)
}

// defaultRows is the most rows that a table on a terminal shows unasked.
const defaultRows = 500

// writeAnswers writes the results of all statements: with an empty line between them, as JSON as an array of
// the results.
func writeAnswers(
	ctx context.Context, e *env, w io.Writer, db *query.DB, statements []query.Statement,
	o query.WriteOptions,
) error {
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

func writeAnswer(
	ctx context.Context, e *env, w io.Writer, db *query.DB, s query.Statement, o query.WriteOptions,
) error {
	if form, ok := payloadFormats[o.Format]; ok {
		rows, err := db.Query(ctx, s.SQL, s.Params)
		if err != nil {
			return err
		}
		defer rows.Close()
		return writePayload(w, rows, form, o.Limit)
	}
	done, err := answerOne(ctx, w, db, s, o)
	if err == nil {
		reportWritten(e, done, o)
	}
	return err
}

// answerOne runs one statement and writes its result.
func answerOne(
	ctx context.Context, w io.Writer, db *query.DB, s query.Statement, o query.WriteOptions,
) (query.Written, error) {
	if o.Format == query.Parquet {
		return db.QueryParquet(ctx, w, s.SQL, s.Params, o.Limit)
	}
	rows, err := db.Query(ctx, s.SQL, s.Params)
	if err != nil {
		return query.Written{}, err
	}
	defer rows.Close()
	return query.Write(w, rows, o)
}

// reportWritten says what a result lacks, or might do, in the format that it was written in.
func reportWritten(e *env, done query.Written, o query.WriteOptions) {
	if !done.Cut {
		e.detail("%s", count(int(done.Rows), "row", "rows"))
	}
	reportWrittenAs(e, "", done, o)
}

// reportWrittenAs is sayWritten of one of several results, of which it begins with the name.
func reportWrittenAs(e *env, name string, done query.Written, o query.WriteOptions) {
	if name != "" {
		name += ": "
	}
	if done.Cut {
		e.warn(fmt.Sprintf(name+"only the first %s rows are shown; --limit 0 shows all", group(done.Rows)))
	}
	if done.Hidden > 0 {
		e.talk(name+"%s not shown, because the terminal is narrow; --format line has all",
			count(done.Hidden, "column is", "columns are"))
	}
	if done.CutCells > 0 {
		e.warn(fmt.Sprintf(name+"%s longer than an Excel cell can be (32,767 characters), and cut; csv, "+
			"jsonl and parquet keep them whole",
			count(int(done.CutCells), "text is", "texts are")))
	}
	if done.Sheets > 1 {
		e.warn(fmt.Sprintf(
			name+"a sheet has no room for more than 1,048,576 rows: the result is in %d sheets", done.Sheets,
		))
	}
	begin := name + count(int(done.Formulas), "text begins like a formula", "texts begin like formulas")
	switch {
	case done.Formulas == 0:
	case o.Format == query.XLSX:
		e.talk("%s; in the workbook they are marked as texts, and do nothing", begin)
	case o.NoFormulas:
		e.talk("%s, and got an apostrophe in front", begin)
	case o.Format == query.CSV:
		e.warn(begin + ": a spreadsheet program would run them; --no-formulas makes them harmless")
	}
}
