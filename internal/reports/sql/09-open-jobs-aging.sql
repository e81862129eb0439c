-- title: Open jobs by age
-- description: Jobs that were open at the snapshot, the oldest first, with their cards and the last move of
--   one.
select j.reference, j.title, co.name company, u.full_name as owner, date_diff('day', j.date_opened, snapshot_at()::date) days_open, count(p.pipeline_id) cards, max(greatest(p.created_on,p.cv_sent_date,p.interview_date,p.offer_date)) last_move
from jobs j left join companies co using(company_id) left join users u on u.user_id=j.owner_id left join job_pipelines p using(job_id) where upper(j.status)='OPEN' group by all order by days_open desc
