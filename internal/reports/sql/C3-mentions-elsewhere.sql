-- title: Mentions of a text
-- description: Where a text, such as a name, is mentioned: in the journal, in notes, and in the text of
--   documents.
-- param q: The text to look for; case does not matter.
select 'audit' as place, audit_id as ref, left(message,80) as snippet from audit_logs where message ilike '%'||$q||'%' union all select 'note', candidate_id, left(internal_note,80) from candidates where internal_note ilike '%'||$q||'%' union all select 'document', doc_id, left(body,80) from document_text where body ilike '%'||$q||'%' limit 200
