package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdall/archive"
	"holdall/internal/eploysim"
)

// No other command writes, though the key may; what must not be marked is refused before anything is sent;
// and a mark whose answer was an error page is unknown until somebody has it sent again.
func TestOnlyMarkExportedWrites(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	system, err := eploysim.New(eploysim.Config{Records: eploysim.Small(20), DayLimit: 10000,
		SecondLimit: 1000,
		Keys: []eploysim.Key{{ID: "key", Secret: "s3cret-that-may-all",
			Scopes: append(eploysim.ReadScopes(), "export.insert", "candidates.update")}}})
	if err != nil {
		t.Fatal(err)
	}
	sick := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sick && r.URL.Path == "/api/export" {
			w.Write([]byte("<html>502 Bad Gateway</html>"))
			return
		}
		system.ServeHTTP(w, r)
	}))
	defer server.Close()
	dir := t.TempDir()
	root, key, sql := filepath.Join(dir, "a"), filepath.Join(dir, "key.json"), filepath.Join(dir, "q.sql")
	write := func(path, content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(key, `{"client_id":"key","client_secret":"s3cret-that-may-all"}`)
	api := []string{"--api-url", server.URL + "/api", "--allow-private", "--credentials", key}
	run := func(codes []int, args ...string) outcome {
		t.Helper()
		return must(t, codes, append(args, api...)...)
	}
	writes := func() (n int) {
		for _, r := range system.Requests() {
			if r.Method != http.MethodGet && r.Path != "token" && !strings.HasSuffix(r.Path, "/search") {
				n++
			}
		}
		return n
	}

	run(good[:1], "take", "eploy://acme", "--to", root, "--dry-run")
	run(good[:1], "take", "eploy://acme", "--to", root)
	must(t, good[:1], "verify", root)
	must(t, good[:1], "query", root, "select 1")
	before := len(system.Requests())
	for name, query := range map[string]string{
		"a record that is not archived": "select 999999999 as vacancy_id",
		"both": "select vacancy_id, application_id from applications " +
			"where vacancy_id is not null",
		"no number":      "select 'x' as vacancy_id",
		"another column": "select vacancy_id, title from vacancies",
	} {
		write(sql, query)
		if o := run([]int{exitUsage}, "mark-exported", root, "eploy://acme", "--query", sql, "--package", "1",
			"--yes"); o.code != exitUsage {
			t.Errorf("%s: %s", name, o.stderr)
		}
	}
	write(sql, "select vacancy_id from vacancies order by 1 limit 1")
	mark := []string{"--json", "mark-exported", root, "eploy://acme", "--query", sql, "--package", "1"}
	run([]int{exitUsage}, "mark-exported", root, "eploy://acm", "--query", sql, "--package", "1", "--yes")
	run(good[:1], mark...)
	if n := writes(); n != 0 || len(system.Requests()) != before {
		t.Fatalf("%d writes and %d requests by commands that may do neither", n,
			len(system.Requests())-before)
	}

	// The day's reserve is left alone; that costs one search, and writes nothing, not even into the ledger.
	if o := run([]int{exitNotFinished}, append(mark, "--yes", "--reserve",
		"9900")...); !strings.Contains(o.stdout,
		`"resume_after"`) || writes() != 0 {
		t.Errorf("a mark beyond the reserve: %s; %d writes", o.stdout, writes())
	}
	if runs := logged(t, root, "--type", "mark-exported"); len(runs) > 0 {
		t.Errorf("what was not sent is %+v", runs)
	}

	sick = true
	if o := run([]int{exitFailed, exitNotFinished}, append(mark, "--yes")...); strings.Contains(o.stdout,
		`"completed"`) {
		t.Errorf("an error page is taken for success: %s", o.stdout)
	}
	sick = false
	run(good[:1], append(mark, "--yes")...)
	if n := writes(); n != 0 {
		t.Errorf("%d writes of what is unknown", n)
	}
	var runs []archive.Run
	o := must(t, good[:1], "--json", "log", root, "--type", "mark-exported", "--status", "unknown")
	if err := json.Unmarshal([]byte(o.stdout), &runs); err != nil || len(runs) == 0 {
		t.Fatalf("%v: %s", err, o.stdout)
	}
	var records []archive.RunRecord
	o = must(t, good[:1], "--json", "log", root, runs[0].ID, "--records")
	if err := json.Unmarshal([]byte(o.stdout), &records); err != nil || len(records) != 1 {
		t.Fatalf("%v: %s", err, o.stdout)
	}
	must(t, good[:1], "log", "requeue", root, runs[0].ID, "vacancies:"+records[0].ID, "--reason",
		"not in the log")
	run(good[:1], append(mark, "--yes")...)
	run(good[:1], append(mark, "--yes")...)
	if n := writes(); n != 1 || len(system.Writes()) > 0 {
		t.Errorf("%d writes, want one; refused: %q", n, system.Writes())
	}
	// Each request is one run, opened before and closed after it.
	all := logged(t, root, "--type", "mark-exported")
	if len(all) != 2 || all[0].Status != "completed" || all[1].Status != "unknown" || all[0].Requests != 1 {
		t.Errorf("the ledger has %+v", all)
	}
	if n := asked(t, root, "select string_agg(status, ',' order by status) from ledger.run_records "+
		"where action = 'mark-exported'"); n != `"requeued,success,unknown"` {
		t.Errorf("the records of the marks are %s", n)
	}
}

// An archive of acme-uk is none of acme.
func TestWhichSystemAnArchiveIsOf(t *testing.T) {
	const id = "eploy-acme-uk-20261122T013300Z-k3fq"
	for system, want := range map[string]bool{"acme-uk": true, "ACME-UK": true, "acme": false, "uk": false,
		"acme-us": false} {
		if got := isOfSystem(id, system); got != want {
			t.Errorf("%s: %v", system, got)
		}
	}
}
