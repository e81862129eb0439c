-- title: Days in each stage
-- description: How many days cards stay in a stage before they move on, as median and 90th percentile.
with e as (select *, lead(event_time) over (partition by pipeline_id order by event_time) nxt from stage_event)
select stage, count(*) n, median(date_diff('day',event_time,nxt)) median_days, quantile_cont(date_diff('day',event_time,nxt),0.9) p90 from e where nxt is not null group by 1 order by median_days desc, 1
