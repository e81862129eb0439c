package fetch

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
	"time"

	"holdall/internal/retry"
)

// A refusal is an answer with a status other than success, classified.
type refusal struct {
	err       *Error
	transient bool          // worth asking again as it is
	certain   bool          // the server said outright that the link has expired or is not accepted
	throttled bool          // fewer connections would help
	after     time.Duration // how long the server asked to wait, as far as that is sensible
	asked     time.Duration // how long it really asked
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

const hintNewLink = "ask for a new master CSV (or a new export) and run the same command with it; everything fetched so far is kept"

// refuse classifies a response whose status is not one of success. expiry is when the link was computed to expire, or
// zero; now is the server's time.
func refuse(resp *http.Response, body []byte, expiry, now time.Time) *refusal {
	status := resp.StatusCode
	code, detail := errorCode(body)
	said := fmt.Sprintf("the server answered %d", status)
	if code != "" {
		said += " " + code
	}
	r := &refusal{err: &Error{Message: said}}
	hasAfter := r.asks(resp.Header, now)
	switch {
	case status == http.StatusAccepted, status == http.StatusTooEarly, status == http.StatusLocked, preparingCodes[code],
		hasAfter && (status == http.StatusNotFound || status == http.StatusForbidden || status == http.StatusConflict):
		r.notYet(said)
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable, code == "SlowDown":
		r.transient, r.throttled = true, true
		r.err.Code = Network
	case status >= 500, status == http.StatusRequestTimeout, status == 421,
		code == "RequestTimeout", code == "OperationAborted":
		r.transient = true
		r.err.Code = Network
	case status == http.StatusProxyAuthRequired:
		r.certain = true
		r.err.Code, r.err.Reason, r.err.Hint = Network, ReasonProxy, "give the proxy's user and password"
	case saysExpired(code, detail):
		r.certain = true
		r.err.Code, r.err.Message = LinkExpired, said+": the link has expired"
	case deniedCodes[code]:
		r.certain = true
		r.err.Code, r.err.Message = LinkDenied, said+": the link is not accepted"
	case status == http.StatusNotFound, status == http.StatusGone:
		r.err.Code, r.err.Message = LinkGone, said+": there is nothing at the link any more"
	default:
		r.err.Code, r.err.Message = LinkDenied, said+": the link is not accepted"
	}
	// A refusal without a reason, after the time a link was good for, has that reason.
	if !r.transient && !r.certain && !expiry.IsZero() && now.After(expiry) {
		r.err.Code, r.err.Message = LinkExpired, said+": the link has expired"
	}
	if r.err.Hint == "" {
		r.err.Hint = hintFor(r.err.Code)
	}
	return r
}

// asks takes in how long the server asks to wait; false when it does not say.
func (r *refusal) asks(h http.Header, now time.Time) bool {
	r.after, _ = retry.After(h, now)
	asked, ok := retry.Asked(h, now)
	r.asked = asked
	return ok
}

// notYet makes r say that the link is good, and what it leads to is not there yet.
func (r *refusal) notYet(said string) {
	r.transient = true
	r.err.Code, r.err.Message = Busy, said+": what the link leads to is not ready yet"
}

// preparingCodes are error codes of stores that have to bring an object back from where it rests.
var preparingCodes = map[string]bool{
	"InvalidObjectState": true, "RestoreAlreadyInProgress": true, // S3's Glacier
	"BlobArchived": true, "BlobBeingRehydrated": true, // Azure
	"Restoring": true, "NotReady": true, "InProgress": true, "Pending": true,
}

func hintFor(c Code) string {
	switch c {
	case LinkExpired, LinkGone, LinkDenied:
		return hintNewLink
	case LinkDamaged:
		return "copy the master CSV as a file instead of through a mail or chat program, or ask for a new one"
	case NotTheExport:
		return "open the link's page in a browser; when it asks you to sign in or shows an error, ask for a new master CSV"
	case Network, Busy, ObjectChanged:
		return "run the same command again to go on"
	}
	return ""
}

// deniedCodes are error codes that no wait and no repeated try will change.
var deniedCodes = map[string]bool{
	"SignatureDoesNotMatch": true, "InvalidAccessKeyId": true, "AuthorizationFailure": true, "InvalidToken": true,
	"AuthorizationQueryParametersError": true, "InvalidArgument": true, "InvalidRequest": true,
}

// saysExpired reports whether a storage service's error says outright that the link's time is over.
func saysExpired(code, detail string) bool {
	switch code {
	case "ExpiredToken", "ExpiredRequest", "TokenExpired":
		return true
	case "AccessDenied", "AuthenticationFailed", "RequestExpired":
		d := strings.ToLower(detail)
		return strings.Contains(d, "expired") || strings.Contains(d, "not valid in the specified time frame")
	}
	return false
}

// shownCode returns an error code as it may be shown: a server may put anything there.
func shownCode(code string) string {
	code = strings.TrimSpace(code)
	if len(code) > 48 || strings.ContainsFunc(code, func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') }) {
		return ""
	}
	return code
}

// errorCode reads the code and the texts of an S3, Google or Azure error body, XML or JSON.
func errorCode(body []byte) (code, detail string) {
	body = bytes.TrimPrefix(bytes.TrimSpace(body), []byte("\xef\xbb\xbf"))
	var x struct {
		XMLName xml.Name
		Code    string
		Message string
		Detail  string `xml:"AuthenticationErrorDetail"`
		Details string
	}
	if bytes.HasPrefix(body, []byte("<")) && xml.Unmarshal(body, &x) == nil && x.XMLName.Local == "Error" {
		return shownCode(x.Code), x.Message + " " + x.Detail + " " + x.Details
	}
	var j struct {
		Code    any
		Message string
		Error   any
	}
	if bytes.HasPrefix(body, []byte("{")) && json.Unmarshal(body, &j) == nil {
		if s, ok := j.Code.(string); ok {
			return shownCode(s), j.Message
		}
		if m, ok := j.Error.(map[string]any); ok {
			c, _ := m["code"].(string)
			msg, _ := m["message"].(string)
			return shownCode(c), msg
		}
	}
	return "", ""
}
