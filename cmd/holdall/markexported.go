package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdall/archive"
	"holdall/eploy"
	"holdall/internal/takeover"
	"holdall/query"
)

type markOptions struct {
	take  takeOptions // of it, how the system is reached
	query string
	pack  int
	yes   bool
}

func markExportedCommand() command {
	var o markOptions
	return command{
		use:   "mark-exported [EXPORT] eploy://SYSTEM",
		short: "Write into Eploy's own log that records were exported",
		long: `
Add to the log of exports that Eploy keeps that vacancies and applications went out in an export package. This
is the only command that writes into a source. It needs a key with the scope export.insert, for which no other
command asks, and without --yes it only prints what it would mark.

The query returns a column vacancy_id or application_id, and may return external_reference. The archive is
verified first, and must have been pulled from that system. What the ledger knows to be marked in the package
is left out. If an answer is lost, nothing is sent again: look into Eploy's log of exports, and where a record
is not in it, "holdall log requeue" has it sent again.`,
		example: `  holdall mark-exported archives eploy://acme --query placed.sql --package 3
  holdall mark-exported archives eploy://acme --query placed.sql --package 3 --yes --credentials mark.json`,
		args:  cobra.RangeArgs(1, 2),
		flags: o.addFlags,
		run:   func(ctx context.Context, e *env, args []string) error { return o.run(ctx, e, args) },
		exits: []int{exitNotFinished, exitFindings},
	}
}

func (o *markOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.query, "query", "", "`FILE` with SQL that selects the records (required)")
	f.IntVar(&o.pack, "package", 0, "`NUMBER` of the export package in Eploy (required)")
	f.BoolVar(&o.yes, "yes", false, "really write into the system")
	f.StringVar(&o.take.api.credentials, "credentials", "", "JSON `FILE` with client_id and client_secret "+
		"of a key that may mark, or - (default: HOLDALL_EPLOY_CLIENT_ID and HOLDALL_EPLOY_CLIENT_SECRET)")
	f.StringVar(&o.take.api.url, "api-url", "", "`URL` of the API (default https://SYSTEM.eploy.net/api)")
	f.IntVar(&o.take.api.reserve, "reserve", -1,
		"leave `N` requests a day to others (default: a tenth of the day's limit)")
	f.BoolVar(&o.take.allowPrivate, "allow-private", false, "the API may be on this machine, also by http")
}

func (o *markOptions) run(ctx context.Context, e *env, args []string) error {
	system, ok := strings.CutPrefix(args[len(args)-1], "eploy://")
	switch {
	case !ok:
		return usagef("write eploy://SYSTEM last", "%q is not a system that can be marked in",
			args[len(args)-1])
	case o.query == "" || o.pack < 1:
		return usagef("add --query FILE and --package NUMBER", "what is to be marked is not said")
	}
	sql, err := os.ReadFile(o.query)
	if err != nil {
		return withHint(err, "--query wants a file with SQL in it")
	}
	arg, _, err := e.exportArgs(args[:len(args)-1], 0, 0)
	if err != nil {
		return err
	}
	x, err := openExport(ctx, e, arg)
	if err != nil {
		return err
	}
	if x.root == "" || !isOfSystem(x.bag.ID(), system) {
		return usagef("name an archive in a root that was taken from it", "%s is not an export of %s",
			x.bag.ID(),
			system)
	}
	marks, err := o.chosen(ctx, e, x, string(sql))
	if err != nil {
		return err
	}
	destination := fmt.Sprintf("eploy:%s/package-%d", strings.ToLower(system), o.pack)
	if marks, err = unmarked(ctx, x.store, destination, marks); err != nil {
		return err
	}
	if !o.yes || len(marks) == 0 {
		e.talk("%s would be marked in package %d; nothing was sent", count(len(marks), "record", "records"),
			o.pack)
		return e.printMarks("planned", marks)
	}
	if err := verifyBefore(ctx, e, x); err != nil {
		return err
	}
	p, err := o.take.apiOptions(e, system)
	if err != nil {
		return err
	}
	return o.mark(ctx, e, x, p, destination, marks)
}

// isOfSystem reports whether an export was pulled from a system: one of acme-uk was not pulled from acme.
func isOfSystem(id, system string) bool {
	like := archive.NewID("eploy", system, time.Now())
	name := len(like) - len("20060102T150405Z-aaaa")
	return len(id) == len(like) && id[:name] == like[:name]
}

// A marking is a record that is to be marked, and what became of it.
type marking struct {
	archive.RunRecord
	mark eploy.Mark
}

// chosen reads the records from the query's rows.
func (o *markOptions) chosen(ctx context.Context, e *env, x *export, sql string) ([]marking, error) {
	db, err := x.database(ctx, e)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.Query(ctx, sql, nil)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []marking
	seen := map[string]bool{}
	for rows.Next() {
		values, err := rows.Strings()
		if err != nil {
			return nil, err
		}
		m, err := markingOf(rows.Columns(), values)
		if err != nil {
			return nil, err
		}
		if key := m.Type + ":" + m.ID; !seen[key] {
			seen[key] = true
			out = append(out, m)
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	return out, checkArchived(ctx, db, out)
}

// markedTables are the tables of the records that can be marked, by the column that identifies them.
var markedTables = map[string]string{"vacancy_id": "vacancies", "application_id": "applications"}

func markingOf(columns, values []string) (marking, error) {
	m := marking{RunRecord: archive.RunRecord{Action: "mark-exported"}}
	for i, name := range columns {
		switch {
		case name == "external_reference":
			m.ExternalID, m.mark.Reference = values[i], values[i]
		case markedTables[name] == "":
			return m, usagef("return vacancy_id or application_id, and external_reference",
				"the query has a column %s", name)
		case values[i] == "":
		case m.ID != "":
			return m, usagef("return one of them in each row, and NULL for the other",
				"a row has both a vacancy_id and an application_id")
		default:
			m.Type, m.ID = markedTables[name], values[i]
		}
	}
	var err error
	if m.mark.ID, err = strconv.Atoi(m.ID); err != nil {
		return m, usagef("leave such rows out", "a row has no vacancy_id or application_id that is a number")
	}
	return m, nil
}

// checkArchived refuses records that are not in the archive: the system would be told of what is not here.
func checkArchived(ctx context.Context, db *query.DB, all []marking) error {
	for column, table := range markedTables {
		wanted := map[string]bool{}
		for _, m := range all {
			if m.Type == table {
				wanted[m.ID] = true
			}
		}
		if len(wanted) == 0 {
			continue
		}
		rows, err := db.Query(ctx, "SELECT "+column+" FROM archive.main."+table, nil)
		if err != nil {
			return err
		}
		for rows.Next() {
			values, err := rows.Strings()
			if err != nil {
				return errors.Join(err, rows.Close())
			}
			delete(wanted, values[0])
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		for id := range wanted {
			return usagef("select records from the archive's own tables",
				"%s in %s: the archive has no such record",
				id, table)
		}
	}
	return nil
}

// unmarked leaves out what the ledger knows to be marked at the destination, and refuses to go on where it
// is not known what became of a request.
func unmarked(ctx context.Context, s archive.Store, destination string, all []marking) ([]marking, error) {
	runs, err := archive.Runs(ctx, s)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, r := range runs {
		if r.Destination != destination {
			continue
		}
		for x, err := range archive.RunRecords(ctx, s, r) {
			if err != nil {
				return nil, err
			}
			// The last one counts.
			known[x.Type+":"+x.ID] = x.Status != "failed" && x.Status != "requeued"
		}
	}
	var out []marking
	for _, m := range all {
		if !known[m.Type+":"+m.ID] {
			out = append(out, m)
		}
	}
	return out, nil
}

func verifyBefore(ctx context.Context, e *env, x *export) error {
	show := newVerifyProgress(e, x.bag.ID())
	r, err := takeover.Verify(ctx, x.bag, archive.Full, "", archive.VerifyOptions{Progress: show.update})
	show.end()
	if err == nil && !r.Valid {
		err = withHint(errors.New("the archive has changed since it was committed: nothing is marked"),
			"\"holdall verify\" lists what is wrong")
	}
	return err
}

// mark marks records, some hundred a request, each a run of the ledger. Before that a run says that it is
// about to be sent: of a process that dies, nothing is sent twice.
func (o *markOptions) mark(ctx context.Context, e *env, x *export, p eploy.Options, destination string,
	all []marking) error {
	marker, err := eploy.NewMarker(p)
	if err != nil {
		return err
	}
	defer marker.Close()
	for first := 0; first < len(all); first += eploy.MaxMarks {
		if err := marker.Prepare(ctx); err != nil {
			return stopped(ctx, err)
		}
		part := all[first:min(first+eploy.MaxMarks, len(all))]
		by := map[string][]eploy.Mark{}
		for _, m := range part {
			by[m.Type] = append(by[m.Type], m.mark)
		}
		run := archive.Run{ID: archive.NewRunID(time.Now()), Started: time.Now(), Destination: destination}
		if err := e.recordMarks(ctx, x, run, "unknown", "unknown", "about to be sent", part); err != nil {
			return err
		}
		failed := marker.Mark(ctx, o.pack, by["vacancies"], by["applications"])
		state, status, text := "completed", "success", ""
		if failed != nil {
			state, status, text = "failed", "failed", describeError(failed).Message
		}
		if errors.Is(failed, eploy.ErrMarkUnknown) || failed != nil && ctx.Err() != nil {
			state, status = "unknown", "unknown"
		}
		if err := e.recordMarks(ctx, x, run, state, status, text, part); err != nil {
			return errors.Join(failed, err)
		}
		if failed != nil {
			return withHint(stopped(ctx, failed), "\"holdall log ROOT --type mark-exported\" says what "+
				"became of each; what is unknown is not sent again")
		}
	}
	e.talk("%s marked", count(len(all), "record was", "records were"))
	return e.printMarks("completed", all)
}

// recordMarks opens a run for some records in the ledger, and closes it when it is called again.
func (e *env) recordMarks(ctx context.Context, x *export, run archive.Run, state, status, text string,
	part []marking) error {
	run.Direction, run.Type, run.Export = "out", "mark-exported", x.bag.ID()
	run.Status, run.Records, run.Requests, run.Detail = state, int64(len(part)), 1, text
	if status == "failed" {
		run.Failed = run.Records
	}
	var records []archive.RunRecord
	for i := range part {
		part[i].Status, part[i].Error = status, text
		records = append(records, part[i].RunRecord)
	}
	return e.recordRun(ctx, x.store, run, records)
}

func (e *env) printMarks(state string, all []marking) error {
	records := []archive.RunRecord{}
	for _, m := range all {
		records = append(records, m.RunRecord)
	}
	if e.json {
		return e.printJSON(map[string]any{"state": state, "records": records})
	}
	return e.printRecords(records)
}
