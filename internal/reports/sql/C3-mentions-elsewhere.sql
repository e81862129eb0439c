-- title: Mentions of a text
-- description: Where a text, such as a name, is mentioned: in the journal, notes, comments, tasks and names of files.
--   "holdall person" searches what could not be loaded as well, and leaves out what is about the person.
-- param q: The text to look for; accents and case do not matter.
with t as (
select 'audit_logs' as place, audit_id as ref, 'message' as column_name, message as body from audit_logs
union all select 'audit_logs' as place, audit_id as ref, 'field' as column_name, field as body from audit_logs
union all select 'audit_logs' as place, audit_id as ref, 'old_value' as column_name, old_value as body from audit_logs
union all select 'audit_logs' as place, audit_id as ref, 'new_value' as column_name, new_value as body from audit_logs
union all select 'audit_logs' as place, audit_id as ref, 'entity_label' as column_name, entity_label as body from audit_logs
union all select 'candidates' as place, candidate_id as ref, 'internal_note' as column_name, internal_note as body from candidates
union all select 'candidates' as place, candidate_id as ref, 'overview' as column_name, overview as body from candidates
union all select 'candidates' as place, candidate_id as ref, 'conversation_thread' as column_name, conversation_thread as body from candidates
union all select 'candidates' as place, candidate_id as ref, 'preferences' as column_name, preferences as body from candidates
union all select 'candidates' as place, candidate_id as ref, 'reason_for_leaving' as column_name, reason_for_leaving as body from candidates
union all select 'contacts' as place, contact_id as ref, 'description' as column_name, description as body from contacts
union all select 'companies' as place, company_id as ref, 'description' as column_name, description as body from companies
union all select 'jobs' as place, job_id as ref, 'description' as column_name, description as body from jobs
union all select 'jobs' as place, job_id as ref, 'short_description' as column_name, short_description as body from jobs
union all select 'jobs' as place, job_id as ref, 'internal_description' as column_name, internal_description as body from jobs
union all select 'job_pipelines' as place, pipeline_id as ref, 'comments' as column_name, comments as body from job_pipelines
union all select 'job_pipelines' as place, pipeline_id as ref, 'reject_reason' as column_name, reject_reason as body from job_pipelines
union all select 'tasks' as place, task_id as ref, 'subject' as column_name, subject as body from tasks
union all select 'tasks' as place, task_id as ref, 'description' as column_name, description as body from tasks
union all select 'attachments' as place, attachment_id as ref, 'file_name' as column_name, file_name as body from attachments
union all select 'documents' as place, doc_id as ref, 'original_name' as column_name, original_name as body from documents
union all select 'document_text' as place, doc_id as ref, 'body' as column_name, body as body from document_text)
select place, ref, column_name, substring(body, greatest(1, strpos(strip_accents(lower(body)), strip_accents(lower($q))) - 40), 120) as snippet
from t where contains(strip_accents(lower(body)), strip_accents(lower($q))) order by 1, 2, 3
