-- title: What does not fit together
-- description: Rows without files, files without rows or owners, CVs that are said to be there and are not,
--   cards without a candidate.
select 'attachment row without file' as problem, count(*) n from attachments a where not exists(from documents d where d.attachment_id=a.attachment_id)
union all select 'file without a row', count(*) from documents where attachment_id is null and part='attachments'
union all select 'file tied to no person', count(*) from documents where owner_id is null
union all select 'has_cv but no CV in archive', count(*) from candidates c where has_cv and not exists(from documents d where d.owner_id=c.candidate_id and d.part='cvs')
union all select 'pipeline card without candidate', count(*) from job_pipelines p where not exists(from candidates c where c.candidate_id=p.candidate_id)
