package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdall/archive"
	"holdall/internal/takeover"
	"holdall/internal/term"
)

type verifyOptions struct{ level string }

func verifyCommand() command {
	var o verifyOptions
	return command{
		use:   "verify EXPORT",
		short: "Check that an archive is whole and unchanged",
		long: `
Check an archive against its own record and list every fault, each with the documents that it hurts.

  quick  every file is there and has its size
  full   every file has the SHA-256 of the manifest (the default)
  deep   also: every document inside the packs against the index, the tables made again from the CSVs as received and
         compared with the Parquet files and the completeness record

"sha256sum -c manifest-sha256.txt" in the archive's directory does the work of full without holdall.`,
		example: `  holdall verify archives
  holdall verify archives/exports/recruitly-acme-20261122T013300Z-k3fq --level deep`,
		args: cobra.ExactArgs(1),
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
	x, err := openExport(ctx, args[0])
	if err != nil {
		return err
	}
	show := &verifyProgress{e: e, spoken: time.Now()}
	if term.Is(e.stderr) && !e.quiet {
		show.block = term.NewBlock(e.stderr)
	}
	r, err := takeover.Verify(ctx, x.bag, level, "", show.update)
	show.end()
	if err != nil {
		return err
	}
	if r.Faults == nil {
		r.Faults = []archive.Fault{}
	}
	if err := printReport(e, x, r); err != nil {
		return err
	}
	if !r.Valid {
		return errFindings
	}
	return nil
}

func printReport(e *env, x *export, r *archive.Report) error {
	if e.json {
		return e.printJSON(r)
	}
	if r.Valid {
		fmt.Fprintf(e.stdout, "%s: valid (%s: %s, %s)\n", x.bag.ID(), r.Level, count(r.Files, "file", "files"), term.Bytes(r.Bytes))
		return nil
	}
	var rows [][]string
	for _, f := range r.Faults {
		rows = append(rows, []string{f.Code, f.Path, strings.Join(f.Documents, " "), f.Detail})
	}
	if err := e.table([]string{"fault", "path", "documents", "detail"}, nil, rows); err != nil {
		return err
	}
	fmt.Fprintf(e.stderr, "holdall: %s is not as it was when it was committed: %s\n", x.bag.ID(), count(len(r.Faults), "fault", "faults"))
	fmt.Fprintln(e.stderr, "holdall: hint: restore the files named above from another copy of this archive; all others are as they were")
	return nil
}

// verifyProgress shows how far verification is.
type verifyProgress struct {
	e      *env
	mu     sync.Mutex // guards all below
	block  *term.Block
	spoken time.Time
	drawn  time.Time
}

func (p *verifyProgress) update(done, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	line := fmt.Sprintf("checked %s of %s", term.Bytes(done), term.Bytes(total))
	switch {
	case p.block != nil && time.Since(p.drawn) > 200*time.Millisecond:
		p.drawn = time.Now()
		p.block.Draw(term.Bar(float64(done)/float64(max(total, 1)), 24) + "  " + line)
	case p.block == nil && time.Since(p.spoken) >= plainEvery:
		p.spoken = time.Now()
		p.e.talk("%s", line)
	}
}

func (p *verifyProgress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.block != nil {
		p.block.Clear()
	}
}
