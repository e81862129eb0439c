-- title: Fill rate by job title
-- description: How many of the jobs of each title were filled.
select title, count(*) jobs, count(*) filter (where placed) filled, round(100.0*filled/jobs,1) fill_pct from (select j.job_id, j.title, bool_or(p.status_code='PLACED') placed from jobs j left join job_pipelines p using(job_id) group by 1,2) group by 1 order by jobs desc, 1
