package query

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"holdall/schemas"
)

// LoadCSV loads one received CSV: file is its name as received, path a local plain copy of its bytes. It makes
// raw.<table> and the typed <table>, and adds to rejects and findings. Nothing is lost silently: rows loaded plus rows
// quarantined equal an independent count, and the bytes of each column those that were counted, or LoadCSV fails.
func (b *Builder) LoadCSV(ctx context.Context, file, path string) (_ *TableReport, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("load %s: %w", file, err)
		}
	}()
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s, text, err := b.examine(ctx, file, f)
	if text != nil && text != f {
		defer os.Remove(text.Name())
		defer text.Close()
	}
	if err != nil {
		return nil, err
	}
	l := b.plan(file, s)
	if err := b.load(ctx, l, s, text); err != nil {
		return nil, err
	}
	b.state.Lock()
	defer b.state.Unlock()
	b.tables = append(b.tables, l)
	return &l.TableReport, nil
}

// examine looks at a whole file, in one pass if it is what nearly all are: UTF-8, and as RFC 4180 says. text has its
// content as UTF-8: it is f, or a copy that the caller closes and removes.
func (b *Builder) examine(ctx context.Context, file string, f *os.File) (s *scanned, text *os.File, err error) {
	knows := recogniser{schemas.Recruitly(), file}
	encoding, err := encodingAtFront(f)
	if err != nil {
		return nil, nil, err
	}
	if encoding.name == encUTF8 || encoding.name == encUTF8BOM {
		if s, err = scanAsUTF8(ctx, f, encoding, knows); !errors.Is(err, errNotUTF8) {
			return s, f, err
		}
		if encoding, err = detectEncoding(ctx, f); err != nil {
			return nil, nil, err
		}
	}
	if text, _, err = asUTF8(ctx, f, &encoding, b.work); err != nil {
		return nil, nil, err
	}
	s, err = scanFile(ctx, text, encoding, knows)
	return s, text, err
}

// plan decides which table a file is and how its columns are read.
func (b *Builder) plan(file string, s *scanned) *loaded {
	known := true
	schema := s.table
	if schema.Name == "" {
		schema = schemas.Table{Name: nameOfFile(file), Description: "A table beyond the ten that an export is known to have."}
		known = false
	}
	b.state.Lock()
	name := b.names.unique(schema.Name)
	b.state.Unlock()
	l := &loaded{schema: schema, columns: planColumns(schema, s)}
	decideNotations(l.columns)
	for _, c := range l.columns {
		isDate := c.typ == "DATE" || c.typ == "TIMESTAMP"
		if isDate || !c.known && c.stats.filled > 0 && c.stats.dates.count == c.stats.filled {
			l.dates.merge(c.stats.dates)
		}
	}
	l.TableReport = TableReport{Table: name, File: file, Known: known && name == schema.Name, Encoding: s.encoding.name,
		Delimiter: string(s.d.delim), Quoting: s.d.quoting(), Decided: s.decided, LinesAbove: s.above, LineEnd: s.lineEnd(), Description: schema.Description, Kind: "table"}
	l.Dates, l.readAs = l.dates.order(b.opts.DateOrder)
	return l
}

// decideNotations decides for every column of numbers how they are written.
func decideNotations(columns []column) {
	var all numberEvidence
	for _, c := range columns {
		all.merge(c.stats.numbers)
	}
	for i := range columns {
		s := &columns[i].stats
		s.notation, s.decidedBy = s.numbers.decide(all)
	}
}

// nameOfFile makes a table's name from a file's.
func nameOfFile(file string) string {
	base := path.Base(strings.ReplaceAll(file, `\`, "/"))
	if name := safeName(strings.TrimSuffix(base, path.Ext(base))); name != "" {
		return name
	}
	return "unnamed"
}

// load writes a planned table. A file that DuckDB reads otherwise than we do is written in the normal form and read again.
func (b *Builder) load(ctx context.Context, l *loaded, s *scanned, text *os.File) error {
	b.write.Lock()
	defer b.write.Unlock()
	return b.onConnection(ctx, func(c *sql.Conn) error {
		if s.unclean == "" {
			err := b.loadOrUndo(ctx, c, l, s, text, b.readAsItIs)
			if err == nil || ctx.Err() != nil {
				return err
			}
			l.misread = err
		}
		return b.loadOrUndo(ctx, c, l, s, text, b.readNormalised)
	})
}

// A reader makes raw.<table> from a file.
type reader func(ctx context.Context, c *sql.Conn, l *loaded, s *scanned, text *os.File) error

// loadOrUndo loads a table, or leaves nothing of it. The tables are made outside a transaction: inside one, DuckDB makes them
// with one thread.
func (b *Builder) loadOrUndo(ctx context.Context, c *sql.Conn, l *loaded, s *scanned, text *os.File, read reader) error {
	err := b.loadVia(ctx, c, l, s, text, read)
	if err == nil {
		return nil
	}
	return errors.Join(err, undo(context.WithoutCancel(ctx), c, l.Table))
}

// undo drops what there is of a table.
func undo(ctx context.Context, c *sql.Conn, table string) error {
	return execAll(ctx, c, "DROP TABLE IF EXISTS main."+ident(table), dropRaw(table),
		"DELETE FROM quarantine WHERE table_name = "+text(table))
}

// dropRaw drops raw.<table>, a view, and the table of cells that it shows.
func dropRaw(table string) string {
	return fmt.Sprintf("DROP VIEW IF EXISTS raw.%[1]s; DROP TABLE IF EXISTS cells.%[1]s", ident(table))
}

// showCells makes the view raw.<table> of cells.<table>, which has a column row_number of its own. However a file was
// read, raw.<table> is a view: DuckDB refuses to drop as a view what is a table, even with IF EXISTS.
func showCells(table string) string {
	return fmt.Sprintf("CREATE VIEW raw.%[1]s AS FROM cells.%[1]s", ident(table))
}

func (b *Builder) loadVia(ctx context.Context, c *sql.Conn, l *loaded, s *scanned, text *os.File, read reader) error {
	if err := read(ctx, c, l, s, text); err != nil {
		return err
	}
	if err := b.checkRaw(ctx, c, l, s); err != nil {
		return err
	}
	conv := converter{order: l.readAs, zone: b.opts.TimeZone}
	if err := typeUnknown(ctx, c, l, conv); err != nil {
		return err
	}
	if err := makeTyped(ctx, c, l, conv); err != nil {
		return err
	}
	return transact(ctx, c, func() error {
		if err := countCells(ctx, c, l, conv); err != nil {
			return err
		}
		if err := storeReport(ctx, c, &l.TableReport); err != nil {
			return err
		}
		return insertFindings(ctx, c, loadFindings(l, s))
	})
}

// onConnection runs do on a connection of its own.
func (b *Builder) onConnection(ctx context.Context, do func(*sql.Conn) error) (err error) {
	c, err := b.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	return do(c)
}

// inTransaction runs do on a connection of its own, and commits or undoes what it did.
func (b *Builder) inTransaction(ctx context.Context, do func(*sql.Conn) error) error {
	return b.onConnection(ctx, func(c *sql.Conn) error {
		return transact(ctx, c, func() error { return do(c) })
	})
}

// transact commits or undoes what do does on a connection.
func transact(ctx context.Context, c *sql.Conn, do func() error) error {
	if _, err := c.ExecContext(ctx, "BEGIN"); err != nil {
		return err
	}
	if err := do(); err != nil {
		_, undone := c.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		return errors.Join(err, undone)
	}
	_, err := c.ExecContext(ctx, "COMMIT")
	return err
}

// received returns the columns that the file has, in its order.
func (l *loaded) received() []column {
	var cols []column
	for _, c := range l.columns {
		if c.index >= 0 {
			cols = append(cols, c)
		}
	}
	slices.SortFunc(cols, func(a, b column) int { return a.index - b.index })
	return cols
}

// readAsItIs has DuckDB read a file that needs no change. Rows stand in its order, so that a row's id is its position; to
// number them while reading would take DuckDB twice the time.
func (b *Builder) readAsItIs(ctx context.Context, c *sql.Conn, l *loaded, s *scanned, text *os.File) error {
	if s.loadable == 0 {
		return makeEmptyRaw(ctx, c, l)
	}
	newLine := `\n`
	if s.ends[endCRLF] > 0 {
		newLine = `\r\n`
	}
	return execAll(ctx, c,
		fmt.Sprintf("CREATE TABLE cells.%s AS FROM %s", ident(l.Table), readCSV(text.Name(), l.received(), "", string(s.d.delim), newLine, s.longest, true)),
		fmt.Sprintf("CREATE VIEW raw.%[1]s AS SELECT rowid + 1 AS row_number, * FROM cells.%[1]s", ident(l.Table)))
}

// readNormalised has DuckDB read the normal form of a file, and puts its bad records into quarantine.
func (b *Builder) readNormalised(ctx context.Context, c *sql.Conn, l *loaded, s *scanned, text *os.File) error {
	l.Quarantined = 0
	var normal string
	var longest int
	err := appendRows(c, catalog, "main", "quarantine", func(add func(...any) error) (err error) {
		normal, longest, err = normalise(ctx, text, s, b.work, func(r badRecord) error {
			l.Quarantined++
			return add(l.Table, r.row, r.record, r.reason)
		})
		return err
	})
	if normal != "" {
		defer os.Remove(normal)
	}
	if err != nil {
		return err
	}
	if s.loadable == 0 {
		return makeEmptyRaw(ctx, c, l)
	}
	return execAll(ctx, c,
		fmt.Sprintf("CREATE TABLE cells.%s AS SELECT row_number::BIGINT AS row_number, * EXCLUDE (row_number) FROM %s",
			ident(l.Table), readCSV(normal, l.received(), "row_number", ",", `\n`, longest, false)),
		showCells(l.Table))
}

func makeEmptyRaw(ctx context.Context, c *sql.Conn, l *loaded) error {
	columns := []string{"row_number BIGINT"}
	for _, col := range l.received() {
		columns = append(columns, ident(col.name)+" VARCHAR")
	}
	return execAll(ctx, c, fmt.Sprintf("CREATE TABLE cells.%s (%s)", ident(l.Table), strings.Join(columns, ", ")),
		showCells(l.Table))
}

// readCSV is a call of DuckDB's reader with nothing left for it to guess. Its buffer must hold the longest line, and
// is otherwise kept small: there are several. strict_mode is true anyway, and must not be said: saying so makes DuckDB 1.5.5
// return no rows at all, silently, from a file with CRLF and any quote.
func readCSV(path string, columns []column, first, delim, newLine string, longest int, header bool) string {
	var types, names []string
	add := func(name string) {
		types = append(types, text(name)+": 'VARCHAR'")
		names = append(names, text(name))
	}
	if first != "" {
		add(first)
	}
	for _, c := range columns {
		add(c.name)
	}
	line := max(2<<20, longest+longest/8+4096)
	return fmt.Sprintf(`read_csv(%s, auto_detect=false, header=%t, columns={%s}, force_not_null=[%s], delim=%s, quote='"', escape='"',
		new_line='%s', encoding='utf-8', max_line_size=%d, buffer_size=%d, null_padding=false, ignore_errors=false)`,
		text(path), header, strings.Join(types, ", "), strings.Join(names, ", "), text(delim), newLine, line, max(8<<20, 2*line))
}

// checkRaw compares what DuckDB has read with what the scan counted: records, and bytes of every column.
func (b *Builder) checkRaw(ctx context.Context, c *sql.Conn, l *loaded, s *scanned) error {
	columns := l.received()
	sums := []string{"count(*)"}
	for _, col := range columns {
		sums = append(sums, fmt.Sprintf("coalesce(sum(strlen(%s)), 0)::BIGINT", ident(col.name)))
	}
	got, err := queryInts(ctx, c, fmt.Sprintf("SELECT %s FROM raw.%s", strings.Join(sums, ", "), ident(l.Table)), len(sums))
	if err != nil {
		return err
	}
	if got[0] != s.loadable || s.loadable+l.Quarantined != s.records {
		return fmt.Errorf("the file has %d records, but %d were loaded and %d put into quarantine", s.records, got[0], l.Quarantined)
	}
	for i, col := range columns {
		if want := s.columns[col.index].bytes; got[i+1] != want {
			return fmt.Errorf("column %s has %d bytes in the file, but %d were loaded", col.name, want, got[i+1])
		}
	}
	l.Rows = got[0]
	return nil
}

// querier is a connection or a database.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// queryInts returns the n integers of a query's one row.
func queryInts(ctx context.Context, c querier, query string, n int) ([]int64, error) {
	values, dest := make([]int64, n), make([]any, n)
	for i := range values {
		dest[i] = &values[i]
	}
	if err := c.QueryRowContext(ctx, query).Scan(dest...); err != nil {
		return nil, sqlError(query, err)
	}
	return values, nil
}
