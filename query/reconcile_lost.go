package query

import "fmt"

// What the tables promise is reported missing only if no document without an owner may be it.
//
//	attachment   the rows of attachments and, as r, their places
//	lost         rows of attachments without a document; a view, as there may be a million
//	refused_row  rows whose file came, but was refused
//	stray        documents without a row, and refused entries that are not surely a row's
//	perhaps      a lost row and a stray document that may be its file
//	vessel       containers that were not opened: what is lost may be in them
//	anyones      stray documents that may be any row's, since so many of their part do not show what they
//	             belong to; one among a hundred that do show it is a stray

// perhapsSQL pairs lost rows with stray documents that size, owner, name or id does not keep apart.
// Blocks that are too large to be compared name by name are paired as a whole by their owner. Where so many
// rows and documents have the same size that it says little, each is paired with one of the others.
var perhapsSQL = `
CREATE OR REPLACE TEMP TABLE lost_row AS SELECT r FROM temp.attachment AS a
	WHERE NOT EXISTS (FROM main.documents AS d WHERE d.attachment_id = a.attachment_id)
		AND r NOT IN (SELECT r FROM temp.attachment JOIN (SELECT attachment_id, min(r) AS first
			FROM temp.attachment WHERE attachment_id IS NOT NULL GROUP BY attachment_id
			HAVING count(*) > 1) USING (attachment_id) WHERE r > first);
CREATE OR REPLACE TEMP VIEW lost AS
SELECT r, attachment_id, file_path, file_name, nullif(file_size, 0) AS file_size, upper(record_type)
	AS kind, record_id, is_cv FROM temp.attachment
	WHERE r IN (SELECT r FROM temp.lost_row);
CREATE OR REPLACE TEMP TABLE refused_row AS
WITH entry AS (SELECT name, reason, lower(nfc_normalize(replace(name, '\', '/'))) AS path,
	regexp_extract(path, '[^/]*$') AS base FROM holdall.refused
	WHERE part = 'attachments' AND EXISTS (FROM temp.lost_row)),
wanted AS (SELECT r, lower(nfc_normalize(replace(file_path, '\', '/'))) AS path,
	lower(nfc_normalize(file_name)) AS base, lower(nfc_normalize(record_id)) AS owner FROM temp.lost
	WHERE EXISTS (FROM entry)),
said AS (SELECT name, reason, base, unnest(list_concat(string_split(path, '/'),
	string_split_regex(path, '[^\pL\pN]+'), string_split_regex(path, '[^\pL\pN-]+'))) AS owner
	FROM entry WHERE base IN (SELECT base FROM wanted))
SELECT r, min(entry_name) AS entry_name, arg_min(reason, entry_name) AS reason FROM (
	SELECT r, name AS entry_name, reason FROM wanted JOIN entry USING (path)
	UNION SELECT r, name, reason FROM wanted JOIN said USING (base, owner)
	UNION SELECT r, name, reason FROM (SELECT base, min(r) AS r FROM wanted GROUP BY base HAVING count(*) = 1)
		JOIN (SELECT base, min(name) AS name, min(reason) AS reason FROM entry GROUP BY base
			HAVING count(*) = 1) USING (base)) GROUP BY r;
DELETE FROM temp.lost_row WHERE r IN (SELECT r FROM temp.refused_row);
CREATE OR REPLACE TEMP TABLE stray AS
SELECT doc_id, part, original_name, regexp_extract(replace(original_name, '\', '/'), '[^/]*$') AS base,
	nullif(size, 0) AS size, owner_type, owner_id,
	matched_by IS NOT DISTINCT FROM '` + matchedAmbiguous + `' AS ambiguous
	FROM main.documents WHERE attachment_id IS NULL AND EXISTS (FROM temp.lost_row)
UNION ALL SELECT concat('refused ', row_number() OVER (ORDER BY name)), part, concat(name, ' (', reason, ')'),
	regexp_extract(replace(name, '\', '/'), '[^/]*$'), nullif(size, 0), NULL, NULL, false
	FROM holdall.refused WHERE part = 'attachments' AND EXISTS (FROM temp.lost_row)
		AND name NOT IN (SELECT entry_name FROM temp.refused_row);
CREATE OR REPLACE TEMP TABLE vessel AS
SELECT owner_id, original_name FROM main.documents WHERE attachment_id IS NULL AND part = 'attachments'
	AND owner_id IS NOT NULL AND EXISTS (FROM temp.lost_row) AND ` + isContainer + `
UNION ALL SELECT NULL, NULL FROM main.findings WHERE record_id = 'attachments'
	AND table_name = 'documents' AND code IN (` + unopenedCodes + `);
CREATE OR REPLACE TEMP TABLE perhaps AS
WITH owned AS (SELECT r, doc_id, base, size, file_name, file_size, part, is_cv, owner_id AS owner
	FROM temp.lost JOIN temp.stray ON owner_id = record_id AND coalesce(kind, owner_type) = owner_type),
block AS (SELECT owner, count(*) > 40000 AS large FROM owned GROUP BY owner),
ownerless AS (SELECT * FROM temp.stray WHERE owner_id IS NULL AND part = 'attachments'),
skey AS (SELECT doc_id, size, unnest(string_split(name_keys(base), chr(10))) AS key FROM ownerless),
lkey AS (SELECT r, file_size, unnest(string_split(name_keys(file_name), chr(10))) AS key FROM temp.lost
	WHERE EXISTS (FROM skey)),
common AS (SELECT key FROM (SELECT key, count(*) AS n FROM skey GROUP BY key)
	JOIN (SELECT key, count(*) AS m FROM lkey GROUP BY key) USING (key) WHERE key <> '' AND n * m <= 10000),
lsize AS (SELECT r, file_size AS size, row_number() OVER (PARTITION BY file_size ORDER BY r) - 1 AS i,
	count(*) OVER (PARTITION BY file_size) AS n FROM temp.lost
	WHERE file_size IN (SELECT size FROM ownerless WHERE size IS NOT NULL)),
ssize AS (SELECT doc_id, size, row_number() OVER (PARTITION BY size ORDER BY doc_id) - 1 AS j,
	count(*) OVER (PARTITION BY size) AS m FROM ownerless WHERE size IS NOT NULL),
alike AS (SELECT size FROM (SELECT DISTINCT size, n FROM lsize) JOIN (SELECT DISTINCT size, m FROM ssize)
	USING (size) WHERE n * m > 10000),
ids AS (SELECT doc_id, unnest(list_concat(string_split_regex(lower(original_name), '[^\pL\pN]+'),
	string_split_regex(lower(original_name), '[^\pL\pN-]+'))) AS token
	FROM temp.stray WHERE owner_id IS NULL)
SELECT r, doc_id FROM owned JOIN block USING (owner) WHERE file_size = size OR part = 'attachments'
	AND (file_size IS NULL AND same_kind(coalesce(file_name, ''), base) OR large
		OR name_like(coalesce(file_name, ''), base) > 1)
	OR part = 'cvs' AND is_cv AND file_size IS NULL
UNION SELECT r, doc_id FROM (FROM lsize WHERE size NOT IN (FROM alike)) JOIN ssize USING (size)
UNION SELECT r, doc_id FROM (SELECT r, l.size, i % m AS j FROM lsize AS l JOIN (SELECT DISTINCT size, m
	FROM ssize SEMI JOIN alike USING (size)) USING (size)) JOIN ssize USING (size, j)
UNION SELECT r, doc_id FROM (SELECT doc_id, s.size, j % n AS i FROM ssize AS s JOIN (SELECT DISTINCT size, n
	FROM lsize SEMI JOIN alike USING (size)) USING (size)) JOIN lsize USING (size, i)
UNION SELECT r, doc_id FROM lkey JOIN common USING (key) JOIN skey USING (key) WHERE file_size IS NULL
	OR size IS NULL
UNION SELECT r, doc_id FROM temp.lost JOIN ids ON token = lower(attachment_id)
UNION SELECT r, doc_id FROM temp.lost JOIN ids ON token = lower(record_id) WHERE file_size IS NULL;
CREATE OR REPLACE TEMP TABLE anyones AS SELECT doc_id, original_name FROM temp.stray
	WHERE part = 'attachments' AND owner_id IS NULL
		AND (SELECT count(*) FROM temp.stray WHERE part = 'attachments') * 10 > (SELECT count(attachment_id)
			FROM main.documents WHERE part = 'attachments') + (SELECT count(*) FROM temp.refused_row);`

// unopenedCodes are the codes, as SQL, of findings that something holds what nobody has looked into. Of a
// part they have DocumentsTable for a table, and the part's name for an ID.
const unopenedCodes = `'` + string(ContainerUnopened) + `', '` + string(ObjectUnrecognised) + `'`

// isContainer is SQL for whether a document is one of the archives that may hold others.
const isContainer = `media_type IN ('application/zip', 'application/x-7z-compressed',
	'application/x-rar-compressed', 'application/x-tar', 'application/gzip', 'application/x-bzip2',
	'application/x-xz', 'application/zstd')`

// lostAttachments reports rows without a document. rows is a query for the attachments and their places.
func lostAttachments(rows string) []string {
	const unclear = `temp.lost AS l LEFT JOIN (SELECT r, count(*) AS n, string_agg(original_name, '; '
		ORDER BY doc_id) FILTER (place <= 3) AS names
			FROM (SELECT r, doc_id, original_name, row_number() OVER (PARTITION BY r
				ORDER BY doc_id) AS place FROM temp.perhaps JOIN temp.stray USING (doc_id))
			GROUP BY r) AS p USING (r)`
	const unsized = `p.n IS NULL AND l.file_size IS NULL AND EXISTS (FROM temp.anyones)`
	const held = `(EXISTS (FROM temp.vessel WHERE owner_id IS NULL)
		OR coalesce(l.record_id IN (SELECT owner_id FROM temp.vessel WHERE owner_id IS NOT NULL), false))`
	const name = `coalesce(l.file_path, l.file_name, 'it')`
	return []string{"CREATE OR REPLACE TEMP VIEW attachment AS FROM " + rows, perhapsSQL,
		finding(
			AttachmentMissing, SeverityError, "attachments", "attachment_id",
			`concat('no file for ', `+name+`)`,
			unclear+` WHERE p.n IS NULL AND NOT (`+unsized+`) AND NOT `+held,
		),
		finding(
			AttachmentRefused, SeverityError, "attachments", "attachment_id",
			`concat('its file came, but is not taken over as a document (', reason, '): ', entry_name,
				'; data/documents/refused.csv says where its stored bytes are')`,
			`temp.refused_row JOIN temp.attachment USING (r)`,
		),
		finding(AttachmentUnclear, SeverityWarning, "attachments", "attachment_id",
			`CASE WHEN p.n IS NULL AND NOT (`+unsized+`) THEN concat('no file is surely that of ', `+name+`,
				'; it may be in ', CASE WHEN l.record_id IN (SELECT owner_id FROM temp.vessel)
					THEN 'a container of its owner''s' ELSE 'a container' END, ', which was not opened')
				WHEN p.n IS NULL THEN concat('no file is surely that of ', `+name+
				`, '; it may be one of ', (SELECT count(*) FROM temp.anyones), ' that have no owner')
				ELSE concat('no file is surely that of ', `+name+`, '; it may be ', names, CASE
					WHEN n > 3 THEN concat(' or ', n - 3, ' more') END) END`,
			unclear+` WHERE p.n IS NOT NULL OR `+unsized+` OR `+held),
		finding(AttachmentMissing, SeverityError, "attachments", "NULL",
			`concat('at least ', m - n, ' of ', m, ' rows have no file: for them there are only ', n,
				' files without a row')`,
			`(SELECT (SELECT count(*) FROM `+unclear+` WHERE (p.n IS NOT NULL OR `+unsized+`)
					AND NOT `+held+`) AS m,
				(SELECT count(*) FROM (SELECT doc_id FROM temp.perhaps UNION SELECT doc_id
					FROM temp.anyones)) AS n) WHERE m > n`),
	}
}

// manyFiles reports rows that two documents are said to be the file of: they came in different containers.
func manyFiles() string {
	return finding(MatchAmbiguous, SeverityWarning, "attachments", "attachment_id",
		`concat(count(*), ' files are said to be its own: ', left(string_agg(original_name, '; '
			ORDER BY doc_id), 400))`,
		`main.documents WHERE part = 'attachments' AND attachment_id IN (`+
			repeatedOf("attachment_id", "part = 'attachments'")+`) GROUP BY attachment_id`)
}

// ambiguousRows says for documents that several rows fit which those are.
const ambiguousRows = `(SELECT d.doc_id, d.original_name, p.ids FROM main.documents AS d LEFT JOIN (
		SELECT doc_id, string_agg(coalesce(attachment_id, file_name), ', ' ORDER BY r) FILTER (place <= 5)
			AS ids
		FROM (SELECT doc_id, r, attachment_id, file_name, row_number() OVER (PARTITION BY doc_id
			ORDER BY r) AS place FROM temp.perhaps JOIN temp.lost USING (r)) GROUP BY doc_id) AS p
				USING (doc_id)
	WHERE part = 'attachments' AND attachment_id IS NULL AND matched_by = '` + matchedAmbiguous + `')`

// lostCVsSQL does the same for candidates who have a CV according to the tables, and CVs without an owner, or
// attachments of theirs that have no row and are named like CVs, since exporters mix the two up. A CV that is
// named for another person is not theirs; one without a name may be. Where letters were replaced, what is
// left of a name on one side of them has to do: "W. Dvo__k.pdf". Names of ASCII letters and blanks only,
// which most are, are compared as they are first, since name_words is expensive.
const lostCVsSQL = `
CREATE OR REPLACE TEMP TABLE lost_cv AS SELECT candidate_id, reference, full_name, first_name, surname
	FROM main.candidates AS c
	WHERE has_cv AND NOT EXISTS (FROM main.documents AS d WHERE d.owner_id = c.candidate_id
		AND d.part = 'cvs');
CREATE OR REPLACE TEMP TABLE stray_cv AS SELECT doc_id, original_name, name_words(original_name) AS said
	FROM main.documents WHERE part = 'cvs' AND owner_id IS NULL AND EXISTS (FROM temp.lost_cv)
UNION ALL SELECT concat('refused ', row_number() OVER (ORDER BY name)), concat(name, ' (', reason, ')'),
	name_words(name) FROM holdall.refused WHERE part = 'cvs' AND EXISTS (FROM temp.lost_cv)
UNION ALL SELECT doc_id, original_name, NULL FROM (SELECT *, lower(nfc_normalize(regexp_extract(
		replace(original_name, '\', '/'), '[^/]*$'))) AS base FROM main.documents
		WHERE part = 'attachments' AND attachment_id IS NULL)
	JOIN temp.lost_cv ON owner_id = candidate_id WHERE media_type NOT LIKE 'image/%' AND (contains(base,
		lower(reference)) OR contains(base, lower(nfc_normalize(surname))) OR regexp_matches(base,
		'(^|[^\pL])(cv|resume|résumé|curriculum|lebenslauf)([^\pL]|$)'));
CREATE OR REPLACE TEMP TABLE perhaps_cv AS
WITH said AS (SELECT doc_id, unnest(string_split(said, ' ')) AS word FROM temp.stray_cv WHERE said <> ''),
torn AS (SELECT doc_id, word FROM said JOIN temp.stray_cv USING (doc_id) WHERE length(word) >= 3
	AND regexp_matches(original_name, '\pL[_?\x{FFFD}]+\pL')),
name AS (SELECT candidate_id, concat_ws(' ', full_name, first_name, surname, '') AS name,
	regexp_matches(name, '[^A-Za-z ]') AS unlike FROM temp.lost_cv WHERE EXISTS (FROM said)),
plain AS (SELECT candidate_id, unnest(string_split(lower(name), ' ')) AS word FROM name WHERE NOT unlike),
near AS (SELECT candidate_id FROM plain WHERE word IN (SELECT word FROM said)
	OR left(word, 3) IN (SELECT left(word, 3) FROM torn)
	OR right(word, 3) IN (SELECT right(word, 3) FROM torn)),
words AS (SELECT candidate_id, unnest(string_split(name_words(name), ' ')) AS word FROM name
	WHERE unlike OR candidate_id IN (SELECT candidate_id FROM near)),
token AS (SELECT doc_id, unnest(list_concat(string_split_regex(lower(original_name), '[^\pL\pN]+'),
	string_split_regex(lower(original_name), '[^\pL\pN-]+'))) AS token FROM temp.stray_cv)
SELECT candidate_id, doc_id FROM words JOIN said USING (word) WHERE length(word) > 1
UNION SELECT candidate_id, doc_id FROM words JOIN torn ON left(words.word, 3) = left(torn.word, 3)
	AND starts_with(words.word, torn.word)
UNION SELECT candidate_id, doc_id FROM words JOIN torn ON right(words.word, 3) = right(torn.word, 3)
	AND ends_with(words.word, torn.word)
UNION SELECT candidate_id, doc_id FROM temp.lost_cv JOIN token ON token = lower(candidate_id)
UNION SELECT candidate_id, doc_id FROM temp.lost_cv JOIN token ON left(token, 8) = lower(left(candidate_id,
	8)) AND starts_with(lower(candidate_id), token) WHERE length(token) >= 8
UNION SELECT candidate_id, doc_id FROM temp.lost_cv JOIN token ON token = lower(reference)
UNION SELECT owner_id, doc_id FROM main.documents SEMI JOIN temp.stray_cv USING (doc_id)
	WHERE part = 'attachments';`

func lostCVs() []string {
	const unopened = `EXISTS (FROM main.findings WHERE table_name = 'documents' AND record_id = 'cvs'
		AND code IN (` + unopenedCodes + `))`
	const some = `temp.lost_cv AS c LEFT JOIN (SELECT candidate_id, count(*) AS n, min(original_name)
		AS name FROM temp.perhaps_cv JOIN temp.stray_cv USING (doc_id) GROUP BY 1) AS p USING (candidate_id)`
	const nameless = `(EXISTS (FROM temp.stray_cv WHERE said = '') AND (SELECT count(said) FROM temp.stray_cv)
		* 10 > (SELECT count(owner_id) FROM main.documents WHERE part = 'cvs') OR ` + unopened + `)`
	const who = `coalesce(reference, candidate_id)`
	return []string{lostCVsSQL,
		finding(
			CVMissing, SeverityError, "candidates", "candidate_id",
			`concat('has_cv, but there is no CV of ', `+who+
				`, (SELECT CASE WHEN count(*) > 0 THEN concat('; ', count(*), ' CVs name nobody') END
					FROM temp.stray_cv WHERE said = ''))`,
			some+` WHERE p.n IS NULL AND NOT `+nameless,
		),
		finding(CVUnclear, SeverityWarning, "candidates", "candidate_id",
			`concat('has_cv, but no CV is surely that of ', `+who+
				`, '; it may be ', CASE WHEN n = 1 THEN name WHEN n > 1 THEN concat(name, ' or ', n - 1,
					' more')
				WHEN `+unopened+` THEN 'in a container, which was not opened'
				ELSE concat('one of ', (SELECT count(*) FROM temp.stray_cv
					WHERE said = ''), ' that name nobody') END)`,
			some+` WHERE p.n IS NOT NULL OR `+nameless),
		finding(CVMissing, SeverityError, "candidates", "NULL",
			`concat('at least ', m - n, ' of ', m, ' candidates have no CV: for them there are only ', n,
				' CVs without an owner')`,
			fmt.Sprintf(
				`(SELECT (SELECT count(*) FROM %s WHERE p.n IS NOT NULL OR %s) AS m, (SELECT count(*)
					FROM temp.stray_cv) AS n) WHERE m > n AND NOT `+unopened,
				some, nameless,
			)),
	}
}

func dropLost() []string {
	return []string{`DROP VIEW IF EXISTS temp.lost; DROP VIEW IF EXISTS temp.attachment;
		DROP TABLE IF EXISTS temp.lost_row; DROP TABLE IF EXISTS temp.refused_row;
		DROP TABLE IF EXISTS temp.vessel; DROP TABLE IF EXISTS temp.stray;
			DROP TABLE IF EXISTS temp.perhaps; DROP TABLE IF EXISTS temp.anyones;
	DROP TABLE IF EXISTS temp.lost_cv; DROP TABLE IF EXISTS temp.stray_cv;
		DROP TABLE IF EXISTS temp.perhaps_cv;`}
}
