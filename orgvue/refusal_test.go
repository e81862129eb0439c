package orgvue

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"holdall/internal/orgvuesim"
)

// Each code that the vendor's pages show ends a send in its own way, wherever in the send it comes: the user
// hears what it means and what to do, and what may pass is waited for.
func TestEachCodeOfARefusal(t *testing.T) {
	tests := []struct {
		system string
		code   ErrorCode
		means  string
		hint   string
	}{
		{"40101", CodeDenied, "no token", "Tokens page"},
		{"40102", CodeDenied, "not one of this tenant's", "whole token was copied"},
		{"40103", CodeDenied, "not recognised", "whole token was copied"},
		{"40301", CodeDenied, "not active yet", "wait until the token is active"},
		{"40302", CodeExpired, "has expired", "another token"},
		{"40303", CodeDenied, "other networks", "network that the token allows"},
		{"40321", CodeDenied, "account", "administers the tenant"},
		{"40322", CodeDenied, "account", "administers the tenant"},
		{"40323", CodeDenied, "account", "administers the tenant"},
		{"40324", CodeDenied, "account", "administers the tenant"},
		{"40345", CodeDenied, "no usage plan", "ask the vendor"},
		{"400603", CodeRefused, "not a UUID", "dataset's ID"},
		{"415001", CodeRefused, "content type", "report it"},
		{"42901", CodeBusy, "too many requests", "wait a minute"},
		{"42902", CodeBusy, "quota", "tomorrow"},
	}
	var named []string
	for _, tt := range tests {
		named = append(named, tt.system)
		for _, silent := range []bool{false, true} {
			for step, from := range map[string]int{"the preflight": 1, "asking for URLs": 3, "the import": 4,
				"following it": 5} {
				b := orgvuesim.Behaviour{Refuse: []string{tt.system}, RefuseFrom: from,
					RefuseSilently: silent}
				if from == 5 {
					b.RefuseTimes = 1000
				}
				t.Run(fmt.Sprintf("%s at %s, silent %t", tt.system, step, silent), func(t *testing.T) {
					began := time.Time{}
					sending(t, b, 3, func(*Options) { began = time.Now() },
						func(tenant *orgvuesim.Tenant, r *Report, err error) {
							var e *Error
							if !errors.As(err, &e) {
								t.Fatalf("got %v", err)
							}
							if e.Code != tt.code || e.Retryable != (tt.code == CodeBusy) ||
								!slices.Equal(e.Codes, []string{tt.system}) || !strings.Contains(e.Message,
								tt.system) ||
								!strings.Contains(e.Message, tt.means) || !strings.Contains(e.Hint, tt.hint) {
								t.Errorf("code %s, retryable %t: %s; hint: %s", e.Code, e.Retryable,
									e.Message, e.Hint)
							}
							if waited := time.Since(began) > time.Minute; waited != (tt.system == "42901") {
								t.Errorf("it took %s", time.Since(began))
							}
							if begun := r != nil && r.State == Unknown; begun != (from == 5) {
								t.Errorf("the import began: %t; report %+v", begun, r)
							}
							if n := len(tenant.Items(dataset)); from < 5 && n != 1 {
								t.Errorf("the dataset has %d items", n)
							}
						})
				})
			}
		}
	}
	if !slices.Equal(named, orgvuesim.ErrorCodes()) {
		t.Errorf("the table has %q, the invented tenant %q", named, orgvuesim.ErrorCodes())
	}
}

// What is throttled for a while goes on, at whatever step that was.
func TestWhatIsThrottledForAWhileGoesOn(t *testing.T) {
	for from := 1; from <= 5; from++ {
		b := orgvuesim.Behaviour{Refuse: []string{"42901"}, RefuseFrom: from, RefuseTimes: 5}
		sending(t, b, 3, nil, func(tenant *orgvuesim.Tenant, r *Report, err error) {
			if err != nil || r.State != Completed || len(tenant.Items(dataset)) != 4 {
				t.Errorf("throttled from request %d on: %+v, %v", from, r, err)
			}
		})
	}
}

// Several errors in one answer are all told; a quota that is used up among them is not asked for again.
func TestSeveralErrorsAtOnce(t *testing.T) {
	b := orgvuesim.Behaviour{Refuse: []string{"42901", "42902", "40345"}}
	sending(t, b, 1, nil, func(tenant *orgvuesim.Tenant, _ *Report, err error) {
		var e *Error
		if !errors.As(err, &e) || len(e.Codes) != 3 || strings.Count(e.Message, ";") != 2 ||
			len(tenant.Requests()) != 1 {
			t.Errorf("%v after %d requests", err, len(tenant.Requests()))
		}
	})
}

// A code that nobody knows has a hint all the same, by its status.
func TestACodeThatNobodyKnows(t *testing.T) {
	for _, code := range []string{"40199", "40399", "40499", "40099", "50099"} {
		b := orgvuesim.Behaviour{Refuse: []string{code}}
		sending(t, b, 1, nil, func(_ *orgvuesim.Tenant, _ *Report, err error) {
			var e *Error
			if !errors.As(err, &e) || e.Hint == "" || !strings.Contains(e.Message, code) ||
				e.Retryable != strings.HasPrefix(code, "5") {
				t.Errorf("%s: %v (%+v)", code, err, e)
			}
		})
	}
}

// A server in between that gives up on the import says nothing of it: it may have begun.
func TestAGatewayThatGivesUpOnTheImport(t *testing.T) {
	b := orgvuesim.Behaviour{Refuse: []string{"50400"}, RefuseFrom: 4, RefuseTimes: 1}
	sending(t, b, 3, nil, func(_ *orgvuesim.Tenant, r *Report, err error) {
		var e *Error
		if !errors.As(err, &e) || !e.Unclear || r == nil || r.State != Unknown {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

// URLs expire at each place that one is used.
func TestURLsThatExpire(t *testing.T) {
	for name, b := range map[string]orgvuesim.Behaviour{
		"before the upload":              {ExpireUploads: 2},
		"before the import":              {ExpireImports: 1},
		"before the upload and import":   {ExpireUploads: 1, ExpireImports: 1},
		"before the result is read":      {JobTime: time.Hour, ResultLink: true},
		"with the result in their place": {ResultLink: false},
	} {
		sending(t, b, 3, nil, func(tenant *orgvuesim.Tenant, r *Report, err error) {
			if err != nil || r.State != Completed || len(r.Items) != 3 || len(tenant.Items(dataset)) != 4 {
				t.Errorf("%s: %+v, %v", name, r, err)
			}
		})
	}
	for name, b := range map[string]orgvuesim.Behaviour{
		"each before the upload": {ExpireUploads: 100}, "each before the import": {ExpireImports: 100},
	} {
		sending(t, b, 3, nil, func(tenant *orgvuesim.Tenant, r *Report, err error) {
			var e *Error
			if !errors.As(err, &e) || e.Hint == "" || r != nil || len(tenant.Items(dataset)) != 1 {
				t.Errorf("%s: %+v, %v", name, r, err)
			}
		})
	}
}
