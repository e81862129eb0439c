package query

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"holdall/schemas"
)

// absentTable reports a known table that was not loaded. unread is what unreadTables returns.
func absentTable(t schemas.Table, unread map[string]Finding) []Finding {
	here, isHere := unread[t.Name]
	_, closed := unread[""]
	f := Finding{Code: TableMissing, Severity: SeverityError, Table: t.Name}
	switch {
	case isHere && here.Severity == SeverityError: // which is reported
		return nil
	case isHere:
		f.Code, f.Detail = TableUnreadable, "the table "+t.Name+" is not here as a CSV: "+here.Detail
	case closed:
		f.Detail = "no " + t.File + " was found; it may be in what was not opened"
	default:
		f.Detail = "the export has no " + t.File
	}
	return []Finding{f}
}

// unreadTables returns a finding for each table that came in a form that was not read, the gravest, and under
// "" one on something that may hold any of them: of none of these can it be said that the export lacks them.
func unreadTables(ctx context.Context, c *sql.Conn, known []schemas.Table) (map[string]Finding, error) {
	rows, err := c.QueryContext(ctx, "SELECT coalesce(table_name, '') AS name, min(severity), min(detail) "+
		"FROM main.findings WHERE code IN ("+unopenedCodes+", '"+string(TableUnreadable)+"') "+
		"OR code = '"+string(FileUnexpected)+"' AND table_name IS NOT NULL GROUP BY name")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	unread := map[string]Finding{}
	for rows.Next() {
		var name string
		var f Finding
		if err := rows.Scan(&name, &f.Severity, &f.Detail); err != nil { // error is the least of their names
			return nil, err
		}
		unread[name] = f
	}
	return unread, errors.Join(rows.Err(), refusedTables(ctx, c, known, unread))
}

// refusedTables adds to unread what refused entries of the data part were the tables of. There may be
// millions of them, of which only those are read that begin like a table's name.
func refusedTables(
	ctx context.Context, c *sql.Conn, known []schemas.Table, unread map[string]Finding,
) error {
	begins := []string{"false"}
	for _, t := range known {
		name := strings.TrimSuffix(schemas.Normalize(t.Name), "s")
		begins = append(begins, "starts_with(base, "+text(name)+")")
	}
	rows, err := c.QueryContext(ctx, `SELECT name, reason FROM (SELECT name, reason,
		regexp_replace(lower(regexp_extract(name, '[^/\\]*$')), '[^a-z0-9]', '', 'g') AS base
		FROM holdall.refused WHERE part NOT IN ('attachments', 'cvs'))
		WHERE `+strings.Join(begins, " OR ")+` ORDER BY name LIMIT 10000`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name, reason string
		if err := rows.Scan(&name, &reason); err != nil {
			return err
		}
		t, ok := schemas.ByFile(known, name)
		if _, is := unread[t.Name]; ok && !is {
			unread[t.Name] = Finding{
				Severity: SeverityWarning,
				Detail:   name + " came, but could not be read (" + reason + "); its stored bytes are kept",
			}
		}
	}
	return rows.Err()
}
