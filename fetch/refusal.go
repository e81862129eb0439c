package fetch

import (
	"fmt"
	"net/http"
	"time"

	"holdall/fetch/failure"
	"holdall/internal/retry"
)

// A refusal is an answer with a status other than success, classified.
type refusal struct {
	err       *failure.Error
	transient bool          // worth asking again as it is
	certain   bool          // the server said outright that the link has expired or is not accepted
	throttled bool          // fewer connections would help
	after     time.Duration // how long the server asked to wait, as far as that is sensible
	asked     time.Duration // how long it really asked
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// refuse classifies a response whose status is not one of success. expiry is when the link was computed to
// expire, or zero; now is the server's time.
func refuse(resp *http.Response, body []byte, expiry, now time.Time) *refusal {
	status := resp.StatusCode
	code, detail := failure.StoreError(body)
	message := fmt.Sprintf("the server answered %d", status)
	if code != "" {
		message += " " + code
	}
	r := &refusal{err: &failure.Error{Message: message}}
	hasAfter := r.asks(resp.Header, now)
	switch {
	case status == http.StatusAccepted, status == http.StatusTooEarly, status == http.StatusLocked,
		preparingCodes[code],
		hasAfter && (status == http.StatusNotFound || status == http.StatusForbidden ||
			status == http.StatusConflict):
		r.notYet(message)
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable, code == "SlowDown":
		r.transient, r.throttled = true, true
		r.err.Code = failure.Network
	case status >= 500, status == http.StatusRequestTimeout, status == 421,
		code == "RequestTimeout", code == "OperationAborted":
		r.transient = true
		r.err.Code = failure.Network
	case status == http.StatusProxyAuthRequired:
		r.certain = true
		r.err.Code, r.err.Reason = failure.Network, failure.ReasonProxy
		r.err.Hint = "give the proxy's user and password"
	case failure.SaysExpired(code, detail):
		r.certain = true
		r.err.Code, r.err.Message = failure.LinkExpired, message+": the link has expired"
	case deniedCodes[code]:
		r.certain = true
		r.err.Code, r.err.Message = failure.LinkDenied, message+": the link is not accepted"
	case status == http.StatusNotFound, status == http.StatusGone:
		r.err.Code, r.err.Message = failure.LinkGone, message+": the link no longer leads to anything"
	default:
		r.err.Code, r.err.Message = failure.LinkDenied, message+": the link is not accepted"
	}
	// A refusal without a reason, after the time a link was good for, has that reason.
	if !r.transient && !r.certain && !expiry.IsZero() && now.After(expiry) {
		r.err.Code, r.err.Message = failure.LinkExpired, message+": the link has expired"
	}
	if r.err.Hint == "" {
		r.err.Hint = failure.HintFor(r.err.Code)
	}
	return r
}

// asks records how long the server asks to wait; false when it does not say.
func (r *refusal) asks(h http.Header, now time.Time) bool {
	r.after, _ = retry.After(h, now)
	asked, ok := retry.Asked(h, now)
	r.asked = asked
	return ok
}

// notYet makes r say that the link is good, and what it leads to is not there yet.
func (r *refusal) notYet(message string) {
	r.transient = true
	r.err.Code, r.err.Message = failure.Busy, message+": what the link leads to is not ready yet"
}

// preparingCodes are error codes of stores that have to bring an object back from where it rests.
var preparingCodes = map[string]bool{
	"InvalidObjectState": true, "RestoreAlreadyInProgress": true, // S3's Glacier
	"BlobArchived": true, "BlobBeingRehydrated": true, // Azure
	"Restoring": true, "NotReady": true, "InProgress": true, "Pending": true,
}

// deniedCodes are error codes that no wait and no repeated try will change.
var deniedCodes = map[string]bool{
	"SignatureDoesNotMatch": true, "InvalidAccessKeyId": true, "AuthorizationFailure": true,
	"InvalidToken":                      true,
	"AuthorizationQueryParametersError": true, "InvalidArgument": true, "InvalidRequest": true,
}
