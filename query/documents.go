package query

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"holdall/internal/ctxio"
	"holdall/schemas"
)

// DocumentsTable is the name of the table of all documents.
const DocumentsTable = "documents"

// documentsTable describes documents like one of the ten. owner_name is ours; the other columns are those of
// the index.
var documentsTable = schemas.Table{
	Name: DocumentsTable, File: "index.csv",
	Description: "Every file of the attachments and the internal CVs, where it is in the archive and " +
		"whose it is.",
	Columns: []schemas.Column{
		{
			Name: "doc_id", Type: "VARCHAR", Key: "primary",
			Description: "Names the document within the export.",
		},
		{
			Name: "part", Type: "VARCHAR",
			Description: "The part of the export it came in: attachments or cvs.",
		},
		{
			Name: "pack", Type: "VARCHAR",
			Description: "The file of the archive that holds it, as a path from the archive's root.",
		},
		{Name: "offset", Type: "BIGINT", Description: "Where its bytes begin in the pack."},
		{Name: "stored_size", Type: "BIGINT", Description: "Its bytes as they are in the pack."},
		{Name: "size", Type: "BIGINT", Description: "Its bytes."},
		{Name: "method", Type: "VARCHAR", Description: "How it is kept in the pack: stored or deflated."},
		{Name: "crc32", Type: "VARCHAR", Description: "CRC-32 of its content, 8 hexadecimal digits."},
		{Name: "sha256", Type: "VARCHAR", Description: "SHA-256 of its content, 64 hexadecimal digits."},
		{Name: "media_type", Type: "VARCHAR", Description: "What it is, by its bytes."},
		{
			Name: "owner_type", Type: "VARCHAR",
			Description: "The kind of record it belongs to: CANDIDATE, CONTACT, COMPANY, JOB, …",
		},
		{Name: "owner_id", Type: "VARCHAR", Description: "The record it belongs to."},
		{
			Name: "attachment_id", Type: "VARCHAR", References: "attachments.attachment_id",
			Description: "Its row in attachments.",
		},
		{Name: "original_name", Type: "VARCHAR", Description: "Its name and path as received, as text."},
		{
			Name: "original_name_raw", Type: "VARCHAR",
			Description: "The bytes of that name in hexadecimal, where the text does not say them exactly.",
		},
		{Name: "received_in", Type: "VARCHAR", Description: "The file of the export that it came in."},
		{
			Name: "received_modified", Type: "VARCHAR",
			Description: "When it was last changed, as the file that it came in says.",
		},
		{Name: "state", Type: "VARCHAR", Description: "ok, damaged-in-source, locked, empty or error-page."},
		{Name: "text_state", Type: "VARCHAR", Description: "Whether its text could be taken out."},
		{Name: "matched_by", Type: "VARCHAR", Description: "How its row or owner was found: " +
			"id, path, email, name-size, name-owner, name; renamed-owner-size, renamed-size, " +
			"renamed-owner where its name was changed; owner-size; " +
			"ambiguous when several fit; empty when none does."},
		{Name: "owner_name", Type: "VARCHAR", Description: "The name of the record it belongs to."},
	},
}

// LoadDocuments loads the index (its CSV, uncompressed) into documents. The index is ours: one that cannot be
// read to the last cell is an error.
func (b *Builder) LoadDocuments(ctx context.Context, indexCSV io.Reader) (err error) {
	f, err := os.CreateTemp(b.work, "index-*.csv")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := io.Copy(f, ctxio.NewReader(ctx, indexCSV)); err != nil {
		return err
	}
	s, err := scanFile(
		ctx, f, encodingReport{name: encUTF8}, recogniser{[]schemas.Table{documentsTable}, "documents.csv"},
	)
	if err != nil {
		return err
	}
	if s.loadable != s.records || len(s.headings) == 0 {
		return fmt.Errorf(
			"%d of the index's %d rows do not fit its headings", s.records-s.loadable, s.records,
		)
	}
	l := &loaded{schema: documentsTable, columns: planColumns(documentsTable, s)}
	l.TableReport = TableReport{
		Table: documentsTable.Name, File: documentsTable.File, Description: documentsTable.Description,
		Kind: "table",
	}
	b.write.Lock()
	defer b.write.Unlock()
	return b.onConnection(ctx, func(c *sql.Conn) error {
		if err := b.loadIndex(ctx, c, l, s, f); err != nil {
			return errors.Join(
				err, execAll(context.WithoutCancel(ctx), c, "DROP TABLE IF EXISTS main.documents"),
			)
		}
		return nil
	})
}

func (b *Builder) loadIndex(ctx context.Context, c *sql.Conn, l *loaded, s *scanned, f *os.File) error {
	source := plainSource(l, s, f)
	if s.unclean != "" {
		normal, err := b.normalForm(ctx, c, l, s, f)
		defer os.Remove(normal)
		if err != nil {
			return err
		}
		source = normalisedSource(l, s, normal)
	}
	if err := execAll(ctx, c, "CREATE OR REPLACE TEMP TABLE index_rows AS "+source); err != nil {
		return err
	}
	if err := checkIndex(ctx, c, l, s); err != nil {
		return err
	}
	if err := execAll(ctx, c, b.documentsSQL(l), "DROP TABLE temp.index_rows"); err != nil {
		return err
	}
	return b.reportDocuments(ctx, c, l)
}

// checkIndex compares what DuckDB has read of the index with what the scan counted.
func checkIndex(ctx context.Context, c *sql.Conn, l *loaded, s *scanned) error {
	sums := []string{"count(*)"}
	columns := l.received()
	for _, col := range columns {
		sums = append(sums, fmt.Sprintf("coalesce(sum(strlen(%s)), 0)::BIGINT", ident(col.name)))
	}
	got, err := queryInts(ctx, c, "SELECT "+strings.Join(sums, ", ")+" FROM temp.index_rows", len(sums))
	if err != nil {
		return err
	}
	if got[0] != s.records {
		return fmt.Errorf("the index has %d rows, but %d were loaded", s.records, got[0])
	}
	for i, col := range columns {
		if got[i+1] != col.stats.bytes {
			return fmt.Errorf(
				"column %s has %d bytes in the index, but %d were loaded", col.name, col.stats.bytes,
				got[i+1],
			)
		}
	}
	return nil
}

// reportDocuments counts the values of the index, none of which may be lost.
func (b *Builder) reportDocuments(ctx context.Context, c *sql.Conn, l *loaded) error {
	l.describeColumns(converter{})
	counts := []string{"count(*)"}
	for _, col := range l.columns {
		counts = append(counts, fmt.Sprintf("count(%s)", ident(col.name)))
	}
	n, err := queryInts(ctx, c, "SELECT "+strings.Join(counts, ", ")+" FROM main.documents", len(counts))
	if err != nil {
		return err
	}
	l.Rows = n[0]
	for i, col := range l.columns {
		if col.typ != "VARCHAR" && n[i+1] != col.stats.filled {
			return fmt.Errorf(
				"column %s: %d of %d values could not be converted", col.name, col.stats.filled-n[i+1],
				col.stats.filled,
			)
		}
		l.TableReport.Columns[i].Nulls = l.Rows - n[i+1]
		l.TableReport.Columns[i].Layout, l.TableReport.Columns[i].Reason = "", ""
	}
	b.state.Lock()
	defer b.state.Unlock()
	b.documents = l.TableReport
	return nil
}

// documentsSQL makes documents from index_rows, with the names of the owners.
func (b *Builder) documentsSQL(l *loaded) string {
	var selected []string
	for i, col := range l.columns {
		switch {
		case col.name == "owner_name":
			selected = append(selected, "o.name AS owner_name")
			l.columns[i].stats.filled = 0
		case col.index < 0:
			selected = append(selected, fmt.Sprintf("NULL::%s AS %s", col.typ, ident(col.name)))
		default:
			selected = append(
				selected, fmt.Sprintf("nullif(d.%[1]s, '')::%[2]s AS %[1]s", ident(col.name), col.typ),
			)
		}
	}
	return fmt.Sprintf(`CREATE TABLE main.documents AS
		WITH o AS (SELECT owner_type, owner_id, any_value(name) AS name FROM (%s)
			WHERE owner_id IN (SELECT owner_id FROM temp.index_rows) GROUP BY ALL)
		SELECT %s FROM temp.index_rows AS d LEFT JOIN o ON o.owner_id = d.owner_id AND o.owner_type =
			d.owner_type ORDER BY d.rowid`,
		b.ownerNames(), strings.Join(selected, ", "))
}

// Tenant returns the account's prefix of the record IDs, "" when there is none: an ID is four letters and 32
// hexadecimal digits.
func (b *Builder) Tenant(ctx context.Context) (string, error) {
	var selects []string
	for _, t := range b.opts.known() {
		key, _ := t.PrimaryKey()
		if table, ok := b.relation(t.Name); ok {
			selects = append(
				selects,
				fmt.Sprintf(
					"(SELECT lower(%s) AS id FROM %s WHERE %[1]s IS NOT NULL LIMIT 1000)", ident(key.Name),
					table,
				),
			)
		}
	}
	if len(selects) == 0 {
		return "", nil
	}
	var prefix string
	err := b.db.QueryRowContext(ctx,
		fmt.Sprintf(`SELECT left(id, 4) AS prefix FROM (%s) WHERE regexp_full_match(id,
			'[a-z]{4}[0-9a-f]{32}')
		GROUP BY ALL ORDER BY count(*) DESC, prefix LIMIT
			1`, strings.Join(selects, " UNION ALL "))).Scan(&prefix)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return prefix, err
}

// WriteParquet writes a table that comes from no CSV (documents, findings, quarantine) to path as zstd
// Parquet and returns its rows, in their order.
func (b *Builder) WriteParquet(ctx context.Context, table, path string) (rows int64, err error) {
	b.write.Lock()
	defer b.write.Unlock()
	n, err := queryInts(ctx, b.db, "SELECT count(*) FROM main."+ident(table), 1)
	if err != nil {
		return 0, err
	}
	copySQL := fmt.Sprintf("COPY (SELECT * FROM main.%s) TO %s %s", ident(table), text(path), parquetOptions)
	result, err := b.db.ExecContext(ctx, copySQL)
	if err != nil {
		return 0, sqlError(copySQL, err)
	}
	if rows, err = result.RowsAffected(); err != nil || rows != n[0] {
		return rows, errors.Join(
			err, fmt.Errorf("%s has %d rows, but %d were written to %s", table, n[0], rows, path),
		)
	}
	return rows, nil
}
