package main

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdall/internal/orgvuesim"
)

// Whatever the tenant refuses a send with, the user hears its words, what they mean and what to do, and
// scripts tell "go on later" from "get another token" by the exit code. Nothing was sent, and what was
// not begun is not a failed record.
func TestASendThatIsRefused(t *testing.T) {
	root, _, _ := demo(t)
	tenant := orgvuesim.New(orgvuesim.Config{Datasets: []orgvuesim.Dataset{{ID: simulatedDataset,
		Name: "People", Type: "PEOPLE", Properties: []string{"EmployeeID"}}}})
	server := httptest.NewServer(tenant)
	defer server.Close()
	tenant.SetBase(server.URL)
	dir := t.TempDir()
	sql, token := filepath.Join(dir, "people.sql"), filepath.Join(dir, "token.txt")
	for path, content := range map[string]string{token: tenant.Token(),
		sql: "SELECT candidate_id AS EmployeeID FROM candidates"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for code, exit := range map[string]int{"40101": exitLink, "40102": exitLink, "40103": exitLink,
		"40301": exitLink, "40302": exitLink, "40303": exitLink, "40321": exitLink, "40322": exitLink,
		"40323": exitLink, "40324": exitLink, "40345": exitLink, "400603": exitFailed, "415001": exitFailed,
		"42902": exitNotFinished} {
		tenant.Set(func(b *orgvuesim.Behaviour) { b.Refuse = []string{code} })
		o := holdall(t, "send", root, "orgvue", "--query", sql, "--dataset", simulatedDataset, "--tenant",
			"ACME_1",
			"--api-url", server.URL, "--token-file", token, "--id-key", "EmployeeID", "--allow-private")
		if o.code != exit || !strings.Contains(o.stderr, "("+code+", ") || !strings.Contains(o.stderr,
			"hint: ") ||
			strings.Contains(o.stderr, tenant.Token()) {
			t.Errorf("%s: exit %d, want %d: %s%s", code, o.code, exit, o.stdout, o.stderr)
		}
	}
	if n := len(tenant.Items(simulatedDataset)); n != 0 {
		t.Errorf("the dataset has %d items", n)
	}
	if n := asked(t, root, "select count(*) from ledger.run_records where run in "+
		"(select run from ledger.runs where type = 'send')"); n != "0" {
		t.Errorf("%s records of sends that were refused", n)
	}
}
