package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"holdall/archive"
	"holdall/archive/dirstore"
	"holdall/archive/s3store"
	"holdall/eploy"
	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/internal/digest"
	"holdall/internal/diskspace"
	"holdall/internal/redact"
	"holdall/orgvue"
)

// An errorCode names a kind of failure in the output of --json; docs/cli.md lists them. The codes of failed
// fetches are those of fetch/failure.
type errorCode string

// The codes of failures that the command line recognises itself.
const (
	codeUsage       errorCode = "usage"
	codeInterrupted errorCode = "interrupted"
	codeInternal    errorCode = "internal"
	codeDiskFull    errorCode = "disk-full"
	codeBusy        errorCode = "busy"
	codeNetwork     errorCode = "network"
	codeCredentials errorCode = "credentials" // the store does not accept its credentials
)

// errFindings ends a command that did its work and found something, which has been printed.
var errFindings = errors.New("there are findings")

// A usageError is a command line that cannot be carried out.
type usageError struct{ message, hint string }

func (e *usageError) Error() string { return e.message }

func usagef(hint, format string, args ...any) error {
	return &usageError{message: fmt.Sprintf(format, args...), hint: hint}
}

// hinted adds to an error what the user can do.
type hinted struct {
	err  error
	hint string
}

func (e *hinted) Error() string { return e.err.Error() }
func (e *hinted) Unwrap() error { return e.err }

func withHint(err error, hint string) error {
	if err == nil {
		return nil
	}
	return &hinted{err, hint}
}

// An errorReport is a failure as it is shown to the user, and as --json prints it.
type errorReport struct {
	Code      errorCode `json:"code"`
	Message   string    `json:"message"`
	Hint      string    `json:"hint"`
	Retryable bool      `json:"retryable"`

	ResumeAfter string    `json:"resume_after,omitempty"` // RFC 3339; when the server said to come back
	Part        link.Part `json:"part,omitempty"`         // of the link that failed
	Link        string    `json:"link,omitempty"`         // redacted
	exit        int
}

// describeError turns an error into an errorReport. Its text is redacted here, even if it was before.
func describeError(err error) errorReport {
	f := classify(err)
	f.Message = redact.Text(f.Message)
	f.Hint = redact.Text(f.Hint)
	return f
}

const rerunHint = "run the same command again to go on"

// newReport returns a report with the exit code of its error code.
func newReport(code errorCode, message, hint string, retryable bool) errorReport {
	return errorReport{Code: code, Message: message, Hint: hint, Retryable: retryable, exit: code.exit()}
}

func classify(err error) errorReport {
	var (
		fetched *failure.Error
		usage   *usageError
		sent    *orgvue.Error
		paused  *eploy.Paused
		pulled  *eploy.Failure
		round   *unfinishedRound
	)
	switch {
	case errors.As(err, &round):
		return round.report()
	case errors.As(err, &usage):
		return newReport(codeUsage, usage.message, usage.hint, false)
	case errors.As(err, &sent) && sent.Code == orgvue.CodeRefused:
		return newReport(codeInternal, sent.Message, sent.Hint, sent.Retryable)
	case errors.As(err, &sent):
		return newReport(errorCode(sent.Code), sent.Message, sent.Hint, sent.Retryable)
	case errors.As(err, &paused):
		return pausedFailure(paused)
	case errors.As(err, &pulled):
		return newReport(errorCode(pulled.Code), pulled.Message, pulled.Hint, pulled.Retryable)
	case errors.Is(err, context.Canceled):
		return newReport(codeInterrupted, "stopped", rerunHint, true)
	case errors.As(err, &fetched):
		return fetchFailure(fetched, err)
	}
	return localFailure(err)
}

// fetchFailure is the report on a failed fetch; err is what it is wrapped in.
func fetchFailure(e *failure.Error, err error) errorReport {
	r := newReport(errorCode(e.Code), aboutLink(e, err.Error()), hintOf(e), e.Retryable())
	r.Part, r.Link = e.Part, e.Link
	if !e.ResumeAfter.IsZero() {
		r.ResumeAfter = e.ResumeAfter.UTC().Format(time.RFC3339)
	}
	return r
}

// localFailure is the report on a failure of this machine or of a store. A hint that the error carries goes
// before a general one, except where the failure has only one way out.
func localFailure(err error) errorReport {
	message, own := err.Error(), ""
	var hint *hinted
	if errors.As(err, &hint) {
		own = hint.hint
	}
	var mismatch *digest.MismatchError
	switch {
	case diskspace.IsFull(err):
		return newReport(codeDiskFull, message, "make room on the disk, then "+rerunHint, true)
	case errors.Is(err, archive.ErrCredentials):
		return newReport(codeCredentials, message,
			"renew the credentials (see \"holdall help s3\"), and "+rerunHint, true)
	case errors.Is(err, archive.ErrUnavailable):
		return newReport(codeNetwork, message,
			"check the network and AWS_ENDPOINT_URL_S3, and "+rerunHint, true)
	case errors.Is(err, dirstore.ErrLocked):
		return newReport(codeBusy, message, "wait until the other run ends, then "+rerunHint, true)
	case own != "":
	case errors.As(err, &mismatch):
		own = "the archive is damaged there; \"holdall verify\" lists all that is damaged"
	case errors.Is(err, fs.ErrPermission) && errors.As(err, new(*s3store.Error)):
		own = "let these credentials do what \"holdall help s3\" lists, and " + rerunHint
	case errors.Is(err, fs.ErrPermission) || isReadOnly(err):
		own = "check that you may read and write there, or name another directory"
	case errors.Is(err, fs.ErrNotExist):
		own = "check the path; \"holdall list ROOT\" shows the exports of a root"
	}
	return newReport(codeInternal, message, own, false)
}

var partNames = map[link.Part]string{
	link.PartData: "the data files", link.PartAttachments: "the attachments",
	link.PartCVs: "the internal CVs", link.PartUnknown: "an unnamed part",
}

// aboutLink adds which link a failure is about: of three that look alike, the user has to know which one to
// ask for. The link comes last, because whatever follows a link is taken for a part of it and hidden.
func aboutLink(e *failure.Error, message string) string {
	switch {
	case e.Part != "":
		message = "the link for " + partNames[e.Part] + ": " + message
	case e.Link != "":
		message = "the link to the master CSV: " + message
	}
	if e.Link != "" && !strings.Contains(message, e.Link) {
		message += ": " + e.Link
	}
	return message
}

// stopped marks a failure as the user's own interruption, whatever its text: an engine that is interrupted in
// the middle of a statement has its own.
func stopped(ctx context.Context, err error) error {
	if err == nil || !errors.Is(ctx.Err(), context.Canceled) || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w: %w", context.Canceled, err)
}

// fail reports err to the user and returns the exit code.
func (e *env) fail(err error) int {
	if err == nil {
		return exitDone
	}
	if errors.Is(err, errFindings) {
		return exitFindings
	}
	f := describeError(err)
	if e.json {
		// A command that has printed its object already has put the error into it.
		var printed *printedInJSON
		if !errors.As(err, &printed) {
			e.printJSON(map[string]errorReport{"error": f})
		}
	}
	e.say("%s", f.Message)
	if f.Hint != "" {
		e.hint("%s", f.Hint)
	}
	return f.exit
}

// printedInJSON marks an error that is part of the JSON object printed.
type printedInJSON struct{ error }

func (e *printedInJSON) Unwrap() error { return e.error }
