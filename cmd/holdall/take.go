package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdall/fetch"
	"holdall/fetch/link"
	"holdall/fetch/master"
	"holdall/internal/takeover"
	"holdall/internal/term"
)

type takeOptions struct {
	to             string
	tenant         string
	connections    int
	maxRate        byteSize
	spool          string
	keepContainers bool
	allowHTTP      bool
	allowPrivate   bool
	caFile         string
	fresh          bool
	dateOrder      string
	dryRun         bool
	api            apiOptions
	s3Flags
}

func takeCommand() command {
	var o takeOptions
	return command{
		use:   "take MASTER|eploy://SYSTEM",
		short: "Fetch, check, archive and commit an export; run again after any failure",
		long: `
Fetch everything that a master CSV links to, check it, and commit it as an archive below ROOT/exports. MASTER is a file, an
http or https URL, or - for standard input.

Whatever happens (a broken line, a full disk, a crash, a power cut), run the same command again: bytes already received
are not fetched again. When the links have died, ask the vendor for a fresh master CSV and use that one; it goes on where
the old one ended if its links serve the same objects, and starts a new archive if they serve another export.

eploy://SYSTEM in place of MASTER pulls everything that an API key may read out of an Eploy system, over as many days as
its limit of requests takes: at the day's reserve it ends with exit code 3 and says when to go on. --dry-run says how
many days that will be. Nothing but reading is ever asked for.

A link grants access to whoever has it. It is never printed, logged or stored. A link given as an argument is visible to
other users of this machine while the command runs; a file or standard input is not.`,
		example: `  holdall take master.csv --to archives
  holdall take - --to archives < master.csv
  holdall take master.csv --to archives --dry-run
  holdall take eploy://acme --to archives --credentials key.json --dry-run`,
		args:  cobra.ExactArgs(1),
		flags: o.addFlags,
		run:   func(ctx context.Context, e *env, args []string) error { return o.run(ctx, e, args) },
		exits: []int{exitGoOn, exitLink, exitFindings},
	}
}

func (o *takeOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.to, "to", "", "`ROOT` that archives live in, a directory or s3://bucket/prefix (required)")
	f.StringVar(
		&o.tenant, "tenant", "", "account `NAME` for the archive's ID (default: from the IDs in the data)",
	)
	f.IntVar(
		&o.connections, "connections", 0,
		"at most `N` requests open at once to a host (default: adaptive, 4 to 16 connections)",
	)
	f.Var(&o.maxRate, "max-rate", "at most `SIZE` bytes a second over all connections, such as 10M")
	f.StringVar(
		&o.spool, "spool", "", "`DIR` where received bytes wait until they are archived (default ROOT/.work)",
	)
	f.BoolVar(
		&o.keepContainers, "keep-containers", false,
		"also keep the received ZIPs, byte for byte, inside the archive",
	)
	f.BoolVar(&o.allowHTTP, "allow-http", false, "follow plain http links")
	f.BoolVar(
		&o.allowPrivate, "allow-private", false,
		"follow links to loopback and private addresses, also over http",
	)
	f.StringVar(&o.caFile, "ca-file", "", "PEM `FILE` of certificates to trust beside the system's")
	f.BoolVar(&o.fresh, "new", false, "do not resume; start a new archive")
	f.StringVar(&o.dateOrder, "date-order", "", "`dmy or mdy`: decides dates that the files leave ambiguous")
	o.api.addFlags(f)
	f.BoolVar(
		&o.dryRun, "dry-run", false, "only print the plan: links, kinds, sizes, expiry, disk needed, time",
	)
	o.s3Flags.addFlags(f)
}

func (o *takeOptions) check() error {
	switch {
	case o.to == "":
		return usagef("add --to ROOT, the directory that archives live in", "no place to put the archive")
	case !slices.Contains([]string{"", "dmy", "mdy"}, o.dateOrder):
		return usagef("use --date-order dmy or --date-order mdy", "unknown date order %q", o.dateOrder)
	case o.connections < 0:
		return usagef("use 1 or more, or leave it out", "%d connections make no sense", o.connections)
	}
	if _, err := o.s3Flags.options(o.to); err != nil {
		return err
	}
	if err := checkRoot(o.to); err != nil {
		return err
	}
	return checkOutside("--spool", o.spool)
}

// checkRoot refuses a place for archives that cannot be one, before anything is written.
func checkRoot(root string) error {
	if isS3(root) {
		return checkS3(root)
	}
	info, err := os.Stat(root)
	switch {
	case err == nil && !info.IsDir():
		return usagef(
			"name a directory, which need not be there yet", "--to %s is a file, not a directory", root,
		)
	}
	return takeover.CheckRoot(root)
}

func (o *takeOptions) run(ctx context.Context, e *env, args []string) error {
	if err := o.check(); err != nil {
		return err
	}
	if system, ok := strings.CutPrefix(args[0], "eploy://"); ok {
		return o.runAPI(ctx, e, system)
	}
	master, err := readMaster(e, args[0])
	if err != nil {
		return err
	}
	options := o.takeover(e)
	release, err := o.openRemote(ctx, e, &options)
	if err != nil {
		return err
	}
	defer release()
	if o.dryRun {
		return dryRun(ctx, e, master, options)
	}
	if err := os.MkdirAll(options.Home(), 0o700); err != nil {
		return withHint(fmt.Errorf("make the root: %w", err), "name another directory with --to or --work")
	}
	show := newProgress(e)
	options.Progress = show.update
	result, err := takeover.Take(ctx, master, options)
	show.end()
	return e.conclude(result, stopped(ctx, err))
}

// openRemote opens a root that is no directory, and probes it, which writes its README.txt; a dry run
// does not.
func (o *takeOptions) openRemote(ctx context.Context, e *env, t *takeover.Options) (func() error, error) {
	if !isS3(o.to) {
		return func() error { return nil }, nil
	}
	options, err := o.s3Flags.options(o.to)
	if err != nil {
		return nil, err
	}
	h, err := e.openHome(ctx, o.to, true, options)
	if err != nil {
		return nil, err
	}
	t.Remote = &takeover.Remote{Store: h.store, Work: h.local}
	if !o.dryRun {
		t.Remote.Facts, err = h.probe(ctx, e)
	}
	return h.close, err
}

func (o *takeOptions) takeover(e *env) takeover.Options {
	return takeover.Options{
		Root: o.to, Spool: o.spool, Tenant: o.tenant, KeepContainers: o.keepContainers, New: o.fresh,
		DateOrder: o.dateOrder,
		Software:  "holdall " + version(),
		Talk:      e.talk,
		Fetch: fetch.Options{
			Connections: o.connections, MaxRate: int64(o.maxRate), AllowHTTP: o.allowHTTP,
			AllowPrivate: o.allowPrivate,
			CAFile:       o.caFile, Dial: e.dial, UserAgent: "holdall/" + strings.TrimPrefix(version(), "v"),
			Log: e.detail, Warn: e.warn,
		},
	}
}

// maxMaster bounds a master CSV: it holds a handful of links.
const maxMaster = 16 << 20

func readMaster(e *env, arg string) (takeover.MasterCSV, error) {
	if lower := strings.ToLower(arg); strings.HasPrefix(lower, "https://") ||
		strings.HasPrefix(lower, "http://") {
		href, err := link.New(arg)
		if err != nil {
			return takeover.MasterCSV{}, usagef("check that the whole link was copied", "%v", err)
		}
		return takeover.MasterCSV{Link: href}, nil
	}
	if scheme, _, ok := strings.Cut(arg, "://"); ok && !strings.ContainsAny(scheme, `/\.`) {
		return takeover.MasterCSV{}, usagef("give the path of the file, an https link, or - for standard "+
			"input",
			"a master CSV cannot be read from a %s link", scheme)
	}
	in, date, err := openMaster(e, arg)
	if err != nil {
		return takeover.MasterCSV{}, err
	}
	defer in.Close()
	raw, err := io.ReadAll(io.LimitReader(in, maxMaster+1))
	if err != nil {
		return takeover.MasterCSV{}, fmt.Errorf("read the master CSV: %w", err)
	}
	if len(raw) > maxMaster {
		return takeover.MasterCSV{}, master.Mistaken(raw, "more than "+term.Bytes(maxMaster))
	}
	if raw == nil {
		raw = []byte{}
	}
	return takeover.MasterCSV{Raw: raw, Date: date}, nil
}

// openMaster opens a file or standard input, and says how old the file is.
func openMaster(e *env, arg string) (io.ReadCloser, time.Time, error) {
	const hint = "MASTER is the CSV file that the link in the vendor's e-mail leads to, that link, or - " +
		"for standard input"
	if arg == "-" {
		if term.Is(e.stdin) {
			e.talk("reading the master CSV from the terminal; Ctrl-D ends it")
		}
		return io.NopCloser(e.stdin), time.Time{}, nil
	}
	f, err := os.Open(arg)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		name, _, _ := strings.Cut(arg, "?") // of a link without its https://, the rest would be a secret
		return nil, time.Time{}, usagef(hint, "there is no file %s", name)
	case err != nil:
		return nil, time.Time{}, withHint(fmt.Errorf("open the master CSV: %w", err), hint)
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, time.Time{}, errors.Join(err, f.Close())
	case info.IsDir():
		f.Close()
		return nil, time.Time{}, usagef(hint, "%s is a directory, not a master CSV", arg)
	case info.Mode().IsRegular():
		return f, info.ModTime(), nil
	}
	return f, time.Time{}, nil // a pipe: nobody knows how old it is
}

// takeJSON is the object that take prints: the result and, when it did not finish, why.
type takeJSON struct {
	takeover.Result
	Error       *errorReport `json:"error,omitempty"`
	ResumeAfter string       `json:"resume_after,omitempty"` // as in the error
}

// conclude tells how a takeover ended.
func (e *env) conclude(r *takeover.Result, err error) error {
	if r == nil {
		return err
	}
	if e.json {
		out := takeJSON{Result: *r}
		if err != nil {
			f := describe(err)
			out.Error, out.ResumeAfter = &f, f.ResumeAfter
			err = &toldInJSON{err}
		}
		if perr := e.printJSON(out); perr != nil {
			return errors.Join(err, perr)
		}
	} else if err == nil {
		summary(e, r)
	}
	if err != nil {
		e.voice.repeat()
		e.talk("received and kept so far: %s in %s", term.Bytes(r.KeptBytes), r.Location)
		return err
	}
	if r.Faulty() {
		return errFindings
	}
	return nil
}

func summary(e *env, r *takeover.Result) {
	var rows int64
	for _, t := range r.Tables {
		rows += t.Rows
	}
	fmt.Fprintln(e.stdout, r.Location)
	e.talk("%s: %s tables with %s rows, %s attachments, %s CVs, %s of documents", r.State,
		group(int64(len(r.Tables))), group(rows),
		group(r.Documents.Attachments), group(r.Documents.CVs), term.Bytes(r.Documents.Bytes))
	e.talk("fetched %s, reused %s, in %s", term.Bytes(r.FetchedBytes), term.Bytes(r.ReusedBytes),
		time.Duration(r.Seconds*float64(time.Second)).Round(100*time.Millisecond))
	for _, f := range r.Findings {
		e.talk(
			"%s: %s, %s: %s", f.Severity, f.Code, count(f.Count, "time", "times"),
			runewidth.Truncate(f.Detail, 120, "…"),
		)
	}
	if r.Faulty() {
		e.hint("something promised is missing or damaged; %q lists it all", "holdall status "+r.Location)
	}
}

func dryRun(ctx context.Context, e *env, m takeover.MasterCSV, o takeover.Options) error {
	show := newProgress(e)
	o.Progress = show.update
	plan, err := takeover.Plan(ctx, m, o)
	show.end()
	if err != nil {
		return err
	}
	for _, note := range plan.Notes {
		e.talk("%s", note)
	}
	full := takeover.CheckDisk(plan.Disk)
	if e.json {
		out := planJSON(plan)
		if full != nil {
			f := describe(full)
			out.Error, full = &f, &toldInJSON{full}
		}
		err = e.printJSON(out)
	} else {
		err = printPlan(e, plan)
	}
	if err != nil {
		return err
	}
	for _, s := range plan.Sources {
		if s.Err != nil {
			return &toldInJSON{s.Err}
		}
	}
	return full
}
