package query

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"strings"

	"holdall/schemas"
)

// A Finding is one thing worth knowing about an export.
type Finding struct {
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	Table    string   `json:"table,omitempty"`
	RecordID string   `json:"record_id,omitempty"`
	Detail   string   `json:"detail"`
	// FromTakeover says that only the takeover could see it: it does not follow from the tables and the
	// index.
	FromTakeover bool `json:"taking,omitempty"`
}

// A FindingCount sums up the findings of one code.
type FindingCount struct {
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"` // the gravest
	Count    int      `json:"count"`
	Detail   string   `json:"detail"` // of the first one
}

// Where a finding comes from, as findings.found has it.
const (
	foundTaking  = "takeover"
	foundArchive = "archive"
)

// AddFindings adds findings that the takeover made, such as links that could not be fetched. Their number may
// be large: they are not kept in memory.
func (b *Builder) AddFindings(ctx context.Context, found iter.Seq2[Finding, error]) error {
	b.write.Lock()
	defer b.write.Unlock()
	return b.inTransaction(ctx, func(c *sql.Conn) error {
		return appendFindings(c, foundTaking, found)
	})
}

// A Refused is an entry of a container that was not taken over as a document. What is missing may be it.
type Refused struct {
	Part   string // attachments or cvs
	Name   string // in its container
	Reason string // why, in a word
	Size   int64  // of its content, in bytes; 0 where it is not known
}

// LoadRefused tells of refused entries, for Reconcile. Their number may be large: they are not kept in
// memory.
func (b *Builder) LoadRefused(ctx context.Context, entries iter.Seq2[Refused, error]) error {
	b.write.Lock()
	defer b.write.Unlock()
	return b.inTransaction(ctx, func(c *sql.Conn) error {
		return appendRows(c, catalog, "holdall", "refused", func(add func(...any) error) error {
			for e, err := range entries {
				if err != nil {
					return err
				}
				if err := add(e.Part, cleanText([]byte(e.Name)), e.Reason, e.Size); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func insertFindings(_ context.Context, c *sql.Conn, findings []Finding) error {
	if len(findings) == 0 {
		return nil
	}
	return appendFindings(c, foundArchive, listed(findings))
}

// listed yields the findings of a list.
func listed(findings []Finding) iter.Seq2[Finding, error] {
	return func(yield func(Finding, error) bool) {
		for _, f := range findings {
			if !yield(f, nil) {
				return
			}
		}
	}
}

func appendFindings(c *sql.Conn, where string, found iter.Seq2[Finding, error]) error {
	return appendRows(c, catalog, "main", "findings", func(add func(...any) error) error {
		for f, err := range found {
			if err != nil {
				return err
			}
			if err := add(
				string(f.Code), string(f.Severity), orNull(f.Table), orNull(f.RecordID),
				cleanText([]byte(f.Detail)), where,
			); err != nil {
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

const findingRank = "CASE severity WHEN 'error' THEN 1 WHEN 'warning' THEN 2 ELSE 3 END"

// FindingCounts sums the findings up, the gravest first.
func (b *Builder) FindingCounts(ctx context.Context) ([]FindingCount, error) {
	rows, err := b.db.QueryContext(ctx, `SELECT code, arg_min(severity, `+findingRank+`), count(*),
		arg_min(detail, (`+findingRank+`, coalesce(table_name, ''), coalesce(record_id, ''), detail))
			FROM findings
		GROUP BY code ORDER BY min(`+findingRank+`), code`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	sums := []FindingCount{}
	for rows.Next() {
		var f FindingCount
		if err := rows.Scan(&f.Code, &f.Severity, &f.Count, &f.Detail); err != nil {
			return nil, err
		}
		sums = append(sums, f)
	}
	return sums, rows.Err()
}

// ShownFindings returns the first findings of each code, at most so many, ordered by severity, code, table
// and record.
func (b *Builder) ShownFindings(ctx context.Context, each int) ([]Finding, error) {
	// to number the findings of each code would sort all of them once more
	rows, err := b.db.QueryContext(ctx,
		`SELECT code, f.severity, f.t, f.id, f.detail, f.found = '`+foundTaking+`' FROM (
			SELECT code, unnest(min({rank: `+findingRank+`, t: coalesce(table_name, ''),
				id: coalesce(record_id, ''), detail: detail, severity: severity, found: found}, ?)) AS f
			FROM findings GROUP BY code)
		ORDER BY f.rank, code, f.t, f.id, f.detail`, each)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := []Finding{}
	for rows.Next() {
		var f Finding
		err := rows.Scan(&f.Code, &f.Severity, &f.Table, &f.RecordID, &f.Detail, &f.FromTakeover)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, rows.Err()
}

// WriteFindings writes all findings to path, as lines of JSON ordered by severity, code, table and record.
// What a finding does not have is null.
func (b *Builder) WriteFindings(ctx context.Context, path string) error {
	b.write.Lock()
	defer b.write.Unlock()
	return execAll(ctx, b.db,
		`COPY (SELECT code, severity, table_name AS "table", record_id, detail, found = '`+foundTaking+
			`' AS taking FROM findings
		ORDER BY `+findingRank+`, code, coalesce(table_name, ''), coalesce(record_id, ''),
			detail) TO `+text(path)+` (FORMAT json)`)
}

// loadFindings says what is to be known about a file itself. What needs the other tables comes with
// Reconcile.
func loadFindings(l *loaded, s *scanned) []Finding {
	var found []Finding
	add := func(code Code, severity Severity, format string, args ...any) {
		found = append(
			found,
			Finding{Code: code, Severity: severity, Table: l.Table, Detail: fmt.Sprintf(format, args...)},
		)
	}
	if l.Table != l.schema.Name {
		add(
			TableRepeated, SeverityWarning,
			"%s is a further file named or built like %s; it was loaded as %s", l.File, l.schema.Name,
			l.Table,
		)
	}
	if !l.Known && l.Table == l.schema.Name {
		add(
			TableUnknown, SeverityInfo, "%s is not one of the known tables; it was loaded as %s", l.File,
			l.Table,
		)
	}
	switch {
	case len(s.headings) == 0:
		add(TableEmpty, SeverityWarning, "%s is empty; it has not even headings", l.File)
	case s.records == 0 && (l.Table == "candidates" || l.Table == "users"):
		add(TableEmpty, SeverityWarning, "%s has headings but no rows", l.File)
	case s.records == 0:
		add(TableEmpty, SeverityInfo, "%s has headings but no rows", l.File)
	}
	found = append(found, rowFindings(l, s)...)
	found = append(found, encodingFindings(l, s.encoding)...)
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
		found = append(found, cellFindings(l, c, l.TableReport.Columns[i].Rejected)...)
	}
	for severity, names := range missing {
		found = append(
			found,
			Finding{
				Code: ColumnsMissing, Severity: severity, Table: l.Table, Detail: strings.Join(names, ", "),
			},
		)
	}
	if len(unknown) > 0 && len(l.schema.Columns) > 0 {
		found = append(
			found,
			Finding{
				Code: ColumnsUnknown, Severity: SeverityInfo, Table: l.Table,
				Detail: strings.Join(unknown, ", "),
			},
		)
	}
	return found
}

// cellFindings reports on the cells of a column, of which so many were rejected.
func cellFindings(l *loaded, c column, rejected int64) []Finding {
	var found []Finding
	add := func(code Code, severity Severity, format string, args ...any) {
		detail := c.name + ": " + fmt.Sprintf(format, args...)
		found = append(found, Finding{Code: code, Severity: severity, Table: l.Table, Detail: detail})
	}
	if rejected > 0 {
		add(CellsRejected, SeverityWarning, "%d cells are %s; their text is in raw.%s and in rejects",
			rejected, converter{order: l.readAs}.rejection(c.typ, c.stats), l.Table)
	}
	found = append(found, numberFindings(l.Table, c)...)
	if c.stats.excel > 0 {
		add(CellsDamaged, SeverityWarning,
			`%d cells look changed by a spreadsheet program (4.47E+11, ="0044"); they are kept as received`,
			c.stats.excel)
	}
	if c.stats.nulls > 0 {
		add(CellsDamaged, SeverityInfo,
			`%d cells are \N, which databases write for no value; nothing in the file shows whether it `+
				"means that here, and they are kept as received", c.stats.nulls)
	}
	if c.stats.nuls > 0 {
		add(CellsDamaged, SeverityWarning, "%d cells hold NUL bytes; they are kept as received", c.stats.nuls)
	}
	return found
}

// missingSeverity is a warning for columns that tables are joined by and that an export was really seen to
// have.
func missingSeverity(c column) Severity {
	seen := c.evidence == "spreadsheet" || c.evidence == "api"
	if seen && (c.key == "primary" || c.refers != "") {
		return SeverityWarning
	}
	return SeverityInfo
}

// dateFindings reports files whose dates can be read both ways. Where the other files of the export agree
// with how this one was read, it is only worth knowing.
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
			f.Detail = fmt.Sprintf("%d dates can only be day first and %d only month first; all were read "+
				"as %s, and those that do not fit rejected",
				l.dates.dayFirst, l.dates.monthFirst, l.readAs)
		case l.Dates != orderAmbiguous:
			continue
		case orders[orderDMY] > 0 && orders[orderMDY] == 0:
			f.Severity = SeverityInfo
			f.Detail = fmt.Sprintf(
				"no day in %d dates exceeds 12; they were read as day first, like those of the other tables",
				l.dates.slashed,
			)
		case orders[orderMDY] > 0:
			f.Detail = fmt.Sprintf(
				"no day in %d dates exceeds 12; they were read as day first, but other tables are month "+
					"first",
				l.dates.slashed,
			)
		default:
			f.Detail = fmt.Sprintf(
				"no day in %d dates exceeds 12; they were read as day first because that is the usual "+
					"setting",
				l.dates.slashed,
			)
		}
		found = append(found, f)
	}
	return found
}

// missingTables returns the known tables that were not loaded.
func missingTables(known []schemas.Table, tables []*loaded) []schemas.Table {
	have := map[string]bool{}
	for _, l := range tables {
		have[l.Table] = true
	}
	var missing []schemas.Table
	for _, t := range known {
		if !have[t.Name] {
			missing = append(missing, t)
		}
	}
	return missing
}
