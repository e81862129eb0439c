package main

import (
	"context"
	"strings"

	"holdall/archive"
	"holdall/query"
)

// needsLedger reports whether SQL may read the ledger, whose records may be many.
func needsLedger(sql string) bool { return strings.Contains(strings.ToLower(sql), "ledger") }

// attachLedger makes the root's ledger visible to SQL as ledger.runs and ledger.run_records. An archive that
// lies alone has none.
func (x *export) attachLedger(ctx context.Context, db *query.DB) error {
	if x.root == "" {
		return nil
	}
	runs, err := archive.Runs(ctx, x.store)
	if err != nil {
		return withHint(err, "\"holdall verify ROOT\" says what is wrong with the ledger")
	}
	return db.Attach(ctx, "ledger", query.Attached{
		Name: "runs", Comment: "One row a run: what was taken, sent, or asked to be sent again.",
		Columns: `run VARCHAR, started TIMESTAMP, ended TIMESTAMP, direction VARCHAR, type VARCHAR,
			record_type VARCHAR, status VARCHAR, records BIGINT, failed BIGINT, bytes BIGINT, requests BIGINT,
			trace_id VARCHAR, export VARCHAR, operator VARCHAR, version VARCHAR, destination VARCHAR, detail VARCHAR`,
		Rows: func(add func(...any) error) error {
			for _, r := range runs {
				if err := add(r.ID, r.Started.UTC(), r.Ended.UTC(), r.Direction, r.Type, r.RecordType,
					r.Status, r.Records, r.Failed,
					r.Bytes, r.Requests, r.TraceID, r.Export, r.Operator, r.Version, r.Destination, r.Detail); err != nil {
					return err
				}
			}
			return nil
		},
	}, query.Attached{
		Name: "run_records", Comment: "One row for each record that took part in a run of ledger.runs.",
		Columns: `run VARCHAR, record_type VARCHAR, record_id VARCHAR, action VARCHAR, status VARCHAR,
			external_id VARCHAR, sha256 VARCHAR, error VARCHAR`,
		Rows: func(add func(...any) error) error {
			for _, run := range runs {
				for r, err := range archive.RunRecords(ctx, x.store, run) {
					if err != nil {
						return err
					}
					if err := add(run.ID, r.Type, r.ID, r.Action, r.Status, r.ExternalID, r.SHA256,
						r.Error); err != nil {
						return err
					}
				}
			}
			return nil
		},
	})
}
