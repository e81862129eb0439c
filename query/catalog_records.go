package query

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"holdall/schemas"
)

// recordsSQL is a query for one row a record of the archive, for DB.Records: what it is, and a digest of its
// cells. Records that could not be loaded are there with the reason.
func (w *catalogWriter) recordsSQL() string {
	var all []string
	for i := range w.Tables {
		all = append(all, w.Tables[i].recordsSQL(w.Schema))
	}
	if name := w.Parts["quarantine"]; name != "" {
		all = append(all, "SELECT table_name, 'row ' || row_number, 'failed', sha256(record), reason "+
			"FROM main.quarantine")
	}
	if len(all) == 0 {
		all = append(all,
			"SELECT '' AS record_type, '' AS record_id, '' AS status, '' AS sha256, '' AS error "+
				"WHERE false")
	}
	return strings.Join(all, "\nUNION ALL ")
}

// recordsSQL is that query for one table. A record without a key goes by its place in the file.
func (r *TableReport) recordsSQL(schema []schemas.Table) string {
	id := "'row ' || (" + r.position() + ")"
	var cells []string
	for _, c := range r.received() {
		cells = append(cells, c.received())
		if t, ok := schemas.ByName(known(schema), r.Table); ok {
			if key, ok := t.PrimaryKey(); ok && key.Name == c.Column {
				id = fmt.Sprintf("coalesce(nullif(CAST(t.%s AS VARCHAR), ''), %s)", ident(c.Column), id)
			}
		}
	}
	return fmt.Sprintf("SELECT %s AS record_type, %s AS record_id, 'success' AS status, "+
		"sha256(concat_ws(chr(31), %s)) AS sha256, '' AS error FROM %s AS t",
		text(r.Table), id, strings.Join(append([]string{"''"}, cells...), ", "), readParquet(partOf(r.Table)))
}

// A Record is one row that an archive's tables hold, or one that could not be loaded.
type Record struct {
	Table  string
	ID     string // its key, or where it has none, "row 17": its place in the file as received
	Loaded bool
	SHA256 string // of U+001F and the text of a cell, as received, for each cell, in UTF-8
	Error  string // why it could not be loaded
}

// RecordsSQL is a query for the records of an archive, with the columns record_type, record_id, status
// (success or failed), sha256 and error.
const RecordsSQL = "SELECT record_type, record_id, status, sha256, error FROM " + catalog + ".holdall.records"

// Records calls use for each record of the archive, in no order; with an ID only for those of that table
// and ID.
func (d *DB) Records(ctx context.Context, table, id string, use func(Record) error) error {
	sql, params := RecordsSQL, map[string]string(nil)
	if id != "" {
		sql += " WHERE record_type = $type AND record_id = $id"
		params = map[string]string{"type": table, "id": id}
	}
	rows, err := d.Query(ctx, sql, params)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		v, err := rows.Strings()
		if err == nil {
			err = use(Record{v[0], v[1], v[2] == "success", v[3], v[4]})
		}
		if err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}
