package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdall/archive"
	"holdall/fetch/link"
	"holdall/internal/exportsim"
	"holdall/internal/reports"
	"holdall/internal/takeover"
	"holdall/query"
)

type demoOptions struct {
	to     string
	people int
}

func demoCommand() command {
	var o demoOptions
	return command{
		use:   "demo",
		short: "Show the whole job with nothing to bring",
		long: `
Invent an export, serve it on loopback, take it over, verify the archive at the deepest level,
answer three questions, and name the commands to go on with. All people in it are invented.`,
		args: cobra.NoArgs,
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&o.to, "to", "holdall-demo", "`ROOT` to put the archive in")
			f.IntVar(&o.people, "people", 500, "`N` candidates to invent")
		},
		run:   func(ctx context.Context, e *env, _ []string) error { return o.run(ctx, e) },
		exits: []int{exitNotFinished, exitFindings},
	}
}

func (o *demoOptions) run(ctx context.Context, e *env) (err error) {
	if o.people < 1 {
		return usagef("use 1 to 1000000", "--people %d makes no sense", o.people)
	}
	if isS3(o.to) {
		return usagef("name a directory; take and copy put archives into S3", "demo cannot use %s", o.to)
	}
	if err := checkRoot(o.to); err != nil {
		return err
	}
	e.talk("inventing the export of an agency with %s candidates", group(int64(o.people)))
	x, err := exportsim.Prepare(ctx, exportsim.Config{Seed: 1, People: o.people})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server, err := x.Serve(ln)
	if err != nil {
		return err
	}
	defer server.Close()
	result, err := o.take(ctx, e, server)
	if err != nil {
		return err
	}
	bag, err := openExport(ctx, e, result.Location)
	if err != nil {
		return err
	}
	if err := o.verify(ctx, e, bag); err != nil {
		return err
	}
	if e.json {
		return e.printJSON(result)
	}
	if err := o.ask(ctx, e, bag); err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "Go on with:\n"+
		"  holdall status %[1]s\n"+
		"  holdall tables %[1]s\n"+
		"  holdall query %[1]s \"select status_code, count(*) from job_pipelines group by all\"\n"+
		"  holdall files %[1]s --where \"part = 'cvs'\"\n"+
		"  holdall verify %[1]s --level deep\n"+
		"and without holdall, in %[2]s:\n"+
		"  sha256sum -c manifest-sha256.txt\n", o.to, result.Location)
	return nil
}

func (o *demoOptions) take(ctx context.Context, e *env, server *exportsim.Server) (*takeover.Result, error) {
	e.talk("taking it over; each of its links is signed and expires: %s", server.MasterURL())
	href, err := link.New(server.MasterURL())
	if err != nil {
		return nil, err
	}
	options := (&takeOptions{to: o.to, allowPrivate: true}).takeover(e)
	show := newProgress(e)
	options.Progress = show.update
	began := time.Now()
	result, err := takeover.Take(ctx, takeover.MasterCSV{Link: href}, options)
	show.end()
	if result != nil && result.FetchedBytes > 0 {
		e.recordTake(ctx, options, result, err, began)
	}
	if err != nil {
		return nil, err
	}
	if !e.json {
		summary(e, result)
	}
	return result, nil
}

func (o *demoOptions) verify(ctx context.Context, e *env, x *export) error {
	began := time.Now()
	v := newVerification(archive.Deep)
	if err := v.export(ctx, e, exportPath{root: x.root, folder: x.bag.ID()}); err != nil {
		return err
	}
	if !e.json {
		if err := v.print(e); err != nil {
			return err
		}
	}
	e.detail("verified in %s", time.Since(began).Round(time.Millisecond))
	if !v.Valid {
		return errFindings
	}
	return nil
}

// questions are asked of the demo's archive; the names are those of reports.
var questions = []struct{ name, text string }{
	{"01-funnel", "How far do candidates come?"},
	{"04-source-of-hire", "Where do the people come from who are placed?"},
	{"15-open-tasks-by-leaver", "Whose tasks are still open, leavers first?"},
}

func (o *demoOptions) ask(ctx context.Context, e *env, x *export) error {
	db, err := x.database(ctx, e)
	if err != nil {
		return err
	}
	defer db.Close()
	for _, q := range questions {
		fmt.Fprintf(e.stdout, "\n%s\n", q.text)
		r, err := reports.Find(reports.BuiltIn(), q.name)
		if err != nil {
			return err
		}
		params, _ := r.Bind(nil)
		rows, err := db.Query(ctx, r.SQL, params)
		if err != nil {
			return fmt.Errorf("report %s: %w", q.name, err)
		}
		done, err := query.Write(e.stdout, rows, query.WriteOptions{Format: query.Table, Limit: 8})
		if err := errors.Join(err, rows.Close()); err != nil {
			return err
		}
		if done.Cut {
			fmt.Fprintf(e.stdout, "… and more: holdall report %s %s\n", o.to, q.name)
		}
	}
	fmt.Fprintln(e.stdout)
	return nil
}
