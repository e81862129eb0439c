package query

import (
	"context"
	"strings"
)

// A Suggestion is what may come next in SQL from a byte on, in place of what is there.
type Suggestion struct {
	Text  string
	Start int
}

// Complete returns what may come next at the end of SQL, the likeliest first: names, functions and words of
// the language that begin like the word there. It is DuckDB's own completion.
func (d *DB) Complete(ctx context.Context, sql string) ([]Suggestion, error) {
	rows, err := d.db.QueryContext(
		ctx, "SELECT suggestion, suggestion_start FROM sql_auto_complete("+text(sql)+")",
	)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Suggestion
	for rows.Next() {
		var s Suggestion
		if err := rows.Scan(&s.Text, &s.Start); err != nil {
			return nil, err
		}
		if s.Start > len(sql) {
			continue
		}
		word, plain := strings.ToLower(sql[s.Start:]), strings.ToLower(strings.Trim(s.Text, `"`))
		if strings.HasPrefix(plain, strings.Trim(word, `"`)) && (len(all) == 0 || all[0].Start == s.Start) {
			s.Text = strings.TrimRight(s.Text, " ")
			all = append(all, s)
		}
	}
	return all, rows.Err()
}

// IsClosed reports whether no text, name or comment is left open at the end of SQL.
func IsClosed(sql string) bool {
	_, err := splitSQL(sql)
	return err == nil
}
