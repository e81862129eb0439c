package person

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"holdall/query"
	"holdall/schemas"
)

// termsOf returns the texts that name a person: ID, reference, e-mail addresses, and names of at least two
// words, all in lower case and without accents.
func termsOf(ctx context.Context, db *query.DB, m Match) ([]string, error) {
	t := tables[m.Type]
	reference, mail := "reference", addresses("email", "alternate_email")
	if m.Type == "USER" {
		reference, mail = "NULL", addresses("email")
	}
	rows, err := db.Query(ctx, fmt.Sprintf(`SELECT DISTINCT strip_accents(lower(trim(term))) AS term FROM (
	SELECT unnest([%s, %s, full_name, first_name || ' ' || surname, surname || ', ' ||
		first_name, surname || ' ' || first_name] || %s) AS term
	FROM %s WHERE %[1]s = $id) WHERE term IS NOT NULL
	ORDER BY 1`, t.key, reference, mail, t.table), map[string]string{"id": m.ID})
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		v, err := rows.Strings()
		if err != nil {
			return nil, err
		}
		isName := !strings.ContainsAny(v[0], "@0123456789")
		if len(v[0]) >= 3 && !(isName && len(strings.Fields(v[0])) < 2) {
			all = append(all, v[0])
		}
	}
	return all, rows.Err()
}

// labels say which record the rows of a table are about: SQL for its type, ID and name, and for the row's
// time.
var labels = map[string][4]string{
	"attachments":   {"record_type", "record_id", "record_name", "created_on"},
	"audit_logs":    {"entity_type", "entity_id", "entity_label", "event_time"},
	"candidates":    {"'CANDIDATE'", "candidate_id", "full_name", "modified_on"},
	"companies":     {"'COMPANY'", "company_id", "name", "modified_on"},
	"contacts":      {"'CONTACT'", "contact_id", "full_name", "modified_on"},
	"documents":     {"owner_type", "owner_id", "owner_name", "NULL"},
	"job_pipelines": {"'CANDIDATE'", "candidate_id", "candidate_name", "created_on"},
	"jobs":          {"'JOB'", "job_id", "title", "modified_on"},
	"tasks":         {"'TASK'", "task_id", "subject", "created_on"},
	"users":         {"'USER'", "user_id", "full_name", "created_on"},
}

// mentions looks for a person in all texts of rows that do not belong to them, quarantine and unknown tables
// included.
func mentions(known []query.TableReport, m Match, terms []string) Section {
	s := Section{Name: "mentions", Title: "Mentions in entries about others", Params: map[string]string{}}
	hit := hits(terms, s.Params)
	var selects []string
	for _, t := range known {
		if t.Kind == "view" || t.File == "" && t.Table != "quarantine" && t.Table != "rejects" {
			continue
		}
		for _, c := range t.Columns {
			if !isText(t.Table, c) {
				continue
			}
			own := ownRows(t, c, m)
			if own != "" {
				s.Params["id"] = m.ID
			}
			selects = append(selects, mentionsIn(t, c, own, hit))
		}
	}
	if len(terms) == 0 || len(selects) == 0 {
		s.Params, hit = map[string]string{}, func(string) string { return "false" }
		selects = []string{mentionsIn(
			query.TableReport{Table: "quarantine"}, query.ColumnReport{Column: "record"}, "", hit,
		)}
	}
	s.SQL = strings.Join(selects, "\nUNION ALL ") + "\nORDER BY place, event_time, record_id, \"column\""
	return s
}

// mentionsIn is SQL for the rows of a table in which one column mentions the person.
func mentionsIn(t query.TableReport, c query.ColumnReport, own string, hit func(string) string) string {
	label, ok := labels[t.Table]
	if !ok {
		label = [4]string{"NULL", "NULL", "NULL", "NULL"}
	}
	key := "NULL"
	if schema, ok := schemas.ByName(schemas.Recruitly(), t.Table); ok {
		if primary, ok := schema.PrimaryKey(); ok {
			key = query.QuoteName(primary.Name)
		}
	} else if t.Table == "documents" {
		key = "doc_id"
	}
	where := hit(query.QuoteName(c.Column) + "::VARCHAR")
	if own != "" {
		where = "NOT coalesce(" + own + ", false) AND " + where
	}
	return fmt.Sprintf(`SELECT '%s' AS place, %s::VARCHAR AS record_id, %s::VARCHAR AS about_type,
		%s::VARCHAR AS about_id, %s::VARCHAR AS about_name,
	%s::TIMESTAMP AS event_time, '%s' AS "column", %s::VARCHAR AS "text" FROM %s WHERE %s`,
		t.Table, key, label[0], label[1], label[2], label[3], strings.ReplaceAll(c.Column, "'", "''"),
		query.QuoteName(c.Column), query.QuoteName(t.Table), where)
}

// hits returns what makes SQL for whether a text has one of the terms, as whole words.
func hits(terms []string, params map[string]string) func(string) string {
	var patterns []string
	for i, term := range terms {
		params[fmt.Sprintf("t%d", i)] = term
		patterns = append(patterns, regexp.QuoteMeta(term))
	}
	if len(terms) > 0 {
		params["words"] = `(^|[^\pL\pN])(` + strings.Join(patterns, "|") + `)($|[^\pL\pN])`
	}
	return func(column string) string {
		text := "strip_accents(lower(" + column + "))"
		var any []string
		for i := range terms { // cheaper than the pattern, and seldom true
			any = append(any, fmt.Sprintf("contains(%s, $t%d)", text, i))
		}
		return fmt.Sprintf("(%s) AND regexp_matches(%s, $words)", strings.Join(any, " OR "), text)
	}
}

// isText reports whether a column may mention people, rather than refer to their records.
func isText(table string, c query.ColumnReport) bool {
	if c.Type != "VARCHAR" && c.Type != "VARCHAR[]" && c.Type != "JSON" {
		return false
	}
	switch table {
	case "documents":
		return c.Column == "original_name"
	case "quarantine":
		return c.Column == "record"
	case "rejects":
		return c.Column == "value"
	}
	schema, ok := schemas.ByName(schemas.Recruitly(), table)
	if !ok {
		return true
	}
	known, ok := schema.Column(c.Column)
	return !ok || known.Key == "" && known.References == ""
}

// shown is SQL for the rows of a table that other sections show.
var shown = map[string]string{
	"attachments": "record_id = $id", "audit_logs": "entity_id = $id", "documents": "owner_id = $id",
	"folder_records": "record_id = $id",
	"job_pipelines":  "candidate_id = $id OR contact_id = $id", "tasks": linkedTaskIDs,
	"candidates": "candidate_id = $id", "contacts": "contact_id = $id", "users": "user_id = $id",
}

// kindOf are the columns that say of which kind the record is that a row is about.
var kindOf = map[string]string{
	"attachments": "record_type", "audit_logs": "entity_type", "documents": "owner_type",
	"folder_records": "record_type",
}

// unread is SQL for the cells of the person's own rows that could not be read as what their columns hold:
// the other sections have nothing in their place.
func unread(known []query.TableReport, m Match) Section {
	s := Section{
		Name: "unread", Title: "Cells that could not be read, as received", Params: map[string]string{},
	}
	var selects []string
	for _, t := range known {
		own, ok := shown[t.Table]
		if !ok || t.Rejected == 0 || t.File == "" {
			continue
		}
		if kind, ok := kindOf[t.Table]; ok {
			own = "(" + own + ") AND " + m.isKind(kind)
		}
		s.Params["id"] = m.ID
		selects = append(selects, fmt.Sprintf(`SELECT r.* FROM rejects AS r
	JOIN raw.%s AS t ON t.row_number = r.row_number WHERE r.table_name = '%s' AND (%s)`,
			query.QuoteName(t.Table), t.Table, own))
	}
	if len(selects) == 0 {
		selects = []string{"FROM rejects WHERE false"}
	}
	s.SQL = strings.Join(selects, "\nUNION ALL ") + "\nORDER BY table_name, row_number, column_name"
	return s
}

const linkedTaskIDs = "task_id IN (SELECT task_id FROM task_link WHERE record_id = $id)"

// ownRows is SQL for whether a row mentions the person in a column because it is theirs: another section
// shows it, or it refers to them and the column has the name to the ID. It is "" for tables that nobody
// knows.
func ownRows(t query.TableReport, c query.ColumnReport, m Match) string {
	var any []string
	if own, ok := shown[t.Table]; ok {
		if kind, ok := kindOf[t.Table]; ok {
			own += " AND " + m.isKind(kind)
		}
		any = append(any, own)
	}
	if m.Type == "USER" && t.Table == "audit_logs" {
		any = append(any, "actor_id = $id")
	}
	if m.Type == "USER" && t.Table == "tasks" {
		any = append(any, "assigned_to_id = $id")
	}
	if strings.HasSuffix(c.Column, "_name") {
		for _, r := range referring(t) {
			any = append(any, query.QuoteName(r)+" = $id")
		}
	}
	return strings.Join(any, " OR ")
}

// referring returns the columns of a table that hold IDs of records.
func referring(t query.TableReport) []string {
	if t.Table == "documents" {
		return []string{"owner_id"}
	}
	schema, ok := schemas.ByName(schemas.Recruitly(), t.Table)
	if !ok {
		return nil
	}
	var all []string
	for _, c := range schema.Columns {
		if c.Type == "VARCHAR" && (c.Key == "primary" || c.References != "") {
			all = append(all, c.Name)
		}
	}
	return all
}

// references is SQL for how often each column of each table holds the ID.
func references(known []query.TableReport) string {
	var selects []string
	for _, t := range known {
		for _, c := range referring(t) {
			if slices.ContainsFunc(t.Columns, func(r query.ColumnReport) bool { return r.Column == c }) {
				selects = append(selects,
					fmt.Sprintf(`SELECT '%s' AS "table", '%s' AS "column", count(*) AS "rows" FROM %s
					WHERE %s = $id`,
						t.Table, c, query.QuoteName(t.Table), query.QuoteName(c)))
			}
		}
	}
	return `FROM (` + strings.Join(selects, "\nUNION ALL ") + `) WHERE "rows" > 0 ORDER BY ALL`
}
