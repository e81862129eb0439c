package query

import (
	"context"
	"database/sql"
	"fmt"
)

// An Attached is a table that does not come from the archive, for SQL to join with what does. It lives in
// memory.
type Attached struct {
	Name    string
	Columns string // as in CREATE TABLE
	Comment string
	Rows    func(add func(values ...any) error) error
}

// Attach makes tables visible as <schema>.<name> until the DB is closed. Users' SQL can change them no more
// than the rest.
func (d *DB) Attach(ctx context.Context, schema string, tables ...Attached) error {
	c, err := d.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := execAll(ctx, c, "ATTACH ':memory:' AS "+ident(schema)); err != nil {
		return fmt.Errorf("attach %s: %w", schema, err)
	}
	for _, t := range tables {
		if err := attachTable(ctx, c, schema, t); err != nil {
			return fmt.Errorf("attach %s.%s: %w", schema, t.Name, err)
		}
	}
	return nil
}

func attachTable(ctx context.Context, c *sql.Conn, schema string, t Attached) error {
	name := ident(schema) + ".main." + ident(t.Name)
	if err := execAll(ctx, c, "CREATE TABLE "+name+" ("+t.Columns+")",
		"COMMENT ON TABLE "+name+" IS "+text(t.Comment)); err != nil {
		return err
	}
	return appendRows(c, schema, "main", t.Name, t.Rows)
}

// AttachView makes a view of what SQL can reach visible as <schema>.<name>, alongside attached tables.
func (d *DB) AttachView(ctx context.Context, schema, name, view, comment string) error {
	c, err := d.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	full := ident(schema) + ".main." + ident(name)
	return d.parts.retryFetching(ctx, func() error { // the engine looks at the files of a view that it makes
		return execAll(ctx, c, "CREATE OR REPLACE VIEW "+full+" AS "+view,
			"COMMENT ON VIEW "+full+" IS "+text(comment))
	})
}
