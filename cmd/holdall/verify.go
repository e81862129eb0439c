package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdall/archive"
	"holdall/archive/s3store"
	"holdall/internal/takeover"
	"holdall/internal/term"
)

type verifyOptions struct {
	level       string
	maxDuration time.Duration
}

func verifyCommand() command {
	var o verifyOptions
	return command{
		use:   "verify [EXPORT | ROOT | BAG]",
		short: "Check that archives are whole and unchanged",
		long: `
Check an archive against its own record and list every fault, each with the documents that it
affects. Of a ROOT every export is checked, and its ledger: an export that was taken and is gone is
a fault. The verification becomes a row of "holdall log ROOT", where the ledger can be written to.

  quick  every file is there and has its size
  full   every file has the SHA-256 of the manifest (the default)
  deep   also: every document inside the packs against the index; the tables made again from the
         CSVs as received, compared cell by cell with the Parquet files, and reconciled again: what
         the takeover found is told again, and ends in exit code 5 as there

With --max-duration a run ends about then, with exit code 3, and the same command goes on where it
stopped; a file that was changed meanwhile is read again.

"sha256sum -c manifest-sha256.txt" in the archive's directory does the work of full without holdall.

The directory of any other BagIt bag is judged by RFC 8493, or by the draft of BagIt that it declares
(0.93 to 0.97): is it complete, and is it valid?`,
		example: `  holdall verify archives
  holdall verify archives/exports/recruitly-acme-20261122T013300Z-k3fq --level deep`,
		args: cobra.MaximumNArgs(1),
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&o.level, "level", string(archive.Full), "`LEVEL`: quick, full or deep")
			f.DurationVar(&o.maxDuration, "max-duration", 0,
				"stop after this `TIME` (90m, 8h); at level full")
		},
		run:   func(ctx context.Context, e *env, args []string) error { return o.run(ctx, e, args) },
		exits: []int{exitNotFinished, exitFindings},
	}
}

func (o *verifyOptions) run(ctx context.Context, e *env, args []string) error {
	level := archive.Level(o.level)
	switch level {
	case archive.Quick, archive.Full, archive.Deep:
	default:
		return usagef("use --level quick, full or deep", "unknown level %q", o.level)
	}
	if o.maxDuration < 0 || o.maxDuration > 0 && level != archive.Full {
		return usagef("use it with --level full, and a time such as 2h",
			"--max-duration is for the level full")
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
	if dir, ok := at.otherBag(); ok {
		if o.maxDuration > 0 {
			return usagef("leave it out", "--max-duration is for holdall's own archives, which %s is not",
				dir)
		}
		if err := v.otherBag(ctx, e, dir); err != nil {
			return err
		}
		return v.result(e)
	}
	if o.maxDuration > 0 {
		if !isS3(export) {
			if export, err = filepath.Abs(export); err != nil {
				return err
			}
		}
		if v.round, err = openVerifyRound(export); err != nil {
			return err
		}
		v.until = began.Add(o.maxDuration)
	}
	if at.folder != "" {
		err = v.export(ctx, e, at)
	} else {
		err = v.root(ctx, e, at)
	}
	if v.round != nil {
		err = errors.Join(err, v.round.end(v.Unfinished || err != nil))
	}
	if err != nil {
		return err
	}
	v.record(ctx, e, at, began)
	return v.result(e)
}

// result prints what was found, and returns what the exit code says of it.
func (v *verification) result(e *env) error {
	var unfinished error
	if v.Unfinished && len(v.Faults) == 0 {
		u := v.round.unfinished()
		report := u.report()
		v.Error, unfinished = &report, u
		if e.json {
			unfinished = &printedInJSON{u}
		}
	}
	if err := v.print(e); err != nil {
		return err
	}
	switch {
	case unfinished != nil:
		return unfinished
	case !v.Valid || v.found():
		return errFindings
	}
	return nil
}

// found reports whether what was promised was missing or damaged already when an archive was taken.
func (v *verification) found() bool {
	return slices.ContainsFunc(v.Exports, func(x exportReport) bool { return x.Faulty() })
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

	Unfinished bool         `json:"unfinished,omitempty"` // the time was over; then Valid is false
	Error      *errorReport `json:"error,omitempty"`

	round *verifyRound // nil: all is read in one run
	until time.Time
	other bool // what is verified is a bag of another maker
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
	About []takeover.Affected `json:"about,omitempty"` // its documents, as far as they can be named
}

type exportReport struct {
	Export   string `json:"export"`
	Location string `json:"location"`
	*takeover.Report
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
		v.add("", f, nil)
	}
	v.Notes = append(v.Notes, r.Notes...)
	for _, folder := range r.Folders {
		if v.Unfinished {
			break
		}
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
				nil,
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
	o := archive.VerifyOptions{Progress: show.update, Until: v.until}
	if v.round != nil {
		o.Checkpoint = v.round.checkpoint(x.bag.ID())
	}
	r, err := takeover.Verify(ctx, x.bag, v.Level, "", o)
	show.end()
	if err != nil {
		return err
	}
	if r.Faults == nil {
		r.Faults = []archive.Fault{}
	}
	about := namesOf(ctx, x, r.Faults)
	for _, f := range r.Faults {
		v.add(x.bag.ID(), f, about)
	}
	if r.Unfinished {
		v.Unfinished, v.Valid = true, false
	}
	v.Files, v.Bytes = v.Files+r.Files, v.Bytes+r.Bytes
	v.Exports = append(v.Exports, exportReport{x.bag.ID(), x.bag.Location(), r})
	return nil
}

// namesOf says whose the documents are that faults concern, as far as a damaged archive can say it.
func namesOf(ctx context.Context, x *export, faults []archive.Fault) map[string]takeover.Affected {
	ids := map[string]bool{}
	for _, f := range faults {
		for _, id := range f.Documents {
			ids[id] = true
		}
	}
	bag := x.bag
	if x.cache != nil {
		bag = bag.WithCache(x.cache) // of a root in S3: what the names are in is fetched
	}
	about, err := takeover.NameDocuments(ctx, bag, ids, "")
	if err != nil {
		return nil // the faults that are named are why
	}
	return about
}

// add records a fault. What is wrong with the root's ledger is recorded once, not for every export.
func (v *verification) add(export string, f archive.Fault, about map[string]takeover.Affected) {
	if f.Code == archive.FaultLedger {
		export = ""
		for _, other := range v.Faults {
			if other.Code == f.Code && other.Path == f.Path {
				return
			}
		}
	}
	v.Valid = false
	r := rootFault{Export: export, Fault: f}
	for _, id := range f.Documents {
		if a, ok := about[id]; ok {
			r.About = append(r.About, a)
		}
	}
	v.Faults = append(v.Faults, r)
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
