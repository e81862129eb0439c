package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"holdall/archive"
	"holdall/query"
)

// needsLedger reports whether SQL may read the ledger, whose records may be many.
func needsLedger(sql string) bool { return strings.Contains(strings.ToLower(sql), "ledger") }

// attachLedger makes the root's ledger visible to SQL as ledger.runs, ledger.run_records and
// ledger.exported_systems, as far as some SQL names them; "" is all of it. An archive that lies alone has no
// ledger.
func (x *export) attachLedger(ctx context.Context, e *env, db *query.DB, sql string) error {
	if x.root == "" {
		return nil
	}
	runs, err := archive.Runs(ctx, x.store)
	if err != nil {
		return withHint(err, "\"holdall verify ROOT\" says what is wrong with the ledger")
	}
	names := func(relation string) bool {
		return sql == "" || strings.Contains(strings.ToLower(sql), relation)
	}
	others := x.arrivals(runs, false)
	if !names("run_records") {
		others = nil
	}
	err = db.Attach(ctx, "ledger", query.Attached{
		Name:    "runs",
		Comment: "One row a run: what was taken, verified, copied, sent, or asked to be sent again.",
		Columns: `run VARCHAR, started TIMESTAMP, ended TIMESTAMP, direction VARCHAR, type VARCHAR,
			record_type VARCHAR, status VARCHAR, records BIGINT, failed BIGINT, bytes BIGINT, requests BIGINT,
			trace_id VARCHAR, export VARCHAR, operator VARCHAR, version VARCHAR, destination VARCHAR,
				detail VARCHAR`,
		Rows: func(add func(...any) error) error {
			for _, r := range runs {
				if err := add(r.ID, r.Started.UTC(), r.Ended.UTC(), r.Direction, r.Type, r.RecordType,
					r.Status, r.Records, r.Failed,
					r.Bytes, r.Requests, r.TraceID, r.Export, r.Operator, r.Version, r.Destination,
					r.Detail); err != nil {
					return err
				}
			}
			return nil
		},
	}, query.Attached{
		Name: "listed_records",
		Comment: "Of ledger.run_records, the records that the ledger lists, and those of other archives of " +
			"the root.",
		Columns: `run VARCHAR, record_type VARCHAR, record_id VARCHAR, action VARCHAR, status VARCHAR,
			external_id VARCHAR, sha256 VARCHAR, error VARCHAR`,
		Rows: func(add func(...any) error) error { return x.listRecords(ctx, e, runs, others, add) },
	})
	if err != nil {
		return err
	}
	view := "SELECT * FROM ledger.main.listed_records"
	for _, r := range x.arrivals(runs, true) {
		if names("run_records") { // on S3, to name the tables is to fetch them
			view += fmt.Sprintf(" UNION ALL SELECT '%s', record_type, record_id, '%s', status, '', sha256, "+
				"error FROM (%s)", strings.ReplaceAll(r.ID, "'", "''"), r.Type, query.RecordsSQL)
		}
	}
	if err := db.AttachView(ctx, "ledger", "run_records", view,
		"One row for each record that took part in a run of ledger.runs."); err != nil {
		return err
	}
	if !names("exported_systems") {
		return nil
	}
	return attachExported(ctx, db)
}

// arrivals are the runs whose records archives hold: this archive, or the others of the root.
func (x *export) arrivals(runs []archive.Run, own bool) (found []archive.Run) {
	for _, r := range runs {
		if r.Arrival() && (r.Export == x.bag.ID()) == own {
			found = append(found, r)
		}
	}
	return found
}

// listRecords adds the records that the ledger lists of runs, and those that other archives hold.
func (x *export) listRecords(ctx context.Context, e *env, runs, others []archive.Run,
	add func(...any) error) error {
	put := func(run archive.Run, r archive.RunRecord) error {
		return add(run.ID, r.Type, r.ID, r.Action, r.Status, r.ExternalID, r.SHA256, r.Error)
	}
	for _, run := range runs {
		for r, err := range archive.RunRecords(ctx, x.store, run) {
			if err == nil {
				err = put(run, r)
			}
			if err != nil {
				return err
			}
		}
	}
	for _, run := range others {
		err := x.arrived(ctx, e, run, "", "", func(r archive.RunRecord) error { return put(run, r) })
		var lost *archiveGone
		if errors.As(err, &lost) {
			e.warn(lost.Error())
		} else if err != nil {
			return err
		}
	}
	return nil
}

// sentSQL is one row for each record that a send took to another system.
const sentSQL = `SELECT r.destination AS system, x.record_type, x.record_id, r.ended AS exported_at,
	x.status = 'success' AS success,
	x.external_id, 'holdall' AS recorded_by FROM ledger.main.listed_records AS x JOIN ledger.main.runs AS r
		USING (run)
	WHERE r.type = 'send'`

// markedSQL is one row for each line of the log of exports that the source itself keeps.
const markedSQL = `SELECT 'package ' || export_package_id, CASE WHEN vacancy_id IS NOT NULL THEN 'vacancies'
	ELSE 'applications' END,
	coalesce(vacancy_id, application_id), date_exported, success, external_id, 'source'
		FROM archive.main.exports`

// attachExported joins what the ledger and the source say of where records went, without mixing them.
func attachExported(ctx context.Context, db *query.DB) error {
	tables, err := db.Tables(ctx)
	if err != nil {
		return err
	}
	view := sentSQL
	if slices.ContainsFunc(tables, func(t query.TableReport) bool {
		return t.Table == "exports" &&
			t.Known
	}) {
		view += " UNION ALL " + markedSQL
	}
	return db.AttachView(ctx, "ledger", "exported_systems", view,
		"Where records went: one row an event, by the sends of this root, and by the source's own log of "+
			"exports.")
}
