package query

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"holdall/schemas"
)

// LoadCSV loads one received CSV: file is its name as received, path a local plain copy of its bytes. It
// stores the table as Parquet (see File), from which all that SQL sees of it is derived, and adds to
// findings. Nothing is lost silently: rows loaded plus rows quarantined equal an independent count, and the
// bytes of each column those that were counted, or LoadCSV fails.
func (b *Builder) LoadCSV(ctx context.Context, file, path string) (*TableReport, error) {
	return b.loadCSV(ctx, file, path, nil, nil)
}

// loadCSV is LoadCSV, LoadScanned where ahead is not nil, or LoadStored where was is not nil.
func (b *Builder) loadCSV(
	ctx context.Context, file, path string, ahead *Scan, was *Stored,
) (_ *TableReport, err error) {
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
	s, text, err := ahead.of(f), f, error(nil)
	if s == nil {
		s, text, err = b.examine(ctx, file, f)
	}
	if text != nil && text != f {
		defer os.Remove(text.Name())
		defer text.Close()
	}
	if err != nil {
		return nil, err
	}
	l := b.plan(file, s)
	l.was = was
	err = b.load(ctx, l, s, text)
	if s.records > smallTable {
		giveBack()
	}
	b.state.Lock()
	defer b.state.Unlock()
	if err != nil {
		if was != nil { // the caller may have to load it otherwise
			b.names.forget(l.Table)
		}
		return nil, err
	}
	b.tables = append(b.tables, l)
	return &l.TableReport, nil
}

// examine looks at a whole file, in one pass if it is what nearly all are: UTF-8, and as RFC 4180 says. text
// has its content as UTF-8: it is f, or a copy that the caller closes and removes.
func (b *Builder) examine(
	ctx context.Context, file string, f *os.File,
) (s *scanned, text *os.File, err error) {
	knows := recogniser{b.opts.known(), file}
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
		schema = schemas.Table{
			Name: nameOfFile(file), Description: "A table beyond those that an export is known to have.",
		}
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
	l.TableReport = TableReport{Table: name, File: file, Known: known && name == schema.Name,
		Encoding:  s.encoding.name,
		Delimiter: string(s.d.delim), Quoting: s.d.quoting(), Decided: s.decided, LinesAbove: s.above,
		LineEnd: s.lineEnd(), Description: schema.Description, Kind: "table"}
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

// load stores a planned table. A file that DuckDB reads otherwise than we do is written in the normal form
// and read again.
func (b *Builder) load(ctx context.Context, l *loaded, s *scanned, text *os.File) error {
	b.write.Lock()
	defer b.write.Unlock()
	return b.onConnection(ctx, func(c *sql.Conn) (err error) {
		restore, err := b.useOneThread(ctx, c)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, restore()) }()
		if s.unclean == "" {
			err := b.loadOrUndo(ctx, c, l, s, plainSource(l, s, text))
			if err == nil || ctx.Err() != nil {
				return err
			}
			l.misread = err
		}
		normal, err := b.normalForm(ctx, c, l, s, text)
		if normal != "" {
			defer os.Remove(normal)
		}
		if err != nil {
			return errors.Join(err, b.undo(context.WithoutCancel(ctx), c, l))
		}
		return b.loadOrUndo(ctx, c, l, s, normalisedSource(l, s, normal))
	})
}

// useOneThread leaves the engine one thread, until restore is called. To write Parquet, DuckDB 1.5.5 uses one
// thread for each 4 MiB a column that its memory allows, which is one here. Where there are more, it may be
// another than the one that waits for the result, and this one then asks again and again, at full speed.
func (b *Builder) useOneThread(ctx context.Context, c *sql.Conn) (restore func() error, err error) {
	if b.opts.Threads == 1 {
		return func() error { return nil }, nil
	}
	restore = func() error {
		if b.opts.Threads == 0 {
			return execAll(context.WithoutCancel(ctx), c, "RESET GLOBAL threads")
		}
		return execAll(
			context.WithoutCancel(ctx), c, fmt.Sprintf("SET GLOBAL threads = %d", b.opts.Threads),
		)
	}
	return restore, execAll(ctx, c, "SET GLOBAL threads = 1")
}

// loadOrUndo loads a table, or leaves nothing of it.
func (b *Builder) loadOrUndo(ctx context.Context, c *sql.Conn, l *loaded, s *scanned, source string) error {
	err := b.loadFrom(ctx, c, l, s, source)
	if err == nil {
		return nil
	}
	return errors.Join(err, b.undo(context.WithoutCancel(ctx), c, l))
}

// undo drops what there is of a table.
func (b *Builder) undo(ctx context.Context, c *sql.Conn, l *loaded) error {
	b.adopted.Delete(l.Table)
	return errors.Join(removeIfThere(b.File(l.Table)), execAll(
		ctx, c, fmt.Sprintf("DROP %s IF EXISTS main.%s", l.relation(), ident(l.Table)),
		"DELETE FROM quarantine WHERE table_name = "+text(l.Table),
	))
}

// smallTable is the rows up to which what is compared with others is a table in memory: many small questions
// are answered sooner by it than by a file that each of them opens.
const smallTable = 20_000

func (l *loaded) relation() string {
	if l.Rows <= smallTable {
		return "TABLE"
	}
	return "VIEW"
}

// loadFrom stores a table from a query for its texts, and checks it.
func (b *Builder) loadFrom(ctx context.Context, c *sql.Conn, l *loaded, s *scanned, source string) error {
	cells, err := b.storeOrAdopt(ctx, c, l, source)
	if err != nil {
		return err
	}
	if err := b.checkStored(ctx, c, l, s, cells); err != nil {
		if l.was != nil && l.was.File != "" {
			err = fmt.Errorf("%w: %w", ErrStoredDiffers, err)
		}
		return err
	}
	if err := execAll(
		ctx, c, fmt.Sprintf(
			"CREATE %s main.%s AS %s", l.relation(), ident(l.Table), l.typedSQL(b.source(l.Table)),
		),
	); err != nil {
		return err
	}
	return insertFindings(ctx, c, loadFindings(l, s))
}

func (b *Builder) converter(l *loaded) converter {
	return converter{order: l.readAs, zone: b.opts.TimeZone}
}

// File returns the local path of the Parquet file of a table that was loaded. It is there until Close.
func (b *Builder) File(table string) string {
	return filepath.Join(b.dir, strings.ReplaceAll(url.PathEscape(table), "%", "-")+".parquet")
}

// source is a stored table for SQL.
func (b *Builder) source(table string) string {
	if file, ok := b.adopted.Load(table); ok {
		return readParquet(text(file.(string)))
	}
	return readParquet(text(b.File(table)))
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
	return inTransaction(ctx, b.db, do)
}

func inTransaction(ctx context.Context, db *sql.DB, do func(*sql.Conn) error) (err error) {
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	return transact(ctx, c, func() error { return do(c) })
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

// plainSource is a query for the texts of a file that needs no change, in its order. To number the rows would
// take DuckDB twice the time; their place in the Parquet file is their number.
func plainSource(l *loaded, s *scanned, text *os.File) string {
	l.Numbered = len(l.received()) == 0
	if s.loadable == 0 {
		return l.noTexts()
	}
	newLine := `\n`
	if s.ends[endCRLF] > 0 {
		newLine = `\r\n`
	}
	return "FROM " + readCSV(text.Name(), l.received(), "", string(s.d.delim), newLine, s.longest, true)
}

// normalForm writes the normal form of a file, and puts its bad records into quarantine.
func (b *Builder) normalForm(
	ctx context.Context, c *sql.Conn, l *loaded, s *scanned, text *os.File,
) (path string, err error) {
	l.Quarantined = 0
	err = appendRows(c, catalog, "main", "quarantine", func(add func(...any) error) (err error) {
		path, s.longest, err = normalise(ctx, text, s, b.work, func(r badRecord) error {
			l.Quarantined++
			return add(l.Table, r.row, r.record, r.reason)
		})
		return err
	})
	return path, err
}

// normalisedSource is a query for the texts of a file in the normal form.
func normalisedSource(l *loaded, s *scanned, path string) string {
	l.Numbered = l.Quarantined > 0 || len(l.received()) == 0
	if s.loadable == 0 {
		return l.noTexts()
	}
	return "FROM " + readCSV(path, l.received(), rowNumber, ",", `\n`, s.longest, false)
}

// noTexts is a query for no rows.
func (l *loaded) noTexts() string {
	columns := []string{"NULL::VARCHAR AS " + rowNumber}
	for _, col := range l.received() {
		columns = append(columns, "NULL::VARCHAR AS "+ident(col.name))
	}
	return "SELECT " + strings.Join(columns, ", ") + " WHERE false"
}

// readCSV is a call of DuckDB's reader with nothing left for it to guess. Its buffer must hold the longest
// line, and is otherwise kept small: there are several. strict_mode is true anyway, and must not be said:
// saying so makes DuckDB 1.5.5 return no rows at all, silently, from a file with CRLF and any quote.
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
	return fmt.Sprintf(`read_csv(%s, auto_detect=false, header=%t, columns={%s}, force_not_null=[%s],
		delim=%s, quote='"', escape='"',
		new_line='%s', encoding='utf-8', max_line_size=%d, buffer_size=%d, null_padding=false,
			ignore_errors=false)`,
		text(path), header, strings.Join(types, ", "), strings.Join(names, ", "), text(delim), newLine, line,
		max(8<<20, 2*line))
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
