-- title: Find a person
-- description: Candidates, contacts and users by e-mail address, or by a part of the name.
-- param q: A part of a name; accents and case do not matter.
-- param email = : An e-mail address; without it only names are compared.
with p as (select 'CANDIDATE' as "type", candidate_id as id, reference, full_name, email, alternate_email, mobile from candidates
union all select 'CONTACT', contact_id, reference, full_name, email, alternate_email, mobile from contacts
union all select 'USER', user_id, null, full_name, email, null, mobile from users)
select "type", id, reference, full_name, email, mobile, jaro_winkler_similarity(lower(strip_accents(full_name)), lower(strip_accents($q))) score from p
where $email <> '' and (contains(lower(email), lower($email)) or contains(lower(alternate_email), lower($email))) or contains(lower(strip_accents(full_name)), lower(strip_accents($q)))
order by score desc nulls last, 1, 2
