package ddl

import (
	"fmt"
	"strings"
)

// spark writes tables and views for Apache Spark 3.4 and later, with or without a metastore:
// https://spark.apache.org/docs/latest/sql-ref-syntax-ddl-create-table-datasource.html
func (w *writer) spark() error {
	w.note("The tables and views of "+w.ID+" for Apache Spark (3.4 and later), read where they are.",
		"In place of snapshot_at(): (SELECT snapshot_at FROM snapshot).")
	for _, t := range w.Tables {
		var columns, nulls []string
		for _, c := range t.Columns {
			typ, err := typeFor(Spark, t, c)
			if err != nil {
				return err
			}
			columns = append(
				columns, fmt.Sprintf("  `%s` %s COMMENT %s", c.Name, typ, hiveText(c.About, 1000)),
			)
			nulls = append(nulls, fmt.Sprintf("CAST(NULL AS %s) AS `%s`", typ, c.Name))
		}
		if t.Path == "" {
			w.note("The export has no table " + t.Name + ": it is empty.")
			w.statement(
				"CREATE OR REPLACE VIEW `%s` AS SELECT %s WHERE false", t.Name, strings.Join(nulls, ", "),
			)
			continue
		}
		w.statement("CREATE TABLE `%s` (\n%s\n)\nUSING PARQUET\nCOMMENT %s\nLOCATION %s",
			t.Name, strings.Join(columns, ",\n"), hiveText(t.About, 1000), hiveText(w.at(t), 4000))
	}
	var meta []string
	for _, m := range w.Meta {
		meta = append(meta, fmt.Sprintf("(%s, %s)", hiveText(m[0], 1000), hiveText(m[1], 1000)))
	}
	w.statement(
		"CREATE OR REPLACE VIEW archive_meta AS SELECT * FROM VALUES %s AS m(`key`, `value`)",
		strings.Join(meta, ", "),
	)
	w.statement("CREATE OR REPLACE VIEW snapshot AS SELECT TIMESTAMP_NTZ %s AS snapshot_at", text(w.Snapshot))
	for _, v := range []View{
		{"stage_event", w.sparkStageEvent()}, {"task_link", sparkTaskLink}, {"timeline", sparkTimeline},
		{"document_text", sparkDocumentText},
	} {
		w.statement("CREATE OR REPLACE VIEW %s AS %s", v.Name, v.SQL)
	}
	return nil
}

const sparkDocumentText = "SELECT doc_id, CAST(NULL AS STRING) AS body FROM documents WHERE false"

// sparkTaskLink is the view task_link: one row a link of a task.
const sparkTaskLink = `SELECT task_id,
  upper(coalesce(get_json_object(link, '$.type'), get_json_object(link, '$.recordType'),
	get_json_object(link, '$.record_type'))) AS record_type,
  coalesce(get_json_object(link, '$._id'), get_json_object(link, '$.id'), get_json_object(link,
	'$.recordId'), get_json_object(link, '$.record_id')) AS record_id
FROM (SELECT task_id, explode(CASE WHEN linked_records LIKE '[%' THEN from_json(linked_records,
	'array<string>') ELSE array(linked_records) END) AS link
  FROM tasks WHERE linked_records IS NOT NULL)`

// statusLog is a card's moves: a list of JSON texts, bare or inside of an object.
const statusLog = `from_json(CASE WHEN trim(status_log) LIKE '{%' THEN get_json_object(status_log,
	'$.statusLogs') ELSE status_log END, 'array<string>')`

// sparkStageEvent is the view stage_event.
func (w *writer) sparkStageEvent() string {
	var b strings.Builder
	fmt.Fprintf(&b, `WITH card AS (SELECT *, %s AS moves FROM job_pipelines),
logged AS (SELECT pipeline_id, job_id, candidate_id,
    coalesce(get_json_object(e, '$.statusCode'), get_json_object(e, '$.currentStatusCode'),
	get_json_object(e, '$.currentStateId'), get_json_object(e, '$.currentStateName')) AS stage,
    trim(coalesce(get_json_object(e, '$.addedOn'), get_json_object(e, '$.createdOn'), get_json_object(e,
	'$.date'))) AS since,
    coalesce(get_json_object(e, '$.addedBy._id'), get_json_object(e, '$.addedBy.id'), get_json_object(e,
	'$.addedById'), get_json_object(e, '$.addedBy')) AS by_id
  FROM (SELECT pipeline_id, job_id, candidate_id, explode(moves) AS e FROM card)),
event AS (SELECT pipeline_id, job_id, candidate_id, stage, %s AS event_time, by_id, 'status_log' AS origin
	FROM logged`, statusLog, w.sparkTime("since"))
	for _, d := range [][2]string{
		{"SHORTLIST", "shortlist_date"}, {"CV_SENT", "cv_sent_date"}, {"INTERVIEW", "interview_date"},
		{"OFFER", "offer_date"},
	} {
		fmt.Fprintf(&b, `
  UNION ALL SELECT pipeline_id, job_id, candidate_id, '%s', %s, CAST(NULL AS STRING), '%[2]s' FROM card
	WHERE %[2]s IS NOT NULL AND coalesce(size(moves), 0) <= 0`, d[0], d[1])
	}
	b.WriteString(`)
SELECT * FROM event
UNION ALL SELECT pipeline_id, job_id, candidate_id, status_code, CAST(NULL AS TIMESTAMP_NTZ),
	CAST(NULL AS STRING), 'status_code' FROM job_pipelines AS p
  WHERE status_code IS NOT NULL AND NOT EXISTS (SELECT 1 FROM event AS e WHERE e.pipeline_id = p.pipeline_id
	AND e.stage = p.status_code)`)
	return b.String()
}

// sparkTime is SQL for a time in a text, in the archive's time zone: ISO 8601 with and without a zone, in
// figures with the day or month first, or epoch milliseconds.
func (w *writer) sparkTime(v string) string {
	const clock = `\\d{1,2}:\\d{2}(:\\d{2}(\\.\\d{1,9})?)?`
	local := func(instant string) string {
		return fmt.Sprintf(
			"convert_timezone(current_timezone(), %s, CAST(%s AS TIMESTAMP_NTZ))", text(w.Zone), instant,
		)
	}
	day := `$3-$2-$1$4`
	if w.MonthsUS {
		day = `$3-$1-$2$4`
	}
	return fmt.Sprintf(`CASE
    WHEN %[1]s RLIKE '^[1-9]\\d{3}[-/]\\d{2}[-/]\\d{2}([T ]%[2]s)?$' THEN CAST(replace(%[1]s, '/',
	'-') AS TIMESTAMP_NTZ)
    WHEN %[1]s RLIKE '^[1-9]\\d{3}[-/]\\d{2}[-/]\\d{2}[T ]%[2]s\\s?([Zz]|UTC|GMT|[-+]\\d{2}(:?\\d{2})?)$'
	THEN %[3]s
    WHEN %[1]s RLIKE '^\\d{1,2}[/.-]\\d{1,2}[/.-][1-9]\\d{3}(,?[T ]%[2]s)?$' THEN CAST(regexp_replace(%[1]s,
	'^(\\d+)[/.-](\\d+)[/.-](\\d{4}),?(.*)$', '%[4]s') AS TIMESTAMP_NTZ)
    WHEN %[1]s RLIKE '^(\\d{12,13}|-\\d{11,13})$' THEN %[5]s END`, v, clock,
		local(fmt.Sprintf(
			`CAST(regexp_replace(regexp_replace(replace(%s, '/', '-'), '\\s?(UTC|GMT|[Zz])$', '+00:00'),
				'\\s?([-+]\\d\\d):?(\\d\\d)?$', '$1:$2') AS TIMESTAMP)`,
			v,
		)),
		day, local(fmt.Sprintf("timestamp_millis(CAST(%s AS BIGINT))", v)))
}

// sparkTimeline is the view timeline.
var sparkTimeline = strings.Join(append([]string{
	`SELECT upper(entity_type) AS record_type, entity_id AS record_id, event_time, 'journal' AS kind,
		coalesce(action, activity_code) AS what,
  nullif(concat_ws(' ', message, CASE WHEN coalesce(field, old_value, new_value) IS NOT NULL
		THEN concat(CASE WHEN message IS NOT NULL THEN '(' ELSE '' END,
			concat_ws(' ', field || ':', old_value, '->', new_value),
			CASE WHEN message IS NOT NULL THEN ')' ELSE '' END) END), '') AS detail, actor_id AS by_id
	FROM audit_logs WHERE entity_id IS NOT NULL`,
	`SELECT 'CANDIDATE', candidate_id, event_time, 'stage', stage, 'job ' || job_id, by_id FROM stage_event
		WHERE candidate_id IS NOT NULL AND event_time IS NOT NULL`,
	`SELECT 'JOB', job_id, event_time, 'stage', stage, 'candidate ' || candidate_id, by_id FROM stage_event
		WHERE job_id IS NOT NULL AND event_time IS NOT NULL`,
	`SELECT record_type, record_id, coalesce(t.completed_on, t.due_date, t.created_on), 'task', t.subject,
		t.status, t.assigned_to_id
  FROM task_link JOIN tasks AS t USING (task_id) WHERE record_id IS NOT NULL`,
	`SELECT upper(record_type), record_id, created_on, 'file', coalesce(document_type, 'file'), file_name,
		uploaded_by_id FROM attachments WHERE record_id IS NOT NULL`,
}, recordEvents()...), "\nUNION ALL ")

// recordEvents are what the records themselves have dates of.
func recordEvents() (all []string) {
	for _, e := range [][4]string{
		{"CANDIDATE", "candidates", "created", "created_on"},
		{"CANDIDATE", "candidates", "changed", "modified_on"},
		{"CANDIDATE", "candidates", "last contacted", "last_contacted"},
		{"CONTACT", "contacts", "created", "created_on"}, {"CONTACT", "contacts", "changed", "modified_on"},
		{"CONTACT", "contacts", "last contacted", "last_contacted"},
		{"COMPANY", "companies", "created", "created_on"}, {"COMPANY", "companies", "changed", "modified_on"},
		{"JOB", "jobs", "created", "created_on"}, {"JOB", "jobs", "changed", "modified_on"},
	} {
		all = append(all,
			fmt.Sprintf("SELECT '%s', %s_id, %s, 'record', '%s', reference, CAST(NULL AS STRING) FROM %s "+
				"WHERE %[3]s IS NOT NULL",
				e[0], strings.ToLower(e[0]), e[3], e[2], e[1]))
	}
	return all
}
