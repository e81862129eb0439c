package query

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"holdall/schemas"
)

// documentsTable describes documents like one of the ten. owner_name is ours; the other columns are those of the index.
var documentsTable = schemas.Table{
	Name: "documents", File: "index.csv",
	Description: "Every file of the attachments and the internal CVs, where it lies in the archive and whose it is.",
	Columns: []schemas.Column{
		{Name: "doc_id", Type: "VARCHAR", Key: "primary", Description: "Names the document within the export."},
		{Name: "part", Type: "VARCHAR", Description: "The part of the export it came in: attachments or cvs."},
		{Name: "pack", Type: "VARCHAR", Description: "The file of the archive that holds it, as a path from the archive's root."},
		{Name: "offset", Type: "BIGINT", Description: "Where its bytes begin in the pack."},
		{Name: "stored_size", Type: "BIGINT", Description: "Its bytes as they lie in the pack."},
		{Name: "size", Type: "BIGINT", Description: "Its bytes."},
		{Name: "method", Type: "VARCHAR", Description: "How it lies in the pack: stored or deflated."},
		{Name: "crc32", Type: "VARCHAR", Description: "CRC-32 of its content, 8 hexadecimal digits."},
		{Name: "sha256", Type: "VARCHAR", Description: "SHA-256 of its content, 64 hexadecimal digits."},
		{Name: "media_type", Type: "VARCHAR", Description: "What it is, by its bytes."},
		{Name: "owner_type", Type: "VARCHAR", Description: "The kind of record it belongs to: CANDIDATE, CONTACT, COMPANY, JOB, …"},
		{Name: "owner_id", Type: "VARCHAR", Description: "The record it belongs to."},
		{Name: "attachment_id", Type: "VARCHAR", References: "attachments.attachment_id", Description: "Its row in attachments."},
		{Name: "original_name", Type: "VARCHAR", Description: "Its name and path as received, as text."},
		{Name: "original_name_raw", Type: "VARCHAR", Description: "The bytes of that name in hexadecimal, where the text does not say them exactly."},
		{Name: "received_in", Type: "VARCHAR", Description: "The file of the export that it came in."},
		{Name: "received_modified", Type: "VARCHAR", Description: "When it was last changed, as the file that it came in says."},
		{Name: "state", Type: "VARCHAR", Description: "ok, damaged-in-source, locked, empty or error-page."},
		{Name: "text_state", Type: "VARCHAR", Description: "Whether its text could be taken out."},
		{Name: "matched_by", Type: "VARCHAR", Description: "How its row or owner was found: " +
			"id, path, email, name-size, name-owner, name; renamed-owner-size, renamed-size, renamed-owner where its name was changed; owner-size; " +
			"ambiguous when several fit; empty when none does."},
		{Name: "owner_name", Type: "VARCHAR", Description: "The name of the record it belongs to."},
	},
}

// LoadDocuments loads the index (its CSV, uncompressed) into documents. The index is ours: one that cannot be read to the
// last cell is an error.
func (b *Builder) LoadDocuments(ctx context.Context, indexCSV io.Reader) (err error) {
	f, err := os.CreateTemp(b.work, "index-*.csv")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := io.Copy(f, contextReader{ctx, indexCSV}); err != nil {
		return err
	}
	s, err := scanFile(ctx, f, encodingReport{name: encUTF8}, recogniser{[]schemas.Table{documentsTable}, "documents.csv"})
	if err != nil {
		return err
	}
	if s.loadable != s.records || len(s.headings) == 0 {
		return fmt.Errorf("%d of the index's %d rows do not fit its headings", s.records-s.loadable, s.records)
	}
	l := &loaded{schema: documentsTable, columns: planColumns(documentsTable, s)}
	l.TableReport = TableReport{Table: documentsTable.Name, File: documentsTable.File, Description: documentsTable.Description, Kind: "table"}
	b.write.Lock()
	defer b.write.Unlock()
	return b.onConnection(ctx, func(c *sql.Conn) error {
		if err := b.loadIndex(ctx, c, l, s, f); err != nil {
			return errors.Join(err, undo(context.WithoutCancel(ctx), c, documentsTable.Name))
		}
		return nil
	})
}

func (b *Builder) loadIndex(ctx context.Context, c *sql.Conn, l *loaded, s *scanned, f *os.File) error {
	read := b.readAsItIs
	if s.unclean != "" {
		read = b.readNormalised
	}
	if err := read(ctx, c, l, s, f); err != nil {
		return err
	}
	if err := b.checkRaw(ctx, c, l, s); err != nil {
		return err
	}
	if err := execAll(ctx, c, b.documentsSQL(l), dropRaw(documentsTable.Name)); err != nil {
		return err
	}
	return transact(ctx, c, func() error {
		if err := countCells(ctx, c, l, converter{}); err != nil {
			return err
		}
		return storeReport(ctx, c, &l.TableReport)
	})
}

// documentsSQL makes documents from raw.documents, with the names of the owners.
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
			selected = append(selected, fmt.Sprintf("nullif(d.%[1]s, '')::%[2]s AS %[1]s", ident(col.name), col.typ))
		}
	}
	return fmt.Sprintf(`CREATE TABLE main.documents AS
		WITH o AS (SELECT owner_type, owner_id, any_value(name) AS name FROM (%s) GROUP BY ALL)
		SELECT %s FROM raw.documents AS d LEFT JOIN o ON o.owner_id = d.owner_id AND o.owner_type = d.owner_type ORDER BY d.row_number`,
		b.ownerNames(), strings.Join(selected, ", "))
}

// ownerNames is a query for the names of all records that files can belong to.
func (b *Builder) ownerNames() string {
	var selects []string
	for _, o := range []struct{ kind, table, key, name string }{
		{"CANDIDATE", "candidates", "candidate_id", fullNameSQL},
		{"CONTACT", "contacts", "contact_id", fullNameSQL},
		{"COMPANY", "companies", "company_id", "name"}, {"JOB", "jobs", "job_id", "title"}, {"USER", "users", "user_id", "full_name"},
	} {
		table, _ := b.relation(o.table)
		selects = append(selects, fmt.Sprintf("SELECT %s AS owner_type, %s AS owner_id, %s AS name FROM %s", text(o.kind), o.key, o.name, table))
	}
	return strings.Join(selects, " UNION ALL ")
}

// Tenant returns the account's prefix of the record IDs, "" when there is none: an ID is four letters and 32 hexadecimal digits.
func (b *Builder) Tenant(ctx context.Context) (string, error) {
	var selects []string
	for _, t := range schemas.Recruitly() {
		key, _ := t.PrimaryKey()
		if table, ok := b.relation(t.Name); ok {
			selects = append(selects, fmt.Sprintf("(SELECT lower(%s) AS id FROM %s WHERE %[1]s IS NOT NULL LIMIT 1000)", ident(key.Name), table))
		}
	}
	if len(selects) == 0 {
		return "", nil
	}
	var prefix string
	err := b.db.QueryRowContext(ctx, fmt.Sprintf(`SELECT left(id, 4) AS prefix FROM (%s) WHERE regexp_full_match(id, '[a-z]{4}[0-9a-f]{32}')
		GROUP BY ALL ORDER BY count(*) DESC, prefix LIMIT 1`, strings.Join(selects, " UNION ALL "))).Scan(&prefix)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return prefix, err
}

// WriteParquet writes a typed table, or documents, to path as zstd Parquet and returns its rows. They stand in the order of
// the CSV, and the same table gives the same bytes.
func (b *Builder) WriteParquet(ctx context.Context, table, path string) (rows int64, err error) {
	b.write.Lock()
	defer b.write.Unlock()
	n, err := queryInts(ctx, b.db, "SELECT count(*) FROM main."+ident(table), 1)
	if err != nil {
		return 0, err
	}
	copySQL := fmt.Sprintf("COPY (SELECT * FROM main.%s) TO %s (FORMAT parquet, COMPRESSION zstd, PRESERVE_ORDER true, ROW_GROUP_SIZE 40960)", ident(table), text(path))
	result, err := b.db.ExecContext(ctx, copySQL)
	if err != nil {
		return 0, sqlError(copySQL, err)
	}
	if rows, err = result.RowsAffected(); err != nil || rows != n[0] {
		return rows, errors.Join(err, fmt.Errorf("%s has %d rows, but %d were written to %s", table, n[0], rows, path))
	}
	return rows, nil
}
