package eploy

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"holdall/internal/eploysim"
)

// The examples of the vendor's guide, and the arithmetic of docs/eploy.md.

// The guide's own answer to a search for ten a page has nine records and three pages: it is believed.
func TestTheGuidesPageOfNineRecords(t *testing.T) {
	records := strings.Repeat(`{"PlacementId":1},`, 8) + `{"PlacementId":1}`
	p, err := parsePage([]byte(`{"Records":[` + records +
		`],"TotalRecords":29,"CurrentPage":1,"TotalPages":3}`))
	if err != nil || len(p.Records) != 9 || *p.TotalRecords != 29 || *p.TotalPages != 3 || *p.CurrentPage != 1 {
		t.Errorf("%+v, %v", p, err)
	}
	for _, broken := range []string{`null`, `{}`, `{"Records":[]}`, `<html>502 Bad Gateway</html>`} {
		if _, err := parsePage([]byte(broken)); err == nil {
			t.Errorf("%s is a page", broken)
		}
	}
}

// IDs are asked for as PlacementID and answered as PlacementId; of workflows it is WorkflowID.
func TestTheSpellingsOfAnID(t *testing.T) {
	for record, name := range map[string]string{
		`{"PlacementId":5026}`:                            "placements",
		`{"PlacementID":"5026"}`:                          "placements",
		`{"Candidate":{"Id":1},"PlacementId":5026}`:       "placements",
		`{"Title":"x","WorkflowID":5026,"CandidateId":1}`: "workflows",
	} {
		l, err := listingsOf([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		if id, err := l[0].id([]byte(record)); id != "5026" || err != nil {
			t.Errorf("%s: %q, %v", record, id, err)
		}
	}
}

// recorder keeps the bodies of requests to one path.
type recorder struct {
	next   http.RoundTripper
	path   string
	bodies [][]byte
	types  []string
}

func (r *recorder) RoundTrip(q *http.Request) (*http.Response, error) {
	if strings.HasSuffix(q.URL.Path, r.path) {
		b, err := io.ReadAll(q.Body)
		if err != nil {
			return nil, err
		}
		q.Body = io.NopCloser(bytes.NewReader(b))
		r.bodies, r.types = append(r.bodies, b), append(r.types, q.Header.Get("Content-Type"))
	}
	return r.next.RoundTrip(q)
}

// A token is asked for in JSON, with the 15 scopes that read, separated by commas.
func TestATokenIsAskedForAsInTheGuide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, eploysim.Config{})
		r := &recorder{next: w.o.Transport, path: "/api/token"}
		w.o.Transport = r
		if _, err := Plan(t.Context(), w.o); err != nil {
			t.Fatal(err)
		}
		var ask map[string]string
		if len(r.bodies) != 1 || r.types[0] != "application/json" || json.Unmarshal(r.bodies[0],
			&ask) != nil {
			t.Fatalf("%d requests, %q", len(r.bodies), r.types)
		}
		scopes := strings.Split(ask["scope"], ",")
		if len(scopes) != 15 || ask["grant_type"] != "client_credentials" || strings.Contains(ask["scope"],
			" ") {
			t.Errorf("grant %s, scopes %q", ask["grant_type"], scopes)
		}
		for _, s := range scopes {
			if !strings.HasSuffix(s, ".read") {
				t.Errorf("the scope %s does more than read", s)
			}
		}
	})
}

// Marks are sent as the guide writes them, by a token with one scope; without that scope they are refused.
func TestMarksAreSentAsInTheGuide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, may := range []bool{true, false} {
			key := eploysim.Key{ID: "key", Secret: secret, Scopes: eploysim.ReadScopes()}
			if may {
				key.Scopes = append(key.Scopes, MarkScope)
			}
			w := newWorld(t, eploysim.Config{Keys: []eploysim.Key{key}})
			r := &recorder{next: w.o.Transport, path: "/api/export"}
			tokens := &recorder{next: r, path: "/api/token"}
			w.o.Transport = tokens
			m, err := NewMarker(w.o)
			if err != nil {
				t.Fatal(err)
			}
			if err = m.Prepare(t.Context()); err == nil {
				err = m.Mark(t.Context(), 1, []Mark{{1001, "X-1"}}, []Mark{{ID: 2002}})
			}
			if cerr := m.Close(); cerr != nil {
				t.Error(cerr)
			}
			if (err == nil) != may {
				t.Errorf("a key with %q: %v", key.Scopes, err)
			}
			for _, b := range tokens.bodies {
				if !bytes.Contains(b, []byte(`"scope":"export.insert"`)) {
					t.Error("a token is asked for with another scope")
				}
			}
			if !may {
				continue
			}
			const want = `{"ApplicationIds":[{"Id":2002}],"ExportPackageId":1,` +
				`"VacancyIds":[{"Id":1001,"ExternalReference":"X-1"}]}`
			if len(r.bodies) != 1 {
				t.Fatalf("%d requests", len(r.bodies))
			}
			if d := cmp.Diff(want, string(r.bodies[0])); d != "" {
				t.Error(d)
			}
		}
	})
}

// With 1,000 requests a day and 100 of them for others, 20,000 files take 23 days with the requests for
// records, and those for 100,000 records two.
func TestTheArithmeticOfDays(t *testing.T) {
	for _, tt := range []struct{ requests, files, recordDays, days int }{
		{0, 20000, 0, 23}, {1000, 0, 2, 2}, {100, 0, 1, 1}, {800, 0, 1, 1}, {0, 12000, 0, 14},
	} {
		p := &pull{client: client{budget: budget{reserve: -1, limit: 1000, remaining: 1000}}}
		f := &Forecast{Requests: tt.requests, Files: tt.files}
		p.spread(f)
		if f.RecordDays != tt.recordDays || f.Days != tt.days || f.Budget.Reserve != 100 {
			t.Errorf("%d requests and %d files: %d and %d days, want %d and %d; reserve %d", tt.requests,
				tt.files, f.RecordDays, f.Days, tt.recordDays, tt.days, f.Budget.Reserve)
		}
	}
}
