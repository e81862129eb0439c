package query

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// otherFirst are words that statements begin with which a user may not run. What begins with any other word
// is not SQL.
var otherFirst = []string{"alter", "analyze", "attach", "begin", "call",
	"checkpoint", "comment", "commit", "copy", "create", "deallocate", "delete",
	"detach", "drop", "execute", "export", "force", "grant", "import",
	"insert", "install", "load", "merge", "prepare", "refresh", "reindex", "replace", "reset",
	"revoke", "rollback", "set", "start", "transaction", "truncate", "update", "use", "vacuum"}

// mistyped explains a statement that begins with no word of SQL; nil for others.
func (s statement) mistyped() error {
	if len(s.words) == 0 || slices.Contains(allowedFirst, s.words[0]) ||
		slices.Contains(otherFirst, s.words[0]) {
		return nil
	}
	if first, _, _ := strings.Cut(strings.TrimSpace(s.text), "("); len(first) > 0 && (first[0] == '\'' ||
		first[0] == '"') {
		return nil
	}
	near, distance := "", 3
	for _, w := range allowedFirst {
		if d := editDistance(s.words[0], w); d < distance {
			near, distance = w, d
		}
	}
	word := strings.ToUpper(s.words[0])
	if dot := strings.TrimSpace(s.text); strings.HasPrefix(dot, ".") {
		return fmt.Errorf("%s is a command of the shell, which opens when no SQL is given; "+
			"\"holdall tables\" lists tables and columns", strings.Fields(dot)[0])
	}
	if near != "" {
		return fmt.Errorf("%s does not begin a statement; did you mean %s?", word, strings.ToUpper(near))
	}
	return fmt.Errorf(
		"%s does not begin a statement: a question is SELECT … FROM …, or FROM … alone", word,
	)
}

// NearestColumn returns the name of a column, of any table or view, that is at most two typing mistakes away
// from name; "" when there is none, or when a table has a column of just that name. The engine guesses
// columns of tables, but not of views.
func (d *DB) NearestColumn(ctx context.Context, name string) string {
	rows, err := d.db.QueryContext(ctx, `SELECT DISTINCT column_name FROM duckdb_columns()
		WHERE NOT internal AND column_name IS NOT NULL ORDER BY ALL`)
	if err != nil {
		return ""
	}
	defer rows.Close()
	near, distance := "", 3
	for rows.Next() {
		var column string
		if err := rows.Scan(&column); err != nil {
			return ""
		}
		if strings.EqualFold(name, column) {
			return ""
		}
		if d := editDistance(strings.ToLower(name), strings.ToLower(column)); d < distance {
			near, distance = column, d
		}
	}
	if rows.Err() != nil {
		return ""
	}
	return near
}

// editDistance counts the letters to put in, to take out, to change, or to swap with their neighbour.
func editDistance(a, b string) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := d[i-1][j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
