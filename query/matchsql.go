package query

// The SQL behind Match. Each call works on temporary tables of its own connection:
//
//	entry   what is to be matched
//	token   the pieces of an entry's path that could be an id or a reference
//	hit     an entry, a row that fits it, and how well: a bit for each rule
//	result  entries with their owners, in the order in which they are yielded

const dropMatchSQL = `
DROP VIEW IF EXISTS temp.att; DROP VIEW IF EXISTS temp.cand; DROP VIEW IF EXISTS temp.owner;
DROP TABLE IF EXISTS temp.entry; DROP TABLE IF EXISTS temp.token; DROP TABLE IF EXISTS temp.hit; DROP TABLE IF EXISTS temp.decided; DROP TABLE IF EXISTS temp.owned; DROP TABLE IF EXISTS temp.alone; DROP TABLE IF EXISTS temp.result;`

const entrySQL = dropMatchSQL + `
CREATE TEMP TABLE entry(no BIGINT, doc_id VARCHAR, part VARCHAR, container BIGINT, idx BIGINT, off BIGINT, name BLOB, path VARCHAR, size BIGINT);`

// The bits of the rules. They are added up, so that of two rows a stronger rule cannot be outweighed by weaker ones.
const (
	ruleID        = "16"
	rulePath      = "8"
	ruleNameSize  = "4"
	ruleNameOwner = "2"
	ruleName      = "1" // for CVs: the name's words in another order
)

// A token is a run of letters and digits, or one that hyphens join. Only what looks like an id (eight characters, a
// digit among them), a reference, or the whole name of a file or folder, is kept: "2" in "CV 2.pdf" is no id.
const tokenSQL = `
CREATE TEMP TABLE token AS
WITH e AS (SELECT no, lower(nfc_normalize(path)) AS p FROM temp.entry),
loose AS (SELECT no, unnest(list_distinct(list_concat(
		regexp_extract_all(p, '[a-z]{4}[0-9a-f]{32}'), string_split_regex(p, '[^\pL\pN]+'), string_split_regex(p, '[^\pL\pN-]+')))) AS token FROM e),
anchored AS (SELECT no, unnest(list_distinct(list_concat(string_split(p, '/'),
		[regexp_replace(regexp_extract(p, '[^/]*$'), '\.[^.]*$', ''), regexp_extract(p, '([^/_ ]*)[_ ][^/]*$', 1)]))) AS token FROM e)
SELECT no, token FROM loose WHERE length(token) >= 8 AND regexp_matches(token, '\d') OR regexp_full_match(token, '[a-z]{2}-\d+')
UNION SELECT no, token FROM anchored WHERE regexp_matches(token, '\d');`

// strongHitsSQL finds rows by their key or path. That name and size agree as well decides between several.
const strongHitsSQL = `
CREATE TEMP TABLE hit AS
WITH e AS (SELECT no, size, lower(nfc_normalize(path)) AS p, regexp_extract(lower(nfc_normalize(path)), '[^/]*$') AS base
	FROM temp.entry WHERE part = 'attachments'),
tail AS (SELECT no, p AS t, base, size FROM e
	UNION ALL SELECT no, regexp_replace(p, '^[^/]*/', ''), base, size FROM e WHERE regexp_matches(p, '/.*/')
	UNION ALL SELECT no, regexp_replace(p, '^[^/]*/[^/]*/', ''), base, size FROM e WHERE regexp_matches(p, '/.*/.*/')),
hits AS (
	SELECT no, r, ` + ruleID + ` AS score, base, size, name_key, file_size FROM temp.token JOIN e USING (no) JOIN temp.att ON id_key = token
	UNION ALL SELECT no, r, ` + rulePath + `, base, size, name_key, file_size FROM tail JOIN temp.att ON path_key = t
	UNION ALL SELECT no, r, ` + rulePath + `, base, size, name_key, file_size FROM e JOIN temp.att ON regexp_replace(path_key, '^[^/]*/', '') = p
		WHERE contains(p, '/') AND path_key <> p)
SELECT no, 'attachments' AS part, r, NULL::VARCHAR AS candidate_id, false AS several,
	bit_or(score + CASE WHEN name_key = base AND file_size = size THEN ` + ruleNameSize + ` ELSE 0 END) AS score FROM hits GROUP BY no, r;`

// weakHitsSQL goes by names, for entries that have no better hit, and with rows that no other entry has by key or path.
// Common names would meet common names in squares: rows are therefore counted first, and several are one hit, and a name
// and its owner are joined as one text, since the planner might otherwise begin with the names.
const weakHitsSQL = `
INSERT INTO temp.hit
WITH e AS (SELECT no, size, regexp_extract(lower(nfc_normalize(path)), '[^/]*$') AS base FROM temp.entry
	WHERE part = 'attachments' AND no NOT IN (SELECT no FROM temp.hit)),
row AS (SELECT r, name_key, file_size, lower(record_id) AS owner_key, lower(record_reference) AS owner_ref FROM temp.att
	WHERE name_key IS NOT NULL AND r NOT IN (SELECT r FROM temp.hit)),
sized AS (SELECT name_key, file_size, min(r) AS r, count(*) > 1 AS several FROM row WHERE file_size IS NOT NULL GROUP BY ALL),
named AS (SELECT name_key, min(r) AS r, count(*) > 1 AS several, bool_or(file_size IS NULL) AS unsized FROM row GROUP BY ALL),
placed AS (SELECT no, size, token || '/' || base AS home FROM e JOIN temp.token USING (no)),
homed AS (SELECT r, file_size, owner_key || '/' || name_key AS home FROM row WHERE owner_key IS NOT NULL
	UNION ALL SELECT r, file_size, owner_ref || '/' || name_key FROM row WHERE owner_ref IS NOT NULL),
hits AS (
	SELECT no, CASE WHEN NOT several THEN r END AS r, several, ` + ruleNameSize + ` AS score FROM e JOIN sized ON name_key = base AND file_size = size
	UNION ALL SELECT no, r, false, ` + ruleNameOwner + ` + CASE WHEN file_size = size THEN ` + ruleNameSize + ` ELSE 0 END FROM placed JOIN homed USING (home)
	UNION ALL SELECT no, CASE WHEN NOT several THEN r END, several, ` + ruleName + ` FROM e JOIN named ON name_key = base WHERE unsized OR size < 0)
SELECT no, 'attachments', r, NULL, bool_or(several), bit_or(score) FROM hits GROUP BY no, r;`

// cvHitsSQL finds the people that CVs belong to. A CV may have a row in Attachments as well; then that is found too.
func cvHitsSQL() string {
	return `
INSERT INTO temp.hit
WITH e AS (SELECT no, lower(nfc_normalize(path)) AS p, regexp_replace(regexp_extract(path, '[^/]*$'), '\.[^.]*$', '') AS base,
	regexp_extract(path, '([^/]*)/[^/]*$', 1) AS folder FROM temp.entry WHERE part = 'cvs'),
listed AS (SELECT no, record_id, r, ` + ruleID + ` AS score FROM temp.token JOIN e USING (no) JOIN temp.att ON id_key = token
	UNION ALL SELECT no, record_id, r, ` + rulePath + ` FROM e JOIN temp.att ON path_key = p WHERE is_cv),
person AS (SELECT name_key, min(candidate_id) AS candidate_id, count(DISTINCT candidate_id) > 1 AS several FROM temp.cand WHERE name_key IS NOT NULL GROUP BY ALL),
wordy AS (SELECT words_key, min(candidate_id) AS candidate_id, count(DISTINCT candidate_id) > 1 AS several FROM temp.cand WHERE words_key IS NOT NULL GROUP BY ALL),
hits AS (
	SELECT no, candidate_id, NULL::BIGINT AS r, false AS several, ` + ruleID + ` AS score FROM temp.token JOIN e USING (no) JOIN temp.cand ON id_key = token
	UNION ALL SELECT no, candidate_id, NULL, false, ` + ruleID + ` FROM temp.token JOIN e USING (no) JOIN temp.cand ON ref_key = token
	UNION ALL SELECT no, candidate_id, r, false, score FROM listed JOIN temp.cand ON candidate_id = record_id
	UNION ALL SELECT no, CASE WHEN NOT several THEN candidate_id END, NULL, several, ` + ruleNameOwner + `
		FROM (SELECT no, unnest(list_distinct([` + nameKey("base", false) + `, ` + nameKey("folder", false) + `])) AS n FROM e) JOIN person ON name_key = n
	UNION ALL SELECT no, CASE WHEN NOT several THEN candidate_id END, NULL, several, ` + ruleName + `
		FROM (SELECT no, unnest(list_distinct([` + nameKey("base", true) + `, ` + nameKey("folder", true) + `])) AS n FROM e) JOIN wordy ON words_key = n)
SELECT no, 'cvs', min(r), candidate_id, bool_or(several), bit_or(score) FROM hits GROUP BY no, candidate_id;`
}

// decideSQL takes the best hit of each entry. Of two entries with one name, the row goes to the one of its size, if another
// row has the other's. Rows with the same key count as one; a row that several entries have equally
// by name is given to none.
const decideSQL = `
CREATE TEMP TABLE decided AS
WITH sized AS (SELECT no, r, score FROM temp.hit WHERE part = 'attachments' AND score & ` + ruleNameSize + ` <> 0),
target AS (SELECT no, hit.part, hit.r, candidate_id, several, score,
		CASE WHEN hit.part = 'cvs' THEN candidate_id ELSE coalesce(attachment_id, 'row ' || hit.r) END AS target
	FROM temp.hit LEFT JOIN temp.att ON att.r = hit.r
	WHERE NOT (hit.part = 'attachments' AND score >= ` + rulePath + ` AND score & ` + ruleNameSize + ` = 0 AND no IN (SELECT no FROM sized)
		AND EXISTS (FROM sized WHERE sized.r = hit.r AND sized.score = hit.score + ` + ruleNameSize + `))),
best AS (SELECT no, max(score) AS score FROM target GROUP BY no),
top AS (SELECT no, part, score, min(r) AS r, min(candidate_id) AS candidate_id, min(target) AS target, count(DISTINCT target) > 1 OR bool_or(several) AS several
	FROM target JOIN best USING (no, score) GROUP BY no, part, score),
contested AS (SELECT target FROM top WHERE part = 'attachments' AND NOT several AND score < ` + rulePath + ` GROUP BY target HAVING count(*) > 1)
SELECT no, part, r, candidate_id, CASE
	WHEN several OR contested.target IS NOT NULL THEN '` + byAmbiguous + `'
	WHEN score >= ` + ruleID + ` THEN 'id' WHEN score >= ` + rulePath + ` THEN 'path' WHEN score >= ` + ruleNameSize + ` THEN 'name-size'
	WHEN score >= ` + ruleNameOwner + ` OR top.part = 'cvs' THEN 'name-owner' ELSE 'name' END AS how
FROM top LEFT JOIN contested ON top.part = 'attachments' AND contested.target = top.target;`

// The owner of an attachment is what its row names, by id or by reference. Without a row, it is the one record that the
// entry's path names.
const resultSQL = `
CREATE TEMP TABLE owned AS
WITH row AS (SELECT r, attachment_id, record_id, record_type, record_reference FROM temp.att WHERE r IN (SELECT r FROM temp.decided)),
by_ref AS (SELECT r, min(owner_type) AS owner_type, min(owner_id) AS owner_id FROM row JOIN temp.owner ON reference = record_reference
	WHERE record_id IS NULL GROUP BY r HAVING count(DISTINCT owner_id) = 1),
by_id AS (SELECT r, min(owner_type) AS owner_type FROM row JOIN temp.owner ON owner_id = record_id WHERE record_type IS NULL GROUP BY r)
SELECT d.no, how, attachment_id,
	CASE WHEN d.part = 'cvs' THEN 'CANDIDATE' ELSE coalesce(record_type, by_id.owner_type, by_ref.owner_type, CASE left(record_reference, 3)
		WHEN 'CA-' THEN 'CANDIDATE' WHEN 'CT-' THEN 'CONTACT' WHEN 'CY-' THEN 'COMPANY' WHEN 'JB-' THEN 'JOB'
		WHEN 'LD-' THEN 'LEAD' WHEN 'OP-' THEN 'OPPORTUNITY' WHEN 'PL-' THEN 'PLACEMENT' END) END AS owner_type,
	CASE WHEN d.part = 'cvs' THEN d.candidate_id ELSE coalesce(record_id, by_ref.owner_id) END AS owner_id
FROM temp.decided AS d LEFT JOIN row USING (r) LEFT JOIN by_ref USING (r) LEFT JOIN by_id USING (r) WHERE how <> '` + byAmbiguous + `'
UNION ALL SELECT no, how, NULL, NULL, NULL FROM temp.decided WHERE how = '` + byAmbiguous + `';
CREATE TEMP TABLE alone AS SELECT token.no, token FROM temp.token JOIN temp.entry USING (no) WHERE part = 'attachments' AND no NOT IN (SELECT no FROM temp.owned);
INSERT INTO temp.owned
WITH named AS (SELECT no, owner_type, owner_id FROM temp.alone JOIN temp.owner ON token = lower(owner_id)
	UNION SELECT no, owner_type, owner_id FROM temp.alone JOIN temp.owner ON token = lower(reference))
SELECT no, 'id', NULL, min(owner_type), min(owner_id) FROM named GROUP BY no HAVING count(DISTINCT owner_id) = 1;
CREATE TEMP TABLE result AS
SELECT e.doc_id, e.part, e.container, e.idx, e.off, e.name, e.size, owner_type, owner_id, attachment_id, how
FROM temp.entry AS e LEFT JOIN temp.owned USING (no) ORDER BY e.container, e.off, e.idx;`
