-- title: Activity by weekday and hour
-- description: Calls and e-mails in the journal by weekday and hour.
select dayname(event_time) as day, hour(event_time) as hour, count(*) n from audit_logs where action in ('CALL','EMAIL') group by all order by isodow(any_value(event_time)), hour
