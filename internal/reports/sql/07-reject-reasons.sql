-- title: Reasons for rejection
-- description: Why cards were rejected, and at which stage.
select coalesce(reject_reason,'(none given)') reason, status_code at_stage, count(*) n from job_pipelines where rejected group by all order by n desc, 1, 2
