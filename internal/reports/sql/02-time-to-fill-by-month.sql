-- title: Time to fill
-- description: For the jobs opened in each month: how many were filled, and the days to the first offer
--   that led to a placement, as median and 90th percentile.
select date_trunc('month', j.date_opened) opened, count(distinct j.job_id) jobs, count(distinct j.job_id) filter (where p.offer_date is not null) filled, median(date_diff('day', j.date_opened, p.offer_date::date)) median_days, quantile_cont(date_diff('day', j.date_opened, p.offer_date::date),0.9) p90_days
from jobs j left join (select job_id, min(offer_date) offer_date from job_pipelines where status_code='PLACED' group by 1) p using(job_id) group by 1 order by 1
