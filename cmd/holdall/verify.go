package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdall/archive"
	"holdall/archive/s3store"
	"holdall/internal/takeover"
	"holdall/internal/term"
)

type verifyOptions struct{ level string }

func verifyCommand() command {
	var o verifyOptions
	return command{
		use:   "verify [EXPORT | ROOT]",
		short: "Check that archives are whole and unchanged",
		long: `
Check an archive against its own record and list every fault, each with the documents that it
affects. Of a ROOT every export is checked, and its ledger: an export that was taken and is gone is
a fault. The verification becomes a row of "holdall log ROOT", where the ledger can be written to.

  quick  every file is there and has its size
  full   every file has the SHA-256 of the manifest (the default)
  deep   also: every document inside the packs against the index, the tables made again from the
         CSVs as received and compared with the Parquet files and the completeness record

"sha256sum -c manifest-sha256.txt" in the archive's directory does the work of full without holdall.`,
		example: `  holdall verify archives
  holdall verify archives/exports/recruitly-acme-20261122T013300Z-k3fq --level deep`,
		args: cobra.MaximumNArgs(1),
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&o.level, "level", string(archive.Full), "`LEVEL`: quick, full or deep")
		},
		run:   func(ctx context.Context, e *env, args []string) error { return o.run(ctx, e, args) },
		exits: []int{exitFindings},
	}
}

func (o *verifyOptions) run(ctx context.Context, e *env, args []string) error {
	level := archive.Level(o.level)
	switch level {
	case archive.Quick, archive.Full, archive.Deep:
	default:
		return usagef("use --level quick, full or deep", "unknown level %q", o.level)
	}
	export, _, err := e.exportArgs(args, 0, 0)
	if err != nil {
		return err
	}
	at, err := locate(export)
	if err != nil {
		return err
	}
	v, began := newVerification(level), time.Now()
	if at.folder != "" {
		err = v.export(ctx, e, at)
	} else {
		err = v.root(ctx, e, at)
	}
	if err != nil {
		return err
	}
	v.record(ctx, e, at, began)
	if err := v.print(e); err != nil {
		return err
	}
	if !v.Valid {
		return errFindings
	}
	return nil
}

// A verification is what verify prints: the sums, all faults, and the report on each export.
type verification struct {
	Valid   bool           `json:"valid"`
	Level   archive.Level  `json:"level"`
	Files   int            `json:"files"`
	Bytes   int64          `json:"bytes"`
	Faults  []rootFault    `json:"faults"`
	Exports []exportReport `json:"exports"`
	Notes   []string       `json:"notes"`
}

func newVerification(level archive.Level) *verification {
	return &verification{
		Level: level, Valid: true, Faults: []rootFault{}, Exports: []exportReport{}, Notes: []string{},
	}
}

// A rootFault is a fault and the export that has it; "" for the root's own.
type rootFault struct {
	Export string `json:"export,omitempty"`
	archive.Fault
}

type exportReport struct {
	Export   string `json:"export"`
	Location string `json:"location"`
	*archive.Report
}

// root checks a root's ledger and every export in it.
func (v *verification) root(ctx context.Context, e *env, at exportPath) error {
	h, err := e.openRootAt(ctx, at.root, false, s3store.Options{})
	if err != nil {
		return err
	}
	defer h.close()
	r, err := archive.CheckRoot(ctx, h.store)
	if err != nil {
		return err
	}
	if len(r.Folders)+len(r.Faults) == 0 {
		return at.explain(ctx, e, errNoExport(at.root))
	}
	for _, f := range r.Faults {
		v.add("", f)
	}
	v.Notes = append(v.Notes, r.Notes...)
	for _, folder := range r.Folders {
		one, err := locate(at.path(folder))
		if err == nil && one.folder == "" {
			err = errors.New("no archive in it")
		}
		if err == nil {
			err = v.export(ctx, e, one)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, archive.ErrCredentials) || errors.Is(err, archive.ErrUnavailable) {
			return err
		}
		if err != nil {
			v.add(
				folder,
				archive.Fault{
					Code: archive.FaultUnreadable, Path: "exports/" + folder, Documents: []string{},
					Detail: err.Error(),
				},
			)
		}
	}
	return nil
}

// export checks one export.
func (v *verification) export(ctx context.Context, e *env, at exportPath) error {
	x, err := at.openAny(ctx, e)
	if err != nil {
		return err
	}
	defer x.close()
	show := newVerifyProgress(e, x.bag.ID())
	r, err := takeover.Verify(ctx, x.bag, v.Level, "", show.update)
	show.end()
	if err != nil {
		return err
	}
	if r.Faults == nil {
		r.Faults = []archive.Fault{}
	}
	for _, f := range r.Faults {
		v.add(x.bag.ID(), f)
	}
	v.Files, v.Bytes = v.Files+r.Files, v.Bytes+r.Bytes
	v.Exports = append(v.Exports, exportReport{x.bag.ID(), x.bag.Location(), r})
	return nil
}

// add records a fault. What is wrong with the root's ledger is recorded once, not for every export.
func (v *verification) add(export string, f archive.Fault) {
	if f.Code == archive.FaultLedger {
		export = ""
		for _, other := range v.Faults {
			if other.Code == f.Code {
				return
			}
		}
	}
	v.Valid = false
	v.Faults = append(v.Faults, rootFault{export, f})
}

func (v *verification) print(e *env) error {
	if e.json {
		return e.printJSON(v)
	}
	for _, note := range v.Notes {
		e.talk("%s", note)
	}
	for _, x := range v.Exports {
		if x.Valid {
			fmt.Fprintf(
				e.stdout, "%s: valid (%s: %s, %s)\n", x.Export, x.Level, count(x.Files, "file", "files"),
				term.Bytes(x.Bytes),
			)
		}
	}
	if v.Valid {
		return nil
	}
	var rows [][]string
	faulty, unread := map[string]int{}, 0
	for _, f := range v.Faults {
		if f.Code == archive.FaultUnreadable {
			unread++
		}
		faulty[f.Export]++
		documents := strings.Join(f.Documents, " ")
		rows = append(rows, []string{f.Export, string(f.Code), f.Path, documents, f.Detail})
	}
	if err := e.table([]string{"export", "fault", "path", "documents", "detail"}, nil, rows); err != nil {
		return err
	}
	if unread == len(v.Faults) {
		e.say(
			"%s could not be read: whether they are intact is not known",
			count(unread, "file", "files"),
		)
		e.hint("make what is named above readable (check its permissions, and the disk), and verify again")
		return nil
	}
	for _, x := range v.Exports {
		if n := faulty[x.Export]; n > 0 {
			e.say("%s has changed since it was committed: %s", x.Export, count(n, "fault", "faults"))
		}
	}
	if n := faulty[""]; n > 0 {
		e.say("the root does not hold what its ledger says: %s", count(n, "fault", "faults"))
	}
	e.hint("restore what is named above from another copy of the archive; all else is as it was")
	return nil
}

// verifyProgress shows how far the verification of one export is.
type verifyProgress struct {
	e    *env
	name string
	verb string // what is done with the bytes
	tick *ticker

	mu          sync.Mutex // guards what follows
	done, total int64
}

func newVerifyProgress(e *env, name string) *verifyProgress {
	p := &verifyProgress{e: e, name: name, verb: "checked"}
	if !e.quiet {
		p.tick = startTicker(e, p.show)
	}
	return p
}

func (p *verifyProgress) update(done, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done, p.total = done, total
}

func (p *verifyProgress) show() {
	p.mu.Lock()
	defer p.mu.Unlock()
	line := fmt.Sprintf("%s: %s %s of %s", p.name, p.verb, term.Bytes(p.done), term.Bytes(p.total))
	if p.total > 0 && p.done == p.total {
		line = p.name + ": comparing tables and documents"
	}
	p.e.console.progress(line, term.Bar(float64(p.done)/float64(max(p.total, 1)), 24)+"  "+line)
}

func (p *verifyProgress) end() {
	if p.tick != nil {
		p.tick.end(p.e)
	}
}
