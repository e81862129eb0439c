-- title: Find a person
-- description: Candidates, contacts and users by e-mail address, or by a part of a candidate's name.
-- param q: A part of a name; accents and case do not matter.
-- param email = : An e-mail address; without it only names are compared.
select 'CANDIDATE' as "type", candidate_id id, reference, full_name, email, mobile, jaro_winkler_similarity(lower(strip_accents(full_name)), lower(strip_accents($q))) score from candidates where lower(email)=lower($email) or lower(strip_accents(full_name)) like '%'||lower(strip_accents($q))||'%'
union all select 'CONTACT', contact_id, reference, full_name, email, mobile, 0 from contacts where lower(email)=lower($email)
union all select 'USER', user_id, null, full_name, email, mobile, 0 from users where lower(email)=lower($email) order by score desc limit 50
