package query

import (
	"context"
	"fmt"

	"github.com/duckdb/duckdb-go/v2"
)

// A Statement is one of several in users' SQL, with the parameters that it has. Query runs it.
type Statement struct {
	SQL    string
	Params map[string]string
}

// Statements splits users' SQL, so that the result of each can be read. The engine looks at all of them
// before the first is run: what is wrong with one, or is none that a user may run, is the error, as is a
// parameter that no statement has.
func (d *DB) Statements(ctx context.Context, query string, params map[string]string) ([]Statement, error) {
	conn, err := d.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	split, err := checkSQL(ctx, conn, query)
	if err != nil {
		return nil, err
	}
	var all []Statement
	used := map[string]bool{}
	for _, s := range split {
		var p prepared
		err := d.parts.retryFetching(ctx, func() error {
			return conn.Raw(func(c any) (err error) {
				p, err = prepare(ctx, c.(*duckdb.Conn), s)
				return err
			})
		})
		if err != nil {
			return nil, plainError(ctx, err)
		}
		one := Statement{SQL: s.text, Params: map[string]string{}}
		for _, name := range p.params {
			value, ok := params[name]
			if !ok {
				return nil, fmt.Errorf("the SQL has a parameter $%s, which has no value", name)
			}
			one.Params[name], used[name] = value, true
		}
		all = append(all, one)
	}
	for name := range params {
		if !used[name] {
			return nil, fmt.Errorf("the SQL has no parameter $%s", name)
		}
	}
	return all, nil
}
