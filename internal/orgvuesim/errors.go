package orgvuesim

import (
	"strconv"
	"strings"
)

// errorCodes are the codes that the vendor's developer pages show, with what the invented tenant says of
// each.
var errorCodes = []struct{ code, message string }{
	{"40101", "Authorization header is empty"},
	{"40102", "Token is invalid"},
	{"40103", "Bearer not found"},
	{"40301", "Token is not yet active"},
	{"40302", "Token has expired"},
	{"40303", "Request is not from an allowed subnet"},
	{"40321", "Account is not permitted"},
	{"40322", "Account is disabled"},
	{"40323", "Account is locked"},
	{"40324", "Account is not found"},
	{"40345", "No usage plan"},
	{"400603", "Dataset ID is not a UUID"},
	{"415001", "Content type is not supported"},
	{"42901", "Request throttled"},
	{"42902", "Usage quota exceeded"},
}

// ErrorCodes returns the codes that a request can be refused with.
func ErrorCodes() []string {
	var all []string
	for _, x := range errorCodes {
		all = append(all, x.code)
	}
	return all
}

// statusOf is the status that goes with a code: its first three digits.
func statusOf(code string) int {
	n, err := strconv.Atoi(code[:min(3, len(code))])
	if err != nil || n < 400 {
		return 400
	}
	return n
}

// refuse is an answer with all codes of Refuse; the first one's status counts.
func (b *Behaviour) refuse() answer {
	var all []map[string]string
	for _, code := range b.Refuse {
		x := map[string]string{"name": "ApiError", "code": code, "message": "Refused"}
		for _, known := range errorCodes {
			if known.code == code {
				x["message"] = known.message
			}
		}
		if b.RefuseSilently {
			delete(x, "message")
		}
		all = append(all, x)
	}
	return ok(statusOf(strings.TrimSpace(b.Refuse[0])), map[string]any{"errors": all})
}
