package main

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdall/internal/eploysim"
)

// A pull says what it will cost, pauses at the reserve, goes on when it may, and leaves an archive that
// answers.
func TestTakeFromAnAPI(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	const secret = "k3y-that-nobody-may-see"
	system, err := eploysim.New(eploysim.Config{Records: eploysim.Small(20), DayLimit: 100, SecondLimit: 1000,
		Keys: []eploysim.Key{{ID: "key", Secret: secret},
			{ID: "marker", Secret: markSecret, Scopes: []string{"export.insert"}}},
		Events: []eploysim.Event{{At: 100, Kind: "raise-limit", Count: 5000}}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(system)
	defer server.Close()
	root, key := filepath.Join(t.TempDir(), "archives"), filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(key, []byte(`{"client_id":"key","client_secret":"`+secret+`"}`),
		0o600); err != nil {
		t.Fatal(err)
	}
	take := []string{"--json", "take", "eploy://acme", "--to", root, "--api-url", server.URL + "/api",
		"--allow-private", "--credentials", key}

	var plan struct {
		Plan struct{ Files, Requests, Days int }
	}
	o := holdall(t, append(take, "--dry-run")...)
	if json.Unmarshal([]byte(o.stdout), &plan); o.code != 0 || plan.Plan.Files != 20 || plan.Plan.Days < 2 {
		t.Fatalf("dry run: exit %d, %s%s", o.code, o.stdout, o.stderr)
	}
	if _, err := os.Stat(root); err == nil {
		t.Error("a dry run makes the root")
	}
	var r struct {
		Export, State string
		Requests      int
		FetchedBytes  int64     `json:"fetched_bytes"`
		ResumeAfter   time.Time `json:"resume_after"`
		Error         struct {
			Code      string
			Retryable bool
		}
		Budget map[string]int
		Types  map[string]map[string]any
	}
	o = holdall(t, take...)
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil || o.code != 3 || r.State != "paused" ||
		!r.Error.Retryable ||
		r.ResumeAfter.Before(time.Now()) || r.Budget["reserve"] != 10 {
		t.Fatalf("exit %d, %s%s", o.code, o.stdout, o.stderr)
	}
	o = holdall(t, append(take, "--reserve", "0")...)
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil || o.code != 0 || r.State != "complete" ||
		r.Requests == 0 || r.FetchedBytes == 0 ||
		r.Types["candidates"]["received"] != 20.0 {
		t.Fatalf("exit %d, %s%s", o.code, o.stdout, o.stderr)
	}
	if o := holdall(t, "query", root,
		"select count(*) as n from candidates join documents on owner_id = candidate_id", "--format",
		"csv"); o.code != 0 {
		t.Errorf("exit %d, %s%s", o.code, o.stdout, o.stderr)
	}
	const exported = "select count(*) > 0 as b from ledger.exported_systems where recorded_by = 'source' " +
		"and not success"
	if o := holdall(t, "query", root, exported, "--format", "csv"); o.stdout != "b\ntrue\n" {
		t.Errorf("exit %d, %s%s", o.code, o.stdout, o.stderr)
	}
	if o := holdall(t, "log", root, "--type", "take"); strings.Count(o.stdout, "\ttake\t") != 2 ||
		!strings.Contains(o.stdout, "paused") {
		t.Errorf("exit %d, %s%s", o.code, o.stdout, o.stderr)
	}
	for _, command := range []string{"list", "status", "tables", "files", "verify"} {
		if o := holdall(t, command, root); o.code != 0 {
			t.Errorf("%s: exit %d, %s%s", command, o.code, o.stdout, o.stderr)
		}
	}
	markExported(t, root, server.URL+"/api", system)
	searchFor(t, root, []string{secret, markSecret, "access_token"})
	if len(system.Writes()) > 0 {
		t.Errorf("written: %q", system.Writes())
	}
}

func TestAKeyIsNotSentAnywhere(t *testing.T) {
	root := t.TempDir()
	for _, args := range [][]string{
		{"take", "eploy://acme", "--to", root}, // no key
		{"take", "eploy://ac me", "--to", root, "--credentials", "k.json"},
		{"take", "eploy://acme", "--to", root, "--api-url", "http://acme.eploy.net/api"},
		{"take", "eploy://acme", "--to", root, "--api-url", "http://127.0.0.1:1/api"},
		{"take", "eploy://acme", "--to", root, "--api-url", "https://user:word@acme.eploy.net/api"},
	} {
		if o := holdall(t, args...); o.code != 2 {
			t.Errorf("%q: exit %d, %s", args, o.code, o.stderr)
		}
	}
}

const markSecret = "the-0ther-key-that-may-mark"

// Nothing is marked unless that is asked for, with a key of its own, and nothing twice.
func markExported(t *testing.T, root, url string, system *eploysim.System) {
	t.Helper()
	dir := t.TempDir()
	sql, key := filepath.Join(dir, "placed.sql"), filepath.Join(dir, "mark.json")
	readKey := filepath.Join(dir, "read.json")
	for path, content := range map[string]string{
		sql:     "select vacancy_id, 'X-1' as external_reference from vacancies order by 1 limit 2",
		readKey: `{"client_id":"key","client_secret":"k3y-that-nobody-may-see"}`,
		key:     `{"client_id":"marker","client_secret":"` + markSecret + `"}`,
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mark := []string{"--json", "mark-exported", root, "eploy://acme", "--query", sql, "--package", "1",
		"--api-url", url, "--allow-private"}
	asked := len(system.Requests())
	for _, step := range []struct {
		name  string
		more  []string
		code  int
		state string
		marks int
		asked int
	}{
		{"with a key that only reads", []string{"--credentials", readKey, "--yes"}, exitLink, "", 0, 1},
		{"off by default", []string{"--credentials", key}, 0, "planned", 2, 0},
		{"asked for", []string{"--credentials", key, "--yes"}, 0, "completed", 2, 3},
		// a token, what is left of the day, and the marks
		{"again", []string{"--credentials", key, "--yes"}, 0, "planned", 0, 0},
	} {
		var r struct {
			State   string
			Records []any
		}
		o := holdall(t, append(mark, step.more...)...)
		json.Unmarshal([]byte(o.stdout), &r)
		asked += step.asked
		if o.code != step.code || r.State != step.state || len(r.Records) != step.marks ||
			len(system.Requests()) != asked {
			t.Errorf("%s: exit %d, %s%s; %d requests, want %d", step.name, o.code, o.stdout, o.stderr,
				len(system.Requests()), asked)
		}
	}
	if o := holdall(t, "log", root, "--type", "mark-exported", "--json"); strings.Count(o.stdout,
		`"eploy:acme/package-1"`) != 1 {
		t.Errorf("the ledger: %s%s", o.stdout, o.stderr)
	}
}
