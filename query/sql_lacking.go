package query

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// A Lack is something that SQL reads and that the export does not have: a table, or a column of one. Its
// values are NULL.
type Lack struct {
	Table  string
	Column string // "": the whole table
}

func (l Lack) String() string {
	if l.Column == "" {
		return l.Table
	}
	return l.Table + "." + l.Column
}

// Lacking returns what a query reads, itself or through a view, and the export does not have. The query is
// not run, and need not be one that can be. What is not named, as in SELECT *, does not count.
func (d *DB) Lacking(ctx context.Context, query string) ([]Lack, error) {
	tables, err := d.Tables(ctx)
	if err != nil {
		return nil, err
	}
	l := lackFinder{db: d, tables: map[string]TableReport{}, seen: map[string]bool{}, found: map[Lack]bool{}}
	for _, t := range tables {
		l.tables[t.Table] = t
	}
	if err := l.addQuery(ctx, query); err != nil {
		return nil, err
	}
	var all []Lack
	for lack := range l.found {
		all = append(all, lack)
	}
	slices.SortFunc(all, func(a, b Lack) int { return strings.Compare(a.String(), b.String()) })
	return all, nil
}

type lackFinder struct {
	db     *DB
	tables map[string]TableReport
	seen   map[string]bool // views
	found  map[Lack]bool
}

// addQuery goes through the syntax tree of a query.
func (l *lackFinder) addQuery(ctx context.Context, query string) error {
	var tree string
	if err := l.db.db.QueryRowContext(
		ctx, "SELECT json_serialize_sql(?::VARCHAR)::VARCHAR", query,
	).Scan(&tree); err != nil {
		return err
	}
	var parsed any
	if err := json.Unmarshal([]byte(tree), &parsed); err != nil {
		return fmt.Errorf("read the syntax tree of a query: %w", err)
	}
	var u used
	u.walk(parsed, newScope(nil))
	for _, s := range u.scopes {
		for _, t := range s.tables() {
			if err := l.addTable(ctx, t); err != nil {
				return err
			}
		}
		for _, column := range s.columns {
			l.addColumn(s, column)
		}
	}
	return nil
}

// addTable looks at a table by itself, and into a view.
func (l *lackFinder) addTable(ctx context.Context, name string) error {
	t, ok := l.tables[name]
	switch {
	case !ok || l.seen[name]:
		return nil
	case name == textTable:
		l.found[Lack{Table: name}] = true
		return nil
	case t.Known && t.File == "":
		l.found[Lack{Table: name}] = true
	}
	l.seen[name] = true
	if t.Kind != "view" {
		return nil
	}
	var definition string
	err := l.db.db.QueryRowContext(
		ctx, "SELECT sql FROM duckdb_views() WHERE schema_name = 'main' AND view_name = ?", name,
	).Scan(&definition)
	if err != nil {
		return err
	}
	_, body, _ := strings.Cut(definition, " AS ")
	return l.addQuery(ctx, body)
}

// addColumn looks whether a column that a query names is one that no file had. The innermost SELECT that
// has a table with such a column is the one that is meant.
func (l *lackFinder) addColumn(s *scope, names []string) {
	column := names[len(names)-1]
	for ; s != nil; s = s.outer {
		of := s.tables()
		if len(names) > 1 {
			if named, ok := s.named[names[len(names)-2]]; ok {
				of = named
			}
		}
		lacks, found := l.lacksOf(of, column)
		if !found {
			continue
		}
		for _, lack := range lacks {
			l.found[lack] = true
		}
		return
	}
}

// lacksOf reports whether one of the tables has a column, and whether the files of all that have it lack it.
func (l *lackFinder) lacksOf(tables []string, column string) (lacks []Lack, found bool) {
	for _, name := range tables {
		t := l.tables[name]
		for _, c := range t.Columns {
			switch {
			case c.Column != column:
			case !t.Known || t.File != "" && (!c.Known || c.Heading != ""):
				return nil, true
			case t.File != "":
				lacks = append(lacks, Lack{name, column})
				fallthrough
			default:
				found = true
			}
		}
	}
	return lacks, found
}

// used is what a query names, by its SELECTs.
type used struct{ scopes []*scope }

// A scope is what one SELECT names.
type scope struct {
	outer   *scope
	named   map[string][]string // tables by their names and aliases, in lower case
	columns [][]string          // with what is in front of the dot
}

func newScope(outer *scope) *scope { return &scope{outer: outer, named: map[string][]string{}} }

func (s *scope) tables() []string {
	var all []string
	for _, tables := range s.named {
		all = append(all, tables...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (u *used) walk(v any, in *scope) {
	switch v := v.(type) {
	case []any:
		for _, child := range v {
			u.walk(child, in)
		}
	case map[string]any:
		switch v["type"] {
		case "SELECT_NODE":
			in = newScope(in)
			u.scopes = append(u.scopes, in)
		case "BASE_TABLE":
			in.addTable(v)
		case "COLUMN_REF":
			in.addColumn(v["column_names"])
		case "JOIN":
			names, _ := v["using_columns"].([]any)
			for _, name := range names {
				in.addColumn([]any{name})
			}
		}
		for _, child := range v {
			u.walk(child, in)
		}
	}
}

func (s *scope) addTable(v map[string]any) {
	name, _ := v["table_name"].(string)
	alias, _ := v["alias"].(string)
	schema, _ := v["schema_name"].(string)
	if schema != "" && schema != "main" {
		return
	}
	if alias == "" {
		alias = name
	}
	name, alias = strings.ToLower(name), strings.ToLower(alias)
	s.named[alias] = append(s.named[alias], name)
}

func (s *scope) addColumn(v any) {
	parts, _ := v.([]any)
	var names []string
	for _, p := range parts {
		name, _ := p.(string)
		names = append(names, strings.ToLower(name))
	}
	if len(names) > 0 {
		s.columns = append(s.columns, names)
	}
}
