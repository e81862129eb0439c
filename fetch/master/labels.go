package master

import (
	"slices"
	"strings"

	"holdall/fetch/link"
	"holdall/fetch/loosecsv"
)

// labels returns what may say which part the link at row r, column c is, the most telling first.
func labels(g *loosecsv.Table, r, c int, l link.Link, manyColumns bool) []string {
	var heads, beside, out []string
	for i := r - 1; i >= 0; i-- {
		if c < len(g.Rows[i]) && g.Rows[i][c].Text != "" && !link.In(g.Rows[i][c].Text) {
			heads = append(heads, g.Rows[i][c].Text)
			break
		}
	}
	own := strings.TrimSpace(link.Strip(g.Rows[r][c].Text))
	for i := c - 1; i >= 0; i-- {
		beside = append(beside, g.Rows[r][i].Text)
	}
	for i := c + 1; i < len(g.Rows[r]); i++ {
		beside = append(beside, g.Rows[r][i].Text)
	}
	out = append(out, own)
	if manyColumns {
		out = append(append(out, heads...), beside...)
	} else {
		out = append(append(out, beside...), heads...)
	}
	out = append(out, l.FileName())
	return slices.DeleteFunc(out, func(s string) bool { return s == "" || link.In(s) || len(s) > 200 })
}
