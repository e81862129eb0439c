package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdall/archive"
	"holdall/internal/sending"
)

type logOptions struct {
	since, until string
	kind         string
	recordType   string
	status       string
	record       string
	records      bool
	failed       bool
}

func logCommand() command {
	var o logOptions
	return command{
		use:   "log [ROOT] [RUN]",
		short: "List what was taken, verified, copied and sent; open one run; follow one record",
		long: `
List the runs of a root, newest first. With RUN, show that one, its records with --records, those that failed
with --failed. With --record TYPE:ID, list the runs that a record took part in, and since when it is where.`,
		example: `  holdall log archives --type send --since 2026-03-01
  holdall log archives 20260311T083000Z-k4pq --failed
  holdall log archives --record people:E-1187
  holdall log requeue archives 20260311T083000Z-k4pq people:E-1187 --reason "grade corrected"`,
		args:  cobra.MaximumNArgs(2),
		flags: o.addFlags,
		run:   func(ctx context.Context, e *env, args []string) error { return o.run(ctx, e, args) },
		subs:  []command{requeueCommand()},
	}
}

func (o *logOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.since, "since", "",
		"runs that ended at this `TIME` or later: 2026-03-01 or 2026-03-01T08:00:00Z")
	f.StringVar(&o.until, "until", "", "runs that ended before this `TIME`; a date is its end")
	f.StringVar(&o.kind, "type", "", "`TYPE` of run: take, verify, copy, send, mark-exported, requeue")
	f.StringVar(&o.recordType, "record-type", "", "runs of records of this `TYPE`")
	f.StringVar(&o.status, "status", "", "runs with this `STATUS`")
	f.StringVar(&o.record, "record", "", "runs that the record `TYPE:ID` took part in")
	f.BoolVar(&o.records, "records", false, "of one run: list its records")
	f.BoolVar(&o.failed, "failed", false, "of one run: list its records that failed")
}

func (o *logOptions) run(ctx context.Context, e *env, args []string) error {
	root, rest, err := e.exportArgs(args, 0, 1)
	if err != nil {
		return err
	}
	if len(args) == 1 && len(rest) == 1 && !runPattern(args[0]) {
		root, rest = args[0], nil
	}
	h, err := openRoot(ctx, e, root)
	if err != nil {
		return err
	}
	defer h.close()
	runs, err := archive.Runs(ctx, h.store)
	if err != nil {
		return withHint(err, "\"holdall verify ROOT\" says what is wrong with the ledger")
	}
	switch {
	case len(rest) == 1:
		return o.one(ctx, e, h, runs, rest[0])
	case o.record != "":
		return o.follow(ctx, e, h, runs)
	case o.records || o.failed:
		return usagef("name one run", "--records and --failed are of one run")
	}
	keep, err := o.filter()
	if err != nil {
		return err
	}
	runs = slices.DeleteFunc(runs, func(r archive.Run) bool { return !keep(r) })
	slices.Reverse(runs)
	return e.printRuns(runs)
}

func runPattern(s string) bool {
	return len(s) > 16 && s[8] == 'T' && s[15] == 'Z' || strings.Count(s,
		"-") > 2
}

func (o *logOptions) filter() (func(archive.Run) bool, error) {
	since, err := logTime(o.since, false)
	if err != nil {
		return nil, err
	}
	until, err := logTime(o.until, true)
	if err != nil {
		return nil, err
	}
	return func(r archive.Run) bool {
		return (since.IsZero() || !r.Ended.Before(since)) && (until.IsZero() || r.Ended.Before(until)) &&
			(o.kind == "" || o.kind == r.Type) && (o.status == "" || o.status == r.Status) &&
			(o.recordType == "" || o.recordType == r.RecordType)
	}, nil
}

// logTime reads a time or a date, which with end is the moment after it.
func logTime(s string, end bool) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	t, err := time.ParseInLocation(time.DateOnly, s, time.Local)
	if err != nil {
		return t, usagef("write 2026-03-01 or 2026-03-01T08:00:00Z", "%q is not a time", s)
	}
	if end {
		t = t.AddDate(0, 0, 1)
	}
	return t, nil
}

func (e *env) printRuns(runs []archive.Run) error {
	if e.json {
		if runs == nil {
			runs = []archive.Run{}
		}
		return e.printJSON(runs)
	}
	var rows [][]string
	for _, r := range runs {
		rows = append(rows, []string{r.ID, r.Ended.UTC().Format(time.RFC3339), r.Type, r.Status,
			r.RecordType, number(r.Records),
			number(r.Failed), number(r.Bytes), number(r.Requests), r.Destination, r.Export, r.Operator})
	}
	return e.table([]string{"run", "ended", "type", "status", "of", "records", "failed", "bytes",
		"requests", "to", "export", "by"},
		[]int{5, 6, 7, 8}, rows)
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func findRun(runs []archive.Run, id string) (archive.Run, error) {
	i := slices.IndexFunc(runs, func(r archive.Run) bool { return r.ID == id })
	if i < 0 {
		return archive.Run{}, usagef("\"holdall log ROOT\" lists the runs", "there is no run %s", id)
	}
	return runs[i], nil
}

// one shows one run, or its records.
func (o *logOptions) one(ctx context.Context, e *env, h *openedRoot, runs []archive.Run, id string) error {
	r, err := findRun(runs, id)
	if err != nil {
		return err
	}
	if o.records || o.failed {
		out := newRecordPrinter(e)
		err := h.records(ctx, e, r, "", "", func(x archive.RunRecord) error {
			if o.failed && x.Status == "success" {
				return nil
			}
			return out.print(x)
		})
		if err != nil {
			return withHint(err, "a copy of the archive in another root has them: \"holdall log\" there")
		}
		return out.end()
	}
	if e.json {
		return e.printJSON(r)
	}
	rows := [][]string{
		{"run", r.ID}, {"type", r.Type}, {"direction", r.Direction}, {"status", r.Status}, {"started",
			r.Started.Format(time.RFC3339)},
		{"ended", r.Ended.Format(time.RFC3339)}, {"record type", r.RecordType}, {"records",
			number(r.Records)},
		{"failed", number(r.Failed)}, {"bytes", number(r.Bytes)}, {"requests",
			number(r.Requests)}, {"trace", r.TraceID},
		{"to", r.Destination}, {"export", r.Export}, {"by", r.Operator}, {"version", r.Version}, {"detail",
			r.Detail},
	}
	return e.table([]string{"", ""}, nil, slices.DeleteFunc(rows,
		func(row []string) bool { return row[1] == "" }))
}

// A followed is a run that a record took part in.
type followed struct {
	archive.Run
	Record archive.RunRecord `json:"record"`
	Last   bool              `json:"last_success"` // at its destination
}

// follow lists the runs that a record took part in, newest first, and marks the last success at each
// destination.
func (o *logOptions) follow(ctx context.Context, e *env, h *openedRoot, runs []archive.Run) error {
	typ, id, ok := strings.Cut(o.record, ":")
	if !ok {
		return usagef("write --record people:E-1187", "%q is not TYPE:ID", o.record)
	}
	found := []followed{}
	last := map[string]bool{}
	for _, r := range slices.Backward(runs) {
		err := h.records(ctx, e, r, typ, id, func(x archive.RunRecord) error {
			success := x.Status == "success" && !last[r.Destination]
			last[r.Destination] = last[r.Destination] || success
			found = append(found, followed{r, x, success})
			return nil
		})
		var lost *archiveGone
		if errors.As(err, &lost) {
			e.warn(lost.Error())
		} else if err != nil {
			return err
		}
	}
	if e.json {
		return e.printJSON(found)
	}
	var rows [][]string
	for _, f := range found {
		mark := ""
		if f.Last {
			mark = "last success"
		}
		rows = append(rows, []string{f.ID, f.Ended.UTC().Format(time.RFC3339), f.Type, f.Destination,
			f.Record.Action, f.Record.Status,
			f.Record.ExternalID, f.Record.Error, mark})
	}
	return e.table([]string{"run", "ended", "type", "to", "action", "status", "external ID", "error", ""},
		nil, rows)
}

type requeueOptions struct {
	reason string
	failed bool
}

func requeueCommand() command {
	var o requeueOptions
	return command{
		use:   "requeue [ROOT] RUN TYPE:ID",
		short: "Make the next send send one record of a run again",
		long: `
Make the next send to the same destination send a record again, whole, whatever became of it. Only that
record: others that failed wait on. With --failed in place of a record, all of the run that did not go in. It
is recorded in the ledger, from which nothing is ever taken.`,
		example: `  holdall log requeue archives 20260311T083000Z-k4pq people:E-1187 --reason "corrected"
  holdall log requeue archives 20260311T083000Z-k4pq --failed --reason "the property was missing"`,
		args: cobra.RangeArgs(1, 3),
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&o.reason, "reason", "", "`TEXT` that says why (required)")
			f.BoolVar(&o.failed, "failed", false,
				"all records of the run that did not go in, in place of TYPE:ID")
		},
		run: func(ctx context.Context, e *env, args []string) error { return o.run(ctx, e, args) },
	}
}

func (o *requeueOptions) run(ctx context.Context, e *env, args []string) error {
	named := 2
	if o.failed {
		named = 1
	}
	root, rest, err := e.exportArgs(args, named, named)
	if err != nil {
		return err
	}
	w := sending.Wish{Run: rest[0], Reason: o.reason, Operator: e.operator(), Version: version()}
	what, ok := "what failed", true
	if !o.failed {
		what = rest[1]
		w.Type, w.ID, ok = strings.Cut(rest[1], ":")
	}
	switch {
	case !ok || !o.failed && w.ID == "":
		return usagef("write people:E-1187", "%q is not TYPE:ID", what)
	case strings.TrimSpace(o.reason) == "":
		return usagef("add --reason TEXT", "it is not said why the record is to be sent again")
	}
	h, err := openRoot(ctx, e, root)
	if err != nil {
		return err
	}
	defer h.close()
	r, err := sending.Requeue(ctx, h.store, w)
	if err != nil {
		return err
	}
	if e.json {
		return e.printJSON(r)
	}
	_, err = fmt.Fprintln(e.stdout, r.ID)
	e.talk("the next send to %s sends %s again (%s)", r.Destination, what,
		count(int(r.Records), "record", "records"))
	return err
}
