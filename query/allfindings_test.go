package query

import (
	"context"
	"database/sql"
	"errors"
	"iter"
)

// Findings yields all findings, ordered by severity, code, table and record. Memory does not grow with their
// number.
func (b *Builder) Findings(ctx context.Context) iter.Seq2[Finding, error] {
	return func(yield func(Finding, error) bool) {
		stopped := false
		err := b.onConnection(ctx, func(c *sql.Conn) (err error) {
			defer func() {
				_, dropped := c.ExecContext(
					context.WithoutCancel(ctx), "DROP TABLE IF EXISTS temp.sorted_findings",
				)
				err = errors.Join(err, dropped)
			}()
			stopped, err = eachFinding(ctx, c, yield)
			return err
		})
		if err != nil && !stopped {
			yield(Finding{}, err)
		}
	}
}

// eachFinding reads the findings in pieces, since a result read in one go is kept in memory.
func eachFinding(
	ctx context.Context, c *sql.Conn, yield func(Finding, error) bool,
) (stopped bool, err error) {
	if err := execAll(ctx, c,
		`CREATE OR REPLACE TEMP TABLE sorted_findings AS SELECT code, severity, coalesce(table_name,
			'') AS table_name,
		coalesce(record_id, '') AS record_id, detail, found FROM findings ORDER BY `+findingRank+`, code,
			table_name, record_id, detail`); err != nil {
		return false, err
	}
	const piece = 4096
	for from := int64(0); ; from += piece {
		n, stopped, err := yieldFindings(ctx, c, from, from+piece, yield)
		if err != nil || stopped || n == 0 {
			return stopped, err
		}
	}
}

func yieldFindings(
	ctx context.Context, c *sql.Conn, from, to int64, yield func(Finding, error) bool,
) (n int, stopped bool, err error) {
	rows, err := c.QueryContext(ctx,
		`SELECT code, severity, table_name, record_id, detail, found = '`+foundTaking+
			`' FROM temp.sorted_findings
		WHERE rowid >= ? AND rowid < ? ORDER BY rowid`, from, to)
	if err != nil {
		return 0, false, err
	}
	defer rows.Close()
	for rows.Next() {
		var f Finding
		err := rows.Scan(&f.Code, &f.Severity, &f.Table, &f.RecordID, &f.Detail, &f.FromTakeover)
		if err != nil {
			return n, false, err
		}
		n++
		if !yield(f, nil) {
			return n, true, nil
		}
	}
	return n, false, rows.Err()
}
