package query

import (
	"fmt"
	"strings"
)

// A view is a relation made of others.
type view struct {
	name, about, sql string
	columns          [][2]string // name, description
}

// taskLinkSQL is one row a link of a task to a record. The field names of the links are those of the
// platform's API.
const taskLinkSQL = `SELECT task_id, upper(coalesce(link->>'type', link->>'recordType',
	link->>'record_type')) AS record_type,
	coalesce(link->>'_id', link->>'id', link->>'recordId', link->>'record_id') AS record_id
FROM (SELECT task_id, unnest(CASE WHEN json_type(linked_records) = 'ARRAY' THEN json_extract(linked_records,
	'$[*]') ELSE [linked_records] END) AS link
	FROM main.tasks WHERE linked_records IS NOT NULL)`

// sensitiveOwn are the columns of relations that come from no CSV in which there may be what is sensitive in
// the CSVs.
var sensitiveOwn = []string{"rejects.value", "quarantine.record", "timeline.detail", textTable + ".body"}

// textTable is the relation of the documents' texts, which archives of this version do not have: it is empty,
// so that SQL about it runs and finds nothing.
const textTable = "document_text"

// views returns the views that analysts start from. conv reads the times inside status logs like those of
// job_pipelines.
func views(conv converter) []view {
	return []view{
		{"stage_event",
			"When a candidate reached which stage of a job: from the card's status log where there is " +
				"one, else from its dates; and the stage it is in, without a time where neither has it.",
			stageEventSQL(conv), [][2]string{
				{"pipeline_id", "The card."}, {"job_id", "The job."}, {"candidate_id", "The candidate."},
				{"stage", "The stage reached."},
				{"event_time", "When; empty where that is not known."},
				{"by_id", "The user who moved the card, where that is known."},
				{
					"origin",
					"Where this is known from: status_log, a date's column, or status_code where only the " +
						"card itself says so.",
				}}},
		{"task_link", "The records that tasks are about, one row a link.", taskLinkSQL, [][2]string{
			{"task_id", "The task."},
			{"record_type", "The kind of record: CANDIDATE, CONTACT, COMPANY, JOB, …"},
			{"record_id", "The record."}}},
		{"timeline",
			"Everything dated that is known about a record: journal, stages, tasks, files, and the record " +
				"itself.", timelineSQL, [][2]string{
				{"record_type", "The kind of record: CANDIDATE, CONTACT, COMPANY, JOB, …"},
				{"record_id", "The record."}, {"event_time", "When."},
				{"kind", "Where this is known from: journal, stage, task, file, record."},
				{"what", "What happened."}, {"detail", "More about it."},
				{"by_id", "The user who did it, where that is known."}}},
		{textTable, "The texts of documents. Archives of this version have none: it is empty.",
			"SELECT doc_id, NULL::VARCHAR AS body FROM main.documents WHERE false", [][2]string{
				{"doc_id", "The document."}, {"body", "Its text."}}},
	}
}

// statusLog is the list of a card's moves: the platform writes it bare, its API inside an object.
const statusLog = `CASE WHEN json_type(status_log) = 'OBJECT' THEN json_extract(status_log, '$.statusLogs')
	ELSE status_log END`

func stageEventSQL(conv converter) string {
	when := conv.timestamp("since", shapeISO|shapeZoned|shapeSlashed|shapeEpoch)
	sql := fmt.Sprintf(`WITH logged AS (SELECT pipeline_id, job_id, candidate_id,
		coalesce(e->>'statusCode', e->>'currentStatusCode', e->>'currentStateId', e->>'currentStateName')
			AS stage,
		coalesce(e->>'addedOn', e->>'createdOn', e->>'date') AS since,
		coalesce(e->>'$.addedBy._id', e->>'$.addedBy.id', e->>'addedById', e->>'addedBy') AS by_id
	FROM (SELECT pipeline_id, job_id, candidate_id, unnest(json_extract(%s, '$[*]')) AS e
		FROM main.job_pipelines WHERE status_log IS NOT NULL)),
event AS (SELECT pipeline_id, job_id, candidate_id, stage, %s AS event_time, by_id, 'status_log' AS origin
	FROM logged`, statusLog, when)
	for _, d := range [][2]string{
		{"SHORTLIST", "shortlist_date"}, {"CV_SENT", "cv_sent_date"}, {"INTERVIEW", "interview_date"},
		{"OFFER", "offer_date"},
	} {
		sql += fmt.Sprintf(`
UNION ALL SELECT pipeline_id, job_id, candidate_id, '%s', %s, NULL, '%[2]s' FROM main.job_pipelines
	WHERE %[2]s IS NOT NULL AND coalesce(json_array_length(%[3]s), 0) = 0`, d[0], d[1], statusLog)
	}
	// A card may be in a stage that neither its log nor a date mentions: it counts, without a time.
	return sql + `)
SELECT * FROM event
UNION ALL SELECT pipeline_id, job_id, candidate_id, status_code, NULL, NULL, 'status_code'
	FROM main.job_pipelines AS p
	WHERE status_code IS NOT NULL AND NOT EXISTS (FROM event AS e WHERE e.pipeline_id = p.pipeline_id
		AND e.stage = p.status_code)`
}

var timelineSQL = strings.Join(append([]string{
	`SELECT upper(entity_type) AS record_type, entity_id AS record_id, event_time, 'journal' AS kind,
		coalesce(action, activity_code) AS what,
	nullif(concat_ws(' ', message, CASE WHEN coalesce(field, old_value, new_value) IS NOT NULL
		THEN concat(CASE WHEN message IS NOT NULL THEN '(' ELSE '' END,
			concat_ws(' ', field || ':', old_value, '->', new_value),
			CASE WHEN message IS NOT NULL THEN ')' ELSE '' END) END), '') AS detail, actor_id AS by_id
		FROM main.audit_logs WHERE entity_id IS NOT NULL`,
	`SELECT 'CANDIDATE', candidate_id, event_time, 'stage', stage, 'job ' || job_id, by_id
		FROM main.stage_event WHERE candidate_id IS NOT NULL AND event_time IS NOT NULL`,
	`SELECT 'JOB', job_id, event_time, 'stage', stage, 'candidate ' || candidate_id, by_id
		FROM main.stage_event WHERE job_id IS NOT NULL AND event_time IS NOT NULL`,
	`SELECT record_type, record_id, coalesce(t.completed_on, t.due_date, t.created_on), 'task', t.subject,
		t.status, t.assigned_to_id
	FROM main.task_link JOIN main.tasks AS t USING (task_id) WHERE record_id IS NOT NULL`,
	`SELECT upper(record_type), record_id, created_on, 'file', coalesce(document_type, 'file'), file_name,
		uploaded_by_id FROM main.attachments WHERE record_id IS NOT NULL`,
}, recordEvents()...), "\nUNION ALL ")

// recordEvents are what the records themselves have dates of.
func recordEvents() []string {
	var all []string
	for _, e := range []struct{ kind, table, key, what, column string }{
		{"CANDIDATE", "candidates", "candidate_id", "created", "created_on"},
		{"CANDIDATE", "candidates", "candidate_id", "changed", "modified_on"},
		{"CANDIDATE", "candidates", "candidate_id", "last contacted", "last_contacted"},
		{"CONTACT", "contacts", "contact_id", "created", "created_on"},
		{"CONTACT", "contacts", "contact_id", "changed", "modified_on"},
		{"CONTACT", "contacts", "contact_id", "last contacted", "last_contacted"},
		{"COMPANY", "companies", "company_id", "created", "created_on"},
		{"COMPANY", "companies", "company_id", "changed", "modified_on"},
		{"JOB", "jobs", "job_id", "created", "created_on"},
		{"JOB", "jobs", "job_id", "changed", "modified_on"},
	} {
		all = append(
			all,
			fmt.Sprintf(
				"SELECT '%s', %s, %s, 'record', '%s', reference, NULL FROM main.%s WHERE %[3]s IS NOT NULL",
				e.kind, e.key, e.column, e.what, e.table,
			),
		)
	}
	return all
}
