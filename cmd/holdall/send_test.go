package main

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdall/internal/orgvuesim"
)

// The people of an archive are sent, one in five fails, one of those is looked into and sent again.
func TestSendFollowRequeue(t *testing.T) {
	root, _, _ := demo(t)
	tenant := orgvuesim.New(orgvuesim.Config{
		Datasets: []orgvuesim.Dataset{{ID: simulatedDataset, Name: "People", Type: "PEOPLE",
			Properties: []string{"EmployeeID", "FullName"}}},
		Behaviour: orgvuesim.Behaviour{FailEvery: 5, JobTime: 10 * time.Millisecond},
	})
	server := httptest.NewServer(tenant)
	defer server.Close()
	tenant.SetBase(server.URL)
	dir := t.TempDir()
	sql, token := filepath.Join(dir, "people.sql"), filepath.Join(dir, "token.txt")
	if err := os.WriteFile(sql,
		[]byte("SELECT candidate_id AS EmployeeID, first_name AS FullName FROM candidates"),
		0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(token, []byte(tenant.Token()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	send := []string{"--json", "send", root, "orgvue", "--query", sql, "--dataset", simulatedDataset,
		"--tenant", "ACME_1",
		"--api-url", server.URL, "--token-file", token, "--id-key", "EmployeeID", "--allow-private"}

	o := holdall(t, append(send, "--dry-run")...)
	if o.code != 0 || !json.Valid([]byte(o.stdout)) || !strings.Contains(o.stdout,
		`{"_action":"create","EmployeeID":`) {
		t.Fatalf("dry run: exit %d, %s%s", o.code, o.stdout, o.stderr)
	}
	var r struct {
		Run, State                         string
		Sent, Succeeded, Failed, Unchanged int
		Failures                           []struct{ ID, Error string }
	}
	o = holdall(t, send...)
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil || o.code != 5 ||
		r.State != "completed-with-failures" ||
		r.Sent != 10 || r.Failed != 2 || len(r.Failures) != 2 {
		t.Fatalf("exit %d, %s%s", o.code, o.stdout, o.stderr)
	}
	failed, run := r.Failures[0].ID, r.Run
	if o := holdall(t, "log", root, run, "--failed"); o.code != 0 || strings.Count(o.stdout,
		"failed") != 2 || !strings.Contains(o.stdout, failed) {
		t.Errorf("the failed ones: exit %d, %s%s", o.code, o.stdout, o.stderr)
	}
	tenant.Set(func(b *orgvuesim.Behaviour) { b.FailEvery = 0 })
	if o := holdall(t, "log", "requeue", root, run, "people:"+failed, "--reason",
		"looked into"); o.code != 0 {
		t.Fatalf("exit %d, %s", o.code, o.stderr)
	}
	o = holdall(t, send...)
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil || o.code != 0 || r.Sent != 1 ||
		r.Unchanged != 8 {
		t.Fatalf("exit %d, %s%s", o.code, o.stdout, o.stderr)
	}
	if o := holdall(t, "log", root, "--record", "people:"+failed); o.code != 0 || strings.Count(o.stdout,
		"\n") != 4 ||
		!strings.Contains(o.stdout, "last success") {
		t.Errorf("one record: exit %d, %s%s", o.code, o.stdout, o.stderr)
	}
	checkLedgerSQL(t, root)
	searchFor(t, root, tenant.Credentials())
}

func checkLedgerSQL(t *testing.T, root string) {
	t.Helper()
	o := holdall(t, "query", root,
		`SELECT r.type, count(*) AS n FROM ledger.runs r LEFT JOIN ledger.run_records x USING (run)
		WHERE r.type <> 'take' GROUP BY ALL ORDER BY ALL`, "--format", "csv")
	if want := "type,n\nrequeue,1\nsend,11\n"; o.stdout != want {
		t.Errorf("got %q, want %q; %s", o.stdout, want, o.stderr)
	}
	o = holdall(t, "query", root, "SELECT count(*) AS n FROM ledger.exported_systems WHERE success",
		"--format", "csv")
	if o.stdout != "n\n9\n" {
		t.Errorf("got %q; %s", o.stdout, o.stderr)
	}
	if o := holdall(t, "--json", "log", root, "--type", "send", "--status",
		"completed"); strings.Count(o.stdout, `"run":`) != 1 {
		t.Errorf("got %s%s", o.stdout, o.stderr)
	}
}

// searchFor looks for secrets in every file below a directory.
func searchFor(t *testing.T, dir string, secrets []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for _, secret := range secrets {
			if strings.Contains(string(b), secret) {
				t.Errorf("%s holds a secret", path)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAQueryIsWrittenAsAPayload(t *testing.T) {
	root, _, _ := demo(t)
	const sql = "SELECT 'update' AS _action, 'E1' AS id, DATE '2026-03-09' AS began, NULL AS grade"
	o := holdall(t, "query", root, sql, "--format", "orgvue-json")
	if want := "[\n{\"_action\":\"update\",\"id\":\"E1\",\"began\":\"2026-03-09\",\"grade\":null}\n]\n"; o.stdout != want {
		t.Errorf("got %q, want %q; %s", o.stdout, want, o.stderr)
	}
	o = holdall(t, "query", root, "SELECT 'E1' AS id, 'a, b' AS name", "--format", "orgvue-csv")
	if want := "_action,id,name\ncreate,E1,\"a, b\"\n"; o.stdout != want {
		t.Errorf("got %q, want %q; %s", o.stdout, want, o.stderr)
	}
	if o := holdall(t, "query", root, "SELECT 'explode' AS _action, 1 AS id", "--format",
		"orgvue-json"); o.code != 2 {
		t.Errorf("exit %d, %s", o.code, o.stdout)
	}
}
