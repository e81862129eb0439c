-- title: Recruitment funnel
-- description: How many cards reached each stage of the pipeline, as a share of all cards and of the stage
--   before.
-- param since = 0001-01-01: Count cards made on this day or later, as 2024-01-31; without it all.
with s as (select pipeline_id, max(list_position(['SOURCED','APPLIED','SHORTLIST','CV_SENT','INTERVIEW','OFFER','PLACED'], status_code)) lvl from job_pipelines where created_on >= $since::date group by 1),
f as (select i lvl, ['SOURCED','APPLIED','SHORTLIST','CV_SENT','INTERVIEW','OFFER','PLACED'][i] stage, (select count(*) from s where s.lvl>=i) reached from range(1,8) t(i))
select stage, reached, round(100.0*reached/first_value(reached) over (order by lvl),1) pct_of_all, round(100.0*reached/nullif(lag(reached) over (order by lvl),0),1) pct_of_previous from f order by lvl
