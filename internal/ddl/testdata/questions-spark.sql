-- The 15 questions of analysts (internal/reports/sql) in Spark's SQL, with the values that the test gives to their parameters:
-- since 2015-01-01, until 2026-12-31, and {skill}.
-- name: 01-funnel
WITH stages AS (SELECT array('SOURCED','APPLIED','SHORTLIST','CV_SENT','INTERVIEW','OFFER','PLACED') AS names),
s AS (SELECT pipeline_id, max(array_position(names, status_code)) AS lvl FROM job_pipelines CROSS JOIN stages WHERE created_on >= DATE'2015-01-01' GROUP BY 1),
f AS (SELECT i AS lvl, element_at(names, i) AS stage, count(s.pipeline_id) AS reached FROM (SELECT explode(sequence(1, 7)) AS i) CROSS JOIN stages LEFT JOIN s ON s.lvl >= i GROUP BY 1, 2)
SELECT stage, reached, round(100D * reached / first_value(reached) OVER (ORDER BY lvl), 1) AS pct_of_all,
  round(100D * reached / nullif(lag(reached) OVER (ORDER BY lvl), 0), 1) AS pct_of_previous FROM f
-- name: 02-time-to-fill-by-month
WITH p AS (SELECT job_id, min(offer_date) AS offer_date FROM job_pipelines WHERE status_code = 'PLACED' GROUP BY 1)
SELECT CAST(trunc(j.date_opened, 'MM') AS TIMESTAMP_NTZ) AS opened, count(DISTINCT j.job_id) AS jobs, count(DISTINCT j.job_id) FILTER (WHERE p.offer_date IS NOT NULL) AS filled,
  median(datediff(p.offer_date, j.date_opened)) AS median_days, percentile(datediff(p.offer_date, j.date_opened), 0.9) AS p90_days
FROM jobs AS j LEFT JOIN p ON p.job_id = j.job_id GROUP BY 1
-- name: 03-days-in-stage
WITH e AS (SELECT *, lead(event_time) OVER (PARTITION BY pipeline_id ORDER BY event_time NULLS LAST) AS nxt FROM stage_event)
SELECT stage, count(*) AS n, median(datediff(nxt, event_time)) AS median_days, percentile(datediff(nxt, event_time), 0.9) AS p90 FROM e WHERE nxt IS NOT NULL GROUP BY 1
-- name: 04-source-of-hire
SELECT source, candidates, submissions, placements, round(100D * placements / nullif(submissions, 0), 2) AS pct, fees FROM (
  SELECT coalesce(c.source, '(none)') AS source, count(DISTINCT c.candidate_id) AS candidates, count(DISTINCT p.pipeline_id) AS submissions,
    count(DISTINCT p.pipeline_id) FILTER (WHERE p.status_code = 'PLACED') AS placements, sum(p.commission_value) FILTER (WHERE p.status_code = 'PLACED') AS fees
  FROM candidates AS c LEFT JOIN job_pipelines AS p ON p.candidate_id = c.candidate_id GROUP BY 1)
-- name: 05-recruiter-scorecard
SELECT full_name, team_name, leaver, cards, cvs, interviews, placed, round(CAST(cvs AS DOUBLE) / nullif(interviews, 0), 1) AS cv_per_interview, fees FROM (
  SELECT u.full_name, u.team_name, coalesce(bool_or(u.archived), false) AS leaver, count(*) AS cards, count_if(p.cv_sent_date IS NOT NULL) AS cvs,
    count_if(p.interview_date IS NOT NULL) AS interviews, count_if(p.status_code = 'PLACED') AS placed, sum(p.commission_value) AS fees
  FROM job_pipelines AS p LEFT JOIN users AS u ON u.user_id = p.owner_id
  WHERE p.created_on BETWEEN TIMESTAMP_NTZ'2015-01-01' AND TIMESTAMP_NTZ'2026-12-31' GROUP BY 1, 2)
-- name: 06-client-value-and-dormancy
SELECT name, jobs, open_jobs, placements, fees, last_job, 12 * (year(at) - year(last_job)) + month(at) - month(last_job) AS months_quiet FROM (
  SELECT co.name, count(DISTINCT j.job_id) AS jobs, count(DISTINCT j.job_id) FILTER (WHERE j.status = 'OPEN') AS open_jobs,
    count_if(p.status_code = 'PLACED') AS placements, sum(p.commission_value) AS fees, max(j.date_opened) AS last_job
  FROM companies AS co LEFT JOIN jobs AS j ON j.company_id = co.company_id LEFT JOIN job_pipelines AS p ON p.job_id = j.job_id GROUP BY 1)
CROSS JOIN (SELECT snapshot_at AS at FROM snapshot)
-- name: 07-reject-reasons
SELECT coalesce(reject_reason, '(none given)') AS reason, status_code AS at_stage, count(*) AS n FROM job_pipelines WHERE rejected GROUP BY 1, 2
-- name: 08-rediscover-placeable
SELECT c.reference, c.full_name, c.headline, c.address_city, c.last_contacted, count(p.pipeline_id) FILTER (WHERE p.interview_date IS NOT NULL) AS interviews
FROM candidates AS c LEFT JOIN job_pipelines AS p ON p.candidate_id = c.candidate_id
WHERE array_contains(c.skills, '{skill}') AND NOT coalesce(c.do_not_contact, false)
  AND coalesce(c.last_contacted, TIMESTAMP_NTZ'1970-01-01') < (SELECT snapshot_at FROM snapshot) - INTERVAL 12 MONTH
GROUP BY 1, 2, 3, 4, 5 HAVING interviews > 0 ORDER BY interviews DESC, last_contacted LIMIT 200
-- name: 09-open-jobs-aging
SELECT j.reference, j.title, co.name AS company, u.full_name AS owner, datediff((SELECT snapshot_at FROM snapshot), j.date_opened) AS days_open,
  count(p.pipeline_id) AS cards, max(greatest(p.created_on, p.cv_sent_date, p.interview_date, p.offer_date)) AS last_move
FROM jobs AS j LEFT JOIN companies AS co ON co.company_id = j.company_id LEFT JOIN users AS u ON u.user_id = j.owner_id
  LEFT JOIN job_pipelines AS p ON p.job_id = j.job_id WHERE upper(j.status) = 'OPEN' GROUP BY 1, 2, 3, 4, 5
-- name: 10-activity-heatmap
SELECT date_format(event_time, 'EEEE') AS day, hour(event_time) AS hour, count(*) AS n FROM audit_logs WHERE action IN ('CALL', 'EMAIL') GROUP BY 1, 2
-- name: 11-duplicate-people
WITH k AS (SELECT candidate_id, explode(array('email:' || lower(trim(email)), 'tel:' || right(regexp_replace(mobile, '\\D', ''), 9))) AS key FROM candidates)
SELECT key, count(*) AS n, to_json(array_sort(collect_list(candidate_id))) AS ids FROM k WHERE key IS NOT NULL GROUP BY 1 HAVING n > 1 ORDER BY n DESC, key LIMIT 500
-- name: 12-fill-rate-by-title
SELECT title, jobs, filled, round(100D * filled / jobs, 1) AS fill_pct FROM (
  SELECT title, count(*) AS jobs, count_if(placed) AS filled FROM (
    SELECT j.job_id, j.title, bool_or(p.status_code = 'PLACED') AS placed FROM jobs AS j LEFT JOIN job_pipelines AS p ON p.job_id = j.job_id GROUP BY 1, 2) GROUP BY 1)
-- name: 13-salary-expectation-vs-pay
SELECT j.title, count(*) AS n, median(c.current_salary) AS median_current, median(coalesce(c.expected_min_salary, c.current_salary)) AS median_expected,
  median(nullif(j.max_pay, 0)) AS median_max_pay, j.pay_currency
FROM job_pipelines AS p JOIN jobs AS j ON j.job_id = p.job_id JOIN candidates AS c ON c.candidate_id = p.candidate_id
WHERE p.status_code IN ('INTERVIEW', 'OFFER', 'PLACED') GROUP BY j.title, j.pay_currency
-- name: 14-cohort-growth
SELECT quarter, source, added, sum(added) OVER (PARTITION BY source ORDER BY quarter) AS running FROM (
  SELECT CAST(date_trunc('QUARTER', created_on) AS TIMESTAMP_NTZ) AS quarter, source, count(*) AS added FROM candidates GROUP BY 1, 2)
-- name: 15-open-tasks-by-leaver
SELECT u.full_name, coalesce(u.archived, false) OR coalesce(u.disabled, false) AS leaver, count_if(t.status IN ('TODO', 'DOING')) AS still_open,
  count_if(t.status IN ('TODO', 'DOING') AND t.due_date < (SELECT snapshot_at FROM snapshot)) AS overdue, min(t.due_date) AS oldest
FROM tasks AS t LEFT JOIN users AS u ON u.user_id = t.assigned_to_id GROUP BY 1, 2
