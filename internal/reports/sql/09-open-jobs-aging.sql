-- title: Open jobs by age
-- description: Jobs that were open at the snapshot, the oldest first, with their cards and the last move of
--   one.
select j.reference, j.title, co.name company, u.full_name as owner, date_diff('day', j.date_opened, snapshot_at()::date) days_open, count(p.pipeline_id) cards, max(greatest(p.created_on,p.cv_sent_date,p.interview_date,p.offer_date)) last_move
from (select * from jobs qualify job_id is null or row_number() over (partition by job_id order by title) = 1) j left join (select * from companies qualify company_id is null or row_number() over (partition by company_id order by name) = 1) co using(company_id) left join (select * from users qualify user_id is null or row_number() over (partition by user_id order by full_name) = 1) u on u.user_id=j.owner_id left join job_pipelines p using(job_id) where upper(j.status)='OPEN' group by all order by days_open desc, 1
