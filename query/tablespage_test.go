package query

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// docs/columns.md describes every relation and column of an archive in the words that the program gives them:
// it is written from an archive without rows.
func TestTablesPage(t *testing.T) {
	const doc = "../docs/columns.md"
	b, path := build(t, BuildOptions{})
	ctx := context.Background()
	if err := b.Finish(ctx); err != nil {
		t.Fatal(err)
	}
	d := open(t, path, OpenOptions{})
	tables, err := d.Tables(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var page strings.Builder
	page.WriteString("# Tables and columns\n\n" +
		"Written by `go test ./query -run TestTablesPage -update` from what the program itself says with\n" +
		"`holdall tables EXPORT TABLE`. It is about exports of Recruitly; an archive may have further tables and\n" +
		"columns, described there. `docs/tables.md` says how a CSV becomes a table.\n")
	described := 0
	for _, r := range tables {
		fmt.Fprintf(&page, "\n## %s\n%s\n\n| column | type | key | sensitive | meaning |\n|---|---|---|---|---|\n",
			r.Table, r.Description)
		for _, c := range r.Columns {
			sensitive := ""
			if c.Sensitive {
				sensitive = "yes"
			}
			fmt.Fprintf(&page, "| `%s` | %s | %s | %s | %s |\n", c.Column, c.Type, c.Key, sensitive,
				strings.ReplaceAll(c.Description, "|", `\|`))
			described++
			if c.Description == "" {
				t.Errorf("%s.%s is not described", r.Table, c.Column)
			}
		}
	}
	if described < 300 {
		t.Errorf("only %d columns are described", described)
	}
	if *update {
		if err := os.WriteFile(doc, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(page.String(), string(got)); d != "" {
		t.Errorf("%s (-program +page):\n%s", doc, d)
	}
}
