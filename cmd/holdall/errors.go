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

// The exit codes; docs/cli.md and the help topic "exit-codes" say what they mean.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitGoOn        = 3
	exitLink        = 4
	exitFindings    = 5
	exitInterrupted = 130
)

// codeCredentials is the code of a store that does not accept its credentials.
const codeCredentials failure.Code = "credentials"

// errFindings ends a command that did its work and found something. It has been told already.
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

// An errorReport is what the user is told, and what --json prints.
type errorReport struct {
	Code      failure.Code `json:"code"`
	Message   string       `json:"message"`
	Hint      string       `json:"hint"`
	Retryable bool         `json:"retryable"`

	ResumeAfter string    `json:"resume_after,omitempty"` // RFC 3339; when the server said to come back
	Part        link.Part `json:"part,omitempty"`         // of the link that failed
	Link        string    `json:"link,omitempty"`         // redacted
	exit        int
}

// describe turns an error into an errorReport. Its text is redacted here once more, whatever came before.
func describe(err error) errorReport {
	f := classify(err)
	f.Message = redact.Text(f.Message)
	f.Hint = redact.Text(f.Hint)
	return f
}

const goOn = "run the same command again to go on"

func classify(err error) errorReport {
	var (
		fe       *failure.Error
		mismatch *digest.MismatchError
		usage    *usageError
		sent     *orgvue.Error
		paused   *eploy.Paused
		pull     *eploy.Failure
		hint     *hinted
		report   = errorReport{Code: failure.Internal, Message: err.Error(), exit: exitFailed}
	)
	if errors.As(err, &hint) {
		report.Hint = hint.hint
	}
	switch {
	case errors.As(err, &usage):
		return errorReport{Code: failure.Usage, Message: usage.message, Hint: usage.hint, exit: exitUsage}
	case errors.As(err, &sent):
		return sendFailure(sent)
	case errors.As(err, &paused):
		return pausedFailure(paused)
	case errors.As(err, &pull):
		code := failure.Code(pull.Code)
		return errorReport{
			Code: code, Message: pull.Message, Hint: pull.Hint, Retryable: pull.Retryable, exit: code.Exit(),
		}
	case errors.Is(err, context.Canceled):
		return errorReport{
			Code: failure.Interrupted, Message: "stopped", Hint: goOn, Retryable: true, exit: exitInterrupted,
		}
	case errors.As(err, &fe):
		report = errorReport{
			Code: fe.Code, Message: aboutLink(fe, err.Error()), Hint: hintOf(fe),
			Retryable: fe.Retryable(), exit: fe.Code.Exit(),
		}
		report.Part, report.Link = fe.Part, fe.Link
		if !fe.ResumeAfter.IsZero() {
			report.ResumeAfter = fe.ResumeAfter.UTC().Format(time.RFC3339)
		}
	case diskspace.IsFull(err):
		report.Code, report.exit, report.Retryable = failure.DiskFull, exitGoOn, true
		report.Hint = "make room on the disk, then " + goOn
	case errors.Is(err, archive.ErrCredentials):
		report.Code, report.exit, report.Retryable = codeCredentials, exitGoOn, true
		report.Hint = "renew the credentials (see \"holdall help s3\"), and " + goOn
	case errors.Is(err, archive.ErrUnavailable):
		report.Code, report.exit, report.Retryable = failure.Network, exitGoOn, true
		report.Hint = "check the network and AWS_ENDPOINT_URL_S3, and " + goOn
	case errors.Is(err, dirstore.ErrLocked):
		report.Code, report.exit, report.Retryable = failure.Busy, exitGoOn, true
		report.Hint = "wait until the other run ends, then " + goOn
	case report.Hint == "" && errors.As(err, &mismatch):
		report.Hint = "the archive is damaged there; \"holdall verify\" lists all that is damaged"
	case report.Hint == "" && errors.Is(err, fs.ErrPermission) && errors.As(err, new(*s3store.Error)):
		report.Hint = "let these credentials do what \"holdall help s3\" lists, and " + goOn
	case report.Hint == "" && (errors.Is(err, fs.ErrPermission) || isReadOnly(err)):
		report.Hint = "check that you may read and write there, or name another directory"
	case errors.Is(err, fs.ErrNotExist) && report.Hint == "":
		report.Hint = "check the path; \"holdall list ROOT\" shows the exports of a root"
	}
	return report
}

// sendFailure is a failure of a destination.
func sendFailure(e *orgvue.Error) errorReport {
	f := errorReport{
		Code: failure.Code(e.Code), Message: e.Message, Hint: e.Hint, Retryable: e.Retryable,
		exit: failure.Code(e.Code).Exit(),
	}
	if e.Code == orgvue.CodeRefused {
		f.Code, f.exit = failure.Internal, exitFailed
	}
	return f
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

// stopped marks the failure of what the user has stopped, in whatever words the failure comes: an engine that
// is interrupted in the middle of a statement has its own.
func stopped(ctx context.Context, err error) error {
	if err == nil || !errors.Is(ctx.Err(), context.Canceled) || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w: %w", context.Canceled, err)
}

// fail tells the user about err and returns the exit code.
func (e *env) fail(err error) int {
	if err == nil {
		return exitDone
	}
	if errors.Is(err, errFindings) {
		return exitFindings
	}
	f := describe(err)
	if e.json {
		// A command that has printed its object already has put the error into it.
		var told *toldInJSON
		if !errors.As(err, &told) {
			e.printJSON(map[string]errorReport{"error": f})
		}
	}
	e.say("%s", f.Message)
	if f.Hint != "" {
		e.hint("%s", f.Hint)
	}
	return f.exit
}

// toldInJSON marks an error that is part of the JSON object printed.
type toldInJSON struct{ error }

func (e *toldInJSON) Unwrap() error { return e.error }
