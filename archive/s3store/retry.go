package s3store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"holdall/archive"
	"holdall/internal/retry"
)

// A class says what to do about a failed request.
type class int

const (
	passing     class = iota // try again: the line, the server's load, a conflict
	missing                  // there is no such object
	taken                    // something has the name: a condition of the request does not hold
	unsupported              // the provider does not know what it was asked for
	credentials              // the keys have expired, or are none
	denied                   // the keys may not do this
	final                    // all else: trying again would not help
)

// classes are the error codes of S3 that decide more than their status does.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
var classes = byCode(map[class]string{
	missing:     "NoSuchKey NotFound",
	taken:       "PreconditionFailed",
	unsupported: "NotImplemented XNotImplemented",
	credentials: "ExpiredToken ExpiredTokenException InvalidToken TokenRefreshRequired InvalidAccessKeyId " +
		"SignatureDoesNotMatch XAdminUserNotFound",
	final:  "NoSuchBucket",
	denied: "AccessDenied Forbidden AccountProblem AllAccessDisabled",
	passing: "SlowDown ServiceUnavailable InternalError RequestTimeout OperationAborted " +
		"ConditionalRequestConflict RequestTimeTooSkewed Throttling ThrottlingException " +
		"RequestLimitExceeded TooManyRequestsException BadDigest XAmzContentSHA256Mismatch IncompleteBody",
})

func byCode(codes map[class]string) map[string]class {
	all := map[string]class{}
	for c, names := range codes {
		for _, name := range strings.Fields(names) {
			all[name] = c
		}
	}
	return all
}

func classify(err error) class {
	if isCredentials(err) {
		return credentials
	}
	var status int
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		status = response.HTTPStatusCode()
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		if c, ok := classes[api.ErrorCode()]; ok {
			return c
		}
	}
	switch {
	case status == 0, status == http.StatusRequestTimeout, status == http.StatusConflict,
		status == http.StatusTooManyRequests, status >= 500 && status != http.StatusNotImplemented:
		return passing
	case status == http.StatusNotFound:
		return missing
	case status == http.StatusPreconditionFailed:
		return taken
	case status == http.StatusNotImplemented:
		return unsupported
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return denied
	}
	return final
}

// isCredentials reports whether a request could not even be signed: the SDK has no type for all the ways in
// which keys can be missing.
func isCredentials(err error) bool {
	said := []string{"get identity", "get credentials", "cached credentials", "failed to sign"}
	for _, words := range said {
		if strings.Contains(err.Error(), words) {
			return true
		}
	}
	return false
}

// giveUp marks a failure that no repetition mends, whatever it looks like.
type giveUp struct{ error }

func (e giveUp) Unwrap() error { return e.error }

// A request is one try. It touches the watchdog when something moves.
type request func(context.Context, *watchdog) error

// do carries out a request until it is answered. What is left is an error that names the object and matches
// what callers decide on: fs.ErrNotExist, fs.ErrPermission, archive.ErrCredentials, archive.ErrUnavailable.
func (s *Store) do(ctx context.Context, what, name string, request request) error {
	err := s.repeat(ctx, request)
	if err == nil {
		return nil
	}
	return &Error{Op: what, Location: s.Location(name), err: ctxError(ctx, err)}
}

// ctxError is the context's own error where that is why a request failed.
func ctxError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func (s *Store) repeat(ctx context.Context, request request) error {
	backoff := s.backoff()
	began := time.Now()
	deadline := began.Add(s.Patience)
	refreshed := false
	for {
		err := s.attempt(ctx, request)
		var body giveUp
		if err == nil || ctx.Err() != nil || errors.As(err, &body) {
			return err
		}
		switch classify(err) {
		case passing:
		case credentials:
			// Keys that the SDK keeps may have been replaced where they come from.
			if cache, ok := s.credentials.(*aws.CredentialsCache); ok && !refreshed {
				cache.Invalidate()
				refreshed = true
				continue
			}
			return err
		default:
			return err
		}
		wait := max(backoff.Next(), retryAfter(err))
		if time.Now().Add(wait).After(deadline) {
			return err
		}
		s.tell(err, began, deadline)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// tell says that the server does not answer usefully, unless that may pass soon, or was said a moment ago.
func (s *Store) tell(err error, began, deadline time.Time) {
	now := time.Now()
	last := s.told.Load()
	soon := now.Sub(began) < s.quiet || last != nil && now.Sub(*last) < 6*s.quiet
	if s.Waiting == nil || soon || !s.told.CompareAndSwap(last, &now) {
		return
	}
	s.Waiting(&Error{Op: "reach", Location: s.Location(""), err: err}, deadline)
}

// attempt carries a request out once.
func (s *Store) attempt(ctx context.Context, request request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	watched, dog := watch(ctx, s.stall)
	defer dog.stop()
	err := request(watched, dog)
	if err != nil && context.Cause(watched) == errStalled {
		return errStalled // not the cancellation that it takes the form of
	}
	return err
}

func (s *Store) backoff() retry.Backoff { return retry.Backoff{Base: s.pause, Max: 10 * time.Second} }

func retryAfter(err error) time.Duration {
	var response *smithyhttp.ResponseError
	if !errors.As(err, &response) || response.Response == nil {
		return 0
	}
	wait, _ := retry.After(response.Response.Header, time.Now())
	return wait
}

// wrongRegion are the codes that say so.
var wrongRegion = []string{"PermanentRedirect", "AuthorizationHeaderMalformed"}

// An Error is a request that failed for good.
type Error struct {
	Op       string // "put", "open", ...
	Location string
	err      error
}

func (e *Error) Error() string {
	var api smithy.APIError
	var response *smithyhttp.ResponseError
	why := e.err.Error()
	switch {
	case errors.As(e.err, &api) && api.ErrorMessage() != "":
		why = fmt.Sprintf("%s: %s", api.ErrorCode(), api.ErrorMessage())
	case errors.As(e.err, &api):
		why = api.ErrorCode()
	case errors.As(e.err, &response) && response.Err != nil:
		why = response.Err.Error()
	}
	if api != nil && slices.Contains(wrongRegion, api.ErrorCode()) {
		why += " (AWS_REGION has to be the bucket's region)"
	}
	switch classify(e.err) {
	case missing:
		why = "there is no such object"
	case credentials:
		why = fmt.Sprintf("the credentials are not accepted (%s)", why)
	}
	if isCredentials(e.err) {
		why = "no credentials were found, or they could not be renewed"
	}
	return fmt.Sprintf("%s %s: %s", e.Op, e.Location, why)
}

func (e *Error) Unwrap() error { return e.err }

// Is matches the errors that callers decide on.
func (e *Error) Is(target error) bool {
	if errors.Is(e.err, context.Canceled) || errors.Is(e.err, context.DeadlineExceeded) {
		return false
	}
	var body giveUp
	if errors.As(e.err, &body) {
		return false
	}
	switch classify(e.err) {
	case missing:
		return target == fs.ErrNotExist
	case denied:
		return target == fs.ErrPermission
	case credentials:
		return target == archive.ErrCredentials
	case passing:
		return target == archive.ErrUnavailable
	}
	return false
}
