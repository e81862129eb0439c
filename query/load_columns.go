package query

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"holdall/schemas"
)

// A column is one column of a table in the making: what the schema knows of it, and where the file has it.
type column struct {
	name      string // unique in its table
	heading   string // as received; empty when the file lacks the column
	index     int    // in the file; -1 when the file lacks it
	typ       string // a DuckDB type; for an unknown column, VARCHAR until its values have been seen
	layout    layout // in which its values are written; see there
	about     string // its description
	evidence  string
	key       string
	refers    string
	sensitive bool
	known     bool // it is in the schema
	repeats   string
	stats     columnStats
}

// planColumns lays out a table: the schema's columns in its order, then the file's others in theirs.
func planColumns(t schemas.Table, s *scanned) []column {
	names := newNames(storedColumns...)
	var columns []column
	match := t.Match(s.headings)
	at := make(map[int]int)
	for i, c := range match {
		if c >= 0 {
			at[c] = i
		}
	}
	for i, c := range t.Columns {
		col := column{name: names.unique(c.Name), index: -1, typ: c.Type, about: c.Description,
			evidence: c.Evidence, key: c.Key,
			refers: c.References, sensitive: c.Sensitive, known: true}
		if index, ok := at[i]; ok {
			col.index, col.heading, col.stats = index, s.headings[index], s.columns[index]
		}
		columns = append(columns, col)
	}
	for i, heading := range s.headings {
		if match[i] < 0 {
			columns = append(columns, unknownColumn(t, names, heading, i, s.columns[i]))
		}
	}
	return columns
}

// unknownColumn is a column the schema does not know, or knows and has already found under another heading.
func unknownColumn(t schemas.Table, names *names, heading string, index int, stats columnStats) column {
	col := column{heading: heading, index: index, typ: "VARCHAR", stats: stats}
	base := safeName(heading)
	if twin, ok := twinOf(t, heading); ok {
		col.repeats, col.sensitive = twin.Name, twin.Sensitive
		col.about = fmt.Sprintf("A further column that the file heads like %s.", twin.Name)
		if schemas.Normalize(heading) == schemas.Normalize(twin.Heading) {
			base = twin.Name
		}
	}
	if base == "" {
		base = fmt.Sprintf("column_%d", index+1)
	}
	col.name = names.unique(base)
	return col
}

// twinOf returns the column of t that a heading would name if another heading did not already.
func twinOf(t schemas.Table, heading string) (schemas.Column, bool) {
	if i := t.Match([]string{heading})[0]; i >= 0 {
		return t.Columns[i], true
	}
	return schemas.Column{}, false
}

// names gives out names that are unique when case is set aside, as it is in SQL.
type names struct{ taken map[string]bool }

func newNames(reserved ...string) *names {
	n := &names{taken: make(map[string]bool)}
	for _, r := range reserved {
		n.taken[strings.ToLower(r)] = true
	}
	return n
}

// unique returns name, or name with the first free of _2, _3, …
func (n *names) unique(name string) string {
	free := name
	for i := 2; n.taken[strings.ToLower(free)]; i++ {
		free = fmt.Sprintf("%s_%d", name, i)
	}
	n.taken[strings.ToLower(free)] = true
	return free
}

// safeName turns a heading or file name into a name that needs no quotes in most engines: "Star Sign",
// "starSign" and "Stár-Sign!" become star_sign. It is empty when nothing is left.
func safeName(s string) string {
	var b strings.Builder
	lower, gap := false, false
	for _, r := range norm.NFKD.String(s) {
		switch {
		case unicode.IsMark(r) || r == '\'' || r == '’':
			continue
		case r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r):
			gap, lower = true, false
			continue
		case unicode.IsUpper(r) && lower:
			gap = true
		}
		if gap && b.Len() > 0 {
			b.WriteByte('_')
		}
		gap, lower = false, unicode.IsLower(r) || unicode.IsDigit(r)
		b.WriteRune(unicode.ToLower(r))
	}
	name := b.String()
	if len(name) > 60 {
		name = strings.TrimRight(name[:60], "_")
	}
	if name != "" && unicode.IsDigit(rune(name[0])) {
		name = "n" + name
	}
	return name
}
