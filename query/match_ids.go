package query

import "fmt"

// What an entry's path says by ids, references and numbers:
//
//	oid       what may be in a path for the owner of files, and for whom: "CANDIDATE 17"
//	arow      the rows of attachments and their owners
//	rowhit    entries and the rows whose key their path has
//	ownerhit  entries and the owners whose id or reference their path has
//
// An id with letters in it, or one too long to be anything else, is believed wherever it occurs. A bare
// number may as well be a year, a month, a counter, a telephone number or a postcode: it is believed where
// something else in the path, or the row's name and size, agree with it and nothing contradicts it; or
// where all numbers in that place of all paths are ids, and are not just what years and counters are.

const bareNumber = `'\d{1,14}'`

// ownersSQL says who can own files. otherOwnersSQL adds the rows that name their owner in part, or by
// reference.
const ownersSQL = `
INSERT INTO temp.arow SELECT r, concat(upper(record_type), ' ', lower(record_id)) FROM temp.att
	WHERE record_id IS NOT NULL AND record_type IS NOT NULL;`

const otherOwnersSQL = `
INSERT INTO temp.arow
WITH named AS (SELECT r, upper(record_type) AS kind, lower(record_id) AS id, lower(record_reference) AS ref
	FROM temp.att
	WHERE record_id IS NULL OR record_type IS NULL)
SELECT r, concat(coalesce(owner_type, '?'), ' ', id) FROM named LEFT JOIN temp.owner ON lower(owner_id) = id
	WHERE id IS NOT NULL
UNION SELECT r, concat(owner_type, ' ', lower(owner_id)) FROM named JOIN temp.owner ON lower(reference) =
	ref WHERE id IS NULL AND owner_id IS NOT NULL
UNION SELECT r, concat(coalesce(kind, '?'), ' ', ref) FROM named
	WHERE id IS NULL AND ref NOT IN (SELECT lower(reference) FROM temp.owner WHERE reference IS NOT NULL);`

// ownerIDsSQL says what may be in a path for an owner: all of it where numbers may, since it then matters
// how many ids are numbers; else only what the paths have. It goes step by step: in one statement, the
// engine would hold all of its joins and unions at a time.
func ownerIDsSQL(numbers bool) []string {
	const direct = "concat(record_type, ' ', lower(record_id))"
	add := func(key, owner, from string) string {
		sought := ""
		if !numbers {
			sought = " AND lower(" + key + ") IN (SELECT token FROM temp.sought)"
		}
		return "INSERT INTO temp.keyed SELECT lower(" + key + "), " + owner + " FROM " + from +
			" AND " + key + " IS NOT NULL" + sought
	}
	const (
		known   = "temp.owner WHERE owner_id IS NOT NULL"
		ofOwner = "concat(owner_type, ' ', lower(owner_id))"
		named   = "temp.att WHERE record_id IS NOT NULL AND record_type IS NOT NULL"
		others  = "temp.att JOIN temp.arow USING (r) WHERE (record_id IS NULL OR record_type IS NULL)"
	)
	return []string{
		"CREATE TEMP TABLE sought AS SELECT DISTINCT token FROM temp.token",
		"CREATE TEMP TABLE keyed(key VARCHAR, owner VARCHAR)",
		add("owner_id", ofOwner, known),
		add("reference", ofOwner, known),
		add("record_id", direct, named),
		add("record_reference", direct, named),
		add("record_id", "owner", others),
		add("record_reference", "owner", others),
		`CREATE TEMP TABLE oid AS SELECT key, owner, regexp_extract(owner, '^\S+') AS kind, ` +
			"regexp_full_match(key, " + bareNumber + ") AS bare FROM (SELECT DISTINCT key, owner " +
			"FROM temp.keyed)",
		"DROP TABLE temp.keyed; DROP TABLE temp.sought",
	}
}

// tokenSQL takes paths apart. A token is a run of letters and digits, or one that hyphens join. Only what
// looks like an id (eight characters, a digit among them), a reference, or the whole name of a file or
// folder, is kept: "2" in "CV 2.pdf" is not an id.
const tokenSQL = `
CREATE TEMP TABLE token AS
WITH e AS (SELECT no, lower(nfc_normalize(path)) AS p FROM temp.entry),
loose AS (SELECT no, unnest(list_distinct(list_concat(
		regexp_extract_all(p, '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'),
		string_split_regex(p, '[^\pL\pN]+'), string_split_regex(p, '[^\pL\pN-]+')))) AS token FROM e),
anchored AS (SELECT no, unnest(list_distinct(list_concat(string_split(p, '/'),
		[regexp_replace(regexp_extract(p, '[^/]*$'), '\.[^.]*$', ''), regexp_extract(p,
			'([^/_ ]*)[_ ][^/]*$', 1)]))) AS token FROM e)
SELECT no, token FROM loose WHERE (length(token) >= 8 AND regexp_matches(token, '\d')
	OR regexp_full_match(token, '[a-z]{2}-\d+'))
	AND NOT regexp_full_match(token, ` + bareNumber + `)
UNION SELECT no, token FROM anchored WHERE regexp_matches(token, '\d') AND NOT regexp_full_match(token,
	` + bareNumber + `);`

// areNumbersSQL says whether a number in a path may be an id at all.
const areNumbersSQL = `SELECT EXISTS (FROM temp.entry WHERE regexp_matches(path, '\d'))
	AND (EXISTS (FROM temp.owner WHERE regexp_full_match(owner_id, ` + bareNumber + `)
		OR regexp_full_match(reference, ` + bareNumber + `))
		OR EXISTS (FROM temp.att WHERE regexp_full_match(id_key, ` + bareNumber + `)
			OR regexp_full_match(record_id, ` + bareNumber + `)
			OR regexp_full_match(record_reference, ` + bareNumber + `)))`

// numberSQL finds the numbers in paths.
const numberSQL = `
INSERT INTO temp.number
WITH e AS (SELECT no, part, lower(path) AS p FROM temp.entry WHERE regexp_matches(path, '\d')),
s AS (SELECT no, part, unnest(string_split(p, '/')) AS segment, generate_subscripts(string_split(p, '/'),
	1) AS depth,
	len(string_split(p, '/')) AS deepest FROM e),
t AS (SELECT no, part, CASE WHEN depth = deepest THEN 'file' ELSE 'folder ' || depth END AS place,
	CASE WHEN depth = deepest THEN regexp_replace(segment, '(\.\pL\w{0,4})+$', '')
		ELSE segment END AS segment FROM s)
SELECT no, part, place, segment AS token FROM t WHERE regexp_full_match(segment, ` + bareNumber + `)
UNION SELECT no, part, place || ' begins', regexp_extract(segment, '^(\d{1,14})[-_ .]', 1) AS token FROM t
	WHERE token <> ''
UNION SELECT no, part, place || ' ends', regexp_extract(segment, '[-_ (#.](\d{1,14})\)?$', 1) AS token
	FROM t WHERE token <> ''
UNION SELECT no, part, 'within', unnest(regexp_extract_all(segment, '\d{4,14}')) FROM t;`

// kindsSQL says what kinds of owners a path names, as in Jobs/17: other records may have the same number.
const kindsSQL = `
CREATE TEMP TABLE spoken AS
WITH e AS (SELECT no, '/' || lower(path) AS p FROM temp.entry WHERE no IN (SELECT no FROM temp.number)),
k AS (SELECT no, kind FROM e JOIN (VALUES ('CANDIDATE', '/candidates?[/_ -]'), ('CONTACT',
	'/contacts?[/_ -]'), ('COMPANY', '/(company|companies|clients?)[/_ -]'),
	('JOB', '/(jobs?|vacanc(y|ies))[/_ -]')) AS words(kind, pattern) ON regexp_matches(p, pattern))
FROM k;`

// seenSQL finds the numbers that are the id of a record, or a row's, in tables whose ids are mostly numbers.
const seenSQL = `
INSERT INTO temp.seen
WITH numeric AS (SELECT kind FROM temp.oid GROUP BY kind HAVING count(*) FILTER (bare) * 2 >= count(DISTINCT
	owner)),
rows AS (SELECT coalesce(count(*) FILTER (regexp_full_match(id_key, ` + bareNumber + `)) * 2 >= count(*),
	false) AS numeric FROM temp.att)
SELECT n.no, n.part, place, token, 'owner' AS role, owner, NULL::BIGINT AS r FROM temp.number AS n
	JOIN temp.oid ON key = token AND bare
	WHERE kind IN (FROM numeric) AND (n.part = 'attachments' OR kind = 'CANDIDATE')
		AND (kind IN (SELECT kind FROM temp.spoken AS k WHERE k.no = n.no) OR n.no NOT IN (SELECT no
			FROM temp.spoken))
UNION SELECT n.no, n.part, place, token, 'row', owner, r FROM temp.number AS n
	JOIN temp.att ON id_key = token LEFT JOIN temp.arow USING (r)
	WHERE (SELECT numeric FROM rows);`

// namedSQL finds the people that paths name: those of CVs, and those whose numbers are in doubt. It is
// expensive, and only for entries that need it.
func namedSQL(which string) string {
	return fmt.Sprintf(`
CREATE OR REPLACE TEMP TABLE said AS
SELECT DISTINCT no, left(line, 1) AS how, substr(line, 3) AS key
	FROM (SELECT no, unnest(string_split(people_in(path), chr(10))) AS line FROM temp.entry
		WHERE no IN (%s)) WHERE line <> '';
CREATE OR REPLACE TEMP TABLE word AS SELECT DISTINCT unnest(string_split(key, ' ')) AS word FROM temp.said
	WHERE how <> 'E';
CREATE OR REPLACE TEMP TABLE mailbox AS SELECT no, key AS address FROM temp.said WHERE how = 'E'
	UNION SELECT no, regexp_replace(key, '\.[^.]*$', '') FROM temp.said WHERE how = 'E';
CREATE OR REPLACE TEMP TABLE named AS
WITH spelt AS (SELECT *, regexp_matches(names, '[^A-Za-z ]|[a-z][A-Z]|^ |  | $') AS unlike FROM (SELECT *,
	concat_ws(' ', full_name, first_name, surname) AS names FROM temp.person WHERE EXISTS (FROM temp.said))),
ending AS (SELECT * FROM spelt WHERE unlike
	OR `+lastWord("coalesce(full_name, first_name)")+` IN (SELECT word FROM temp.word)
	OR `+lastWord("surname")+` IN (SELECT word FROM temp.word)),
who AS (SELECT * FROM ending WHERE unlike
	OR `+firstWord("names")+` IN (SELECT word FROM temp.word)
	OR `+firstWord("first_name")+` IN (SELECT word FROM temp.word)
	OR left(`+firstWord("names")+`, 1) IN (SELECT word FROM temp.word)
	OR left(`+firstWord("first_name")+`, 1) IN (SELECT word FROM temp.word)),
known AS (SELECT owner, left(line, 1)::INTEGER AS grade, substr(line, 3) AS key
	FROM (SELECT owner, unnest(string_split(person_keys(coalesce(full_name, ''), coalesce(first_name, ''),
		coalesce(surname, '')), chr(10))) AS line FROM who) WHERE line <> '')
SELECT no, owner, max(grade) AS grade, bool_or(how = 'F') AS alone FROM temp.said JOIN known USING (key)
	WHERE how = 'F' OR how = 'W' AND grade > 1 GROUP BY no, owner
UNION ALL SELECT DISTINCT no, owner, 9, true FROM temp.mailbox
	JOIN temp.person ON lower(email) = address;`, which)
}

// lastWord is SQL for the last word of a name that has no other characters than ASCII letters, and single
// blanks between them. Whatever key person_keys makes of such a name has the last word of the full name
// (where there is none, of the first) or of the surname in it, and the first word of the names or of the
// first name, or its initial; so the many people of whom a path has not both need no keys, which are
// expensive. Other names are all looked at.
func lastWord(name string) string { return "lower(split_part(" + name + ", ' ', -1))" }

func firstWord(name string) string { return "lower(split_part(" + name + ", ' ', 1))" }

// judgedSQL holds each number against what else is known: the people, ids and references in the same path,
// and the name and size of a row.
const judgedSQL = `
CREATE TEMP TABLE judged AS
WITH e AS (SELECT no, size, regexp_extract(lower(nfc_normalize(path)), '[^/]*$') AS base FROM temp.entry
	WHERE no IN (SELECT no FROM temp.seen)),
other AS (SELECT no, owner, false AS exact FROM temp.named UNION ALL SELECT no, owner, true FROM temp.token
	JOIN temp.oid ON key = token WHERE NOT bare),
word AS (SELECT s.no, s.owner, bool_or(o.owner = s.owner) AS agrees, bool_or(o.owner <> s.owner
	AND exact) AS refuses, bool_or(o.owner <> s.owner) AS differs
	FROM temp.seen AS s JOIN other AS o ON o.no = s.no GROUP BY ALL),
byname AS (SELECT DISTINCT owner, name_key AS base FROM temp.att JOIN temp.arow USING (r)
	WHERE name_key IS NOT NULL),
bysize AS (SELECT DISTINCT owner, file_size AS size FROM temp.att JOIN temp.arow USING (r)
	WHERE file_size > 0),
known AS (SELECT s.*, coalesce(agrees, false) AS agrees, coalesce(refuses, false) AS refuses,
	coalesce(differs, false) AS differs,
	CASE WHEN role = 'owner' THEN n.base IS NOT NULL ELSE ends_with(e.base, a.name_key) END AS name_fits,
	CASE WHEN role = 'owner' THEN z.size IS NOT NULL ELSE a.file_size = e.size AND e.size > 0 END
		AS size_fits,
	regexp_full_match(token, '(19[5-9]|20[0-3])\d') OR regexp_full_match(token,
		'(19[5-9]|20[0-3])\d(0[1-9]|1[0-2])([0-3]\d(\d{4}|\d{6})?)?')
		OR regexp_full_match(token, '[0-3]\d(0[1-9]|1[0-2])(19[5-9]|20[0-3])\d') AS dated,
			token::BIGINT <= 31 AS small
	FROM temp.seen AS s JOIN e USING (no) LEFT JOIN word ON word.no = s.no AND word.owner = s.owner
	LEFT JOIN byname AS n ON role = 'owner' AND n.owner = s.owner AND n.base = e.base LEFT JOIN bysize AS z
		ON role = 'owner' AND z.owner = s.owner AND z.size = e.size
	LEFT JOIN temp.att AS a ON a.r = s.r)
SELECT *, agrees AND NOT (differs AND (dated OR small)) OR coalesce(name_fits AND size_fits, false)
	OR coalesce(name_fits OR size_fits, false) AND NOT dated AND NOT small AS backed,
	refuses OR differs AND NOT agrees AND NOT coalesce(name_fits, false) AS doubted FROM known;
CREATE TEMP TABLE trusted AS
WITH all_of AS (SELECT part, place, count(DISTINCT no) AS entries FROM temp.number GROUP BY ALL),
t AS (SELECT part, place, role, count(DISTINCT no) AS hits, bool_or(doubted AND NOT backed) AS doubt,
	bool_or(backed) AS backing, count(DISTINCT token) AS n,
	count(DISTINCT token) FILTER (dated) AS dates, count(DISTINCT token) FILTER (small) AS smalls,
		min(token::BIGINT) AS least, max(token::BIGINT) AS most
	FROM temp.judged GROUP BY ALL)
SELECT part, place, role, dates * 5 <= n AS even_dates FROM t JOIN all_of USING (part, place)
WHERE place <> 'within' AND NOT ends_with(place, ' ends') AND NOT doubt AND hits * 10 >= entries * 9
	AND dates * 2 <= n AND smalls < n
	AND NOT (least <= 1 AND most - least + 1 = n) AND (n > 1 OR hits = 1 OR backing) AND (role = 'owner'
		OR n = hits);
INSERT INTO temp.believed
SELECT DISTINCT no, role, owner, r FROM temp.judged LEFT JOIN temp.trusted USING (part, place, role)
WHERE NOT doubted AND (backed OR even_dates OR even_dates IS NOT NULL AND NOT dated);`

// foundSQL finds what paths name by id.
const foundSQL = `
CREATE TEMP TABLE rowhit AS
SELECT no, r FROM temp.token JOIN temp.att ON id_key = token UNION SELECT no, r FROM temp.believed
	WHERE role = 'row';
CREATE TEMP TABLE ownerhit AS
SELECT no, owner FROM temp.token JOIN temp.oid ON key = token WHERE NOT bare UNION SELECT no, owner
	FROM temp.believed WHERE role = 'owner';`
