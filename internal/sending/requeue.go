package sending

import (
	"context"
	"slices"
	"time"

	"holdall/archive"
)

// A Wish is for records of a run to be sent again.
type Wish struct {
	Run      string
	Type, ID string // of one record; with no ID, all that the run did not bring to a success
	Reason   string
	Operator string
	Version  string
}

// Requeue makes the next send to the destination of a run send some of its records again, whatever became of
// them. It adds a tombstone to the ledger and changes nothing that is there. It returns the run that it adds.
func Requeue(ctx context.Context, s archive.Store, w Wish) (*archive.Run, error) {
	runs, err := archive.Runs(ctx, s)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(runs, func(r archive.Run) bool { return r.ID == w.Run })
	if i < 0 {
		return nil, usage("\"holdall log ROOT\" lists the runs", "there is no run %s", w.Run)
	}
	run := runs[i]
	if run.Destination == "" {
		return nil, usage("\"holdall log ROOT --type send\" lists those that did",
			"run %s sent nothing anywhere",
			w.Run)
	}
	records, err := w.records(ctx, s, run)
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	wish := archive.Run{ID: archive.NewRunID(now), Started: now, Ended: now, Direction: "out",
		Type:       "requeue",
		RecordType: run.RecordType, Status: statusRequeued, Records: int64(len(records)), Export: run.Export,
		Operator: w.Operator, Version: w.Version, Destination: run.Destination, Detail: w.Reason}
	if w.ID != "" {
		wish.RecordType = w.Type
	}
	return &wish, archive.AppendRun(ctx, s, wish, records)
}

// records are those of a run that a wish is for, as tombstones.
func (w *Wish) records(ctx context.Context, s archive.Store, run archive.Run) ([]archive.RunRecord, error) {
	var out []archive.RunRecord
	for r, err := range archive.RunRecords(ctx, s, run) {
		if err != nil {
			return nil, err
		}
		if w.ID == "" && r.Status == statusSuccess || w.ID != "" && (r.Type != w.Type || r.ID != w.ID) {
			continue
		}
		out = append(out, archive.RunRecord{Type: r.Type, ID: r.ID, Action: r.Action, Status: statusRequeued,
			SHA256: r.SHA256})
		if w.ID != "" {
			break
		}
	}
	switch {
	case len(out) > 0:
		return out, nil
	case w.ID == "":
		return nil, usage("name a record to have it sent again all the same", "nothing failed in run %s",
			w.Run)
	}
	return nil, usage("\"holdall log ROOT "+w.Run+" --records\" lists its records",
		"%s:%s took no part in run %s", w.Type, w.ID, w.Run)
}
