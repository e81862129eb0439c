package query

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// showTexts makes the views that only the catalog has: of every cell as text, and of the rejected ones.
func showTexts(t testing.TB, b *Builder) {
	t.Helper()
	statements, rejects := []string{"CREATE SCHEMA IF NOT EXISTS raw"}, []string{"SELECT " +
		nulls(ownReport("rejects").Columns) + " WHERE false"}
	for _, l := range b.tables {
		source := b.source(l.Table)
		statements = append(
			statements, fmt.Sprintf("CREATE OR REPLACE VIEW raw.%s AS %s", ident(l.Table), l.rawSQL(source)),
		)
		if sql := l.rejectsSQL(source); sql != "" {
			rejects = append(rejects, sql)
		}
	}
	statements = append(statements, "CREATE OR REPLACE VIEW rejects AS "+strings.Join(rejects, " UNION ALL "))
	if err := b.exec(context.Background(), statements...); err != nil {
		t.Fatal(err)
	}
}

// cells returns the result of a query on an unfinished database, NULL as "NULL".
func cells(t testing.TB, b *Builder, query string) [][]string {
	t.Helper()
	showTexts(t, b)
	rows, err := b.db.Query(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	columns, _ := rows.Columns()
	var all [][]string
	for rows.Next() {
		values, dest := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			dest[i] = &values[i]
		}
		if err := rows.Scan(dest...); err != nil {
			t.Fatal(err)
		}
		row := make([]string, len(columns))
		for i, v := range values {
			if row[i] = fmt.Sprint(v); v == nil {
				row[i] = "NULL"
			}
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// codes returns the findings so far as "severity code: detail".
func codes(t testing.TB, b *Builder) []string {
	t.Helper()
	var all []string
	for f, err := range b.Findings(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(f.Severity)+" "+string(f.Code)+": "+f.Detail)
	}
	return all
}

// has reports whether a finding begins and continues as wanted.
func has(all []string, begins string, contains ...string) bool {
next:
	for _, f := range all {
		if !strings.HasPrefix(f, begins) {
			continue
		}
		for _, c := range contains {
			if !strings.Contains(f, c) {
				continue next
			}
		}
		return true
	}
	return false
}
