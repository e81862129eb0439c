-- title: Growth of the candidate base
-- description: Candidates added in each quarter by source, with a running total.
select date_trunc('quarter', created_on) as quarter, source, count(*) added, sum(count(*)) over (partition by source order by date_trunc('quarter', created_on)) running from candidates group by 1,2 order by 1,2
