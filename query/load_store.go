package query

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// rowsPerGroup is how many rows of a Parquet file are stored together. It is DuckDB's own piece of work.
const rowsPerGroup = 122_880

// parquetOptions are those of every Parquet file that is kept.
var parquetOptions = fmt.Sprintf(
	"(FORMAT parquet, COMPRESSION zstd, PRESERVE_ORDER true, ROW_GROUP_SIZE %d)", rowsPerGroup,
)

// store writes the stored table of a CSV to its file, from source: a query for its texts.
func (b *Builder) store(ctx context.Context, c *sql.Conn, l *loaded, source string) error {
	conv := converter{order: l.readAs, zone: b.opts.TimeZone}
	return execAll(
		ctx, c,
		fmt.Sprintf("COPY (%s) TO %s %s", storedSQL(l, conv, source), text(b.File(l.Table)), parquetOptions),
	)
}

// storedSQL makes the stored table in three steps: what the texts mean in their columns' layouts, whether
// that is all that they say, and the rest.
func storedSQL(l *loaded, conv converter, source string) string {
	var fast, same, stored, kept []string
	if l.Numbered {
		stored = append(stored, rowNumber+"::BIGINT AS "+rowNumber)
	}
	for i, col := range l.received() {
		ref := ident(col.name)
		names := [2]string{fmt.Sprintf(`"fast %d"`, i), fmt.Sprintf(`"same %d"`, i)} // no column is called so
		steps := conv.conversion(ref, names[0], names[1], col)
		if steps.fast != "" {
			fast = append(fast, steps.fast+" AS "+names[0])
		}
		if steps.same != "" {
			same = append(same, steps.same+" AS "+names[1])
		}
		stored = append(stored, fmt.Sprintf("(%s)::%s AS %s", steps.value, col.typ, ref))
		switch {
		case col.typ == "VARCHAR":
		case steps.same == "":
			kept = append(kept, fmt.Sprintf("%s := nullif(%s, '')", ref, ref))
		default:
			kept = append(
				kept,
				fmt.Sprintf("%s := CASE WHEN %s OR %s = '' THEN NULL ELSE %s END", ref, names[1], ref, ref),
			)
		}
	}
	if len(kept) > 0 {
		stored = append(stored, fmt.Sprintf("struct_pack(%s) AS %s", strings.Join(kept, ", "), asReceived))
	}
	step := func(added []string, from string) string {
		if len(added) == 0 {
			return from
		}
		return "SELECT *, " + strings.Join(added, ",\n") + " FROM (" + from + ")"
	}
	return "SELECT " + strings.Join(stored, ",\n") + " FROM (" + step(same, step(fast, source)) + ")"
}

// checkStored compares what was stored with what the scan counted: records, and bytes of every column, read
// through the view that gives the texts back. It fills in the report on the way.
func (b *Builder) checkStored(ctx context.Context, c *sql.Conn, l *loaded, s *scanned) error {
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
