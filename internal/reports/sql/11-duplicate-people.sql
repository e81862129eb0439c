-- title: Duplicate people
-- description: Candidates who share an e-mail address, or the last nine digits of a phone number.
with k as (select candidate_id, unnest([ 'email:'||nullif(lower(trim(email)),''), 'tel:'||case when length(regexp_replace(mobile,'\D','','g'))>=9 then right(regexp_replace(mobile,'\D','','g'),9) end ]) as key from candidates)
select key, count(*) n, list(candidate_id order by candidate_id) ids from k where key is not null group by 1 having n>1 order by n desc, key
