package fetch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

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

// An Error is a failure that a user can do something about. Its text holds no secret.
type Error struct {
	Code    Code
	Part    Part   // of the link it happened to, or empty
	Link    string // redacted, or empty
	Message string // what happened, to what
	Hint    string // what to do next
	Err     error  // the cause, or nil
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
func (e *Error) Retryable() bool {
	switch e.Code {
	case Network, DiskFull, Busy, ObjectChanged, Interrupted:
		return true
	}
	return false
}

// rank orders failures by how much the user needs to hear of them: what a new link mends comes before what another try
// mends, and the disk before both.
func (e *Error) rank() int {
	switch e.Code {
	case DiskFull, Internal:
		return 0
	case LinkExpired:
		return 1
	case LinkDamaged, LinkDenied, LinkGone, NotTheExport:
		return 2
	case ObjectChanged:
		return 3
	case Busy, Network:
		return 4
	case Interrupted:
		return 5
	}
	return 4
}

// asError returns err as an *Error, of class code where it is none yet.
func asError(err error, code Code, message string) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: code, Message: message, Err: redact.Error(err)}
}

// interrupted is the failure of whatever a cancelled context stopped.
func interrupted(ctx context.Context) *Error {
	return &Error{
		Code: Interrupted, Message: "stopped before everything was fetched",
		Hint: "run the same command again to go on", Err: context.Cause(ctx),
	}
}

// diskError classifies a failure to write path, which is named by its role and not by a link.
func diskError(err error, doing string) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &Error{
			Code: DiskFull, Message: fmt.Sprintf("%s: no space left", doing),
			Hint: "free space, or choose another directory with --spool, and run the same command again", Err: err,
		}
	}
	if errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM) {
		return &Error{
			Code: Usage, Message: fmt.Sprintf("%s: the directory cannot be written to", doing),
			Hint: "choose another directory with --spool", Err: err,
		}
	}
	return &Error{Code: Internal, Message: doing, Hint: "check the disk; what is fetched so far is kept", Err: err}
}
