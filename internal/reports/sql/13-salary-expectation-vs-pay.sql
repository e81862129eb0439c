-- title: Expected salary against pay
-- description: For cards that came as far as an interview: what candidates earn and expect, beside the most
--   that the job pays.
select j.title, count(*) n, median(c.current_salary) median_current, median(coalesce(c.expected_min_salary,c.current_salary)) median_expected, median(nullif(j.max_pay,0)) median_max_pay, j.pay_currency from job_pipelines p join jobs j using(job_id) join candidates c using(candidate_id) where p.status_code in ('INTERVIEW','OFFER','PLACED') group by j.title, j.pay_currency order by n desc
