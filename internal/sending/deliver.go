package sending

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"holdall/archive"
	"holdall/internal/atomicfile"
	"holdall/orgvue"
)

// interrupted is what a send leaves while it is on its way: should its process die, the next one knows of
// what nobody can tell.
type interrupted struct {
	Run     archive.Run         `json:"run"`
	Records []archive.RunRecord `json:"records"`
	// Importing is when the import was about to be asked for; zero: it never was.
	Importing time.Time `json:"importing,omitzero"`
}

// deliver sends a payload and records what became of it.
func (o *Options) deliver(ctx context.Context, c *orgvue.Client, payload *os.File, out *outgoing, r *Result,
	began time.Time) error {
	run := archive.Run{
		ID: r.Run, Started: began.UTC(), Direction: "out", Type: "send", RecordType: o.RecordType,
		Export:   o.Export,
		Operator: o.Operator, Version: o.Version, Destination: Destination(&o.Orgvue),
		Records: int64(len(out.records)),
	}
	if info, err := payload.Stat(); err == nil {
		run.Bytes = info.Size()
	}
	note := interrupted{Run: run, Records: out.records}
	if err := o.keep(note); err != nil {
		return err
	}
	report, err := c.Send(ctx, payload, len(out.records), func() error {
		note.Importing = time.Now().UTC()
		return o.keep(note)
	})
	if ctx.Err() != nil && report == nil && err != nil {
		report = &orgvue.Report{State: orgvue.Unknown}
	}
	r.Sent = len(out.records)
	o.applyReport(report, err, out, r)
	run.Ended, run.Status, run.TraceID = time.Now().UTC(), r.State, r.TraceID
	run.Failed, run.Requests = int64(r.Failed), int64(c.Requests())
	if err != nil {
		run.Detail = err.Error()
	}
	records := out.records
	if report == nil { // it never began, so that nothing is to be said of any record
		records, r.Sent = nil, 0
		run.Records, run.Failed = 0, 0
	}
	kept := context.WithoutCancel(ctx) // what happened is recorded even if ctx is done
	if lerr := archive.AppendRun(kept, o.Store, run, records); lerr != nil {
		return errors.Join(err, lerr)
	}
	return errors.Join(err, os.Remove(o.interruptedName()))
}

// keep writes down what is on its way.
func (o *Options) keep(note interrupted) error {
	b, err := json.Marshal(note)
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(o.interruptedName(), b)
}

// applyReport fills in what became of each record.
func (o *Options) applyReport(report *orgvue.Report, err error, out *outgoing, r *Result) {
	r.State = orgvue.Failed
	if report == nil {
		return
	}
	r.State, r.TraceID = report.State, report.TraceID
	results := match(out.records, report.Items)
	for i := range out.records {
		x := &out.records[i]
		got := results[i]
		switch {
		case got == nil && err != nil:
			x.Status, x.Error = orgvue.Unknown, err.Error()
		case got == nil:
			x.Status, x.Error = orgvue.Unknown, "the result does not name this item"
		case got.OK:
			x.Status = statusSuccess
			if got.ID != x.ID {
				x.ExternalID = got.ID
			}
		default:
			x.Status, x.Error = statusFailed, got.Error
		}
		if x.Status == statusSuccess {
			r.Succeeded++
			continue
		}
		r.Failed++
		r.Failures = append(r.Failures, Failure{x.ID, x.Error})
		if report.State == orgvue.Completed {
			r.State = orgvue.WithFailures
		}
	}
}

// match finds each record's result: by its identifier, else by its place where the result has as many items
// as were sent.
func match(records []archive.RunRecord, results []orgvue.ItemResult) []*orgvue.ItemResult {
	byID := map[string]*orgvue.ItemResult{}
	for i := range results {
		byID[results[i].ID] = &results[i]
	}
	out := make([]*orgvue.ItemResult, len(records))
	for i, r := range records {
		out[i] = byID[r.ID]
		if out[i] == nil && len(results) == len(records) {
			out[i] = &results[i]
		}
	}
	return out
}

// recordInterrupted records a send whose process died: whether its records were imported is not known.
func recordInterrupted(ctx context.Context, o Options) error {
	left, err := filepath.Glob(filepath.Join(o.Work, payloadPattern))
	if err != nil {
		return err
	}
	for _, payload := range left {
		if err := os.Remove(payload); err != nil {
			return err
		}
	}
	b, err := os.ReadFile(o.interruptedName())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var x interrupted
	if err == nil {
		err = json.Unmarshal(b, &x)
	}
	if err != nil {
		return fmt.Errorf("read what an earlier send left: %w", err)
	}
	runs, err := archive.Runs(ctx, o.Store)
	if err != nil {
		return err
	}
	for _, r := range runs {
		if r.ID == x.Run.ID { // it died when it had recorded all
			return os.Remove(o.interruptedName())
		}
	}
	if x.Importing.IsZero() { // so that nothing is to be said of any record
		x.Run.Ended, x.Run.Status = time.Now().UTC(), orgvue.Failed
		x.Run.Detail = "interrupted before the import"
		x.Run.Records, x.Records = 0, nil
	} else {
		o.Talk("the send begun at %s was interrupted: the dataset is asked which of its %d records it has",
			x.Run.Started.Format(time.DateTime), len(x.Records))
		x.Run.Ended, x.Run.Status, x.Run.Failed = x.Importing, orgvue.Unknown, int64(len(x.Records))
	}
	for i := range x.Records {
		x.Records[i].Status, x.Records[i].Error = orgvue.Unknown, "the send was interrupted"
	}
	if err := archive.AppendRun(ctx, o.Store, x.Run, x.Records); err != nil {
		return err
	}
	return os.Remove(o.interruptedName())
}
