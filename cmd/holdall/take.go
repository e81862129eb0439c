package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdall/fetch"
	"holdall/internal/atomicfile"
	"holdall/internal/takeover"
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
Fetch everything that a master CSV links to, check it, and commit it as an archive below
ROOT/exports. MASTER is a file, an http or https URL, or - for standard input.

Whatever happens (a broken line, a full disk, a crash, a power cut), run the same command again:
bytes already received are not fetched again. When the links have died, ask the vendor for a fresh
master CSV and use that one: the takeover resumes if its links serve the same objects, and starts a
new archive if they serve another export.

eploy://SYSTEM in place of MASTER pulls everything that an API key may read out of an Eploy system,
over as many days as its limit of requests takes: at the day's reserve it ends with exit code 3 and
says when to run it again. --dry-run says how many days that will be. It only ever reads.

A link grants access to whoever has it. It is never printed, logged or stored. A link given as an
argument is visible to other users of this machine while the command runs; a file or standard input
is not.`,
		example: `  holdall take master.csv --to archives
  holdall take - --to archives < master.csv
  holdall take master.csv --to archives --dry-run
  holdall take eploy://acme --to archives --credentials key.json --dry-run`,
		args:  cobra.ExactArgs(1),
		flags: o.addFlags,
		run:   func(ctx context.Context, e *env, args []string) error { return o.run(ctx, e, args) },
		exits: []int{exitNotFinished, exitLink, exitFindings},
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
	f.StringVar(&o.caFile, "ca-file", "", "PEM `FILE` of certificates to trust in addition to the system's")
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
		return usagef("add --to ROOT, the directory that archives live in", "missing --to")
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
	if err := atomicfile.MkdirAll(options.Home()); err != nil {
		return withHint(fmt.Errorf("make the root: %w", err), "name another directory with --to or --work")
	}
	show := newProgress(e)
	options.Progress = show.update
	began := time.Now()
	result, err := takeover.Take(ctx, master, options)
	show.end()
	err = stopped(ctx, err)
	if result != nil && result.FetchedBytes > 0 {
		e.recordTake(ctx, options, result, err, began)
	}
	return e.reportResult(result, err)
}

// openRemote opens a root that is not a directory, and probes it, which writes its README.txt; a dry run
// does not.
func (o *takeOptions) openRemote(ctx context.Context, e *env, t *takeover.Options) (func() error, error) {
	if !isS3(o.to) {
		return func() error { return nil }, nil
	}
	options, err := o.s3Flags.options(o.to)
	if err != nil {
		return nil, err
	}
	h, err := e.openRootAt(ctx, o.to, true, options)
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
