-- title: Recruiter scorecard
-- description: For each owner of cards: CVs sent, interviews, placements and fees; people who have left are
--   marked.
-- param since = 0001-01-01: Count cards made on this day or later, as 2024-01-31; without it all.
-- param until = 9999-12-31: Count cards made before this day; without it all.
select u.full_name, u.team_name, coalesce(bool_or(u.archived),false) leaver, count(*) cards, count(*) filter (where p.cv_sent_date is not null) cvs, count(*) filter (where p.interview_date is not null) interviews, count(*) filter (where p.status_code='PLACED') placed, round(cvs::double/nullif(interviews,0),1) cv_per_interview, sum(p.commission_value) fees
from job_pipelines p left join (select * from users qualify user_id is null or row_number() over (partition by user_id order by full_name) = 1) u on u.user_id=p.owner_id where p.created_on between $since::timestamp and $until::timestamp group by all order by fees desc nulls last, 1, 2
