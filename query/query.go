// Package query turns the CSVs of an export into typed tables in a DuckDB database, reconciles them with the
// documents, and answers SQL about them. It is the only package that imports DuckDB, and it links no network
// code.
//
// To make a database: Create; LoadCSV (or LoadNDJSON) for each received file, Match for each container of
// documents, LoadDocuments, Reconcile; then Catalog and WriteCatalog over files of the caller's, or Finish.
// To ask: Open, read-only and sandboxed; Query or QueryParquet; Write writes what they return.
//
// What is promised:
//   - Nothing is lost silently: rows loaded plus rows quarantined equal an independent count, and the bytes
//     of each column those that were counted, or LoadCSV fails. Every cell can be read back as received.
//   - Nothing is guessed that can be known: one pass over each CSV decides its encoding, delimiter, quoting,
//     row ends, widths and dates. DuckDB then reads it with everything spelt out, and what it has read is
//     compared with the count.
//   - Users' SQL reaches no file, no network and no setting.
//
// The database holds, for each CSV, raw.<table> with every cell as text and the typed <table> on top of it;
// documents; findings, rejects and quarantine, which say what was wrong; and the views stage_event, task_link
// and timeline, with snapshot_at() in place of now(): an archive's today is its snapshot. Every relation and
// column carries a comment.
//
// Where to look:
//   - builder.go and load*.go: from a CSV to a stored table; findings.go, finding_codes.go, reconcile*.go:
//     what is reported
//   - csv_*.go: how a CSV of any writer is split into records (csv_scan.go first); value_*.go: how cells
//     become numbers, dates and lists, and text again
//   - match*.go: whose a document is; owners.go: which columns name a record
//   - catalog*.go and open*.go: the database that users see; relation.go: what is stored and what is derived
//   - sql_*.go: users' SQL, before the engine sees it; rows.go and write*.go: results and their formats
//   - duckdb_*.go: the engine
package query
