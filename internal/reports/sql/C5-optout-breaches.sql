-- title: Contacts after an opt-out
-- description: E-mails and calls to candidates who must not be contacted, after their record was last
--   changed.
select c.reference, c.full_name, l.event_time, l.action, u.full_name by_user from audit_logs l join (select * from candidates qualify candidate_id is null or row_number() over (partition by candidate_id order by reference) = 1) c on c.candidate_id=l.entity_id left join (select * from users qualify user_id is null or row_number() over (partition by user_id order by full_name) = 1) u on u.user_id=l.actor_id where c.do_not_contact and l.action in ('EMAIL','CALL') and l.event_time>c.modified_on order by l.event_time desc, 1
