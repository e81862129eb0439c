// Package failure has the failures of a takeover that a user can do something about: one Error, one table of
// codes with all that follows from each (how much it matters, whether trying again helps, the exit code), and
// the reading of the error messages of storage services.
//
// No text of an Error holds a secret.
package failure

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"holdall/fetch/link"
	"holdall/internal/diskspace"
	"holdall/internal/redact"
)

// A Code names a class of failure; the command line shows it and chooses the exit code by it.
type Code string

// The codes.
const (
	LinkExpired   Code = "link-expired"
	LinkDenied    Code = "link-denied"
	LinkDamaged   Code = "link-damaged"
	LinkGone      Code = "link-gone"
	NotTheExport  Code = "not-the-export"
	ObjectChanged Code = "object-changed"
	DiskFull      Code = "disk-full"
	Busy          Code = "busy"
	Network       Code = "network"
	Usage         Code = "usage"
	Interrupted   Code = "interrupted"
	Internal      Code = "internal"
)

// codes is all that follows from a failure's class.
var codes = map[Code]struct {
	rank      int  // how much the user needs to hear of it, the most first
	retryable bool // the same command run again may succeed, without a new link
	exit      int  // the command line's exit code
}{
	// This machine's trouble comes first, then what a new link fixes, then what another try fixes.
	DiskFull:      {0, true, 3},
	Internal:      {0, false, 1},
	Usage:         {0, false, 2},
	LinkExpired:   {1, false, 4},
	LinkDamaged:   {2, false, 4},
	LinkDenied:    {2, false, 4},
	LinkGone:      {2, false, 4},
	NotTheExport:  {2, false, 4},
	ObjectChanged: {3, true, 3},
	Busy:          {4, true, 3},
	Network:       {4, true, 3},
	Interrupted:   {5, true, 130},
}

// Rank orders failures by how much the user needs to hear of them: the lowest comes first.
func (c Code) Rank() int { return codes[c].rank }

// Retryable reports whether the same command run again may succeed without a new link.
func (c Code) Retryable() bool { return codes[c].retryable }

// Exit is the exit code of a command that fails so.
func (c Code) Exit() int {
	if f, ok := codes[c]; ok {
		return f.exit
	}
	return codes[Internal].exit
}

// Local reports whether the trouble is this machine's and not a link's.
func (c Code) Local() bool { return c == DiskFull || c == Internal || c == Usage }

// A Reason tells failures of one code apart where different things can be done about them.
type Reason string

// The reasons.
const (
	ReasonPrivateAddress Reason = "private-address" // the link leads to an address that is not public
	ReasonPlainHTTP      Reason = "plain-http"      // the link is not https
	// redirects lead in a circle, from https to http, or to no web address
	ReasonRedirect    Reason = "redirect"
	ReasonProxy       Reason = "proxy"       // the proxy refuses the user, or to go there
	ReasonCertificate Reason = "certificate" // the server's certificate is not trusted
	ReasonSpoolFull   Reason = "spool-full"  // no space for the spool
	ReasonSpoolLost   Reason = "spool-lost"  // the spool that a takeover began with is not where it was
	// the spool cannot be written to, or is not one that this version can read
	ReasonSpoolUnusable Reason = "spool-unusable"
)

// An Error is a failure that a user can do something about. Its text holds no secret.
type Error struct {
	Code        Code
	Reason      Reason    // or empty
	Part        link.Part // of the link it happened to, or empty
	Link        string    // redacted, or empty
	Message     string    // what happened, to what
	Hint        string    // what to do next; it names no flag, for the command line knows its own
	ResumeAfter time.Time // when the server said to come back; zero when it did not say
	Err         error     // the cause, or nil
}

// Error returns the message and, where it adds something, the cause.
func (e *Error) Error() string {
	text := e.Message
	if text == "" {
		text = string(e.Code)
	}
	if e.Err == nil {
		return redact.Text(text)
	}
	if cause := e.Err.Error(); cause != "" && !strings.Contains(text, cause) {
		text += ": " + cause
	}
	return redact.Text(text)
}

func (e *Error) Unwrap() error { return e.Err }

// Retryable reports whether the same command run again may succeed without a new link.
func (e *Error) Retryable() bool { return e.Code.Retryable() }

// NeedsNewLink reports whether only a new link, of a fresh master CSV or a new export, can help.
func (e *Error) NeedsNewLink() bool { return e.Code.Exit() == LinkExpired.Exit() }

// From returns err as an *Error, of class code where it is none yet.
func From(err error, code Code, message string) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: code, Message: message, Err: redact.Error(err)}
}

// Stopped is the failure of whatever a cancelled context stopped.
func Stopped(ctx context.Context) *Error {
	return &Error{
		Code: Interrupted, Message: "stopped before everything was fetched",
		Hint: "run the same command again to go on", Err: context.Cause(ctx),
	}
}

const (
	HintSpace = "free space, or choose another directory for the spool, and run the same command again"
	HintSpool = "choose another directory for the spool"
)

// Disk classifies a failure to write path, which is named by its role and not by a link.
func Disk(err error, doing string) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	if diskspace.IsFull(err) {
		return &Error{
			Code: DiskFull, Reason: ReasonSpoolFull, Message: fmt.Sprintf("%s: no space left", doing),
			Hint: HintSpace, Err: err,
		}
	}
	if errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM) {
		return &Error{
			Code: Usage, Reason: ReasonSpoolUnusable,
			Message: fmt.Sprintf("%s: the directory cannot be written to", doing),
			Hint:    HintSpool, Err: err,
		}
	}
	return &Error{
		Code: Internal, Message: doing, Hint: "check the disk; what is fetched so far is kept", Err: err,
	}
}

const HintNewLink = "ask for a new master CSV (or a new export) and run the same command with it; " +
	"everything fetched so far is kept"

func HintFor(c Code) string {
	switch c {
	case LinkExpired, LinkGone, LinkDenied:
		return HintNewLink
	case LinkDamaged:
		return "copy the master CSV as a file instead of through a mail or chat program, or ask for a new one"
	case NotTheExport:
		return "open the link's page in a browser; when it asks you to sign in or shows an error, ask for " +
			"a new master CSV"
	case Network, Busy, ObjectChanged:
		return "run the same command again to go on"
	}
	return ""
}
