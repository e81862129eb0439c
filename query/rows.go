package query

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
)

// Rows is a result being read: Next, then Strings; or all at once with Write. It belongs to one goroutine.
//
// The result is in a temporary table, which goes to disk when it outgrows the memory limit, and is read in
// pieces: the engine would otherwise keep the whole of it in memory.
type Rows struct {
	ctx     context.Context
	conn    *sql.Conn
	parts   *parts
	columns []string
	types   []string
	stored  string // the temporary table; empty for the plan of an EXPLAIN
	names   []string
	form    form

	piece *sql.Rows // what is being read
	total int64     // rows in the temporary table
	from  int64     // where the next piece begins
	row   []sql.NullString
	err   error
	done  bool
}

// A form is how nested values are put into text.
type form uint8

const (
	formJSON form = iota // ["a","b"]
	formText             // [a, b]
)

const pieceRows = 8192

// Query runs SQL, which may be several statements; the last one's rows are returned. Parameters are $name. A
// statement that is none a user may run is an error matching ErrRefused, and nothing is run then. The caller
// closes the Rows.
func (d *DB) Query(ctx context.Context, query string, params map[string]string) (_ *Rows, err error) {
	conn, err := d.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	r := &Rows{ctx: ctx, conn: conn, parts: &d.parts}
	defer func() {
		if err != nil {
			err = errors.Join(plainError(ctx, err), r.Close())
		}
	}()
	statements, err := checkSQL(ctx, conn, query)
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for i, s := range statements {
		if err := r.run(s, params, used, i == len(statements)-1); err != nil {
			return nil, err
		}
	}
	for name := range params {
		if !used[name] {
			return nil, fmt.Errorf("the SQL has no parameter $%s", name)
		}
	}
	return r, nil
}

// plainError says that the caller gave up, where that is why a query failed.
func plainError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// run runs one statement, and keeps its result if it is the last.
func (r *Rows) run(s statement, params map[string]string, used map[string]bool, last bool) error {
	var p prepared
	err := r.parts.retryFetching(r.ctx, func() error {
		return r.conn.Raw(func(c any) (err error) {
			p, err = prepare(r.ctx, c.(*duckdb.Conn), s)
			return err
		})
	})
	if err != nil {
		return err
	}
	var args []any
	for _, name := range p.params {
		value, ok := params[name]
		if !ok {
			return fmt.Errorf("the SQL has a parameter $%s, which has no value", name)
		}
		used[name] = true
		args = append(args, sql.Named(name, value))
	}
	switch {
	case last && p.query:
		r.columns = p.columns
		return r.store(s, args)
	case last:
		r.piece, err = r.conn.QueryContext(r.ctx, s.text, args...)
		if err != nil {
			return err
		}
		return r.describePlan()
	}
	rows, err := r.conn.QueryContext(r.ctx, s.text, args...)
	if err != nil {
		return err
	}
	return errors.Join(rows.Err(), rows.Close())
}

// resultTable is the temporary table of a connection's result.
const resultTable = "holdall_result"

// store runs a query into a temporary table.
func (r *Rows) store(s statement, args []any) error {
	body := s.text
	if first := s.words[0]; slices.Contains([]string{"describe", "desc", "show", "summarize"}, first) {
		body = "FROM (" + body + "\n)"
	}
	if _, err := r.conn.ExecContext(
		r.ctx, "CREATE TEMP TABLE "+resultTable+" AS "+body, args...,
	); err != nil {
		return err
	}
	r.stored = resultTable
	n, err := queryInts(r.ctx, r.conn, "SELECT count(*) FROM temp."+resultTable, 1)
	if err != nil {
		return err
	}
	r.total = n[0]
	return r.describeStored()
}

// describeStored fills in the columns of a result in the temporary table.
func (r *Rows) describeStored() error {
	rows, err := r.conn.QueryContext(
		r.ctx,
		// duckdb_columns() would look at the columns of all views
		`SELECT name, type FROM pragma_table_info('temp.`+resultTable+`') ORDER BY cid`,
	)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name, typ string
		if err := rows.Scan(&name, &typ); err != nil {
			return err
		}
		r.names, r.types = append(r.names, name), append(r.types, typ)
	}
	if len(r.columns) != len(r.names) {
		r.columns = r.names
	}
	return rows.Err()
}

// describePlan fills in the columns of a result that is read as it comes.
func (r *Rows) describePlan() error {
	types, err := r.piece.ColumnTypes()
	if err != nil {
		return err
	}
	for _, t := range types {
		r.columns, r.types = append(r.columns, t.Name()), append(r.types, t.DatabaseTypeName())
	}
	return nil
}

// Columns returns the names of the columns; Types their DuckDB types.
func (r *Rows) Columns() []string { return r.columns }
func (r *Rows) Types() []string   { return r.types }

// Next moves to the next row, and reports whether there is one. Err then says why there is none, if not for
// the end.
func (r *Rows) Next() bool {
	for !r.done && r.err == nil {
		if r.piece == nil && !r.nextPiece() {
			return false
		}
		if r.piece.Next() {
			r.err = r.scan()
			return r.err == nil
		}
		r.err = errors.Join(r.piece.Err(), r.piece.Close())
		r.piece = nil
		if r.stored == "" {
			r.done = true
		}
	}
	return false
}

// nextPiece reads on in the temporary table.
func (r *Rows) nextPiece() bool {
	if r.from >= r.total {
		r.done = true
		return false
	}
	exprs := make([]string, len(r.names))
	for i, name := range r.names {
		exprs[i] = textOf(ident(name), r.types[i], r.form)
	}
	query := fmt.Sprintf(
		"SELECT %s FROM temp.%s WHERE rowid >= %d AND rowid < %d ORDER BY rowid", strings.Join(exprs, ", "),
		r.stored, r.from, r.from+pieceRows,
	)
	rows, err := r.conn.QueryContext(r.ctx, query)
	if err != nil {
		r.err = err
		return false
	}
	r.piece = rows
	r.from += pieceRows
	return true
}

// textOf is SQL for a value as text: what DuckDB prints, but nested values as JSON unless they are for the
// eye.
func textOf(ref, typ string, f form) string {
	switch {
	case f == formText && !isFraction(typ):
		return ref + "::VARCHAR"
	case isNested(typ):
		return nestedJSON(ref, parseType(typ))
	case typ == "VARIANT":
		return leafJSON(ref, typ)
	case isFraction(typ):
		return withZero(ref)
	}
	return ref + "::VARCHAR"
}

// isFraction reports whether a type has no digits before its decimal point, such as DECIMAL(4,4): the engine
// prints .5, which is no number in JSON.
func isFraction(typ string) bool {
	digits, scale, ok := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(typ, "DECIMAL("), ")"), ",")
	return ok && strings.HasPrefix(typ, "DECIMAL(") && digits == scale
}

// withZero is SQL for such a number as text, with a zero before its point.
func withZero(ref string) string {
	return `regexp_replace(` + ref + `::VARCHAR, '^(-?)\.', '\10.')`
}

// isNested reports whether values of a type have parts.
func isNested(typ string) bool {
	return strings.HasSuffix(typ, "]") || strings.HasPrefix(typ, "STRUCT") || strings.HasPrefix(typ, "MAP") ||
		strings.HasPrefix(typ, "UNION")
}

func (r *Rows) scan() error {
	r.row = slices.Grow(r.row[:0], len(r.columns))[:len(r.columns)]
	if r.stored != "" {
		dest := make([]any, len(r.row))
		for i := range r.row {
			dest[i] = &r.row[i]
		}
		return r.piece.Scan(dest...)
	}
	values, dest := make([]any, len(r.row)), make([]any, len(r.row))
	for i := range values {
		dest[i] = &values[i]
	}
	if err := r.piece.Scan(dest...); err != nil {
		return err
	}
	for i, v := range values {
		r.row[i] = sql.NullString{String: fmt.Sprint(v), Valid: v != nil}
	}
	return nil
}

// Strings returns the current row as text; NULL is an empty string.
func (r *Rows) Strings() ([]string, error) {
	all := make([]string, len(r.row))
	for i, v := range r.row {
		all[i] = v.String
	}
	return all, r.err
}

// JSON returns the values of the current row as JSON: numbers, booleans, lists and NULL keep their kind,
// dates and times are ISO 8601 texts.
func (r *Rows) JSON() []json.RawMessage {
	out := make([]json.RawMessage, len(r.row))
	for i, v := range r.row {
		out[i] = json.RawMessage(jsonValue(v, r.types[i]))
	}
	return out
}

// Cells returns the current row as text, with which cells are NULL. It is overwritten by Next.
func (r *Rows) Cells() []sql.NullString { return r.row }

// Err returns what ended the reading, unless it was the end of the result.
func (r *Rows) Err() error {
	if r.err != nil {
		return plainError(r.ctx, r.err)
	}
	return nil
}

// Close ends the result. It may be called more than once.
func (r *Rows) Close() error {
	if r.conn == nil {
		return nil
	}
	var errs []error
	if r.piece != nil {
		errs = append(errs, r.piece.Close())
	}
	_, err := r.conn.ExecContext(context.WithoutCancel(r.ctx), "DROP TABLE IF EXISTS temp."+resultTable)
	errs = append(errs, err, r.conn.Close())
	r.conn = nil
	r.done = true
	return errors.Join(errs...)
}
