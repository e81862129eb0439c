package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdall/internal/flock"
	"holdall/internal/sending"
	"holdall/orgvue"
	"holdall/query"
)

type sendOptions struct {
	query          string
	dataset        string
	tenant         string
	apiURL         string
	tokenFile      string
	format         string
	idKey          string
	autoID         bool
	assume         bool
	mergeKey       string
	actionColumn   string
	allowDelete    bool
	implicitDelete bool
	confirmDeletes int
	callback       string
	recordType     string
	importTime     time.Duration
	allowPrivate   bool
	dryRun         bool
	output         outputFile
}

func sendCommand() command {
	var o sendOptions
	return command{
		use:   "send [EXPORT] orgvue",
		short: "Send the rows of a query to Orgvue, and follow each one to its end",
		long: `
Send what a SQL query returns to a dataset of an Orgvue tenant: each row is an item, each column a property.
A dry run prints the payload and sends no request. That the dataset has all the properties is checked before
anything is sent. The import is followed to its end, and what became of each item is kept in the root's
ledger.

Sent again, it sends what changed since, and nothing else. An item that failed waits until it changes, or
until "holdall log requeue" asks for it. Nothing is deleted without --allow-delete or --implicit-delete.

The token is read from a file, from - (standard input), or from HOLDALL_ORGVUE_TOKEN.`,
		example: `  holdall send archives orgvue --query people.sql --dataset ID --dry-run
  holdall send archives orgvue --query people.sql --dataset 3F0E6A52-9C1D-4B7A-8E24-5D6C7B8A9F01 \
    --tenant ACME_1 --api-url api.example.com --token-file token.txt --id-key EmployeeID`,
		args:  cobra.RangeArgs(1, 2),
		flags: o.addFlags,
		run:   func(ctx context.Context, e *env, args []string) error { return o.run(ctx, e, args) },
		exits: []int{exitNotFinished, exitLink, exitFindings},
	}
}

func (o *sendOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.query, "query", "", "`FILE` with the SQL that selects the items (required)")
	f.StringVar(&o.dataset, "dataset", "", "`ID` of the dataset (required)")
	f.StringVar(&o.tenant, "tenant", "", "`ID` of the tenant")
	f.StringVar(&o.apiURL, "api-url", "", "`URL` of the tenant's API, with or without https://")
	f.StringVar(&o.tokenFile, "token-file", "", "`FILE` with the API token, or - for standard input")
	f.StringVar(&o.format, "format", "json", "`json or csv`: form of the payload")
	f.StringVar(&o.idKey, "id-key", "", "`PROPERTY` that identifies items (default: _id)")
	f.BoolVar(&o.autoID, "auto-id", false, "the system makes identifiers")
	f.StringVar(&o.mergeKey, "merge-key", "", "`PROPERTY` by which items are merged")
	f.StringVar(&o.actionColumn, "action-column", "",
		"`COLUMN` that says create, update or delete (default: what follows "+
			"from the sends before)")
	f.BoolVar(&o.allowDelete, "allow-delete", false, "let the action column delete items")
	f.BoolVar(&o.implicitDelete, "implicit-delete", false,
		"delete every item of the dataset that the query does not return")
	f.IntVar(&o.confirmDeletes, "confirm-deletes", 0, "`N` items are what --implicit-delete may delete")
	f.BoolVar(&o.assume, "assume-properties", false,
		"send properties that no item of the dataset has a value of")
	f.StringVar(&o.callback, "callback", "",
		"`URL` that the system calls at the end; {{jobStatus}}, {{traceId}} and "+
			"{{tenantId}} in it are filled in")
	f.StringVar(&o.recordType, "record-type", "",
		"`TYPE` of the records in the ledger (default: the name of the query's file)")
	f.DurationVar(&o.importTime, "import-time", 30*time.Minute,
		"an import of which nothing was heard again may still be running for this `TIME`")
	f.BoolVar(&o.allowPrivate, "allow-private", false, "send to this machine, also by http")
	f.BoolVar(&o.dryRun, "dry-run", false, "only write the payload, to standard output or -o")
	o.output.addFlags(f)
}

func (o *sendOptions) run(ctx context.Context, e *env, args []string) error {
	if to := args[len(args)-1]; to != "orgvue" {
		return usagef("orgvue is the one there is", "nothing can be sent to %q", to)
	}
	sql, err := o.check()
	if err != nil {
		return err
	}
	exportArg, _, err := e.exportArgs(args[:len(args)-1], 0, 0)
	if err != nil {
		return err
	}
	x, err := openExport(ctx, e, exportArg)
	if err != nil {
		return err
	}
	if x.root == "" {
		return usagef("move it into ROOT/exports",
			"the archive lies in no root, and so has no ledger to keep what is sent in")
	}
	options, err := o.options(e, x)
	if err != nil {
		return err
	}
	db, err := x.database(ctx, e)
	if err != nil {
		return err
	}
	defer db.Close()
	rows, err := db.Query(ctx, sql, nil)
	if err != nil {
		return err
	}
	defer rows.Close()
	if o.dryRun {
		return o.plan(ctx, e, rows, options)
	}
	return o.send(ctx, e, rows, options)
}

// check refuses what makes no sense before anything is opened, and reads the SQL.
func (o *sendOptions) check() (sql string, err error) {
	switch {
	case o.query == "":
		return "", usagef("add --query FILE with the SQL that selects the items", "missing --query")
	case o.dataset == "":
		return "", usagef("add --dataset ID", "missing --dataset")
	case o.output.path != "" && !o.dryRun:
		return "", usagef("add --dry-run, which writes the payload", "-o is for the payload of a dry run")
	}
	if err := o.output.check(); err != nil {
		return "", err
	}
	b, err := os.ReadFile(o.query)
	if err != nil {
		return "", withHint(err, "--query wants a file with SQL in it")
	}
	if o.recordType == "" {
		o.recordType = strings.TrimSuffix(filepath.Base(o.query), filepath.Ext(o.query))
	}
	return string(b), nil
}

// options are those of the sending, with the token read and everything checked that can be without asking.
func (o *sendOptions) options(e *env, x *export) (sending.Options, error) {
	s := sending.Options{
		Store: x.store, Work: x.runs(),
		ActionColumn: o.actionColumn, AllowDelete: o.allowDelete, ConfirmDeletes: o.confirmDeletes,
		ImportTime: o.importTime,
		Export:     x.bag.ID(), RecordType: o.recordType, Operator: e.operator(), Version: version(),
		Talk: e.talk,
		Orgvue: orgvue.Options{
			URL: o.apiURL, Tenant: o.tenant, Dataset: o.dataset, Format: orgvue.Format(o.format),
			IDKey: o.idKey, AutoID: o.autoID, AssumeProperties: o.assume,
			MergeKey: o.mergeKey, ImplicitDelete: o.implicitDelete, Callback: o.callback,
			AllowHTTP: o.allowPrivate,
			UserAgent: "holdall/" + strings.TrimPrefix(version(), "v"), Talk: e.talk,
			Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: e.dial},
		},
	}
	if o.dryRun {
		s.Orgvue.Token = "-"
		if s.Orgvue.URL == "" {
			s.Orgvue.URL = "https://localhost"
		}
		if s.Orgvue.Tenant == "" {
			s.Orgvue.Tenant = "NONE"
		}
		return s, s.Orgvue.Check(time.Now())
	}
	if o.apiURL == "" || o.tenant == "" {
		return s, usagef("add --api-url URL and --tenant ID", "it is not said where to send to")
	}
	token, err := e.secret(o.tokenFile, "HOLDALL_ORGVUE_TOKEN")
	if err != nil {
		return s, err
	}
	s.Orgvue.Token = string(token)
	return s, s.Orgvue.Check(time.Now())
}

// secret reads a secret from a file, from standard input, or from an environment variable; never from an
// argument, which others on this machine can see.
func (e *env) secret(path, variable string) ([]byte, error) {
	switch path {
	case "":
		if value, ok := e.lookup(variable); ok && value != "" {
			return []byte(value), nil
		}
		return nil, nil
	case "-":
		return io.ReadAll(io.LimitReader(e.stdin, 1<<20))
	}
	b, err := os.ReadFile(path)
	return b, withHint(err, "name the file that the secret is in, or - for standard input")
}

// operator is who runs this: as the environment says, else the system's list of users, else a number.
func (e *env) operator() string {
	for _, name := range []string{"HOLDALL_OPERATOR", "SUDO_USER", "USER", "LOGNAME", "USERNAME"} {
		if value, ok := e.lookup(name); ok && value != "" {
			return value
		}
	}
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "uid " + strconv.Itoa(os.Getuid())
}

func (o *sendOptions) plan(ctx context.Context, e *env, rows *query.Rows, s sending.Options) error {
	var r *sending.Result
	write := func(w io.Writer) (err error) {
		r, err = sending.Write(ctx, w, rows, s)
		return err
	}
	err := error(nil)
	if o.output.path != "" {
		err = o.output.write(e, write)
	} else {
		err = write(e.stdout)
	}
	if err == nil {
		e.talk("%s would be sent; %d are there as they are, %d failed as they are and wait", count(r.Sent,
			"item", "items"),
			r.Unchanged, r.Held)
	}
	return err
}

func (o *sendOptions) send(ctx context.Context, e *env, rows *query.Rows, s sending.Options) error {
	if err := os.MkdirAll(s.Work, 0o700); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(s.Work, "sending.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := flock.TryLock(lock); errors.Is(err, flock.ErrLocked) {
		return &orgvue.Error{Code: orgvue.CodeBusy, Retryable: true,
			Message: "another send from this root is on its way",
			Hint:    "wait until it ends"}
	} else if err != nil {
		return err
	}
	r, err := sending.Send(ctx, rows, s)
	return e.concludeSend(r, stopped(ctx, err))
}

// concludeSend tells how a send ended.
func (e *env) concludeSend(r *sending.Result, err error) error {
	if r == nil {
		return err
	}
	if e.json {
		out := struct {
			*sending.Result
			Error *errorReport `json:"error,omitempty"`
		}{Result: r}
		if err != nil {
			f := describeError(err)
			out.Error, err = &f, &printedInJSON{err}
		}
		if perr := e.printJSON(out); perr != nil {
			return errors.Join(err, perr)
		}
	} else if err == nil {
		fmt.Fprintf(e.stdout, "%s\t%s\n", r.Run, r.State)
	}
	if err != nil {
		return err
	}
	e.talk("%s sent, %d went in, %d failed; %d were there as they are, %d failed before as they are and wait",
		count(r.Sent, "item", "items"), r.Succeeded, r.Failed, r.Unchanged, r.Held)
	if r.Failed > 0 {
		e.hint("%q lists what failed", "holdall log ROOT "+r.Run+" --failed")
		return errFindings
	}
	return nil
}
