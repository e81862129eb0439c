// Package query turns the CSVs of an export into typed tables in a DuckDB database, reconciles them with the
// documents, and answers SQL about them. It is the only package that imports DuckDB, and it links no network
// code.
//
// A Builder makes the database: LoadCSV for each received CSV, Match for each container of documents,
// LoadDocuments, Reconcile, Finish. Open opens a finished one for users' SQL, read-only and sandboxed; Write
// writes what it answers.
//
// The database holds, for each CSV, raw.<table> with every cell as text and the typed <table> on top of it;
// documents; findings, rejects and quarantine, which say what was wrong; and the views stage_event, task_link
// and timeline, with snapshot_at() in place of now(): an archive's today is its snapshot. Every relation and
// column carries a comment.
//
// Nothing is guessed that can be known. One pass of ours over each CSV decides its encoding, delimiter, row
// ends, widths and dates, and counts its records and the bytes of its columns. DuckDB then reads it with
// everything spelt out, and what it has read is compared with the count.
package query
