-- title: Worker record
-- description: What regulation 29 of the Conduct of Employment Agencies and Employment Businesses
--   Regulations 2003 asks to be kept of one candidate.
-- param person: The candidate's ID; "holdall person" finds it.
select c.reference, c.full_name, c.date_of_birth, c.created_on application_received, (select list(distinct co.name) from job_pipelines p join jobs j using(job_id) join companies co on co.company_id=j.company_id where p.candidate_id=c.candidate_id and p.cv_sent_date is not null) hirers_introduced, (select min(offer_date) from job_pipelines p where p.candidate_id=c.candidate_id and status_code='PLACED') engagement_from, (select count(*) from documents d where d.owner_id=c.candidate_id) as document_count from candidates c where c.candidate_id=$person
