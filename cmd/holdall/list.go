package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdall/internal/takeover"
	"holdall/internal/term"
	"holdall/query"
)

func listCommand() command {
	return command{
		use:   "list [ROOT]",
		short: "List the exports in a root",
		long: "List the exports of a root, oldest first: ID, time, state, rows, documents, bytes, " +
			"findings. Takeovers that are not finished are listed too.",
		args:  cobra.MaximumNArgs(1),
		run:   runList,
		exits: []int{exitFindings},
	}
}

// listed is an export as list --json prints it.
type listed struct {
	takeover.Result
	Created    time.Time            `json:"created"`
	Damage     string               `json:"damage,omitempty"`
	Unfinished *takeover.Unfinished `json:"unfinished,omitempty"`
	Abandoned  bool                 `json:"abandoned,omitempty"`
}

func listedOf(s *takeover.Status) listed {
	return listed{s.Result, s.Created, s.Damage, s.Unfinished, s.Abandoned}
}

func runList(ctx context.Context, e *env, args []string) error {
	named, err := e.rootArg(args)
	if err != nil {
		return err
	}
	h, err := openRoot(ctx, e, named)
	if err != nil {
		return err
	}
	defer h.close()
	all, err := takeover.List(ctx, h.store, h.runs())
	if err != nil {
		return err
	}
	if e.json {
		out := []listed{}
		for _, s := range all {
			out = append(out, listedOf(s))
		}
		return errors.Join(e.printJSON(out), damageIn(all))
	}
	var rows [][]string
	for _, s := range all {
		var n int64
		for _, t := range s.Tables {
			n += t.Rows
		}
		rows = append(rows, []string{s.Export, s.Created.Format(time.DateTime), s.State, fmt.Sprint(n),
			fmt.Sprint(s.Documents.Attachments + s.Documents.CVs), fmt.Sprint(s.Documents.Bytes),
			findingCodes(s.Findings)})
		e.reportUnusual(s)
	}
	if len(rows) == 0 {
		e.talk("no export in %s", named)
	}
	e.reportGone(ctx, h)
	return errors.Join(e.table(
		[]string{"export", "created (UTC)", "state", "rows", "documents", "bytes", "findings"},
		[]int{3, 4, 5}, rows,
	),
		damageIn(all))
}

// damageIn is errFindings when one of the exports is damaged.
func damageIn(all []*takeover.Status) error {
	if slices.ContainsFunc(all, func(s *takeover.Status) bool { return s.State == takeover.StateDamaged }) {
		return errFindings
	}
	return nil
}

// reportUnusual says why an export is damaged, and how far an unfinished takeover came and what it waits for.
func (e *env) reportUnusual(s *takeover.Status) {
	if s.Damage != "" {
		e.talk("%s is damaged: %s", s.Location, s.Damage)
	}
	if s.Abandoned {
		e.talk("%s has no bagit.txt: it is being made elsewhere, or what was making it is gone", s.Location)
	}
	u := s.Unfinished
	if u == nil {
		return
	}
	if u.Pull != nil {
		e.talk("the pull begun at %s is not finished: %s records and the content of %s received, in %s",
			s.Created.Format(time.DateTime+" MST"), group(int64(u.Pull.Records)), count(u.Pull.Files, "file",
				"files"),
			u.Spool)
		e.reportStopped(u)
		return
	}
	promised := "an unknown number of bytes"
	if u.Promised >= 0 {
		promised = term.Bytes(u.Promised)
	}
	e.talk("the takeover begun at %s is not finished: %s of %s received, in %s",
		s.Created.Format(time.DateTime+" MST"),
		term.Bytes(u.Received), promised, u.Spool)
	if u.Lost {
		e.talk("that directory is not there now")
	}
	for _, l := range u.Links {
		if l.Complete {
			continue
		}
		size, expiry := "an unknown size", ""
		if l.Size >= 0 {
			size = term.Bytes(l.Size)
		}
		if !l.Expiry.IsZero() {
			expiry = ", link good until " + l.Expiry.UTC().Format("2006-01-02 15:04 MST")
		}
		e.talk("still missing: %s: %s of %s received%s", l.Part, term.Bytes(l.Received), size, expiry)
	}
	e.reportStopped(u)
}

func (e *env) reportStopped(u *takeover.Unfinished) {
	switch {
	case u.Sealed:
		e.talk("everything has been received; run \"holdall take\" again to put the archive in its place")
	case u.Stopped != nil:
		e.talk("it stopped at %s: %s", u.Stopped.Time.Format(time.DateTime+" MST"), u.Stopped.Message)
	}
}

func findingCodes(all []takeover.FindingCount) string {
	var codes []string
	for _, f := range all {
		if f.Severity != query.SeverityInfo {
			codes = append(codes, fmt.Sprintf("%s×%d", f.Code, f.Count))
		}
	}
	return strings.Join(codes, " ")
}
