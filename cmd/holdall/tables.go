package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"holdall/query"
)

func tablesCommand() command {
	return command{
		use:   "tables [EXPORT] [TABLE]",
		short: "List the tables of an export, or the columns of one",
		long: "List the tables with their rows and what they hold; with TABLE, its columns with type, " +
			"heading as received, description, share of NULLs and rejected cells.",
		args: cobra.MaximumNArgs(2),
		run:  runTables,
	}
}

type tableJSON struct {
	Table       string `json:"table"`
	Rows        int64  `json:"rows"`
	File        string `json:"file"`
	Columns     int    `json:"columns"`
	Rejected    int64  `json:"rejected_cells"`
	Description string `json:"description"`
}

func runTables(ctx context.Context, e *env, args []string) error {
	x, db, args, err := e.openDatabase(ctx, args, 0, 1)
	if err != nil {
		return err
	}
	defer db.Close()
	tables, err := db.Tables(ctx)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		return listTables(e, tables)
	}
	for _, t := range tables {
		if t.Table == args[0] {
			return listColumns(e, t)
		}
	}
	return usagef(
		fmt.Sprintf("\"holdall tables %s\" lists them", x.bag.Location()), "no table %q in %s",
		args[0], x.bag.ID(),
	)
}

func listTables(e *env, tables []query.TableReport) error {
	out := []tableJSON{}
	var rows [][]string
	for _, t := range tables {
		out = append(out, tableJSON{t.Table, t.Rows, t.File, len(t.Columns), t.Rejected, t.Description})
		rows = append(
			rows,
			[]string{
				t.Table, fmt.Sprint(t.Rows), t.File, fmt.Sprint(len(t.Columns)), fmt.Sprint(t.Rejected),
				t.Description,
			},
		)
	}
	if e.json {
		return e.printJSON(out)
	}
	return e.table(
		[]string{"table", "rows", "file", "columns", "rejected cells", "description"}, []int{1, 3, 4}, rows,
	)
}

func listColumns(e *env, t query.TableReport) error {
	if e.json {
		return e.printJSON(append([]query.ColumnReport{}, t.Columns...))
	}
	var rows [][]string
	for _, c := range t.Columns {
		nulls, sensitive := share(c.Nulls, t.Rows), ""
		if c.Sensitive {
			sensitive = "sensitive"
		}
		rows = append(
			rows,
			[]string{
				c.Column, c.Type, keyShown(c.Key), c.Heading, nulls, fmt.Sprint(c.Rejected), sensitive,
				c.Description,
			},
		)
	}
	return e.table(
		[]string{"column", "type", "key", "heading", "nulls", "rejected", "mark", "description"}, []int{4, 5},
		rows,
	)
}

// share writes n of all in percent. What is not none is not 0 %, and what is not all not 100 %.
func share(n, all int64) string {
	switch p := 100 * float64(n) / float64(max(all, 1)); {
	case n > 0 && p < 1:
		return "<1 %"
	case n < all && p > 99:
		return ">99 %"
	default:
		return fmt.Sprintf("%.0f %%", p)
	}
}

// keyShown says what a column is a key of.
func keyShown(key string) string {
	switch key {
	case "*":
		return "→ any record"
	case "", "primary", "unique":
		return key
	}
	return "→ " + key
}
