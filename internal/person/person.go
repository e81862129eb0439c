// Package person gathers what an archive holds of one person: the record itself, files, pipeline, tasks,
// everything dated, where else the record is referred to, and where the person is mentioned in entries about
// others.
package person

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"holdall/query"
)

// A Match is a person that a search has found.
type Match struct {
	Type      string `json:"type"` // CANDIDATE, CONTACT or USER
	ID        string `json:"id"`
	Reference string `json:"reference"` // such as CA-1001
	Name      string `json:"name"`
}

// people is every record of a person. A name is compared without case and accents.
const people = `SELECT 'CANDIDATE' AS kind, candidate_id AS id, reference, full_name, concat_ws(' ',
	first_name, surname) AS parts, email, alternate_email
	FROM candidates
UNION ALL SELECT 'CONTACT', contact_id, reference, full_name, concat_ws(' ', first_name, surname), email,
	alternate_email FROM contacts
UNION ALL SELECT 'USER', user_id, NULL, full_name, concat_ws(' ', first_name, surname), email, NULL
	FROM users`

// ErrOtherTables says that an archive is of another source than this package knows.
var ErrOtherTables = errors.New("the archive has other tables of people")

// Find returns the people that who names: by ID, else by reference, else by e-mail address, else by whole
// name, else by words that all begin a word of a name. Whoever is found in an earlier way is meant, and
// nobody of the later ways is looked for.
func Find(ctx context.Context, db *query.DB, who string) ([]Match, error) {
	who = strings.TrimSpace(who)
	if who == "" {
		return nil, nil
	}
	tables, err := db.Tables(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range tables {
		if t.Table == "candidates" && !slices.ContainsFunc(t.Columns, func(c query.ColumnReport) bool {
			return c.Column == "full_name"
		}) {
			return nil, ErrOtherTables
		}
	}
	params := map[string]string{"who": who}
	words := []string{"true"}
	for i, w := range strings.Fields(strings.ReplaceAll(who, "-", " ")) {
		name := fmt.Sprintf("w%d", i)
		params[name] = w
		words = append(words, fmt.Sprintf("contains(name, ' ' || strip_accents(lower($%s)))", name))
	}
	sql := fmt.Sprintf(`WITH p AS (SELECT *, translate(' ' || strip_accents(lower(concat_ws(' ', full_name,
		parts))), '-', ' ') AS name FROM (%[3]s) WHERE id IS NOT NULL),
r AS (SELECT kind, id, reference, coalesce(full_name, parts) AS shown, CASE
	WHEN lower(id) = lower($who) THEN 1
	WHEN lower(reference) = lower($who) THEN 2
	WHEN list_contains(%[1]s, lower($who)) THEN 3
	WHEN strip_accents(lower($who)) IN (strip_accents(lower(full_name)), strip_accents(lower(parts))) THEN 4
	WHEN %[2]s THEN 5 END AS way FROM p)
SELECT kind, id, any_value(reference) AS reference, any_value(shown) AS shown FROM r
WHERE way = (SELECT min(way) FROM r) GROUP BY kind, id ORDER BY strip_accents(lower(any_value(shown))),
	kind, id`, addresses("email", "alternate_email"), strings.Join(words, " AND "), people)
	rows, err := db.Query(ctx, sql, params)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Match
	for rows.Next() {
		v, err := rows.Strings()
		if err != nil {
			return nil, err
		}
		all = append(all, Match{v[0], v[1], v[2], v[3]})
	}
	return all, rows.Err()
}

// Quarantined counts the records that could not be loaded and have who in their text: nobody who is in one
// of them is found.
func Quarantined(ctx context.Context, db *query.DB, who string) (n int, err error) {
	rows, err := db.Query(ctx, `SELECT count(*) AS n FROM quarantine
		WHERE contains(strip_accents(lower(record)), strip_accents(lower(trim($who))))`,
		map[string]string{"who": who})
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		v, err := rows.Strings()
		if err != nil {
			return 0, err
		}
		if n, err = strconv.Atoi(v[0]); err != nil {
			return 0, err
		}
	}
	return n, rows.Err()
}

// A Section is one part of what is known of a person: a query, and the values of its parameters.
type Section struct {
	Name   string // facts, files, …: its name in JSON
	Title  string
	SQL    string
	Params map[string]string
}

// keys of the tables of people.
var tables = map[string]struct{ table, key string }{
	"CANDIDATE": {"candidates", "candidate_id"}, "CONTACT": {"contacts", "contact_id"},
	"USER": {"users", "user_id"},
}

// Record is SQL for the record itself, as its table has it. Its one parameter is $id.
func (m Match) Record() string {
	t := tables[m.Type]
	return fmt.Sprintf("SELECT * FROM %s WHERE %s = $id", t.table, t.key)
}

// kinds are the kinds of records that a row may be about.
var kinds = []string{
	"CANDIDATE", "CONTACT", "USER", "COMPANY", "JOB", "TASK", "LEAD", "OPPORTUNITY", "PLACEMENT",
}

// isKind is SQL for whether a row that has the person's ID is about them, and not about a record of another
// kind with the same ID. A row that does not say its kind, or says it in a word that nobody knows, is: it
// would be nowhere else.
func (m Match) isKind(column string) string {
	others := slices.DeleteFunc(slices.Clone(kinds), func(k string) bool { return k == m.Type })
	return fmt.Sprintf("coalesce(upper(%s), '') NOT IN ('%s')", column, strings.Join(others, "', '"))
}

// Documents is SQL for whether a row of documents is of the person. Its one parameter is $id.
func (m Match) Documents() string { return "owner_id = $id AND " + m.isKind("owner_type") }

// addresses is SQL for all e-mail addresses in some columns, in lower case: a cell may have several, and
// names with them.
func addresses(columns ...string) string {
	return `regexp_extract_all(lower(concat_ws(' ', ` + strings.Join(columns, ", ") + `)),
		'[^\s;,<>()"]+@[^\s;,<>()"]+')`
}

// Sections returns the parts of what is known of a person, in the order in which they are shown.
func Sections(ctx context.Context, db *query.DB, m Match) ([]Section, error) {
	id := map[string]string{"id": m.ID}
	record := strings.Replace(m.Record(), "SELECT *", "SELECT COLUMNS(*)::VARCHAR", 1)
	all := []Section{
		{
			"facts", "Facts",
			`SELECT "column", "value" FROM (UNPIVOT (` + record +
				`) ON COLUMNS(*) INTO NAME "column" VALUE "value")`,
			id,
		},
		{"files", "Files", fmt.Sprintf(files, m.isKind("d.owner_type"), m.isKind("a.record_type")), id},
		{"pipeline", "Pipeline", fmt.Sprintf(pipeline, cardsOf[m.Type]), id},
		{"tasks", "Tasks", fmt.Sprintf(tasks, tasksOf[m.Type]), id},
		{
			"timeline", "Timeline",
			fmt.Sprintf(timeline, m.isKind("t.record_type")) + timelineOf[m.Type] +
				" ORDER BY event_time, kind",
			id,
		},
		{"folders", "Folders", fmt.Sprintf(folders, m.isKind("f.record_type")), id},
	}
	known, err := db.Tables(ctx)
	if err != nil {
		return nil, err
	}
	all = append(all, unread(known, m))
	all = append(all, Section{"references", "Where else the record is referred to", references(known), id})
	terms, err := termsOf(ctx, db, m)
	if err != nil {
		return nil, err
	}
	return append(all, mentions(known, m, terms)), nil
}

const files = `SELECT d.doc_id, d.original_name, d.media_type, d.size, d.state, d.part, d.attachment_id,
	a.document_type, a.created_on
FROM documents AS d LEFT JOIN attachments AS a ON a.attachment_id = d.attachment_id
	WHERE d.owner_id = $id AND %s
UNION ALL SELECT NULL, file_name, content_type, file_size, 'missing', 'attachments', attachment_id,
	document_type, created_on
FROM attachments AS a WHERE record_id = $id AND %s AND NOT EXISTS (FROM documents AS d
	WHERE d.attachment_id = a.attachment_id)
ORDER BY created_on, original_name`

const pipeline = `SELECT p.pipeline_id, p.job_id, coalesce(j.title, p.job_title) AS job, coalesce(co.name,
	p.company_name) AS company,
	p.candidate_id, p.candidate_name, p.status_code, p.rejected, p.reject_reason, p.shortlist_date,
		p.cv_sent_date, p.interview_date,
	p.offer_date, p.owner_name, p.comments, p.created_on,
	p.* EXCLUDE (pipeline_id, job_id, company_name, candidate_id, candidate_name, status_code, rejected,
		reject_reason, shortlist_date, cv_sent_date, interview_date, offer_date, owner_name, comments,
		created_on)
FROM job_pipelines AS p LEFT JOIN jobs AS j ON j.job_id = p.job_id LEFT JOIN companies AS co
	ON co.company_id = p.company_id
WHERE %s ORDER BY p.created_on`

// cardsOf says which cards are those of a person. The cards that a user works on are about others.
var cardsOf = map[string]string{
	"CANDIDATE": "p.candidate_id = $id", "CONTACT": "p.contact_id = $id",
	"USER": "false AND p.pipeline_id = $id",
}

const tasks = `SELECT t.task_id, t.subject, t.description, t.status, t.priority, t.due_date, t.completed_on,
	t.assigned_by_name, t.assigned_to_name, t.created_on, t.modified_on, t.reminder_date, t.linked_records
FROM tasks AS t WHERE %s ORDER BY t.created_on`

var tasksOf = map[string]string{
	"CANDIDATE": linkedTasks, "CONTACT": linkedTasks, "USER": linkedTasks + " OR t.assigned_to_id = $id",
}

const linkedTasks = "t." + linkedTaskIDs

const timeline = `SELECT t.event_time, t.kind, t.what, t.detail, u.full_name AS by_user FROM timeline AS t
	LEFT JOIN (SELECT user_id, any_value(full_name) AS full_name FROM users
		GROUP BY 1) AS u ON u.user_id = t.by_id
	WHERE t.record_id = $id AND %s`

const folders = `SELECT f.folder_name, f.folder_path, f.shared, o.full_name AS folder_of,
	a.full_name AS added_by, f.created_on, f.folder_id
FROM folder_records AS f
	LEFT JOIN (SELECT user_id, any_value(full_name) AS full_name FROM users GROUP BY 1) AS o
		ON o.user_id = f.owner_id
	LEFT JOIN (SELECT user_id, any_value(full_name) AS full_name FROM users GROUP BY 1) AS a
		ON a.user_id = f.created_by
WHERE f.record_id = $id AND %s ORDER BY f.created_on, f.folder_path`

// timelineOf adds what a user did: the journal is about other records then.
var timelineOf = map[string]string{"USER": ` UNION ALL SELECT event_time, 'journal', coalesce(action,
	activity_code),
	concat_ws(' ', entity_type, entity_label, message), actor_name FROM audit_logs WHERE actor_id = $id`}
