package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdall/archive"
	"holdall/internal/eploysim"
	"holdall/internal/orgvuesim"
)

// The way of an agency that leaves Eploy, from its first look to the record that was sent again: what each
// command says, and that each run is a row of one ledger.
func TestFromEployToOrgvue(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	var system *eploysim.System
	var tenant *orgvuesim.Tenant
	serve := func() http.Handler {
		var err error
		system, err = eploysim.New(eploysim.Config{Records: eploysim.Small(20), DayLimit: 100,
			Keys: []eploysim.Key{{ID: "key", Secret: pullSecret}}})
		if err != nil {
			t.Fatal(err)
		}
		tenant = orgvuesim.New(orgvuesim.Config{Base: virtualURL,
			Behaviour: orgvuesim.Behaviour{FailEvery: 10},
			Datasets: []orgvuesim.Dataset{{ID: simulatedDataset, Name: "People", Type: "PEOPLE",
				Properties: []string{"EmployeeID", "FullName"}}}})
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/api/v1/") || strings.HasPrefix(r.URL.Path, "/store/") {
				tenant.ServeHTTP(w, r)
				return
			}
			system.ServeHTTP(w, r)
		})
	}
	virtually(t, serve, func(t *testing.T, v *virtual) {
		dir := t.TempDir()
		root, key := filepath.Join(dir, "archives"), filepath.Join(dir, "key.json")
		sql, token := filepath.Join(dir, "people.sql"), filepath.Join(dir, "token.txt")
		for path, content := range map[string]string{
			key:   `{"client_id":"key","client_secret":"` + pullSecret + `"}`,
			token: tenant.Token() + "\n",
			sql: "SELECT candidate_id AS EmployeeID, first_name || ' ' || surname AS FullName FROM candidates " +
				"ORDER BY 1",
		} {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		take := []string{"take", "eploy://acme", "--to", root, "--api-url", virtualURL + "/api",
			"--allow-private", "--credentials", key}
		send := []string{"send", root, "orgvue", "--query", sql, "--dataset", simulatedDataset, "--tenant",
			"ACME_1", "--api-url", virtualURL, "--token-file", token, "--id-key", "EmployeeID", "--allow-private"}
		var said string
		step := func(code int, wants string, args ...string) outcome {
			t.Helper()
			o := v.run(args...)
			said += o.stdout + o.stderr
			for _, want := range strings.Split(wants, "|") {
				if o.code != code || !strings.Contains(o.stdout+o.stderr, want) {
					t.Errorf("%q: exit %d, want %d and %q\n%s%s", args[0], o.code, code, want, o.stdout,
						o.stderr)
				}
			}
			return o
		}

		step(exitDone, "contents of files\t20\t0\t20\t0.23|2 days: 1 day for the files",
			append(take, "--dry-run")...)
		step(exitNotFinished, "run the same command again after 2027-02-02T00:00:00Z", take...)
		step(exitNotFinished, "paused: 10 of the day's 100 requests are left", take...)
		step(exitDone, "is not finished:|the content of|budget", "list", root)
		time.Sleep(24 * time.Hour)
		step(exitDone, "complete: 18 tables", take...)
		step(exitDone, "complete", "list", root)
		step(exitDone, "this system was archived on 2027-02-01", take...)
		step(exitDone, "valid (full", "verify", root)
		step(exitUsage, "person knows the tables of Recruitly's export", "person", root, "1003")
		step(exitUsage, "the built-in reports know the tables of Recruitly", "report", root, "01-funnel")
		step(exitUsage, "the built-in reports know the tables of Recruitly", "report", root, "--all", "-o",
			filepath.Join(t.TempDir(), "all.xlsx"))

		step(exitDone, `{"_action":"create","EmployeeID":"1001","FullName":|20 items would be sent`,
			append(send, "--dry-run")...)
		if n := len(tenant.Items(simulatedDataset)); n != 0 {
			t.Errorf("a dry run sends %d items", n)
		}
		step(exitFindings, "20 items sent, 18 went in, 2 failed", send...)
		step(exitDone, "0 items sent", send...)
		var runs []archive.Run
		o := step(exitDone, "", "--json", "log", root, "--type", "send")
		if err := json.Unmarshal([]byte(o.stdout), &runs); err != nil || len(runs) != 1 {
			t.Fatalf("%v: %s", err, o.stdout)
		}
		step(exitDone, "people\t1010\tcreate\tfailed|people\t1020\tcreate\tfailed", "log", root, runs[0].ID,
			"--failed")
		step(exitDone, "sends people:1010 again", "log", "requeue", root, runs[0].ID, "people:1010",
			"--reason",
			"corrected")
		tenant.Set(func(b *orgvuesim.Behaviour) { b.FailEvery = 0 })
		step(exitDone, "1 item sent, 1 went in", send...)
		items := tenant.Items(simulatedDataset)
		if len(items) != 19 || items["1010"] == nil || items["1020"] != nil {
			t.Errorf("%d items, 1010 %v, 1020 %v", len(items), items["1010"], items["1020"])
		}
		step(exitDone, "\tfailed\t|\trequeued\t|last success", "log", root, "--record", "people:1010")
		step(exitDone, "receive\tsuccess", "log", root, "--record", "candidates:1010")
		step(exitDone, "take,3\nverify,1\nsend,2\nrequeue,1\n", "query", root, "SELECT type, count(*) AS n "+
			"FROM ledger.runs GROUP BY 1 ORDER BY min(started)", "--format", "csv")
		for _, secret := range append(tenant.Credentials(), pullSecret, "access_token") {
			if strings.Contains(said, secret) {
				t.Error("a secret is printed")
			}
		}
		searchFor(t, root, append(tenant.Credentials(), pullSecret, "access_token"))
	})
}
