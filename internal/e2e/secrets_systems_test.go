package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdall/internal/eploysim"
	"holdall/internal/orgvuesim"
)

// From Eploy to Orgvue with everything going wrong on the way: no secret of either system, no token and no
// URL that grants something is in any word or file of the program, its archive, ledger, catalog and temporary
// files included.
func TestNoSecretOfEitherSystemAnywhere(t *testing.T) {
	p := newPlace(t)
	x := &executioner{} // kills nothing yet
	var sick atomic.Bool
	system, take, key := p.serveEploy(eploysim.Config{Records: eploysim.Small(20), DayLimit: 120,
		SecondLimit: 1000,
		Events: []eploysim.Event{{At: 30, Kind: "expire-token"}, {At: 40, Kind: "error-page", Count: 2},
			{At: 50, Kind: "cut"}, {At: 60, Kind: "revoke-scope", Type: "timesheets.read"},
			{At: 118, Kind: "raise-limit", Count: 5000}}},
		func(h http.Handler) http.Handler {
			x.next = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if sick.Load() && r.URL.Path != "/api/token" { // an error page repeats what was sent
					w.WriteHeader(http.StatusInternalServerError)
					w.Write([]byte("<html>failed for " + r.Header.Get("Authorization") + "</html>"))
					return
				}
				h.ServeHTTP(w, r)
			})
			return x
		})
	take = append(take, "-v")
	wrong := filepath.Join(p.dir, "wrong.json")
	if err := os.WriteFile(wrong, []byte(`{"client_id":"key","client_secret":"a-wr0ng-secret-of-a-key"}`),
		0o600); err != nil {
		t.Fatal(err)
	}
	p.holdall(4, append(take, "--credentials", wrong)...)
	p.holdall(0, append(take, "--dry-run", "--json")...)
	sick.Store(true)
	p.ended(p.interrupt(take, 3*time.Second))
	if !p.rejected("(an answer with the token in it is not kept)") {
		t.Error("no answer repeated the token")
	}
	sick.Store(false)
	for lives := 0; ; lives++ {
		x.mu.Lock()
		x.most = 12
		r := p.begin(take...)
		x.child = r.cmd
		x.mu.Unlock()
		o := p.ended(r)
		if o.code == 0 || o.code == 5 {
			break
		}
		if lives > 20 || o.code != -1 && o.code != 3 {
			t.Fatalf("it never ends:\n%s", o)
		}
		if o.code == 3 {
			take = append(take, "--reserve", "0")
		}
	}
	p.holdall(0, "verify", p.root, "-v")
	p.markWithout(key, take)

	tenant, send, token := p.serveOrgvue()
	p.sendAmidFailures(tenant, send)

	p.holdall(0, "log", p.root, "--json")
	p.holdall(0, "query", p.root, "from ledger.run_records", "--format", "jsonl")
	p.holdall(0, "query", p.root, "from ledger.runs", "--format", "jsonl")
	secrets := append(system.Secrets(), tenant.Credentials()...)
	p.noSecret(append(secrets, "a-wr0ng-secret-of-a-key", "X-Amz-Signature", "access_token"), key, wrong,
		token)
}

// rejected reports whether the answers that were not used have something in them.
func (p *place) rejected(text string) bool {
	p.t.Helper()
	for _, path := range files(p.t, p.dir) {
		if filepath.Base(path) == "rejected.json.zst" && strings.Contains(string(contents(p.t, path)), text) {
			return true
		}
	}
	return false
}

// interrupt starts the program and stops it as Ctrl-C does.
func (p *place) interrupt(args []string, after time.Duration) *run {
	p.t.Helper()
	r := p.begin(args...)
	time.AfterFunc(after, func() { r.cmd.Process.Signal(os.Interrupt) })
	return r
}

// markWithout tries to mark records with a key that may not.
func (p *place) markWithout(key string, take []string) {
	p.t.Helper()
	sql := filepath.Join(p.dir, "placed.sql")
	if err := os.WriteFile(sql, []byte("select vacancy_id from vacancies limit 1"), 0o600); err != nil {
		p.t.Fatal(err)
	}
	url := take[5]
	p.holdall(4, "mark-exported", p.root, "eploy://acme", "--query", sql, "--package", "1", "--yes",
		"--api-url", url,
		"--allow-private", "--credentials", key)
}

const dataset = "3F0E6A52-9C1D-4B7A-8E24-5D6C7B8A9F01"

func (p *place) serveOrgvue() (tenant *orgvuesim.Tenant, send []string, token string) {
	p.t.Helper()
	tenant = orgvuesim.New(orgvuesim.Config{Datasets: []orgvuesim.Dataset{{ID: dataset, Name: "People",
		Type:       "PEOPLE",
		Properties: []string{"EmployeeID", "FullName"}}},
		Behaviour: orgvuesim.Behaviour{JobTime: 300 * time.Millisecond, ResultLink: true}})
	server := httptest.NewServer(p.careless(tenant))
	p.t.Cleanup(server.Close)
	tenant.SetBase(server.URL)
	sql := filepath.Join(p.dir, "people.sql")
	token = filepath.Join(p.dir, "token.txt")
	for path, content := range map[string]string{token: tenant.Token(),
		sql: "select candidate_id as EmployeeID, surname as FullName from candidates"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
	return tenant, []string{"send", p.root, "orgvue", "--query", sql, "--dataset", dataset, "--tenant",
		"ACME_1",
		"--api-url", server.URL, "--token-file", token, "--id-key", "EmployeeID", "--allow-private", "-v",
		"--import-time", "100ms"}, token
}

// careless answers the first request to import as careless servers do: with all that it was sent.
func (p *place) careless(h http.Handler) http.Handler {
	var once atomic.Bool
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/import") && once.CompareAndSwap(false, true) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				p.t.Error(err)
			}
			said, err := json.Marshal(map[string]any{"errors": []map[string]string{{"code": "40345",
				"message": "not with " + r.Header.Get("Authorization") + " and " + string(body)}}})
			if err != nil {
				p.t.Error(err)
			}
			w.WriteHeader(http.StatusForbidden)
			w.Write(said)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// sendAmidFailures has a send refused, killed, interrupted, and succeed in part.
func (p *place) sendAmidFailures(tenant *orgvuesim.Tenant, send []string) {
	p.t.Helper()
	tenant.Set(func(b *orgvuesim.Behaviour) { b.Refuse = []string{"40322"} })
	p.holdall(4, send...)
	tenant.Set(func(b *orgvuesim.Behaviour) { b.Refuse = nil })
	if o := p.holdall(4, send...); !strings.Contains(o.stderr, "(the token)") {
		p.t.Errorf("the careless answer is not told:\n%s", o)
	}
	tenant.Set(func(b *orgvuesim.Behaviour) { b.ExpireUploads = 1; b.FailEvery = 7 })
	r := p.begin(send...)
	for range 500 { // killed as soon as the import has begun
		if began := func() bool {
			for _, q := range tenant.Requests() {
				if strings.HasSuffix(q.Path, "/import") {
					return true
				}
			}
			return false
		}(); began {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	r.cmd.Process.Kill()
	if o := p.ended(r); o.code != -1 {
		p.t.Fatalf("it was not killed:\n%s", o)
	}
	time.Sleep(400 * time.Millisecond) // the job ends by itself
	o := p.ended(p.begin(append(send, "--json")...))
	if o.code != 0 && o.code != 5 {
		p.t.Fatalf("%s", o)
	}
	if n := len(tenant.Items(dataset)); n < 15 {
		p.t.Errorf("the dataset has %d items", n)
	}
}
