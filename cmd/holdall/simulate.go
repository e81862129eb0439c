package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdall/internal/atomicfile"
	"holdall/internal/exportsim"
	"holdall/schemas"
)

type simulateOptions struct {
	people   int
	size     byteSize
	seed     uint64
	listen   string
	master   string
	shape    string
	dialect  string
	expire   time.Duration
	rate     byteSize
	latency  time.Duration
	faults   []string
	mistakes bool
	truth    string
	out      string
	dir      string
	ttl      time.Duration
}

func simulateCommand() command {
	var o simulateOptions
	return command{
		use:   "simulate",
		short: "Serve a made-up export to rehearse a takeover with",
		long: `
Invent an agency from a seed and serve its full export: ten CSVs, attachments and CVs behind signed
links that expire, as a platform would. Rehearse a takeover with it before you ask for the real
export, which you may get only once.

The master CSV is written to --master, and its URL is printed on stdout. It serves until it is
stopped or --ttl is over. All people are invented.

Faults (--fault NAME, may be repeated):
` + faultList(),
		example: `  holdall simulate --people 200 --ttl 10m &
  holdall take master.csv --to archives --allow-private`,
		args:  cobra.NoArgs,
		flags: o.addFlags,
		run:   func(ctx context.Context, e *env, _ []string) error { return o.run(ctx, e) },
		subs:  []command{simulateEployCommand(), simulateOrgvueCommand()},
	}
}

func faultList() string {
	var b strings.Builder
	for _, f := range exportsim.FaultNames() {
		fmt.Fprintf(&b, "  %-22s %s\n", f.Name, f.Description)
	}
	return b.String()
}

func (o *simulateOptions) addFlags(f *pflag.FlagSet) {
	f.IntVar(
		&o.people, "people", 500,
		"`N` candidates, 1 to 1000000; about 250 kB of documents each, unless --document-size says otherwise",
	)
	f.Var(
		&o.size, "document-size",
		"`SIZE` that half of the documents are larger than, at most 50000 (default 50000)",
	)
	f.Uint64Var(&o.seed, "seed", 1, "`S`: the same seed makes the same bytes")
	f.StringVar(&o.listen, "listen", "127.0.0.1:0", "`ADDRESS` to serve on; port 0 takes a free one")
	f.StringVar(&o.master, "master", "./master.csv", "`FILE` to write the master CSV to")
	f.StringVar(
		&o.shape, "shape", string(exportsim.ShapeZIP),
		"`FORM` of what the links serve: zip, parts, listing, tar",
	)
	f.StringVar(&o.dialect, "dialect", string(schemas.Title), "`STYLE` of the headings: title, camel, snake")
	f.DurationVar(&o.expire, "expire", exportsim.DefaultExpire, "`TIME` that links live")
	f.Var(&o.rate, "rate", "at most `SIZE` bytes a second a connection")
	f.DurationVar(&o.latency, "latency", 0, "`TIME` before each answer")
	f.StringArrayVar(
		&o.faults, "fault", nil, "misbehave: `NAME`, NAME=NUMBER, NAME@PART (see above); may be repeated",
	)
	f.BoolVar(
		&o.mistakes, "mistakes", false,
		"spoil the export itself: rows without files, files without rows, and the like",
	)
	f.StringVar(&o.truth, "truth", "", "`FILE` to write what was made and what was spoilt to, as JSON")
	f.StringVar(&o.out, "out", "", "write the export's files into `DIR` instead of serving them")
	f.StringVar(
		&o.dir, "dir", "",
		"keep the prepared export in `DIR` and find it there again (default: a temporary one)",
	)
	f.DurationVar(&o.ttl, "ttl", 0, "stop after this `TIME` (default: when stopped)")
}

func (o *simulateOptions) run(ctx context.Context, e *env) (err error) {
	if o.people < 1 {
		return usagef("use 1 to 1000000", "--people %d makes no sense", o.people)
	}
	e.talk("inventing an agency of %s people", group(int64(o.people)))
	x, err := exportsim.Prepare(ctx, exportsim.Config{
		Seed: o.seed, People: o.people, Shape: exportsim.Shape(o.shape), Dialect: schemas.Dialect(o.dialect),
		Expire: o.expire, Rate: int64(o.rate), Latency: o.latency, Faults: o.faults, Mistakes: o.mistakes,
		Dir: o.dir, DocumentSize: int(o.size),
	})
	if err != nil {
		var errno syscall.Errno
		if ctx.Err() != nil || errors.As(err, &errno) {
			return err
		}
		return usagef("\"holdall simulate --help\" lists what can be asked for", "%v", err)
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	if o.truth != "" {
		if err := writeTruth(x, o.truth); err != nil {
			return err
		}
	}
	if o.out != "" {
		if err := x.WriteFiles(o.out); err != nil {
			return err
		}
		fmt.Fprintln(e.stdout, o.out)
		return nil
	}
	return o.serve(ctx, e, x)
}

func (o *simulateOptions) serve(ctx context.Context, e *env, x *exportsim.Export) error {
	ln, err := net.Listen("tcp", o.listen)
	if err != nil {
		return withHint(err, "name another address with --listen")
	}
	s, err := x.Serve(ln)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := atomicfile.WriteFile(o.master, s.MasterCSV()); err != nil {
		return withHint(err, "name another file with --master")
	}
	if e.json {
		err = e.printJSON(map[string]string{"master": o.master, "url": s.MasterURL()})
	} else {
		_, err = fmt.Fprintln(e.stdout, s.MasterURL())
	}
	if err != nil {
		return err
	}
	e.talk("serving; take it over with: holdall take %s --to archives --allow-private", o.master)
	if o.ttl > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.ttl)
		defer cancel()
	}
	<-ctx.Done()
	return nil // to be stopped is how it ends
}

func writeTruth(x *exportsim.Export, path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(x.WriteTruth(f), f.Close())
}
