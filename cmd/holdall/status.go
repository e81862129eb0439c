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
	"time"

	"github.com/spf13/cobra"

	"holdall/archive"
	"holdall/internal/takeover"
	"holdall/internal/term"
	"holdall/query"
)

func statusCommand() command {
	return command{
		use:   "status [EXPORT]",
		short: "Show all that is recorded of one export",
		long: `
Show what was promised, received, missing and extra, per table and per link; where each object came
from, its size, ETag, digest and how it was checked; and every finding. EXPORT is ROOT/exports/ID,
or a ROOT, meaning its newest complete export. Of a ROOT the unfinished takeovers are listed as
well: how far they came, and what they wait for.`,
		args: cobra.MaximumNArgs(1),
		run:  runStatus,
	}
}

// statusJSON is what status --json prints: the fields of take, with every finding in place of their counts.
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
			e.reportUnusual(u)
		}
		e.reportGone(ctx, x.openedRoot)
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

// statusUnfinished prints the newest unfinished takeover into a root that has no complete export. err is why
// that cannot be opened; it is returned where there is no such takeover either.
func (e *env) statusUnfinished(err error) error {
	var only *unfinishedOnly
	if !errors.As(err, &only) {
		return err
	}
	if e.json {
		return e.printJSON(listedOf(only.all[len(only.all)-1]))
	}
	for _, s := range only.all {
		e.reportUnusual(s)
	}
	return damageIn(only.all)
}

// printStatus prints the sections of a status as tables, with an empty line between them.
func printStatus(ctx context.Context, e *env, bag *archive.Bag, s *takeover.Status) error {
	for _, section := range []func() error{
		func() error { return e.table([]string{"fact", "value"}, nil, factRows(s)) },
		func() error { return e.printParts(s) },
		func() error { return e.printTables(s) },
		func() error { return e.printObjects(s) },
	} {
		if err := section(); err != nil {
			return err
		}
		fmt.Fprintln(e.stdout)
	}
	rows, err := findingRows(ctx, bag, s)
	return errors.Join(
		err, e.table([]string{"severity", "finding", "table", "record", "detail"}, nil, rows),
	)
}

func factRows(s *takeover.Status) [][]string {
	documents := fmt.Sprintf("%s attachments, %s CVs, %s", group(s.Documents.Attachments),
		group(s.Documents.CVs), term.Bytes(s.Documents.Bytes))
	return [][]string{
		{"export", s.Export}, {"location", s.Location}, {"state", s.State},
		{"created (UTC)", s.Created.Format(time.DateTime)}, {"made by", s.Software},
		{"documents", documents},
	}
}

// printParts prints what was promised and received of each part.
func (e *env) printParts(s *takeover.Status) error {
	var rows [][]string
	for _, part := range slices.Sorted(maps.Keys(s.PartCounts)) {
		c := s.PartCounts[part]
		rows = append(rows, []string{
			part, fmt.Sprint(c.Promised), fmt.Sprint(c.Received), fmt.Sprint(c.Missing),
			fmt.Sprint(c.Extra), fmt.Sprint(c.Duplicate),
		})
	}
	headings := []string{"part", "promised", "received", "missing", "extra", "duplicate"}
	return e.table(headings, []int{1, 2, 3, 4, 5}, rows)
}

// printTables prints how each CSV was read.
func (e *env) printTables(s *takeover.Status) error {
	var rows [][]string
	for _, t := range s.Records {
		rows = append(rows, []string{
			t.Table, t.File, fmt.Sprint(t.Rows), fmt.Sprint(t.Rejected), t.Encoding, t.Dates,
			t.Received.ContentSHA256.String(),
		})
	}
	headings := []string{"table", "file", "rows", "rejected cells", "encoding", "dates", "sha256 as received"}
	return e.table(headings, []int{2, 3}, rows)
}

// printObjects prints where each object came from and how it was checked.
func (e *env) printObjects(s *takeover.Status) error {
	var rows [][]string
	for _, o := range s.Objects {
		rows = append(rows, []string{o.Part, o.URL, o.Kind, fmt.Sprint(o.Size), o.ETag, o.SHA256, o.Verified})
	}
	headings := []string{"part", "link", "kind", "size", "etag", "sha256", "checked by"}
	return e.table(headings, []int{3}, rows)
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
