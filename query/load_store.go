package query

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// rowsPerGroup is how many rows of a Parquet file are stored together, at most. It is DuckDB's own piece of
// work.
const rowsPerGroup = 122_880

// parquetOptions are those of every Parquet file that is kept and has no wide rows.
var parquetOptions = parquetOptionsFor(rowsPerGroup)

func parquetOptionsFor(rows int64) string {
	return fmt.Sprintf("(FORMAT parquet, COMPRESSION zstd, PRESERVE_ORDER true, ROW_GROUP_SIZE %d)", rows)
}

// rowsOfGroup returns how many rows of a table are stored together. The engine holds one group in memory for
// each thread: as texts, and with 16 bytes for each cell and for its conversion. memory is what it may use in
// all, in bytes. With more it would not fail at once, but move what it holds to the disk and back.
func (l *loaded) rowsOfGroup(memory int64) int64 {
	const vector = 2048 // the engine's unit of rows
	columns := l.received()
	var bytes, rows int64 = 0, 1
	for _, c := range columns {
		bytes += c.stats.bytes
		rows = max(rows, c.stats.filled)
	}
	width := bytes/rows + 32*int64(len(columns)) + 1
	return max(vector, min(rowsPerGroup, memory/5/width/vector*vector))
}

// store writes the stored table of a CSV to its file, from source: a query for its texts.
func (b *Builder) store(ctx context.Context, c *sql.Conn, l *loaded, source string) error {
	return execAll(
		ctx, c,
		fmt.Sprintf(
			"COPY (%s) TO %s %s", storedSQL(l, b.converter(l), source), text(b.File(l.Table)),
			parquetOptionsFor(l.rowsOfGroup(b.opts.MemoryLimit)),
		),
	)
}

// storedSQL makes the stored table.
func storedSQL(l *loaded, conv converter, source string) string {
	var stored, kept []string
	if l.Numbered {
		stored = append(stored, rowNumber+"::BIGINT AS "+rowNumber)
	}
	cells, from := convertedSQL(l, conv, source)
	for i, col := range l.received() {
		ref, same := ident(col.name), cells[i].same
		stored = append(stored, cells[i].value+" AS "+ref)
		switch {
		case col.typ == "VARCHAR":
		case same == "":
			kept = append(kept, fmt.Sprintf("%s := nullif(%s, '')", ref, ref))
		default:
			kept = append(
				kept,
				fmt.Sprintf("%s := CASE WHEN %s OR %s = '' THEN NULL ELSE %s END", ref, same, ref, ref),
			)
		}
	}
	if len(kept) > 0 {
		stored = append(stored, fmt.Sprintf("struct_pack(%s) AS %s", strings.Join(kept, ", "), asReceived))
	}
	return "SELECT " + strings.Join(stored, ",\n") + " FROM (" + from + ")"
}

// convertedSQL converts the columns that a file has in three steps: what the texts mean in their columns'
// layouts, whether that is all that they say, and the rest. from is a query for the texts and the first two
// steps; of cells, same is "" or the name of the second step in it, and value the third, by columns.
func convertedSQL(l *loaded, conv converter, source string) (cells []conversion, from string) {
	var fast, same []string
	for i, col := range l.received() {
		ref := ident(col.name)
		names := [2]string{fmt.Sprintf(`"fast %d"`, i), fmt.Sprintf(`"same %d"`, i)} // no column is called so
		steps := conv.conversion(ref, names[0], names[1], col)
		if steps.fast != "" {
			fast = append(fast, steps.fast+" AS "+names[0])
		}
		if steps.same != "" {
			same = append(same, steps.same+" AS "+names[1])
			steps.same = names[1]
		}
		steps.value = fmt.Sprintf("(%s)::%s", steps.value, col.typ)
		cells = append(cells, steps)
	}
	step := func(added []string, from string) string {
		if len(added) == 0 {
			return from
		}
		return "SELECT *, " + strings.Join(added, ",\n") + " FROM (" + from + ")"
	}
	return cells, step(same, step(fast, source))
}

// checkStored compares what was stored with what the scan counted: records, and bytes of every column, read
// through the view that gives the texts back. It fills in the report on the way. Of a table that was stored
// before, it also compares the cells with those of the CSV, of which cells are the sums.
func (b *Builder) checkStored(
	ctx context.Context, c *sql.Conn, l *loaded, s *scanned, cells []int64,
) error {
	sums := []string{"count(*)"}
	columns := l.TableReport.received()
	for _, col := range columns {
		rejected := "0"
		if col.Type != "VARCHAR" {
			rejected = fmt.Sprintf("count(*) FILTER (%s)", col.isRejected())
		}
		sums = append(
			sums, fmt.Sprintf("coalesce(sum(strlen(%s)), 0)::BIGINT", col.received()),
			"count(t."+ident(col.Column)+")", rejected,
		)
	}
	counts := len(sums)
	if cells != nil {
		sums = append(sums, cellSums(l.TableReport)...)
	}
	got, err := queryInts(
		ctx, c, "SELECT "+strings.Join(sums, ",\n")+" FROM "+b.source(l.Table)+" AS t", len(sums),
	)
	if err != nil {
		return err
	}
	if got[0] != s.loadable || s.loadable+l.Quarantined != s.records {
		return fmt.Errorf(
			"the file has %d records, but %d were loaded and %d put into quarantine", s.records, got[0],
			l.Quarantined,
		)
	}
	if !slices.Equal(got[counts:], cells) {
		return ErrStoredDiffers
	}
	l.Rows, l.Rejected = got[0], 0
	for i := range l.Columns {
		l.Columns[i].Nulls = l.Rows
	}
	for i, col := range columns {
		bytes, values, rejected := got[3*i+1], got[3*i+2], got[3*i+3]
		stats := l.received()[i].stats
		if bytes != stats.bytes {
			return fmt.Errorf(
				"column %s has %d bytes in the file, but %d were loaded", col.Column, stats.bytes, bytes,
			)
		}
		if col.Type != "VARCHAR" && rejected != stats.filled-values {
			return fmt.Errorf(
				"column %s: %d cells have no value, but %d are listed", col.Column, stats.filled-values,
				rejected,
			)
		}
		report := l.report(col.Column)
		report.Nulls, report.Rejected = l.Rows-values, rejected
		l.Rejected += rejected
	}
	return nil
}

// report returns the report of a column, which there is.
func (r *TableReport) report(column string) *ColumnReport {
	for i := range r.Columns {
		if r.Columns[i].Column == column {
			return &r.Columns[i]
		}
	}
	return nil
}
