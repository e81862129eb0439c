package orgvue

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"holdall/internal/redact"
)

// A meaning is what one of the system's own codes means, and what can be done about it.
type meaning struct{ means, hint string }

// meanings are of the codes that the vendor's developer pages show.
var meanings = map[string]meaning{
	"40101": {"the request had no token",
		"make a token on the tenant's Tokens page, and name its file with " +
			"--token-file"},
	"40102": {"the token is not one of this tenant's",
		"check that the whole token was copied, or make another " +
			"one on the tenant's Tokens page"},
	"40103": {"the token was not recognised as one",
		"check that the whole token was copied, and nothing else"},
	"40301": {"the token is not active yet", "wait until the token is active, or make another one"},
	"40302": {"the token has expired", "make another token on the tenant's Tokens page"},
	"40303": {"the token is limited to other networks",
		"send from a network that the token allows, or make " +
			"one that allows this one"},
	"40321":  {account, askAdmin},
	"40322":  {account, askAdmin},
	"40323":  {account, askAdmin},
	"40324":  {account, askAdmin},
	"40345":  {"the tenant has no usage plan", "ask the vendor for a plan that includes the API"},
	"400603": {"the dataset's ID is not a UUID", "copy the dataset's ID from its address"},
	"415001": {"the content type was not accepted", "this is a fault of holdall: report it"},
	"42901":  {"too many requests at once", "wait a minute, then run the same command again"},
	"42902":  {"the day's quota of requests is used up", "run the same command again tomorrow"},
}

const (
	account  = "about the account that the token acts for"
	askAdmin = "ask whoever administers the tenant about the account that the token belongs to"
)

// hintOf is what can be done about a status without a code that is known.
func hintOf(status int) string {
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return "check the token, and what its account may do in the tenant"
	case status == http.StatusNotFound:
		return "check --api-url, --tenant and --dataset"
	case status == http.StatusTooManyRequests || status >= 500:
		return "run the same command again"
	}
	return "the vendor's developer pages say what the code means"
}

// refusal makes an error of an answer: {"errors":[{"name","code","message"}]}, several at once.
func refusal(r *reply) *Error {
	var a struct {
		Errors []struct {
			Code    any
			Message string
		}
	}
	e := &Error{Code: CodeRefused, status: r.status}
	var messages []string
	if json.Unmarshal(r.body, &a) == nil {
		for _, x := range a.Errors {
			code := fmt.Sprint(x.Code)
			e.Codes = append(e.Codes, code)
			m, known := meanings[code]
			says := strings.TrimSpace(redact.Text(x.Message) + " (" + code)
			if known {
				says += ", " + m.means
			}
			messages = append(messages, says+")")
			if e.Hint == "" {
				e.Hint = m.hint
			}
		}
	}
	if messages == nil {
		messages = []string{fmt.Sprintf("status %d", r.status)}
	}
	if e.Hint == "" {
		e.Hint = hintOf(r.status)
	}
	e.Message = "the system refuses: " + strings.Join(messages, "; ")
	switch {
	case slices.Contains(e.Codes, "40302"):
		e.Code = CodeExpired
	case r.status == http.StatusUnauthorized || r.status == http.StatusForbidden:
		e.Code = CodeDenied
	case r.status == http.StatusTooManyRequests:
		e.Code, e.Retryable = CodeBusy, true
	case r.status >= 500:
		e.Code, e.Retryable = CodeNetwork, true
	}
	return e
}

// unexplained reports whether a refusal may be of anything: no code says what of.
func (e *Error) unexplained() bool {
	return e.status == http.StatusBadRequest &&
		!slices.ContainsFunc(e.Codes, func(c string) bool { _, known := meanings[c]; return known })
}
