-- title: People to rediscover
-- description: Candidates with a skill who came as far as an interview and were not contacted for 12 months
--   before the snapshot; who must not be contacted is left out.
-- param skill: A skill as it is written in the column skills of candidates.
select c.reference, c.full_name, c.headline, c.address_city, c.last_contacted, count(p.pipeline_id) filter (where p.interview_date is not null) interviews
from (select * from candidates qualify candidate_id is null or row_number() over (partition by candidate_id order by reference) = 1) c left join job_pipelines p using(candidate_id) where list_contains(c.skills, $skill) and not coalesce(c.do_not_contact,false) and coalesce(c.last_contacted, timestamp '1970-01-01') < snapshot_at() - interval 12 month group by all having interviews>0 order by interviews desc, last_contacted, 1
