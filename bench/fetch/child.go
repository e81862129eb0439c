package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"holdall/fetch"
	"holdall/fetch/failure"
	"holdall/fetch/master"
	"holdall/internal/unpack"
)

// A report is what a child process reports about its run.
type report struct {
	Path     string       `json:"path"` // of the first object
	Check    string       `json:"check"`
	Fetched  int64        `json:"fetched"`
	Reused   int64        `json:"reused"`
	Files    int          `json:"files"`
	Entries  int          `json:"entries"`
	Sums     string       `json:"sums"` // SHA-256 over those of the files, in order
	Requests int          `json:"requests"`
	Memory   int64        `json:"memory"` // the most there was of it, in bytes
	Code     failure.Code `json:"code,omitempty"`
}

// child fetches one link as the program does, with default settings, and prints a report.
func child(args []string) error {
	flags := flag.NewFlagSet("child", flag.ContinueOnError)
	link := flags.String("link", "", "")
	spool := flags.String("spool", "", "")
	ca := flags.String("ca", "", "")
	readZIP := flags.Bool("zip", false, "go through the ZIP while it arrives")
	planOnly := flags.Bool("plan", false, "end after the plan")
	idle := flags.Duration("idle", 0, "as fetch.Options.Idle")
	budget := flags.Duration("budget", 0, "as fetch.Options.RetryBudget")
	if err := flags.Parse(args); err != nil {
		return err
	}
	m, err := master.Read([]byte("Part,Link\nattachments," + *link + "\n"))
	if err != nil {
		return err
	}
	var out report
	f, err := fetch.New(fetch.Options{
		AllowPrivate: true, CAFile: *ca, Idle: *idle, RetryBudget: *budget,
		Receipt: func(fetch.Receipt) { out.Requests++ },
	})
	if err != nil {
		return err
	}
	err = fetchAll(f, m, *spool, *readZIP, *planOnly, &out)
	f.Close()
	var e *failure.Error
	if errors.As(err, &e) && e.Code == failure.LinkExpired {
		out.Code, err = e.Code, nil
	}
	if err != nil {
		return err
	}
	out.Memory = peakMemory()
	return json.NewEncoder(os.Stdout).Encode(out)
}

// peakMemory is VmHWM of proc_pid_status(5). Unlike ru_maxrss it leaves out what the parent had at the fork.
func peakMemory() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kib int64
	fmt.Sscan(rest, &kib)
	return kib << 10
}

func fetchAll(f *fetch.Fetcher, m *master.CSV, spool string, readZIP, planOnly bool, out *report) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	p, err := f.Plan(ctx, m)
	if err != nil {
		return err
	}
	if p.Sources[0].Err != nil {
		return p.Sources[0].Err
	}
	if planOnly {
		return nil
	}
	r, err := f.Start(ctx, p, spool)
	if err != nil {
		return err
	}
	o := r.Objects[0]
	if readZIP {
		if out.Entries, err = walkZIP(ctx, o); err != nil {
			return errors.Join(err, r.Close())
		}
	}
	if o.Source.Listing {
		if out.Files, out.Sums, err = walkFiles(ctx, o); err != nil {
			return errors.Join(err, r.Close())
		}
	}
	err = r.Wait()
	progress := r.Progress()
	out.Path, out.Fetched, out.Reused = o.Path(), progress.Fetched, progress.Reused
	if err == nil {
		v, _ := o.Wait(ctx)
		out.Check = v.Check
	}
	if err != nil {
		return errors.Join(err, r.Close())
	}
	return r.Close()
}

// walkZIP reads the directory of a ZIP that is still arriving.
func walkZIP(ctx context.Context, o *fetch.Object) (int, error) {
	size, err := o.Size(ctx)
	if err != nil {
		return 0, err
	}
	c, err := unpack.OpenZIP(o, size, unpack.Limits{})
	if err != nil {
		return 0, err
	}
	n := 0
	for e, err := range c.Entries() {
		if err != nil {
			return n, err
		}
		if e.Refused != "" {
			return n, fmt.Errorf("entry %d is refused", n)
		}
		n++
	}
	return n, nil
}

func walkFiles(ctx context.Context, o *fetch.Object) (n int, sums string, err error) {
	h := sha256.New()
	for f, err := range o.Files(ctx) {
		if err != nil {
			return n, "", err
		}
		if f.Err != nil {
			return n, "", f.Err
		}
		h.Write(f.SHA256[:])
		n++
	}
	return n, fmt.Sprintf("%x", h.Sum(nil)), nil
}
