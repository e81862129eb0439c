-- title: Open and overdue tasks
-- description: Tasks still open and overdue at the snapshot by whom they are assigned to, people who have
--   left first.
select u.full_name, coalesce(u.archived,false) or coalesce(u.disabled,false) leaver, count(*) filter (where t.status in ('TODO','DOING')) still_open, count(*) filter (where t.status in ('TODO','DOING') and t.due_date < snapshot_at()) overdue, min(t.due_date) oldest from tasks t left join users u on u.user_id=t.assigned_to_id group by all order by leaver desc, still_open desc
