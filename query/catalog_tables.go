package query

// Relations that are ours; a CSV that happens to have one of these names is numbered.
var reservedTables = []string{
	"documents", "document_text", "findings", "rejects", "quarantine", "archive_meta", "stage_event",
	"task_link", "timeline",
}

// schemaSQL makes what a Builder's working database has from the beginning.
const schemaSQL = `
CREATE TABLE findings(code VARCHAR, severity VARCHAR, table_name VARCHAR, record_id VARCHAR, detail VARCHAR,
	found VARCHAR DEFAULT 'archive');
CREATE TABLE quarantine(table_name VARCHAR, row_number BIGINT, record VARCHAR, reason VARCHAR);
CREATE SCHEMA holdall;
CREATE TABLE holdall.refused(part VARCHAR, name VARCHAR, reason VARCHAR, size BIGINT);
`

// catalogSQL makes what every catalog has from the beginning. The schema holdall keeps what DB.Tables and
// Open need.
const catalogSQL = `
CREATE SCHEMA raw;
CREATE SCHEMA holdall;
CREATE TABLE archive_meta(key VARCHAR, value VARCHAR);
CREATE TABLE holdall.parts(relation VARCHAR, name VARCHAR);
CREATE TABLE holdall.tables(position INTEGER, table_name VARCHAR, file VARCHAR, known BOOLEAN, kind VARCHAR,
	row_count BIGINT, quarantined BIGINT,
	rejected BIGINT, encoding VARCHAR, delimiter VARCHAR, line_end VARCHAR, quoting VARCHAR,
		decided VARCHAR, lines_above INTEGER, dates VARCHAR, description VARCHAR);
CREATE TABLE holdall.columns(table_name VARCHAR, position INTEGER, column_name VARCHAR, type VARCHAR,
	heading VARCHAR,
	description VARCHAR, nulls BIGINT, rejected BIGINT, sensitive BOOLEAN, known BOOLEAN, notation VARCHAR);
`
