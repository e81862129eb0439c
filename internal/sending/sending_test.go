package sending

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdall/archive"
	"holdall/archive/storetest"
	"holdall/internal/orgvuesim"
	"holdall/orgvue"
)

const dataset = "5B2E9D10-77C4-4F0A-9E31-2C4D5E6F7A8B"

// table is a query's result.
type table struct {
	columns []string
	rows    [][]string
	at      int
}

func (t *table) Columns() []string { return t.columns }
func (t *table) Next() bool        { t.at++; return t.at <= len(t.rows) }
func (t *table) Err() error        { return nil }
func (t *table) JSON() (out []json.RawMessage) {
	for _, cell := range t.rows[t.at-1] {
		out = append(out, json.RawMessage(cell))
	}
	return out
}

// people returns n rows; grades says what differs.
func people(n int, grades map[int]string) *table {
	t := &table{columns: []string{"EmployeeID", "FullName", "Grade"}}
	for i := range n {
		grade := "4"
		if g, ok := grades[i]; ok {
			grade = g
		}
		t.rows = append(t.rows, []string{fmt.Sprintf(`"E%d"`, i), `"Suki Hale"`, grade})
	}
	return t
}

// office is a root with a ledger, and a tenant that is sent to.
type office struct {
	t      *testing.T
	tenant *orgvuesim.Tenant
	o      Options
	said   []string
}

func newOffice(t *testing.T, b orgvuesim.Behaviour) *office {
	f := &office{t: t}
	f.tenant = orgvuesim.New(orgvuesim.Config{Behaviour: b,
		Datasets: []orgvuesim.Dataset{{ID: dataset, Name: "People", Type: "PEOPLE",
			Properties: []string{"EmployeeID", "FullName", "Grade"}}}})
	f.o = Options{Store: &storetest.Memory{}, ImportTime: time.Hour, Work: t.TempDir(), RecordType: "people",
		Export:   "acme",
		Operator: "ines",
		Talk:     func(format string, a ...any) { f.said = append(f.said, fmt.Sprintf(format, a...)) },
		Orgvue: orgvue.Options{URL: "api.orgvue.example", Tenant: "ACME_1", Dataset: dataset,
			Token: f.tenant.Token(), Format: orgvue.JSON,
			IDKey: "EmployeeID", Transport: f.tenant.Transport()}}
	f.o.Orgvue.Talk = f.o.Talk
	if err := f.o.Orgvue.Check(time.Now()); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *office) send(rows *table) *Result {
	f.t.Helper()
	r, err := Send(f.t.Context(), rows, f.o)
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

func (f *office) runs() []archive.Run {
	f.t.Helper()
	runs, err := archive.Runs(f.t.Context(), f.o.Store)
	if err != nil {
		f.t.Fatal(err)
	}
	return runs
}

// searchSecrets looks for the token and the URLs' signatures in all that was written and said.
func (f *office) searchSecrets() {
	f.t.Helper()
	var all bytes.Buffer
	for info, err := range f.o.Store.List(f.t.Context(), "") {
		if err != nil {
			f.t.Fatal(err)
		}
		r, err := f.o.Store.Open(f.t.Context(), info.Name, 0, -1)
		if err != nil {
			f.t.Fatal(err)
		}
		all.ReadFrom(r)
		r.Close()
	}
	for _, run := range f.runs() {
		for r, err := range archive.RunRecords(f.t.Context(), f.o.Store, run) {
			fmt.Fprintln(&all, r, err)
		}
	}
	left, _ := filepath.Glob(filepath.Join(f.o.Work, "*"))
	if len(left) > 0 {
		f.t.Errorf("left behind: %q", left)
	}
	text := all.String() + strings.Join(f.said, "\n")
	for _, secret := range f.tenant.Credentials() {
		if strings.Contains(text, secret) {
			f.t.Error("a secret was written or said")
		}
	}
}

// Ten thousand people, of whom one in a hundred fails: each is in the ledger, and exactly the one that is
// requeued is sent again.
func TestTenThousandPeople(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newOffice(t, orgvuesim.Behaviour{FailEvery: 100, ResultLink: true})
		r := f.send(people(10_000, nil))
		if r.State != orgvue.WithFailures || r.Sent != 10_000 || r.Failed != 100 ||
			len(r.Failures) != 100 || r.TraceID == "" {
			t.Fatalf("%s: %d sent, %d failed", r.State, r.Sent, r.Failed)
		}
		var failed []archive.RunRecord
		for x, err := range archive.RunRecords(t.Context(), f.o.Store, f.runs()[0]) {
			if err != nil {
				t.Fatal(err)
			}
			if x.Status == statusFailed {
				failed = append(failed, x)
			}
		}
		if len(failed) != 100 || failed[0].ID != "E99" || failed[0].Error == "" {
			t.Fatalf("%d failed, the first one %+v", len(failed), failed[0])
		}

		if r := f.send(people(10_000, nil)); r.Sent != 0 || r.Unchanged != 9_900 || r.Held != 100 ||
			len(f.runs()) != 1 {
			t.Errorf("nothing changed, and %d were sent", r.Sent)
		}
		f.tenant.Set(func(b *orgvuesim.Behaviour) { b.FailEvery = 0 })
		if _, err := Requeue(t.Context(), f.o.Store, Wish{Run: r.Run, Type: "people", ID: "E199",
			Reason: "looked into", Operator: "ines", Version: "v1"}); err != nil {
			t.Fatal(err)
		}
		if r := f.send(people(10_000, nil)); r.Sent != 1 || r.Succeeded != 1 || r.Held != 99 {
			t.Errorf("one was requeued: %d were sent, %d wait", r.Sent, r.Held)
		}
		if item := f.tenant.Items(dataset)["E199"]; item["FullName"] != "Suki Hale" {
			t.Errorf("E199 is %v", item)
		}
		if r := f.send(people(10_000, nil)); r.Sent != 0 {
			t.Errorf("it is sent again and again: %d", r.Sent)
		}
		f.searchSecrets()
	})
}

func TestOnlyChangesAreSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newOffice(t, orgvuesim.Behaviour{})
		f.send(people(50, nil))
		r := f.send(people(51, map[int]string{7: "5", 8: "null"}))
		if r.Sent != 3 || r.Unchanged != 48 {
			t.Errorf("%d were sent", r.Sent)
		}
		var payload string
		for _, q := range f.tenant.Requests() {
			if q.Method == http.MethodPut && strings.HasSuffix(q.Path, "/import") {
				payload = q.Body
			}
		}
		items := f.tenant.Items(dataset)
		if items["E7"]["Grade"] != json.Number("5") || items["E8"]["Grade"] != nil ||
			items["E8"]["FullName"] != "Suki Hale" || len(items) != 51 {
			t.Errorf("E7 %v, E8 %v, %d items; %s", items["E7"], items["E8"], len(items), payload)
		}
	})
}

func TestDeletesAreAskedForByName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newOffice(t, orgvuesim.Behaviour{})
		f.send(people(10, nil))
		rows := &table{columns: []string{"EmployeeID", "what"}, rows: [][]string{{`"E3"`, `"delete"`}}}
		f.o.ActionColumn = "what"
		if _, err := Send(t.Context(), rows, f.o); err == nil {
			t.Error("a delete is sent that nobody allowed")
		}
		rows.at, f.o.AllowDelete = 0, true
		if r := f.send(rows); r.Succeeded != 1 || len(f.tenant.Items(dataset)) != 9 {
			t.Errorf("%+v", r)
		}
		rows.at = 0
		if r := f.send(rows); r.Sent != 0 {
			t.Error("it is deleted twice")
		}
	})
}

func TestAnImplicitDeleteIsConfirmedByItsCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newOffice(t, orgvuesim.Behaviour{})
		f.send(people(10, nil))
		f.o.Orgvue.ImplicitDelete, f.o.ConfirmDeletes = true, 3
		changed := map[int]string{0: "1", 1: "1", 2: "1", 3: "1"}
		var e *orgvue.Error
		if _, err := Send(t.Context(), people(4, changed), f.o); !errors.As(err, &e) ||
			!strings.Contains(e.Hint, "--confirm-deletes 6") {
			t.Fatalf("got %v", err)
		}
		f.o.ConfirmDeletes = 6
		if f.send(people(4, changed)); len(f.tenant.Items(dataset)) != 4 {
			t.Errorf("%d items are left", len(f.tenant.Items(dataset)))
		}
	})
}

// dying is a transport of a process that is killed when the import has begun.
type dying struct{ next http.RoundTripper }

func (d dying) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := d.next.RoundTrip(r)
	if strings.HasSuffix(r.URL.Path, "/import") {
		panic("killed")
	}
	return answer, err
}

func TestASendThatWasKilledIsSettledByTheDataset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newOffice(t, orgvuesim.Behaviour{FailEvery: 10})
		alive := f.o.Orgvue.Transport
		f.o.Orgvue.Transport = dying{alive}
		func() {
			defer func() { recover() }()
			Send(t.Context(), people(20, nil), f.o)
		}()
		var e *orgvue.Error
		f.o.Orgvue.Transport = alive
		if _, err := Send(t.Context(), people(20, nil), f.o); !errors.As(err, &e) || !e.Retryable {
			t.Fatalf("sent again at once: %v", err)
		}
		time.Sleep(time.Hour)
		f.tenant.Set(func(b *orgvuesim.Behaviour) { b.FailEvery = 0 })
		r := f.send(people(20, nil))
		if r.Failed != 0 || len(f.tenant.Items(dataset)) != 20 {
			t.Errorf("%+v, %d items", r, len(f.tenant.Items(dataset)))
		}
		if runs := f.runs(); len(runs) != 2 || runs[0].Status != orgvue.Unknown {
			t.Errorf("%+v", runs)
		}
		if r := f.send(people(20, nil)); r.Sent != 0 {
			t.Errorf("%d are sent again", r.Sent)
		}
		f.searchSecrets()
	})
}

func TestADryRunAsksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newOffice(t, orgvuesim.Behaviour{})
		var b bytes.Buffer
		r, err := Write(t.Context(), &b, people(2, nil), f.o)
		if err != nil || r.Sent != 2 || len(f.tenant.Requests()) != 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		if !strings.HasPrefix(b.String(), "[\n{\"_action\":\"create\",\"EmployeeID\":\"E0\"") ||
			!json.Valid(b.Bytes()) {
			t.Errorf("got %s", b.String())
		}
	})
}

func TestRowsThatCannotBeSent(t *testing.T) {
	for name, rows := range map[string]*table{
		"one record twice":     {columns: []string{"EmployeeID"}, rows: [][]string{{`"E1"`}, {`"E1"`}}},
		"no identifier":        {columns: []string{"EmployeeID"}, rows: [][]string{{"null"}}},
		"no identifier column": {columns: []string{"FullName"}},
	} {
		f := newOffice(t, orgvuesim.Behaviour{})
		var e *orgvue.Error
		if _, err := Write(t.Context(), &bytes.Buffer{}, rows, f.o); !errors.As(err, &e) ||
			e.Code != orgvue.CodeUsage || e.Hint == "" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
