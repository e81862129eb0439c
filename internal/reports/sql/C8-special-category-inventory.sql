-- title: Special categories of personal data
-- description: How many documents and notes seem to hold national insurance numbers, words about health, or
--   passport numbers.
with p as (select * from (values ('UK national insurance no.','\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\s?\d{2}\s?\d{2}\s?\d{2}\s?[A-D]\b'),('health words','(?i)\b(disab|pregnan|diagnos|sick leave)\w*'),('passport','(?i)\bpassport\s*(no|number)')) t(label,re))
select label, 'document' place, count(distinct doc_id) items from p join document_text d on regexp_matches(d.body,p.re) group by all union all select label,'note',count(*) from p join candidates c on regexp_matches(c.internal_note,p.re) group by all order by items desc, 1, 2
