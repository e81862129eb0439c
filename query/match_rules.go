package query

// The SQL behind Match. Each call works on temporary tables of its own connection:
//
//	entry    what is to be matched
//	hit      an entry, a row that fits it, and how well: a bit for each rule
//	decided  entries and their rows or people
//	tied     entries that several rows fit equally, or that have a row in common with others
//	result   entries with their owners, in the order in which they are yielded
//
// Evidence is looked at in phases, the strongest first. A phase sees only entries and rows that no earlier
// one has matched; so the expensive comparison of changed names is for what is left over.

const dropMatchSQL = dropAllButResultSQL + "DROP TABLE IF EXISTS temp.result;"

const dropAllButResultSQL = dropAllButOwnedSQL + `
DROP TABLE IF EXISTS temp.entry; DROP TABLE IF EXISTS temp.owned;`

const dropAllButOwnedSQL = `
DROP VIEW IF EXISTS temp.att; DROP VIEW IF EXISTS temp.cand; DROP VIEW IF EXISTS temp.person;
	DROP VIEW IF EXISTS temp.owner;
DROP TABLE IF EXISTS temp.token; DROP TABLE IF EXISTS temp.number;
	DROP TABLE IF EXISTS temp.spoken;
DROP TABLE IF EXISTS temp.arow; DROP TABLE IF EXISTS temp.oid; DROP TABLE IF EXISTS temp.seen;
	DROP TABLE IF EXISTS temp.said; DROP TABLE IF EXISTS temp.word; DROP TABLE IF EXISTS temp.mailbox;
DROP TABLE IF EXISTS temp.named; DROP TABLE IF EXISTS temp.judged; DROP TABLE IF EXISTS temp.trusted;
	DROP TABLE IF EXISTS temp.believed;
DROP TABLE IF EXISTS temp.rowhit; DROP TABLE IF EXISTS temp.ownerhit; DROP TABLE IF EXISTS temp.hit;
	DROP TABLE IF EXISTS temp.decided;
DROP TABLE IF EXISTS temp.tied; DROP TABLE IF EXISTS temp.pair;
	DROP TABLE IF EXISTS temp.alone;
DROP TABLE IF EXISTS temp.keyed; DROP TABLE IF EXISTS temp.sought;
	DROP TABLE IF EXISTS temp.strong;`

// entrySQL makes the tables that are filled. Some stay empty where there is nothing to fill them with: for a
// container of a few files, looking is what takes the time.
const entrySQL = `
CREATE TEMP TABLE entry(no BIGINT, doc_id VARCHAR, part VARCHAR, container BIGINT, idx BIGINT, off BIGINT,
	name BLOB, path VARCHAR, size BIGINT);
CREATE TEMP TABLE hit(no BIGINT, part VARCHAR, r BIGINT, candidate_id VARCHAR, several BOOLEAN,
	score INTEGER);
CREATE TEMP TABLE decided(no BIGINT, part VARCHAR, r BIGINT, candidate_id VARCHAR, target VARCHAR,
	how VARCHAR);
CREATE TEMP TABLE tied(no BIGINT);
CREATE TEMP TABLE arow(r BIGINT, owner VARCHAR);
CREATE TEMP TABLE number(no BIGINT, part VARCHAR, place VARCHAR, token VARCHAR);
CREATE TEMP TABLE seen(no BIGINT, part VARCHAR, place VARCHAR, token VARCHAR, role VARCHAR, owner VARCHAR,
	r BIGINT);
CREATE TEMP TABLE believed(no BIGINT, role VARCHAR, owner VARCHAR, r BIGINT);
CREATE TEMP TABLE owned(no BIGINT, how VARCHAR, attachment_id VARCHAR, owner_type VARCHAR, owner_id VARCHAR);`

// The rules' scores. They are added up, so that of two rows a stronger rule cannot be outweighed by weaker
// ones.
const (
	ruleID        = "16"
	rulePath      = "8"
	ruleNameSize  = "4"
	ruleNameOwner = "2"
	ruleName      = "1"
	ruleMail      = "8" // of CVs
)

// freeSQL are the rows of attachments that nothing has been found for, and their owners.
const freeSQL = `free AS (SELECT * FROM temp.att WHERE coalesce(attachment_id, 'row ' || r) NOT IN
	(SELECT target FROM temp.decided WHERE target IS NOT NULL))`

// leftSQL are the attachments that no row has been found for.
const leftSQL = `e AS (SELECT no, size, path, regexp_extract(lower(nfc_normalize(path)), '[^/]*$') AS base
	FROM temp.entry
	WHERE part = 'attachments' AND no NOT IN (SELECT no FROM temp.decided))`

// strongSQL finds rows by their key or path, one way after the other: in one statement, the engine would hold
// what all of them need at a time. That name and size agree as well decides between several.
const strongSQL = `
CREATE TEMP TABLE strong(no BIGINT, r BIGINT, score INTEGER);
INSERT INTO temp.strong
WITH ` + strongEntrySQL + `
SELECT no, r, ` + ruleID + strongMoreSQL + ` FROM e JOIN temp.rowhit USING (no) JOIN temp.att USING (r);
INSERT INTO temp.strong
WITH ` + strongEntrySQL + `,
tail AS (SELECT no, base, size, unnest([p,
	CASE WHEN regexp_matches(p, '/.*/') THEN regexp_replace(p, '^[^/]*/', '') END,
	CASE WHEN regexp_matches(p, '/.*/.*/') THEN regexp_replace(p, '^[^/]*/[^/]*/', '') END]) AS t FROM e)
SELECT no, r, ` + rulePath + strongMoreSQL + ` FROM tail JOIN temp.att ON path_key = t;
INSERT INTO temp.strong
WITH ` + strongEntrySQL + `
SELECT no, r, ` + rulePath + strongMoreSQL + ` FROM e
	JOIN temp.att ON regexp_replace(path_key, '^[^/]*/', '') = p WHERE contains(p, '/') AND path_key <> p;`

const strongEntrySQL = `e AS (SELECT no, size, lower(nfc_normalize(path)) AS p,
	regexp_extract(p, '[^/]*$') AS base FROM temp.entry WHERE part = 'attachments')`

const strongMoreSQL = ` + CASE WHEN file_size = size THEN ` + ruleNameSize + ` ELSE 0 END
	+ CASE WHEN name_key = base THEN ` + ruleName + ` ELSE 0 END`

const strongHitsSQL = `
INSERT INTO temp.hit SELECT no, 'attachments', r, NULL, false, bit_or(score) FROM temp.strong GROUP BY no, r;`

// nameHitsSQL goes by names, for entries that have no better hit, and with rows that no other entry has by
// key or path. A path that names an owner is not given to another's row. Common names would meet common
// names in squares: rows are therefore counted first, and several are one hit, and a name and its owner are
// joined as one text, since the planner might otherwise begin with the names.
const nameHitsSQL = `
INSERT INTO temp.hit
WITH ` + freeSQL + `, ` + leftSQL + `,
ownerless AS (SELECT * FROM e WHERE no NOT IN (SELECT no FROM temp.ownerhit)),
row AS (SELECT r, name_key, file_size FROM free WHERE name_key IS NOT NULL),
sized AS (SELECT name_key, file_size, min(r) AS r, count(*) > 1 AS several FROM row
	WHERE file_size IS NOT NULL GROUP BY ALL),
placed AS (SELECT no, size, owner || '/' || base AS home FROM e JOIN temp.ownerhit USING (no)),
homed AS (SELECT r, file_size, owner || '/' || name_key AS home FROM row JOIN temp.arow USING (r)),
hits AS (
	SELECT no, CASE WHEN NOT several THEN r END AS r, several, ` + ruleNameSize + ` AS score FROM ownerless
		JOIN sized ON name_key = base AND file_size = size
	UNION ALL SELECT no, r, false, ` + ruleNameOwner + ` + CASE WHEN file_size = size
		THEN ` + ruleNameSize + ` ELSE 0 END FROM placed JOIN homed USING (home)
		WHERE file_size IS NULL OR size < 0 OR file_size = size)
SELECT no, 'attachments', r, NULL, bool_or(several), bit_or(score) FROM hits GROUP BY no, r;`

// respelledHitsSQL does the same by the spellings of names.
const respelledHitsSQL = `
INSERT INTO temp.hit
WITH ` + freeSQL + `, ` + leftSQL + `,
ekey AS (SELECT DISTINCT no, size, unnest(string_split(name_keys(regexp_extract(path, '[^/]*$')),
	chr(10))) AS key FROM e),
row AS (SELECT DISTINCT r, file_size, unnest(string_split(name_keys(file_name), chr(10))) AS key FROM free
	WHERE file_size IN (SELECT size FROM e) OR r IN (SELECT r FROM temp.arow JOIN temp.ownerhit
		USING (owner) WHERE no IN (SELECT no FROM e))),
sized AS (SELECT key, file_size, min(r) AS r, count(*) > 1 AS several FROM row WHERE file_size > 0
	GROUP BY ALL),
placed AS (SELECT no, size, owner || '/' || key AS home FROM ekey JOIN temp.ownerhit USING (no)
	WHERE key <> ''),
homed AS (SELECT r, file_size, owner || '/' || key AS home FROM row JOIN temp.arow USING (r) WHERE key <> ''),
hits AS (
	SELECT no, CASE WHEN NOT several THEN r END AS r, several, ` + ruleNameSize + ` AS score FROM ekey
		JOIN sized USING (key)
		WHERE file_size = size AND key <> '' AND no NOT IN (SELECT no FROM temp.ownerhit)
	UNION ALL SELECT no, r, false, ` + ruleNameOwner + ` + CASE WHEN file_size = size
		THEN ` + ruleNameSize + ` ELSE 0 END FROM placed JOIN homed USING (home)
		WHERE file_size IS NULL OR size < 0 OR file_size = size)
SELECT no, 'attachments', r, NULL, bool_or(several), bit_or(score) FROM hits GROUP BY no, r;`

// folderOwnersSQL adds owners that an entry's path names as people, where it has no id.
const folderOwnersSQL = `
INSERT INTO temp.ownerhit SELECT no, min(owner) FROM temp.named WHERE alone AND no NOT IN (SELECT no
	FROM temp.ownerhit)
	GROUP BY no HAVING count(DISTINCT owner) = 1 AND max(grade) >= 2;`

const leftOwnerlessSQL = `SELECT no FROM temp.entry WHERE part = 'attachments' AND no NOT IN (SELECT no
	FROM temp.decided) AND no NOT IN (SELECT no FROM temp.ownerhit)`

// pairSQL compares what is left over within owners, and within sizes: names that were cut, numbered or added
// to. Where too many would have to be compared with too many, it leaves them.
const pairSQL = `
CREATE TEMP TABLE pair AS
WITH ` + freeSQL + `, ` + leftSQL + `,
eo AS (SELECT no, owner FROM e JOIN temp.ownerhit USING (no)), ro AS (SELECT r, owner FROM free
	JOIN temp.arow USING (r)),
block AS (SELECT owner FROM (SELECT owner, count(*) AS n FROM eo GROUP BY owner) JOIN (SELECT owner,
	count(*) AS m FROM ro GROUP BY owner) USING (owner) WHERE n * m <= 40000),
sizes AS (SELECT size FROM (SELECT size, count(*) AS n FROM e WHERE size > 0 AND no NOT IN (SELECT no
	FROM temp.ownerhit) GROUP BY size)
	JOIN (SELECT file_size AS size, count(*) AS m FROM free GROUP BY ALL) USING (size) WHERE n * m <= 400),
met AS (
	SELECT no, r, true AS owned FROM eo JOIN block USING (owner) JOIN ro USING (owner)
	UNION SELECT no, r, false FROM e JOIN sizes USING (size) JOIN free ON file_size = size
		WHERE no NOT IN (SELECT no FROM temp.ownerhit)),
likened AS (SELECT no, r, owned, CASE WHEN file_size IS NULL OR size < 0 OR file_size = 0 THEN 0
	WHEN file_size = size THEN 1 ELSE -1 END AS sized,
	name_like(coalesce(file_name, ''), regexp_extract(path, '[^/]*$')) AS alike,
		same_kind(coalesce(file_name, ''), path) AS kind
	FROM met JOIN e USING (no) JOIN free USING (r))
SELECT no, r, owned, sized, CASE WHEN owned AND sized = 1 THEN CASE WHEN alike > 0 THEN 40 + alike
	WHEN kind THEN 20 END
	WHEN owned AND sized = 0 AND alike > 0 THEN 30 + alike WHEN NOT owned AND sized = 1 AND alike > 1
		THEN 10 + alike END AS score
FROM likened WHERE score IS NOT NULL;`

const pairHitsSQL = `
INSERT INTO temp.hit SELECT no, 'attachments', r, NULL, false, score FROM temp.pair
	JOIN (WITH ` + freeSQL + ` SELECT r FROM free) USING (r) WHERE no NOT IN (SELECT no FROM temp.decided);`

// lastHitsSQL goes by a name alone, where no size is known and no owner contradicts it, and by a name in
// its owner's folder although the size differs.
const lastHitsSQL = `
INSERT INTO temp.hit
WITH ` + freeSQL + `, ` + leftSQL + `,
named AS (SELECT name_key, min(r) AS r, count(*) > 1 AS several, bool_or(file_size IS NULL) AS unsized
	FROM free WHERE name_key IS NOT NULL GROUP BY ALL),
placed AS (SELECT no, size, owner || '/' || base AS home FROM e JOIN temp.ownerhit USING (no)),
homed AS (SELECT r, owner || '/' || name_key AS home FROM free JOIN temp.arow USING (r)),
hits AS (
	SELECT no, r, false AS several, ` + ruleNameOwner + ` AS score FROM placed JOIN homed USING (home)
	UNION ALL SELECT no, CASE WHEN NOT several THEN r END AS r, several, ` + ruleName + ` FROM e
		JOIN named ON name_key = base
		WHERE (unsized OR size < 0) AND no NOT IN (SELECT no FROM temp.ownerhit) AND no NOT IN (SELECT no
			FROM temp.named WHERE alone))
SELECT no, 'attachments', r, NULL, bool_or(several), bit_or(score) FROM hits GROUP BY no, r;`

// cvHitsSQL finds the people that CVs belong to. A CV may have a row in Attachments as well; then that is
// found too.
const cvHitsSQL = `
INSERT INTO temp.hit
WITH e AS (SELECT no, lower(nfc_normalize(path)) AS p FROM temp.entry WHERE part = 'cvs'),
listed AS (SELECT no, r, ` + ruleID + ` AS score FROM temp.rowhit JOIN e USING (no)
	UNION ALL SELECT no, r, ` + rulePath + ` FROM e JOIN temp.att ON path_key = p WHERE is_cv),
hits AS (
	SELECT no, owner, NULL::BIGINT AS r, ` + ruleID + ` AS score FROM temp.ownerhit JOIN e USING (no)
	UNION ALL SELECT no, owner, r, score FROM listed JOIN temp.arow USING (r)
	UNION ALL SELECT no, owner, NULL, CASE grade WHEN 9 THEN ` + ruleMail + ` WHEN 1 THEN ` + ruleName + `
		ELSE grade END FROM temp.named JOIN e USING (no) WHERE alone)
SELECT no, 'cvs', min(r), candidate_id, false, bit_or(score) FROM hits JOIN temp.cand USING (owner)
	GROUP BY no, candidate_id;`

// decideSQL decides that an entry belongs to a row where neither has a better or an equally good one. Rows
// with the same key count as one. Of CVs any number may be one person's.
func decideSQL(how string) string {
	return `
INSERT INTO temp.decided
WITH target AS (SELECT no, hit.part, hit.r, candidate_id, several, score,
		CASE WHEN hit.part = 'cvs' THEN candidate_id ELSE coalesce(attachment_id, 'row ' || hit.r) END
			AS target
	FROM temp.hit LEFT JOIN temp.att ON att.r = hit.r
	WHERE no NOT IN (SELECT no FROM temp.decided)
		AND (hit.part = 'cvs' OR (coalesce(attachment_id, 'row ' || hit.r) NOT IN (SELECT target
			FROM temp.decided WHERE part = 'attachments')) IS NOT FALSE)),
best AS (SELECT no, max(score) AS score FROM target GROUP BY no),
top AS (SELECT no, part, score, min(r) AS r, min(candidate_id) AS candidate_id, min(target) AS target,
	count(DISTINCT target) > 1 OR bool_or(several) AS several
	FROM target JOIN best USING (no, score) GROUP BY no, part, score),
claim AS (SELECT target, max(score) AS score FROM target WHERE part = 'attachments' AND target IS NOT NULL
	GROUP BY target),
sole AS (SELECT target, score FROM target WHERE part = 'attachments' AND target IS NOT NULL
	GROUP BY target, score HAVING count(DISTINCT no) = 1)
SELECT no, part, r, candidate_id, target, ` + how + ` FROM top
WHERE NOT several AND (part = 'cvs' OR (target, score) IN (SELECT (target, score) FROM claim) AND (target,
	score) IN (SELECT (target, score) FROM sole));`
}

// endPhaseSQL remembers what could not be decided.
const endPhaseSQL = `
INSERT INTO temp.tied SELECT DISTINCT no FROM temp.hit WHERE no NOT IN (SELECT no FROM temp.decided);
DELETE FROM temp.hit; DROP TABLE IF EXISTS temp.strong;`

// How rows were found, by phase.
const (
	howStrong    = `CASE WHEN score >= ` + ruleID + ` THEN 'id' ELSE 'path' END`
	howNamed     = `CASE WHEN score >= ` + ruleNameSize + ` THEN 'name-size' ELSE 'name-owner' END`
	howRespelled = `CASE score WHEN 6 THEN 'renamed-owner-size' WHEN 4 THEN 'renamed-size'
		ELSE 'renamed-owner' END`
	howPaired = `CASE WHEN score > 40 THEN 'renamed-owner-size' WHEN score > 30 THEN 'renamed-owner'
		WHEN score = 20 THEN 'owner-size' ELSE 'renamed-size' END`
	howLast = `CASE WHEN score >= ` + ruleNameOwner + ` THEN 'name-owner' ELSE 'name' END`
	howCV   = `CASE WHEN score >= ` + ruleID + ` THEN 'id' WHEN score >= ` + rulePath +
		` THEN CASE WHEN r IS NULL THEN 'email' ELSE 'path' END
		WHEN score >= ` + ruleNameOwner + ` THEN 'name-owner' ELSE 'name' END`
)

// rounds is how often a phase looks again at what is left: a row that is taken leaves others without a rival.
const rounds = 3

// A matchPhase matches entries of a part with rows in one way.
type matchPhase struct {
	part   string
	before []string // what its hits are found with
	hits   string   // fills temp.hit
	how    string   // what temp.decided says of them
}

// inDoubtSQL are the entries that may belong to a person whom they name: CVs without an id, and all that have
// a number that may be an id.
const inDoubtSQL = `SELECT no FROM temp.seen
	UNION SELECT no FROM temp.entry WHERE part = 'cvs' AND no NOT IN (SELECT no FROM temp.token
		JOIN temp.oid ON key = token WHERE NOT bare)`

// matchPhases are the phases, the strongest first.
func matchPhases() []matchPhase {
	return []matchPhase{
		{part: "attachments", before: []string{strongSQL}, hits: strongHitsSQL, how: howStrong},
		{part: "cvs", hits: cvHitsSQL, how: howCV},
		{part: "attachments", hits: nameHitsSQL, how: howNamed},
		{
			part: "attachments", before: []string{namedSQL(leftOwnerlessSQL), folderOwnersSQL},
			hits: nameHitsSQL, how: howNamed,
		},
		{part: "attachments", hits: respelledHitsSQL, how: howRespelled},
		{part: "attachments", before: []string{pairSQL}, hits: pairHitsSQL, how: howPaired},
		{part: "attachments", hits: lastHitsSQL, how: howLast},
	}
}

// The owner of a CV is whom it was decided for.
const ownedCVsSQL = `
INSERT INTO temp.owned SELECT no, how, attachment_id, 'CANDIDATE', candidate_id FROM temp.decided AS d
	LEFT JOIN temp.att USING (r) WHERE d.part = 'cvs';`

// The owner of an attachment is what its row names, by id or by reference.
const ownedSQL = `
INSERT INTO temp.owned
WITH row AS (SELECT r, attachment_id, record_id, record_type, record_reference FROM temp.att
	WHERE r IN (SELECT r FROM temp.decided)),
by_ref AS (SELECT r, min(owner_type) AS owner_type, min(owner_id) AS owner_id FROM row
	JOIN temp.owner ON reference = record_reference
	WHERE record_id IS NULL GROUP BY r HAVING count(DISTINCT (owner_type, owner_id)) = 1),
by_id AS (SELECT r, min(owner_type) AS owner_type FROM row JOIN temp.owner ON owner_id = record_id
	WHERE record_type IS NULL GROUP BY r HAVING count(DISTINCT owner_type) = 1)
SELECT d.no, how, attachment_id,
	coalesce(record_type, by_id.owner_type, by_ref.owner_type, CASE left(record_reference, 3)
		WHEN 'CA-' THEN 'CANDIDATE' WHEN 'CT-' THEN 'CONTACT' WHEN 'CY-' THEN 'COMPANY' WHEN 'JB-' THEN 'JOB'
		WHEN 'LD-' THEN 'LEAD' WHEN 'OP-' THEN 'OPPORTUNITY' WHEN 'PL-' THEN 'PLACEMENT' END) AS owner_type,
	coalesce(record_id, by_ref.owner_id) AS owner_id
FROM temp.decided AS d LEFT JOIN row USING (r) LEFT JOIN by_ref USING (r) LEFT JOIN by_id USING (r)
	WHERE d.part = 'attachments';`

// aloneSQL is for attachments without a row, or that several rows fit: theirs is the one record that the path
// names.
const aloneSQL = `
CREATE TEMP TABLE alone AS
WITH named AS (SELECT DISTINCT h.no, owner_type, owner_id FROM temp.ownerhit AS h JOIN temp.entry AS e
	USING (no)
	JOIN temp.owner AS o ON h.owner = concat(o.owner_type, ' ', lower(o.owner_id))
	WHERE e.part = 'attachments' AND no NOT IN (SELECT no FROM temp.decided))
SELECT no, min(owner_type) AS owner_type, min(owner_id) AS owner_id FROM named GROUP BY no
	HAVING count(*) = 1;
INSERT INTO temp.owned
SELECT no, CASE WHEN no IN (SELECT no FROM temp.tied) THEN '` + matchedAmbiguous + `' WHEN no IN (SELECT no
	FROM temp.named WHERE alone AND grade >= 2) THEN 'name-owner' ELSE 'id' END,
	NULL, owner_type, owner_id FROM temp.alone;`

const ambiguousSQL = `
INSERT INTO temp.owned SELECT DISTINCT no, '` + matchedAmbiguous + `', NULL, NULL, NULL FROM temp.tied
	WHERE no NOT IN (SELECT no FROM temp.decided) AND no NOT IN (SELECT no FROM temp.owned);`

const resultSQL = `
CREATE TEMP TABLE result AS
SELECT e.doc_id, e.part, e.container, e.idx, e.off, e.name, e.size, owner_type, owner_id, attachment_id, how
FROM temp.entry AS e LEFT JOIN temp.owned USING (no) ORDER BY e.container, e.off, e.idx;`
