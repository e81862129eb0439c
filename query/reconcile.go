package query

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"holdall/schemas"
)

// Rules is the version of the rules by which findings are made. It goes up with each change by which another
// finding can come of the same tables and documents: those that an archive records are its own version's.
const Rules = 1

// Reconcile compares the tables with each other and with the documents, and adds to findings. parts says
// which of attachments and cvs were received at all. A known table that was not loaded is there afterwards,
// empty.
func (b *Builder) Reconcile(ctx context.Context, parts map[string]bool) error {
	b.write.Lock()
	defer b.write.Unlock()
	giveBack()
	return b.inTransaction(ctx, func(c *sql.Conn) error {
		r := reconciler{
			b: b, parts: parts, missing: map[string]bool{}, filled: map[string]bool{},
			kinds: map[string][]string{},
		}
		if err := r.fillGaps(ctx, c); err != nil {
			return err
		}
		if err := r.findKinds(ctx, c); err != nil {
			return err
		}
		if err := insertFindings(ctx, c, dateFindings(b.tables)); err != nil {
			return err
		}
		checks := []func() []string{r.keys, r.references, r.attachments, r.cvs, r.documents, dropLost}
		if !b.opts.full() {
			// documents come with their owners, and what is missing was found while they were received
			checks = []func() []string{r.keys, r.references, r.documents}
		}
		for _, part := range checks {
			if err := execAll(ctx, c, part()...); err != nil {
				return err
			}
		}
		return nil
	})
}

// A reconciler makes the statements that compare. Each adds to findings.
type reconciler struct {
	b     *Builder
	parts map[string]bool
	// tables that were not received, or have no rows: what refers to them is not reported row by row
	missing map[string]bool
	// columns that have a value, as table.column: the others need no check
	filled map[string]bool
	kinds  map[string][]string // the kinds of records that a table's references name, by table
}

// fillGaps reports the known tables that were not received, and makes them, and documents, empty.
func (r *reconciler) fillGaps(ctx context.Context, c *sql.Conn) error {
	r.b.state.Lock()
	for _, l := range r.b.tables {
		r.missing[l.Table] = l.Rows == 0
		for _, col := range l.Columns {
			r.filled[l.Table+"."+col.Column] = col.Nulls < l.Rows
		}
	}
	tables := missingTables(r.b.opts.known(), r.b.tables)
	r.b.state.Unlock()
	unread, err := unreadTables(ctx, c, r.b.opts.known())
	if err != nil {
		return err
	}
	var found []Finding
	var gaps []string
	for _, t := range tables {
		r.missing[t.Name] = true
		if r.b.opts.full() { // elsewhere, a type without records makes no table
			found = append(found, absentTable(t, unread)...)
		}
		gaps = append(gaps, emptyTableSQL(t))
	}
	if err := execAll(ctx, c, append(gaps, emptyTableSQL(documentsTable))...); err != nil {
		return err
	}
	return insertFindings(ctx, c, found)
}

// emptyTableSQL is SQL for a table that was not received, empty.
func emptyTableSQL(t schemas.Table) string {
	columns := make([]string, len(t.Columns))
	for i, col := range t.Columns {
		columns[i] = ident(col.Name) + " " + col.Type
	}
	return fmt.Sprintf("CREATE TABLE IF NOT EXISTS main.%s (%s)", ident(t.Name), strings.Join(columns, ", "))
}

// emptyReport is the report on such a table.
func emptyReport(t schemas.Table) TableReport {
	report := TableReport{
		Table: t.Name, Known: t.Name != documentsTable.Name, Description: t.Description, Kind: "table",
	}
	for _, col := range t.Columns {
		report.Columns = append(
			report.Columns,
			ColumnReport{
				Column: col.Name, Type: col.Type, Description: col.Description, Sensitive: col.Sensitive,
				Known: true,
			},
		)
	}
	return report
}

// finding makes a statement that adds a finding for each row of from. id and detail are SQL.
func finding(code Code, severity Severity, table, id, detail, from string) string {
	return fmt.Sprintf(
		"INSERT INTO findings(code, severity, table_name, record_id, detail) SELECT %s, %s, %s, %s, %s "+
			"FROM %s",
		text(string(code)), text(string(severity)), text(table), id, detail, from,
	)
}

// keys reports keys that are not there or not unique.
func (r *reconciler) keys() []string {
	var all []string
	for _, t := range r.b.opts.known() {
		for _, c := range t.Columns {
			if c.Key == "" || !r.filled[t.Name+"."+c.Name] {
				continue // a key that no row has is not a key
			}
			all = append(all, finding(DuplicateKey, SeverityWarning, t.Name, "value",
				fmt.Sprintf("'%s is in ' || n || ' rows'", c.Name), repeatedSQL(t, c)))
			if c.Key == "primary" {
				all = append(all,
					finding(KeyMissing, SeverityWarning, t.Name, "NULL",
						fmt.Sprintf("n || ' rows have no %s'", c.Name),
						fmt.Sprintf(
							"(SELECT count(*) - count(%[1]s) AS n, count(%[1]s) AS rest FROM main.%[2]s) "+
								"WHERE n > 0 AND rest > 0",
							ident(c.Name), ident(t.Name),
						)))
			}
		}
	}
	return all
}

// repeatedSQL is a query for the values of a key that several rows have, and how many. Rows of one primary
// key count once. That is looked at only for values that are repeated: for all of them it takes five times
// the time.
func repeatedSQL(t schemas.Table, c schemas.Column) string {
	from, key := "main."+ident(t.Name), ident(c.Name)
	repeated := fmt.Sprintf(
		"SELECT %[1]s AS value, count(*) AS n FROM %[2]s WHERE %[1]s IS NOT NULL GROUP BY 1 HAVING n > 1",
		key, from,
	)
	primary, ok := t.PrimaryKey()
	if !ok || c.Key == "primary" {
		return "(" + repeated + ")"
	}
	return fmt.Sprintf(
		"(SELECT %[1]s AS value, count(*) AS n FROM %[2]s WHERE %[1]s IN (SELECT value FROM (%[3]s)) "+
			"GROUP BY 1 HAVING count(DISTINCT %[4]s) + count(*) FILTER (%[4]s IS NULL) > 1)",
		key, from, repeated, ident(primary.Name),
	)
}

// references reports references to records that are not there.
func (r *reconciler) references() []string {
	var all []string
	for _, t := range r.b.opts.known() {
		key, _ := t.PrimaryKey()
		for _, c := range t.Columns {
			switch {
			case c.References == "" || c.References == "*" || !r.filled[t.Name+"."+c.Name]:
			case c.References == "folder_records.folder_id":
				all = append(all, r.beyondExport(t.Name, c.Name, "a folder is known only by what is in it",
					fmt.Sprintf(
						"SELECT %[1]s FROM main.%[2]s WHERE %[1]s IS NOT NULL AND %[1]s NOT IN (SELECT "+
							"folder_id FROM main.folder_records WHERE folder_id IS NOT NULL)",
						ident(c.Name), ident(t.Name),
					)))
			default:
				all = append(all, r.reference(t.Name, key.Name, c.Name, c.References)...)
			}
		}
	}
	if !r.b.opts.full() {
		return all
	}
	for _, p := range polymorphics {
		all = append(all, r.polymorphic(p)...)
	}
	if r.filled["audit_logs.entity_id"] {
		all = append(all, r.auditLog())
	}
	if r.filled["job_pipelines.placement_ref"] {
		all = append(
			all,
			r.beyondExport(
				"job_pipelines", "placement_ref", "placements are not part of the export",
				"SELECT placement_ref FROM main.job_pipelines WHERE placement_ref IS NOT NULL",
			),
		)
	}
	return all
}

// reference reports each row whose reference into another table hits nothing. A cell may hold a list.
func (r *reconciler) reference(table, key, column, to string) []string {
	target, targetKey, _ := strings.Cut(to, ".")
	values := fmt.Sprintf(
		"(SELECT %s AS id, trim(unnest(string_split_regex(%s, '[;,]'))) AS value FROM main.%s WHERE %[2]s "+
			"IS NOT NULL)",
		ident(key), ident(column), ident(table),
	)
	dangling := fmt.Sprintf(
		"%s AS f WHERE value <> '' AND NOT EXISTS (FROM main.%s AS t WHERE t.%s = f.value)", values,
		ident(target), ident(targetKey),
	)
	if r.missing[target] {
		return []string{finding(ReferenceDangling, SeverityWarning, table, "NULL",
			fmt.Sprintf("n || ' values of %s have no record, as %s is missing or empty'", column, target),
			"(SELECT count(*) AS n FROM "+dangling+") WHERE n > 0")}
	}
	return []string{finding(ReferenceDangling, SeverityWarning, table, "id",
		fmt.Sprintf("'%s ' || value || ' is not in %s'", column, target), dangling)}
}

// beyondExport reports, once for a column, references that cannot be followed by design.
func (r *reconciler) beyondExport(table, column, why, values string) string {
	return finding(ReferenceDangling, SeverityInfo, table, "NULL",
		fmt.Sprintf("%s || n || ' values cannot be followed: %s'", text(column+": "), why),
		fmt.Sprintf("(SELECT count(*) AS n FROM (%s)) WHERE n > 0", values))
}

// A polymorphic is a table whose record_id is that of a record of the kind in record_type.
type polymorphic struct {
	table, key, from string
	needs            string // the column that is empty where there are no references
}

var polymorphics = []polymorphic{
	{"attachments", "attachment_id", "main.attachments", "record_id"},
	{"folder_records", "folder_record_id", "main.folder_records", "record_id"},
	{"tasks", "task_id", "(" + taskLinkSQL + ")", "linked_records"},
}

// findKinds finds the kinds of records that references name; "" is none.
func (r *reconciler) findKinds(ctx context.Context, c *sql.Conn) error {
	for _, p := range polymorphics {
		if !r.b.opts.full() || !r.filled[p.table+"."+p.needs] {
			continue
		}
		err := eachText(ctx, c,
			fmt.Sprintf("SELECT DISTINCT upper(record_type) FROM %s WHERE record_id IS NOT NULL", p.from),
			func(v []string) {
				r.kinds[p.table] = append(r.kinds[p.table], v[0])
			})
		if err != nil {
			return err
		}
	}
	return nil
}

// polymorphic reports references whose kind another column names. Kinds that the export does not contain are
// counted apart.
func (r *reconciler) polymorphic(p polymorphic) []string {
	var known, all []string
	elsewhere := false
	for _, kind := range r.kinds[p.table] {
		elsewhere = elsewhere || !slices.ContainsFunc(
			entityTables, func(e entityTable) bool { return e.kind == kind },
		)
	}
	for _, e := range entityTables {
		known = append(known, text(e.kind))
		if !slices.Contains(r.kinds[p.table], e.kind) {
			continue
		}
		where := fmt.Sprintf("%s AS f WHERE upper(f.record_type) = %s AND f.record_id IS NOT NULL AND NOT "+
			"EXISTS (FROM main.%s AS t WHERE t.%s = f.record_id)",
			p.from, text(e.kind), ident(e.table), ident(e.key))
		if r.missing[e.table] {
			all = append(all,
				finding(ReferenceDangling, SeverityWarning, p.table, "NULL",
					fmt.Sprintf(
						"n || ' values of record_id have no record, as %s is missing or empty'", e.table,
					),
					"(SELECT count(*) AS n FROM "+where+") WHERE n > 0"))
			continue
		}
		all = append(all, finding(ReferenceDangling, SeverityWarning, p.table, "f."+ident(p.key),
			fmt.Sprintf("'record_id ' || f.record_id || ' is not in %s'", e.table), where))
	}
	if elsewhere {
		all = append(all, finding(ReferenceDangling, SeverityInfo, p.table, "NULL",
			"'record_id: ' || n || ' values cannot be followed: the export has no table of kind ' || kind",
			fmt.Sprintf(
				"(SELECT upper(record_type) AS kind, count(*) AS n FROM %s AS f WHERE record_id IS NOT "+
					"NULL AND kind NOT IN (%s) GROUP BY 1)",
				p.from, strings.Join(known, ", "),
			)))
	}
	if !slices.Contains(r.kinds[p.table], "") {
		return all
	}
	return append(all, finding(ReferenceDangling, SeverityInfo, p.table, "NULL",
		"'record_id: ' || n || ' values without a kind are in none of the tables'",
		fmt.Sprintf(
			"(SELECT count(*) AS n FROM %s AS f WHERE record_type IS NULL AND record_id NOT IN (%s)) "+
				"WHERE n > 0",
			p.from, everyKeySQL(),
		)))
}

// auditLog counts journal entries about records that are not there. An audit log mentions deleted records, so
// that is not a fault.
func (r *reconciler) auditLog() string {
	return finding(ReferenceDangling, SeverityInfo, "audit_logs", "NULL",
		"'entity_id: ' || n || ' entries are about records of kind ' || kind || ' that the export does "+
			"not contain'",
		fmt.Sprintf(`(SELECT coalesce(upper(entity_type), 'unknown') AS kind, count(*) AS n
			FROM main.audit_logs
			WHERE entity_id IS NOT NULL AND entity_id NOT IN (%s) GROUP BY 1)`, everyKeySQL()))
}
