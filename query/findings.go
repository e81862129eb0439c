package query

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"strings"

	"holdall/schemas"
)

// A Finding is one thing somebody should know about an export.
type Finding struct {
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	Table    string   `json:"table,omitempty"`
	RecordID string   `json:"record_id,omitempty"`
	Detail   string   `json:"detail"`
}

// AddFindings adds findings made elsewhere, such as links that could not be fetched.
func (b *Builder) AddFindings(ctx context.Context, f []Finding) error {
	b.write.Lock()
	defer b.write.Unlock()
	return b.inTransaction(ctx, func(c *sql.Conn) error { return insertFindings(ctx, c, f) })
}

func insertFindings(ctx context.Context, c *sql.Conn, findings []Finding) error {
	if len(findings) == 0 {
		return nil
	}
	return appendRows(c, catalog, "main", "findings", func(add func(...any) error) error {
		for _, f := range findings {
			if err := add(string(f.Code), string(f.Severity), orNull(f.Table), orNull(f.RecordID), f.Detail); err != nil {
				return err
			}
		}
		return nil
	})
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// Findings yields all findings, ordered by severity, code, table and record.
func (b *Builder) Findings(ctx context.Context) iter.Seq2[Finding, error] {
	return func(yield func(Finding, error) bool) {
		rows, err := b.db.QueryContext(ctx, `SELECT code, severity, coalesce(table_name, ''), coalesce(record_id, ''), detail FROM findings
			ORDER BY CASE severity WHEN 'error' THEN 1 WHEN 'warning' THEN 2 ELSE 3 END, code, table_name NULLS FIRST, record_id NULLS FIRST, detail`)
		if err != nil {
			yield(Finding{}, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			var f Finding
			err := rows.Scan(&f.Code, &f.Severity, &f.Table, &f.RecordID, &f.Detail)
			if !yield(f, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(Finding{}, err)
		}
	}
}

// loadFindings says what is to be known about a file itself. What needs the other tables comes with Reconcile.
func loadFindings(l *loaded, s *scanned) []Finding {
	var found []Finding
	add := func(code Code, severity Severity, format string, args ...any) {
		found = append(found, Finding{Code: code, Severity: severity, Table: l.Table, Detail: fmt.Sprintf(format, args...)})
	}
	if l.Table != l.schema.Name {
		add(TableRepeated, SeverityWarning, "%s is a further file named or built like %s; it was loaded as %s", l.File, l.schema.Name, l.Table)
	}
	if !l.Known && l.Table == l.schema.Name {
		add(TableUnknown, SeverityInfo, "%s is none of the ten known tables; it was loaded as %s", l.File, l.Table)
	}
	switch {
	case len(s.headings) == 0:
		add(TableEmpty, SeverityWarning, "%s is empty; it has not even headings", l.File)
	case s.records == 0 && (l.Table == "candidates" || l.Table == "users"):
		add(TableEmpty, SeverityWarning, "%s has headings but no rows", l.File)
	case s.records == 0:
		add(TableEmpty, SeverityInfo, "%s has headings but no rows", l.File)
	}
	if l.Quarantined > 0 {
		add(RowsRagged, SeverityWarning, "%d of %d records have more or fewer cells than headings, or quotes that make no sense; they are kept in quarantine, not in %s",
			l.Quarantined, s.records, l.Table)
	}
	if s.encoding.foreign > 0 {
		add(EncodingMixed, SeverityWarning, "%d bytes are not UTF-8 although the rest is; they were read as windows-1252", s.encoding.foreign)
	}
	if len(s.headings) > 0 {
		found = append(found, columnFindings(l)...)
	}
	return found
}

// columnFindings compares a file's columns with the schema, and reports on their cells.
func columnFindings(l *loaded) []Finding {
	var found []Finding
	missing := map[Severity][]string{}
	var unknown []string
	for i, c := range l.columns {
		if c.known && c.index < 0 {
			severity := missingSeverity(c)
			missing[severity] = append(missing[severity], c.name)
		}
		if !c.known && c.heading != "" {
			unknown = append(unknown, fmt.Sprintf("%q (%s, %s)", c.heading, c.name, c.typ))
		}
		if n := l.TableReport.Columns[i].Rejected; n > 0 {
			found = append(found, Finding{CellsRejected, SeverityWarning, l.Table, "",
				fmt.Sprintf("%s: %d cells are %s; their text is in raw.%s and in rejects", c.name, n, converter{order: l.readAs}.rejection(c.typ, c.stats), l.Table)})
		}
		if c.stats.excel > 0 {
			found = append(found, Finding{CellsDamaged, SeverityWarning, l.Table, "",
				fmt.Sprintf(`%s: %d cells look changed by a spreadsheet program (4.47E+11, ="0044"); they are kept as received`, c.name, c.stats.excel)})
		}
		if c.stats.nuls > 0 {
			found = append(found, Finding{CellsDamaged, SeverityWarning, l.Table, "",
				fmt.Sprintf("%s: %d cells hold NUL bytes; they are kept as received", c.name, c.stats.nuls)})
		}
	}
	for severity, names := range missing {
		found = append(found, Finding{ColumnsMissing, severity, l.Table, "", strings.Join(names, ", ")})
	}
	if len(unknown) > 0 && len(l.schema.Columns) > 0 {
		found = append(found, Finding{ColumnsUnknown, SeverityInfo, l.Table, "", strings.Join(unknown, ", ")})
	}
	return found
}

// missingSeverity is a warning for columns that tables are joined by and that an export was really seen to have.
func missingSeverity(c column) Severity {
	seen := c.evidence == "spreadsheet" || c.evidence == "api"
	if seen && (c.key == "primary" || c.refers != "") {
		return SeverityWarning
	}
	return SeverityInfo
}

// dateFindings reports files whose dates can be read both ways. Where the other files of the export agree with how this one
// was read, it is only worth knowing.
func dateFindings(tables []*loaded) []Finding {
	orders := map[string]int{}
	for _, l := range tables {
		orders[l.Dates]++
	}
	var found []Finding
	for _, l := range tables {
		f := Finding{Code: DatesAmbiguous, Severity: SeverityWarning, Table: l.Table}
		switch {
		case l.Dates == orderMixed:
			f.Detail = fmt.Sprintf("%d dates can only be day first and %d only month first; all were read as %s, and those that do not fit rejected",
				l.dates.dayFirst, l.dates.monthFirst, l.readAs)
		case l.Dates != orderAmbiguous:
			continue
		case orders[orderDMY] > 0 && orders[orderMDY] == 0:
			f.Severity = SeverityInfo
			f.Detail = fmt.Sprintf("no day in %d dates exceeds 12; they were read as day first, like those of the other tables", l.dates.slashed)
		case orders[orderMDY] > 0:
			f.Detail = fmt.Sprintf("no day in %d dates exceeds 12; they were read as day first, but other tables are month first", l.dates.slashed)
		default:
			f.Detail = fmt.Sprintf("no day in %d dates exceeds 12; they were read as day first because that is the usual setting", l.dates.slashed)
		}
		found = append(found, f)
	}
	return found
}

// missingTables returns the known tables that were not loaded.
func missingTables(tables []*loaded) []schemas.Table {
	have := map[string]bool{}
	for _, l := range tables {
		have[l.Table] = true
	}
	var missing []schemas.Table
	for _, t := range schemas.Recruitly() {
		if !have[t.Name] {
			missing = append(missing, t)
		}
	}
	return missing
}
