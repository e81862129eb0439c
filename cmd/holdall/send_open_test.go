package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdall/internal/orgvuesim"
)

// sender sends the people of a small archive to a tenant, in virtual time.
type sender struct {
	*virtual
	tenant *orgvuesim.Tenant
	root   string
	sql    string
	args   []string
}

// A sent is what send prints.
type sent struct {
	Run, State                               string
	Sent, Succeeded, Failed, Unchanged, Held int
	TraceID                                  string `json:"trace_id"`
	Failures                                 []struct{ ID, Error string }
	Error                                    struct{ Code, Message, Hint string }
}

func sendVirtually(t *testing.T, switches []string, more []string, do func(*testing.T, *sender)) {
	t.Helper()
	root, _, _ := demo(t)
	s := &sender{root: root}
	serve := func() http.Handler {
		c := orgvuesim.Config{Base: virtualURL, Datasets: []orgvuesim.Dataset{{ID: simulatedDataset,
			Name: "People",
			Type: "PEOPLE", Properties: []string{"EmployeeID", "FullName", "Town", "Grade"}}}}
		for _, x := range switches {
			if err := c.Behaviour.Set(x); err != nil {
				t.Fatal(err)
			}
		}
		s.tenant = orgvuesim.New(c)
		return s.tenant
	}
	virtually(t, serve, func(t *testing.T, v *virtual) {
		s.virtual, s.sql = v, filepath.Join(t.TempDir(), "people.sql")
		token := filepath.Join(t.TempDir(), "token.txt")
		if err := os.WriteFile(token, []byte(s.tenant.Token()+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		s.args = append([]string{"--json", "send", root, "orgvue", "--query", s.sql, "--dataset",
			simulatedDataset,
			"--tenant", "ACME_1", "--api-url", virtualURL, "--token-file", token, "--allow-private"}, more...)
		do(t, s)
		searchFor(t, root, s.tenant.Credentials())
	})
}

// people is SQL of ten people, of whom the first has that grade.
func people(grade string) string {
	return `SELECT candidate_id AS EmployeeID, first_name AS FullName, NULL AS Town,
		CASE WHEN row_number() OVER (ORDER BY candidate_id) = 1 THEN '` + grade + `' ELSE '4' END AS Grade
		FROM candidates ORDER BY 1`
}

// send sends what a query returns, and demands that exit code.
func (s *sender) send(code int, sql string, more ...string) (r sent) {
	s.t.Helper()
	if err := os.WriteFile(s.sql, []byte(sql), 0o600); err != nil {
		s.t.Fatal(err)
	}
	o := s.run(append(s.args, more...)...)
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil || o.code != code {
		s.t.Fatalf("exit %d, want %d: %v\n%s%s", o.code, code, err, o.stdout, o.stderr)
	}
	for _, secret := range s.tenant.Credentials() {
		if strings.Contains(o.stdout+o.stderr, secret) {
			s.t.Errorf("a secret is printed: %s%s", o.stdout, o.stderr)
		}
	}
	return r
}

// has compares the dataset with what people returns.
func (s *sender) has(grade string) {
	s.t.Helper()
	items := s.tenant.Items(simulatedDataset)
	grades := map[string]int{}
	for id, item := range items {
		if item["FullName"] == nil || item["FullName"] == "" || item["Town"] != nil && item["Town"] != "" {
			s.t.Errorf("%s is %v", id, item)
		}
		grades[fmt.Sprint(item["Grade"])]++
	}
	want := map[string]int{"4": 9}
	want[grade]++
	if len(items) != 10 || grades["4"] != want["4"] || grades[grade] != want[grade] {
		s.t.Errorf("%d items with the grades %v, want %v", len(items), grades, want)
	}
}

// Whatever the guide leaves open: people are created, one of them is changed, and nothing else changes.
func TestSendWhateverTheGuideLeavesOpen(t *testing.T) {
	csv := []string{"--format", "csv"}
	for _, tt := range []struct {
		name     string
		switches []string
		more     []string
	}{
		{"as is likeliest", nil, nil},
		{"as CSV", nil, csv},
		{"blank cells clear", []string{"blank-clears"}, csv},
		{"the result is in an object", []string{"result-shape=wrapped"}, nil},
		{"the result is CSV", []string{"result-shape=csv"}, csv},
		{"the result has a URL of its own", []string{"result-link"}, nil},
		{"the result comes late", []string{"result-late=20s"}, nil},
		{"the result comes late at its own URL", []string{"result-link", "result-late=20s"}, nil},
		{"the result's URL has expired", []string{"result-link", "url-life=2m", "job-time=20m"}, nil},
		{"items are listed without what they have no value of", []string{"sparse-items"},
			[]string{"--assume-properties"}},
		{"items are listed three at once", []string{"items-page=3"}, nil},
		{"uploads have expired", []string{"expire-uploads=2"}, nil},
		{"requests are throttled", []string{"throttle-every=3"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sendVirtually(t, tt.switches, append([]string{"--id-key", "EmployeeID"}, tt.more...),
				func(t *testing.T, s *sender) {
					if r := s.send(0, people("4")); r.Sent != 10 || r.Succeeded != 10 || r.TraceID == "" {
						t.Errorf("%+v", r)
					}
					if r := s.send(0, people("5")); r.Sent != 1 || r.Succeeded != 1 || r.Unchanged != 9 {
						t.Errorf("%+v", r)
					}
					s.has("5")
					if r := s.send(0, people("5")); r.Sent != 0 || r.Unchanged != 10 {
						t.Errorf("%+v", r)
					}
				})
		})
	}
}

// well ends what goes wrong.
func well(b *orgvuesim.Behaviour) {
	*b = orgvuesim.Behaviour{JobTime: b.JobTime, URLLife: b.URLLife}
}

// An import whose answer was lost may have begun, and a job that failed as a whole may have imported some:
// the dataset is asked, and no item is there twice.
func TestAnImportThatNobodyCanTellOf(t *testing.T) {
	for lost, code := range map[string]int{"lost-import=502": exitNotFinished,
		"lost-import=page": exitNotFinished, "job-fails": exitFailed} {
		for _, key := range [][]string{{"--id-key", "EmployeeID"}, {"--merge-key", "EmployeeID"}} {
			t.Run(lost+" "+key[0], func(t *testing.T) {
				sendVirtually(t, []string{lost}, key, func(t *testing.T, s *sender) {
					if r := s.send(code, people("4")); r.State == "completed" || r.Error.Hint == "" {
						t.Errorf("%+v", r)
					}
					s.tenant.Set(well)
					if lost != "job-fails" { // it may still be running
						if r := s.send(exitNotFinished, people("5")); r.Error.Code != "busy" {
							t.Errorf("%+v", r)
						}
						time.Sleep(time.Hour)
					}
					if r := s.send(0, people("5")); r.Failed != 0 || r.Held != 0 {
						t.Errorf("%+v", r)
					}
					s.has("5")
				})
			})
		}
		t.Run(lost+" with identifiers of the system's", func(t *testing.T) {
			sendVirtually(t, []string{lost}, []string{"--auto-id"}, func(t *testing.T, s *sender) {
				first := s.send(exitFailed, people("4"))
				s.tenant.Set(well)
				before := len(s.tenant.Items(simulatedDataset))
				if r := s.send(0, people("4")); r.Sent != 0 || r.Held != 10 {
					t.Errorf("%+v", r)
				}
				if n := len(s.tenant.Items(simulatedDataset)); n != before {
					t.Errorf("%d items, then %d", before, n)
				}
				if lost != "job-fails" {
					return
				}
				if o := s.run("log", "requeue", s.root, first.Run, "--failed", "--reason",
					"none is there"); o.code != 0 {
					t.Fatalf("requeue: %s", o.stderr)
				}
				if r := s.send(0, people("4")); r.Sent != 10 || r.Succeeded != 10 {
					t.Errorf("%+v", r)
				}
			})
		})
	}
}

// Each refusal that is known says what can be done, and nothing is imported.
func TestSendRefusals(t *testing.T) {
	codes := map[string]int{"42901": exitNotFinished, "42902": exitNotFinished, "400603": exitFailed,
		"415001": exitFailed}
	for _, code := range orgvuesim.ErrorCodes() {
		if codes[code] == 0 { // 401 and 403
			codes[code] = exitLink
		}
		t.Run(code, func(t *testing.T) {
			sendVirtually(t, []string{"refuse=" + code}, []string{"--id-key", "EmployeeID"},
				func(t *testing.T, s *sender) {
					r := s.send(codes[code], people("4"))
					if r.Error.Hint == "" || !strings.Contains(r.Error.Message, code) ||
						len(s.tenant.Items(simulatedDataset)) != 0 {
						t.Errorf("%+v", r)
					}
				})
		})
	}
}

// Nothing is deleted that was not asked for by name, and for what the payload does not name, with the count.
func TestSendDeletes(t *testing.T) {
	const leaving = `SELECT candidate_id AS EmployeeID, 'delete' AS what FROM candidates ORDER BY 1 LIMIT 2`
	first := strings.Replace(people("7"), "ORDER BY 1", "ORDER BY 1 LIMIT 1", 1)
	for _, form := range []string{"json", "csv"} {
		t.Run(form, func(t *testing.T) {
			more := []string{"--id-key", "EmployeeID", "--format", form, "--record-type", "people"}
			sendVirtually(t, nil, more, func(t *testing.T, s *sender) {
				s.send(exitDone, people("4"))
				has := func(want int) {
					t.Helper()
					if n := len(s.tenant.Items(simulatedDataset)); n != want {
						t.Errorf("%d items, want %d", n, want)
					}
				}
				if r := s.send(exitUsage, leaving, "--action-column", "what"); !strings.Contains(r.Error.Hint,
					"--allow-delete") {
					t.Errorf("%+v", r)
				}
				has(10)
				if r := s.send(exitDone, leaving, "--action-column", "what",
					"--allow-delete"); r.Succeeded != 2 {
					t.Errorf("%+v", r)
				}
				has(8)
				if r := s.send(exitUsage, first, "--implicit-delete"); !strings.Contains(r.Error.Hint,
					"--confirm-deletes 8") {
					t.Errorf("%+v", r)
				}
				s.send(exitUsage, first, "--implicit-delete", "--confirm-deletes", "9")
				has(8)
				s.send(exitDone, first, "--implicit-delete", "--confirm-deletes", "8")
				has(1)
			})
		})
	}
}
