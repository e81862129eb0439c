-- title: Open and overdue tasks
-- description: Tasks still open and overdue at the snapshot by whom they are assigned to, people who have
--   left first.
select u.full_name, coalesce(u.archived,false) or coalesce(u.disabled,false) leaver, count(*) filter (where t.status in ('TODO','DOING')) still_open, count(*) filter (where t.status in ('TODO','DOING') and t.due_date < snapshot_at()) overdue, min(t.due_date) oldest from tasks t left join (select * from users qualify user_id is null or row_number() over (partition by user_id order by full_name) = 1) u on u.user_id=t.assigned_to_id group by all order by leaver desc, still_open desc, 1
