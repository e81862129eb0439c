-- title: Records past their retention time
-- description: Candidates with whom nothing has happened for some months before the snapshot, with consent
--   and whether they were ever placed.
-- param months = 24: After how many months without activity a record is due.
with act as (select record_id, max(event_time) last_at from timeline where record_type='CANDIDATE' and event_time <= snapshot_at() group by 1)
select c.reference, c.full_name, c.created_on, a.last_at, date_diff('month', a.last_at, snapshot_at()) idle_months, exists(from job_pipelines p where p.candidate_id=c.candidate_id and p.status_code='PLACED') ever_placed, c.marketing_emails consent from candidates c left join act a on a.record_id=c.candidate_id where coalesce(a.last_at,c.created_on) < snapshot_at() - to_months($months::int) order by idle_months desc, 1
