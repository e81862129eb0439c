package main

import (
	"context"
	"time"

	"holdall/archive"
	"holdall/archive/dirstore"
	"holdall/archive/s3store"
	"holdall/internal/takeover"
)

// recordPatience is how long a root may take to accept the row of a run that has ended.
const recordPatience = 20 * time.Second

// recordRun adds a run of this process to the root's ledger. The run has ended, also when ctx has.
func (e *env) recordRun(ctx context.Context, s archive.Store, r archive.Run,
	records []archive.RunRecord) error {
	pack := archive.NewRecordPack()
	for _, x := range records {
		if err := pack.Add(x); err != nil {
			return err
		}
	}
	r.Ended = time.Now()
	return e.appendRun(ctx, s, r, pack)
}

// appendRun adds a run to a root's ledger, under a new ID unless it has one.
func (e *env) appendRun(ctx context.Context, s archive.Store, r archive.Run,
	records *archive.RecordPack) error {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordPatience)
	defer cancel()
	if r.ID == "" {
		r.ID = archive.NewRunID(r.Started)
	}
	r.Started, r.Ended = r.Started.UTC(), r.Ended.UTC()
	r.Operator, r.Version = e.operator(), version()
	return archive.AppendRunPack(limited, s, r, records)
}

// record adds a verification to the ledger of the root that it was of. A root that cannot be written to, or
// whose ledger is damaged, can be verified as well: that is told, and is not a fault.
func (v *verification) record(ctx context.Context, e *env, at exportPath, began time.Time) {
	if at.root == "" || v.ledgerDamaged() || len(v.Exports) == 0 {
		return
	}
	if err := v.appendTo(ctx, e, at, began); err != nil {
		e.talk("this verification is not in the ledger, which could not be written to: %v", err)
	}
}

func (v *verification) ledgerDamaged() bool {
	for _, f := range v.Faults {
		if f.Export == "" {
			return true
		}
	}
	return false
}

func (v *verification) appendTo(ctx context.Context, e *env, at exportPath, began time.Time) error {
	h, err := e.openRootAt(ctx, at.root, false, s3store.Options{})
	if err != nil {
		return err
	}
	defer h.close()
	if runs, err := archive.Runs(ctx, h.store); err != nil || len(runs) == 0 {
		return err // without a ledger it is a directory of archives, which stays as it is
	}
	run := archive.Run{Started: began, Direction: "check", Type: "verify", RecordType: "exports",
		Status: "valid", Records: int64(len(v.Exports)), Bytes: v.Bytes, Detail: string(v.Level)}
	var records []archive.RunRecord
	for _, x := range v.Exports {
		r := archive.RunRecord{Type: "exports", ID: x.Export, Action: "verify", Status: "success"}
		if len(x.Faults) > 0 {
			run.Failed++
			r.Status = "failed"
			r.Error = count(len(x.Faults), "fault", "faults") + ", the first: " + string(x.Faults[0].Code)
		}
		records = append(records, r)
	}
	switch {
	case len(v.Faults) > 0:
		run.Status = "faults"
	case v.Unfinished:
		run.Status = "unfinished"
	}
	if len(v.Exports) == 1 {
		run.Export = v.Exports[0].Export
	}
	return e.recordRun(ctx, h.store, run, records)
}

// recordCopy adds a copy to the ledger of the root that it went to, and to that of the root that it came
// from, where there is one that can be written to: the one knows where its archive is from, the other where
// it also is.
func (e *env) recordCopy(ctx context.Context, h *openedRoot, x *export, r *archive.CopyReport, failed error,
	began time.Time) {
	run := archive.Run{Started: began, Direction: "in", Type: "copy", RecordType: "exports",
		Status: takeover.StateComplete, Records: 1, Export: x.bag.ID(), Detail: "from " + x.bag.Location()}
	record := archive.RunRecord{Type: "exports", ID: x.bag.ID(), Action: "copy", Status: "success"}
	if r != nil {
		run.Bytes = r.Copied
	}
	if failed != nil {
		run.Status, run.Failed = "failed", 1
		record.Status, record.Error = "failed", describeError(failed).Message
	}
	if err := e.recordRun(ctx, h.store, run, []archive.RunRecord{record}); err != nil {
		e.warn("the run could not be written into the ledger: " + err.Error())
	}
	if x.root == "" || h.name == x.name {
		return
	}
	if runs, err := archive.Runs(ctx, x.store); err != nil || len(runs) == 0 {
		return // it has no ledger, or one that "verify" is to look at first
	}
	to := h.store.Location("exports/" + x.bag.ID())
	run.Direction, run.Destination, run.Detail = "out", "copy:"+to, "to "+to
	if err := e.recordRun(ctx, x.store, run, []archive.RunRecord{record}); err != nil {
		e.talk("the copy is not in the ledger of %s, which could not be written to: %v", x.name, err)
	}
}

// recordTake adds a takeover to the ledger, ended or not; each day of a pull is one.
func (e *env) recordTake(ctx context.Context, o takeover.Options, r *takeover.Result, failed error,
	began time.Time) {
	var store archive.Store
	if o.Remote != nil {
		store = o.Remote.Store
	} else {
		dir, err := dirstore.Open(o.Root, false)
		if err != nil {
			return
		}
		defer dir.Close()
		store = dir
	}
	run := archive.Run{Started: began, Direction: "in", Type: "take", Status: r.State, Bytes: r.FetchedBytes,
		Export: r.Export}
	for _, t := range r.Tables {
		run.Records += t.Rows
	}
	if failed != nil && r.State != takeover.StatePaused {
		run.Detail = describeError(failed).Message
	}
	var err error
	if len(r.PullSessions) == 0 {
		err = e.recordRun(ctx, store, run, nil)
	}
	for _, session := range r.PullSessions {
		if err = e.recordSession(ctx, store, run, session); err != nil {
			break
		}
	}
	if err != nil {
		e.warn("the run could not be written into the ledger: " + err.Error())
	}
}

// recordSession adds what one run of the command received of a pull: run is that of the last one. Of one that
// was killed only its answers tell.
func (e *env) recordSession(ctx context.Context, s archive.Store, run archive.Run,
	pulled takeover.PullSession) error {
	run.Ended = time.Now()
	if pulled.Killed {
		if pulled.Records.Len() == 0 {
			return nil
		}
		run.Started, run.Ended, run.Export = pulled.Began, pulled.Ended, ""
		run.Status, run.Detail = statusKilled, "the process ended without a word"
	}
	run.Pull, run.Receipts = pulled.Pull, int64(pulled.Receipts)
	run.Requests, run.Bytes = int64(pulled.Requests), pulled.Bytes
	run.Records, run.Failed = pulled.Records.Len(), pulled.Records.Failed()
	return e.appendRun(ctx, s, run, pulled.Records)
}

// statusKilled is the status of a run whose process was killed.
const statusKilled = "interrupted"
