-- title: Timeline of a candidate
-- description: Everything dated that is known of one candidate, in order.
-- param person: The candidate's ID; "holdall person" finds it.
select event_time, kind, what, detail, u.full_name as by_user from timeline t left join (select * from users qualify user_id is null or row_number() over (partition by user_id order by full_name) = 1) u on u.user_id=t.by_id where record_type='CANDIDATE' and record_id=$person order by event_time, kind, what, detail
