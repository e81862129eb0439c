package orgvue

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdall/internal/orgvuesim"
)

const dataset = "7D1C52F0-3B7E-4E55-9A57-08C1B6F0A2D4"

func raw(values ...string) []json.RawMessage {
	out := make([]json.RawMessage, len(values))
	for i, v := range values {
		if v != "-" {
			out[i] = json.RawMessage(v)
		}
	}
	return out
}

func write(t *testing.T, form Format, items ...Item) string {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, form, []string{"EmployeeID", "FullName", "StartDate", "Grade"}, "EmployeeID")
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range items {
		if err := w.Write(item); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.End(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var three = []Item{
	{Create, raw(`"E7"`, `"Dunmore, \"Kit\""`, `"2026-03-09"`, `4`)},
	{Update, raw(`"E8"`, `-`, `-`, `5`)},
	{Delete, raw(`"E9"`, `"Nobody"`, `-`, `1`)},
}

func TestJSONHasTheActionFirstAndIsValid(t *testing.T) {
	got := write(t, JSON, three...)
	want := `[
{"_action":"create","EmployeeID":"E7","FullName":"Dunmore, \"Kit\"","StartDate":"2026-03-09","Grade":4},
{"_action":"update","EmployeeID":"E8","Grade":5},
{"_action":"delete","EmployeeID":"E9"}
]
`
	if d := cmp.Diff(want, got); d != "" || !json.Valid([]byte(got)) {
		t.Error(d)
	}
	if got := write(t, JSON); got != "[]\n" {
		t.Errorf("nothing at all is %q", got)
	}
}

func TestCSVHasTheActionFirstAndBlanksWhereNothingIsSaid(t *testing.T) {
	got := write(t, CSV, three...)
	want := "_action,EmployeeID,FullName,StartDate,Grade\n" +
		"create,E7,\"Dunmore, \"\"Kit\"\"\",2026-03-09,4\nupdate,E8,,,5\ndelete,E9,,,\n"
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if rows, err := csv.NewReader(iotest.OneByteReader(strings.NewReader(got))).ReadAll(); err != nil ||
		len(rows) != 4 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

func TestWhatCannotBeSaidIsNotWritten(t *testing.T) {
	var b bytes.Buffer
	if _, err := NewWriter(&b, JSON, []string{"a", "_action"}, "a"); err == nil {
		t.Error("a property _action is accepted")
	}
	for name, item := range map[string]Item{
		"an update without an identifier":  {Update, raw(`null`, `1`)},
		"clearing a value by a blank cell": {Update, raw(`"E1"`, `null`)},
	} {
		w, err := NewWriter(&b, CSV, []string{"id", "x"}, "id")
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(item); err == nil {
			t.Errorf("%s is written", name)
		}
	}
}

func TestDecide(t *testing.T) {
	names := []string{"id", "grade", "town"}
	was := raw(`"E1"`, `4`, `"Diss"`)
	now := raw(`"E1"`, `5`, `null`)
	there := &Known{There: true, Fields: Fields("E1", names, was), Tried: Digest("E1", names, was)}
	failed := &Known{Tried: Digest("E1", names, was), Failed: true}
	again := *failed
	again.Requeued = true
	tests := []struct {
		name   string
		values []json.RawMessage
		known  *Known
		want   string
	}{
		{"what is new is created", was, nil, `create "E1" 4 "Diss"`},
		{"what is there as it is is left alone", was, there, ""},
		{"of what changed, only that is sent", now, there, `update "E1" 5 null`},
		{"what failed as it is now is not tried again unasked", was, failed, ""},
		{"what failed and changed since is tried again", now, failed, `create "E1" 5 null`},
		{"what was requeued is sent whole", was, &again, `create "E1" 4 "Diss"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			item, ok := Decide("E1", 0, names, tt.values, tt.known)
			got := ""
			if ok {
				got = string(item.Action)
				for _, v := range item.Values {
					got += " " + string(v)
				}
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// sending sends n new items to a tenant that behaves so.
func sending(t *testing.T, b orgvuesim.Behaviour, n int, change func(*Options), then func(*orgvuesim.Tenant,
	*Report, error)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		tenant := orgvuesim.New(orgvuesim.Config{Behaviour: b,
			Datasets: []orgvuesim.Dataset{{ID: dataset, Name: "People", Type: "PEOPLE",
				Properties: []string{"EmployeeID", "FullName"}, Items: []map[string]any{{"_id": "E0",
					"EmployeeID": "E0", "FullName": "x"}}}}})
		var said []string
		o := Options{URL: "api.orgvue.example/", Tenant: "ACME_1", Dataset: strings.ToLower(dataset),
			Token:  tenant.Token() + "\n",
			Format: JSON, IDKey: "EmployeeID", Transport: tenant.Transport(), Talk: func(f string, a ...any) {
				said = append(said, fmt.Sprintf(f, a...))
			}}
		if change != nil {
			change(&o)
		}
		if err := o.Check(time.Now()); err != nil {
			then(tenant, nil, err)
			return
		}
		c, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Preflight(t.Context(), []string{"EmployeeID", "FullName"}); err != nil {
			then(tenant, nil, err)
			return
		}
		r, err := c.Send(t.Context(), payload(t, o.Format, n), n, func() error { return nil })
		then(tenant, r, err)
		for _, secret := range tenant.Credentials() {
			if strings.Contains(strings.Join(said, "\n")+fmt.Sprint(err), secret) {
				t.Errorf("a secret was said: %q, %v", said, err)
			}
		}
		for _, q := range tenant.Requests() {
			if strings.HasPrefix(q.Path, "/store/") == q.Authorised {
				t.Errorf("%s %s with a token: %t", q.Method, q.Path, q.Authorised)
			}
		}
	})
}

func payload(t *testing.T, form Format, n int) *os.File {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "payload")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	w, err := NewWriter(f, form, []string{"EmployeeID", "FullName"}, "EmployeeID")
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := w.Write(Item{Create, raw(fmt.Sprintf(`"E%d"`, i+1), `"Kofi Hale"`)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.End(); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestSending(t *testing.T) {
	tests := []struct {
		name     string
		behave   orgvuesim.Behaviour
		change   func(*Options)
		failures int
	}{
		{"JSON", orgvuesim.Behaviour{}, nil, 0},
		{"CSV", orgvuesim.Behaviour{}, func(o *Options) { o.Format = CSV }, 0},
		{"the result has a URL of its own", orgvuesim.Behaviour{ResultLink: true}, nil, 0},
		{"items fail with a message", orgvuesim.Behaviour{FailEvery: 10}, nil, 10},
		{"items fail with a list of errors", orgvuesim.Behaviour{FailEvery: 10, FailShape: "errors"}, nil,
			10},
		{"items fail without a word", orgvuesim.Behaviour{FailEvery: 10, FailShape: "bare"}, nil, 10},
		{"URLs expire before the upload", orgvuesim.Behaviour{ExpireUploads: 2}, nil, 0},
		{"requests are throttled", orgvuesim.Behaviour{ThrottleEvery: 2}, nil, 0},
		{"the import takes long", orgvuesim.Behaviour{JobTime: 8 * time.Minute}, nil, 0},
		{"the import takes longer than its URLs live", orgvuesim.Behaviour{JobTime: time.Hour,
			ResultLink: true}, nil, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sending(t, tt.behave, 100, tt.change, func(tenant *orgvuesim.Tenant, r *Report, err error) {
				if err != nil {
					t.Fatal(err)
				}
				failures := 0
				for _, x := range r.Items {
					if !x.OK {
						failures++
						if x.Error == "" || x.ID == "" {
							t.Errorf("%+v", x)
						}
					}
				}
				want := map[bool]string{true: Completed, false: WithFailures}[tt.failures == 0]
				if failures != tt.failures || r.State != want || len(r.Items) != 100 || r.TraceID == "" {
					t.Errorf("%s, %d of %d failed, trace %q", r.State, failures, len(r.Items), r.TraceID)
				}
				if n := len(tenant.Items(dataset)); n != 101-tt.failures {
					t.Errorf("the dataset has %d items", n)
				}
			})
		})
	}
}

func TestWhatKeepsItemsFromBeingSent(t *testing.T) {
	claims := func(nbf, exp time.Duration) string {
		b := fmt.Sprintf(`{"nbf":%d,"exp":%d}`, time.Now().Add(nbf).Unix(), time.Now().Add(exp).Unix())
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(b)) + ".c2ln"
	}
	tests := []struct {
		name   string
		behave orgvuesim.Behaviour
		change func(*Options)
		code   ErrorCode
	}{
		{"a token of next week", orgvuesim.Behaviour{},
			func(o *Options) { o.Token = claims(time.Hour, 2*time.Hour) }, CodeDenied},
		{"a token of last week", orgvuesim.Behaviour{},
			func(o *Options) { o.Token = claims(-2*time.Hour, -time.Hour) }, CodeExpired},
		{"another token", orgvuesim.Behaviour{}, func(o *Options) { o.Token = "words" }, CodeDenied},
		{"another dataset", orgvuesim.Behaviour{},
			func(o *Options) { o.Dataset = strings.Replace(dataset, "7", "8", 1) }, CodeUsage},
		{"no dataset's ID", orgvuesim.Behaviour{}, func(o *Options) { o.Dataset = "People" }, CodeUsage},
		{"no tenant's ID", orgvuesim.Behaviour{}, func(o *Options) { o.Tenant = "acme" }, CodeUsage},
		{"two ways to name items", orgvuesim.Behaviour{}, func(o *Options) { o.AutoID = true }, CodeUsage},
		{"plain http", orgvuesim.Behaviour{}, func(o *Options) { o.URL = "http://api.orgvue.example" },
			CodeUsage},
		{"the day's quota is used up", orgvuesim.Behaviour{QuotaSpent: true}, nil, CodeBusy},
		{"the job fails", orgvuesim.Behaviour{JobFails: true}, nil, CodeRefused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sending(t, tt.behave, 3, tt.change, func(tenant *orgvuesim.Tenant, _ *Report, err error) {
				var e *Error
				if !errors.As(err, &e) || e.Code != tt.code || e.Hint == "" {
					t.Errorf("got %v (%+v), want code %s", err, e, tt.code)
				}
				if n := len(tenant.Items(dataset)); n != 1 {
					t.Errorf("the dataset has %d items", n)
				}
			})
		})
	}
}

func TestPropertiesThatTheDatasetLacksAreListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := orgvuesim.New(orgvuesim.Config{Datasets: []orgvuesim.Dataset{{ID: dataset,
			Properties: []string{"EmployeeID", "FullName"},
			Items:      []map[string]any{{"_id": "E0"}}}}})
		o := Options{URL: "https://api.orgvue.example", Tenant: "ACME_1", Dataset: dataset,
			Token: tenant.Token(), Format: JSON,
			Transport: tenant.Transport()}
		if err := o.Check(time.Now()); err != nil {
			t.Fatal(err)
		}
		c, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Preflight(t.Context(), []string{"EmployeeID", "Shoe Size", "Star Sign"})
		if err == nil || !strings.Contains(err.Error(), "Shoe Size, Star Sign") {
			t.Errorf("got %v", err)
		}
		o.AssumeProperties = true // they may be there and have no values
		if c, err = New(o); err != nil {
			t.Fatal(err)
		}
		if _, err = c.Preflight(t.Context(), []string{"EmployeeID", "Shoe Size"}); err != nil {
			t.Errorf("assumed properties: %v", err)
		}
	})
}

func TestTheCallbackIsPassedThrough(t *testing.T) {
	const template = "https://hooks.example.org/orgvue?status={{jobStatus}}&traceId={{traceId}}&tenantId={{tenantId}}"
	sending(t, orgvuesim.Behaviour{}, 2, func(o *Options) { o.Callback = template },
		func(tenant *orgvuesim.Tenant, r *Report, err error) {
			if err != nil {
				t.Fatal(err)
			}
			want := "https://hooks.example.org/orgvue?status=completed&traceId=" + r.TraceID +
				"&tenantId=ACME_1"
			if got := tenant.Callback(); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
}

func TestImplicitDeleteIsSentOnlyWhenItIsAskedFor(t *testing.T) {
	for _, asked := range []bool{false, true} {
		sending(t, orgvuesim.Behaviour{}, 2, func(o *Options) { o.ImplicitDelete = asked },
			func(tenant *orgvuesim.Tenant, _ *Report, err error) {
				if err != nil {
					t.Fatal(err)
				}
				if want := map[bool]int{false: 3, true: 2}[asked]; len(tenant.Items(dataset)) != want {
					t.Errorf("asked for %t: %d items are left", asked, len(tenant.Items(dataset)))
				}
			})
	}
}
