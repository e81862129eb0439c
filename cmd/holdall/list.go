package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdall/archive"
	"holdall/internal/takeover"
	"holdall/internal/term"
	"holdall/query"
)

func listCommand() command {
	return command{
		use:   "list [ROOT]",
		short: "List the exports in a root",
		long: "List the exports of a root, oldest first: ID, time, state, rows, documents, bytes, " +
			"findings. Takeovers that are not finished are listed too.",
		args:  cobra.MaximumNArgs(1),
		run:   runList,
		exits: []int{exitFindings},
	}
}

// listed is an export as list --json prints it.
type listed struct {
	takeover.Result
	Created    time.Time            `json:"created"`
	Damage     string               `json:"damage,omitempty"`
	Unfinished *takeover.Unfinished `json:"unfinished,omitempty"`
	Abandoned  bool                 `json:"abandoned,omitempty"`
}

func runList(ctx context.Context, e *env, args []string) error {
	named, err := e.rootArg(args)
	if err != nil {
		return err
	}
	h, err := openRoot(ctx, e, named)
	if err != nil {
		return err
	}
	defer h.close()
	all, err := takeover.List(ctx, h.store, h.runs())
	if err != nil {
		return err
	}
	if e.json {
		out := []listed{}
		for _, s := range all {
			out = append(out, listed{s.Result, s.Created, s.Damage, s.Unfinished, s.Abandoned})
		}
		return errors.Join(e.printJSON(out), damageIn(all))
	}
	var rows [][]string
	for _, s := range all {
		var n int64
		for _, t := range s.Tables {
			n += t.Rows
		}
		rows = append(rows, []string{s.Export, s.Created.Format(time.DateTime), s.State, fmt.Sprint(n),
			fmt.Sprint(s.Documents.Attachments + s.Documents.CVs), fmt.Sprint(s.Documents.Bytes),
			findingCodes(s.Findings)})
		e.tellOdd(s)
	}
	if len(rows) == 0 {
		e.talk("no export in %s", named)
	}
	e.tellGone(ctx, h)
	return errors.Join(e.table(
		[]string{"export", "created (UTC)", "state", "rows", "documents", "bytes", "findings"},
		[]int{3, 4, 5}, rows,
	),
		damageIn(all))
}

// damageIn is errFindings when one of the exports is damaged.
func damageIn(all []*takeover.Status) error {
	if slices.ContainsFunc(all, func(s *takeover.Status) bool { return s.State == takeover.StateDamaged }) {
		return errFindings
	}
	return nil
}

// tellOdd says of a damaged export why it is, and of an unfinished takeover how far it came and what would
// get it on.
func (e *env) tellOdd(s *takeover.Status) {
	if s.Damage != "" {
		e.talk("%s is damaged: %s", s.Location, s.Damage)
	}
	if s.Abandoned {
		e.talk("%s has no bagit.txt: it is being made elsewhere, or what was making it is gone", s.Location)
	}
	u := s.Unfinished
	if u == nil {
		return
	}
	promised := "an unknown number of bytes"
	if u.Promised >= 0 {
		promised = term.Bytes(u.Promised)
	}
	e.talk("the takeover begun at %s is not finished: %s of %s received, in %s",
		s.Created.Format(time.DateTime+" MST"),
		term.Bytes(u.Received), promised, u.Spool)
	if u.Lost {
		e.talk("that directory is not there now")
	}
	for _, l := range u.Links {
		if l.Complete {
			continue
		}
		size, expiry := "an unknown size", ""
		if l.Size >= 0 {
			size = term.Bytes(l.Size)
		}
		if !l.Expiry.IsZero() {
			expiry = ", link good until " + l.Expiry.UTC().Format("2006-01-02 15:04 MST")
		}
		e.talk("still missing: %s: %s of %s here%s", l.Part, term.Bytes(l.Received), size, expiry)
	}
	switch {
	case u.Sealed:
		e.talk("everything is here; run \"holdall take\" again to put the archive in its place")
	case u.Stopped != nil:
		e.talk("it stopped at %s: %s", u.Stopped.Time.Format(time.DateTime+" MST"), u.Stopped.Message)
	}
}

func findingCodes(all []takeover.FindingCount) string {
	var codes []string
	for _, f := range all {
		if f.Severity != "info" {
			codes = append(codes, fmt.Sprintf("%s×%d", f.Code, f.Count))
		}
	}
	return strings.Join(codes, " ")
}

func statusCommand() command {
	return command{
		use:   "status [EXPORT]",
		short: "Show all that is recorded of one export",
		long: `
Show what was promised, received, missing and extra, per table and per link; where each object came from, its size, ETag,
digest and how it was checked; and every finding. EXPORT is ROOT/exports/ID, or a ROOT, meaning its newest complete export.
Of a ROOT the takeovers that are not finished are told, too: how far they came, and what would get them on.`,
		args: cobra.MaximumNArgs(1),
		run:  runStatus,
	}
}

// statusJSON is what status --json prints: the fields of take, with every finding in place of their sums.
type statusJSON struct {
	takeover.Result
	Created  time.Time                     `json:"created"`
	Parts    map[string]takeover.PartCount `json:"parts"`
	Objects  []takeover.ObjectRecord       `json:"objects"`
	Records  []takeover.TableRecord        `json:"table_records"`
	Findings []fullFinding                 `json:"findings"`
}

type fullFinding struct {
	Code     query.Code     `json:"code"`
	Severity query.Severity `json:"severity"`
	Count    int            `json:"count"`
	Table    string         `json:"table,omitempty"`
	RecordID string         `json:"record_id,omitempty"`
	Detail   string         `json:"detail"`
}

func runStatus(ctx context.Context, e *env, args []string) error {
	export, _, err := e.exportArgs(args, 0, 0)
	if err != nil {
		return err
	}
	x, err := openExport(ctx, e, export)
	if err != nil {
		return e.statusUnfinished(err)
	}
	if x.asked && !e.json {
		unfinished, _ := takeover.ListUnfinished(x.runs())
		for _, u := range unfinished {
			e.tellOdd(u)
		}
		e.tellGone(ctx, x.home)
	}
	s, err := takeover.ReadStatus(ctx, x.bag)
	if err != nil {
		return err
	}
	if e.json {
		return e.printStatusJSON(ctx, x.bag, s)
	}
	return printStatus(ctx, e, x.bag, s)
}

// printStatusJSON prints the findings as they are read: there may be a million.
func (e *env) printStatusJSON(ctx context.Context, bag *archive.Bag, s *takeover.Status) error {
	object, err := json.Marshal(statusJSON{
		Result: s.Result, Created: s.Created, Parts: s.PartCounts, Objects: s.Objects, Records: s.Records,
		Findings: []fullFinding{},
	})
	if err != nil {
		return err
	}
	w := bufio.NewWriter(e.stdout)
	w.Write(bytes.TrimSuffix(object, []byte("]}"))) // findings are the last field
	between := ""
	for f, err := range s.EachFinding(ctx, bag) {
		if err != nil {
			return err
		}
		line, err := json.Marshal(fullFinding{f.Code, f.Severity, 1, f.Table, f.RecordID, f.Detail})
		if err != nil {
			return err
		}
		w.WriteString(between)
		w.Write(line)
		between = ","
	}
	w.WriteString("]}\n")
	return w.Flush()
}

// statusUnfinished tells of the newest unfinished takeover into a root that has no complete export. err is
// why that cannot be opened; where there is no such takeover either, it is the answer.
func (e *env) statusUnfinished(err error) error {
	var only *unfinishedOnly
	if !errors.As(err, &only) {
		return err
	}
	if e.json {
		s := only.all[len(only.all)-1]
		return e.printJSON(listed{s.Result, s.Created, s.Damage, s.Unfinished, s.Abandoned})
	}
	for _, s := range only.all {
		e.tellOdd(s)
	}
	return damageIn(only.all)
}

func printStatus(ctx context.Context, e *env, bag *archive.Bag, s *takeover.Status) error {
	facts := [][]string{
		{"export", s.Export}, {"location", s.Location}, {"state", s.State},
		{"created (UTC)", s.Created.Format(time.DateTime)},
		{"made by", s.Software},
		{
			"documents",
			fmt.Sprintf(
				"%s attachments, %s CVs, %s", group(s.Documents.Attachments), group(s.Documents.CVs),
				term.Bytes(s.Documents.Bytes),
			),
		},
	}
	sections := []func() error{
		func() error { return e.table([]string{"fact", "value"}, nil, facts) },
		func() error {
			var rows [][]string
			for _, part := range slices.Sorted(maps.Keys(s.PartCounts)) {
				c := s.PartCounts[part]
				rows = append(
					rows,
					[]string{
						part, fmt.Sprint(c.Promised), fmt.Sprint(c.Received), fmt.Sprint(c.Missing),
						fmt.Sprint(c.Extra), fmt.Sprint(c.Duplicate),
					},
				)
			}
			return e.table(
				[]string{"part", "promised", "received", "missing", "extra", "duplicate"},
				[]int{1, 2, 3, 4, 5}, rows,
			)
		},
		func() error {
			var rows [][]string
			for _, t := range s.Records {
				rows = append(
					rows,
					[]string{
						t.Table, t.File, fmt.Sprint(t.Rows), fmt.Sprint(t.Rejected), t.Encoding, t.Dates,
						t.Received.ContentSHA256.String(),
					},
				)
			}
			return e.table(
				[]string{
					"table", "file", "rows", "rejected cells", "encoding", "dates", "sha256 as received",
				},
				[]int{2, 3}, rows,
			)
		},
		func() error {
			var rows [][]string
			for _, o := range s.Objects {
				rows = append(
					rows, []string{o.Part, o.URL, o.Kind, fmt.Sprint(o.Size), o.ETag, o.SHA256, o.Verified},
				)
			}
			return e.table(
				[]string{"part", "link", "kind", "size", "etag", "sha256", "checked by"}, []int{3}, rows,
			)
		},
		func() error {
			rows, err := findingRows(ctx, bag, s)
			return errors.Join(
				err, e.table([]string{"severity", "finding", "table", "record", "detail"}, nil, rows),
			)
		},
	}
	for i, section := range sections {
		if i > 0 {
			fmt.Fprintln(e.stdout)
		}
		if err := section(); err != nil {
			return err
		}
	}
	return nil
}

// mostFindings is how many findings a table shows; more are counted.
const mostFindings = 10_000

func findingRows(ctx context.Context, bag *archive.Bag, s *takeover.Status) ([][]string, error) {
	total := 0
	for _, f := range s.Findings {
		total += f.Count
	}
	each := s.EachFinding(ctx, bag)
	if total > mostFindings {
		each = func(yield func(query.Finding, error) bool) {
			for _, f := range s.Shown {
				if !yield(f, nil) {
					return
				}
			}
		}
	}
	var rows [][]string
	for f, err := range each {
		if err != nil {
			return rows, err
		}
		rows = append(rows, []string{string(f.Severity), string(f.Code), f.Table, f.RecordID, f.Detail})
	}
	if more := total - len(rows); more > 0 {
		rows = append(
			rows,
			[]string{"", fmt.Sprintf("and %d more", more), "", "", "the relation findings has them all"},
		)
	}
	return rows, nil
}
