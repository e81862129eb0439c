-- title: Exports and deletions
-- description: Who exported or deleted how much, by day; people who have left are marked.
select u.full_name, coalesce(u.archived,false) leaver, l.action, date_trunc('day',l.event_time) as day, count(*) n from audit_logs l left join (select * from users qualify user_id is null or row_number() over (partition by user_id order by full_name) = 1) u on u.user_id=l.actor_id where l.action in ('EXPORT','DELETE') group by all order by n desc, day desc, 1, 3
