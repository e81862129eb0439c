package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/mattn/go-runewidth"

	"holdall/internal/takeover"
	"holdall/internal/term"
)

// takeJSON is the object that take prints: the result and, when it did not finish, why.
type takeJSON struct {
	takeover.Result
	Error       *errorReport `json:"error,omitempty"`
	ResumeAfter string       `json:"resume_after,omitempty"` // as in the error
}

// reportResult prints how a takeover ended.
func (e *env) reportResult(r *takeover.Result, err error) error {
	if r == nil {
		return err
	}
	if e.json {
		out := takeJSON{Result: *r}
		if err != nil {
			f := describeError(err)
			out.Error, out.ResumeAfter = &f, f.ResumeAfter
			err = &printedInJSON{err}
		}
		if perr := e.printJSON(out); perr != nil {
			return errors.Join(err, perr)
		}
	} else if err == nil {
		summary(e, r)
	}
	if err != nil {
		e.console.repeat()
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
	tellFindings(e, r.Findings)
	if r.Faulty() {
		e.hint("something promised is missing or damaged; %q lists it all", "holdall status "+r.Location)
	}
}

// tellFindings prints a line for each code.
func tellFindings(e *env, all []takeover.FindingCount) {
	for _, f := range all {
		e.talk(
			"%s: %s, %s: %s", f.Severity, f.Code, count(f.Count, "time", "times"),
			runewidth.Truncate(f.Detail, 120, "…"),
		)
	}
}
