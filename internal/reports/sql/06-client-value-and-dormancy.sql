-- title: Client value and dormancy
-- description: For each company: jobs, placements, fees, and the months since its last job, counted back
--   from the snapshot.
select co.name, count(distinct j.job_id) jobs, count(distinct j.job_id) filter (where j.status='OPEN') open_jobs, count(*) filter (where p.status_code='PLACED') placements, sum(p.commission_value) fees, max(j.date_opened) last_job, date_diff('month', max(j.date_opened), snapshot_at()::date) months_quiet
from (select * from companies qualify company_id is null or row_number() over (partition by company_id order by name) = 1) co left join (select * from jobs qualify job_id is null or row_number() over (partition by job_id order by title) = 1) j using(company_id) left join job_pipelines p using(job_id) group by all order by fees desc nulls last, 1
