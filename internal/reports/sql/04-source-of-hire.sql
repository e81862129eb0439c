-- title: Source of hire
-- description: Where candidates come from, and how many of each source are put forward and placed, with the
--   fees earned.
select coalesce(c.source,'(none)') as source, count(distinct c.candidate_id) candidates, count(distinct p.pipeline_id) submissions, count(distinct p.pipeline_id) filter (where p.status_code='PLACED') placements, round(100.0*placements/nullif(submissions,0),2) pct, sum(p.commission_value) filter (where p.status_code='PLACED') fees
from (select * from candidates qualify candidate_id is null or row_number() over (partition by candidate_id order by source) = 1) c left join job_pipelines p using(candidate_id) group by 1 order by placements desc, 1
