package s3store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"holdall/archive"
)

// A class says what to do about a failed request.
type class int

const (
	temporary   class = iota // try again: the line, the server's load, a conflict
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
	temporary: "SlowDown ServiceUnavailable InternalError RequestTimeout OperationAborted " +
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
		return temporary
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
	phrases := []string{"get identity", "get credentials", "cached credentials", "failed to sign"}
	for _, words := range phrases {
		if strings.Contains(err.Error(), words) {
			return true
		}
	}
	return false
}

// permanent marks a failure that no repetition mends, whatever it looks like.
type permanent struct{ error }

func (e permanent) Unwrap() error { return e.error }

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
		why = "no such object"
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
	var body permanent
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
	case temporary:
		return target == archive.ErrUnavailable
	}
	return false
}
