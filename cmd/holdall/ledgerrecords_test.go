package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"holdall/archive"
	"holdall/internal/eploysim"
)

// logged is what "log" prints.
func logged(t *testing.T, args ...string) (runs []archive.Run) {
	t.Helper()
	o := must(t, good[:1], append([]string{"--json", "log"}, args...)...)
	if err := json.Unmarshal([]byte(o.stdout), &runs); err != nil {
		t.Fatalf("%v: %s", err, o.stdout)
	}
	return runs
}

func loggedRecords(t *testing.T, root, run string) (records []archive.RunRecord) {
	t.Helper()
	o := must(t, good[:1], "--json", "log", root, run, "--records")
	if err := json.Unmarshal([]byte(o.stdout), &records); err != nil {
		t.Fatalf("%v: %s", err, o.stdout)
	}
	return records
}

// asked is the one line that a query answers.
func asked(t *testing.T, root, sql string) string {
	t.Helper()
	out := must(t, good[:1], "query", root, sql, "--format", "csv").stdout
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return lines[len(lines)-1]
}

// Each record of an export is a row below the run that took it, in the root of a copy below the copy, and
// where the archive has gone that is said.
func TestRecordsOfATakeAreBelowItsRun(t *testing.T) {
	root, id, bag := demo(t)
	runs := logged(t, root, "--type", "take")
	if len(runs) != 1 {
		t.Fatalf("%d runs", len(runs))
	}
	tables := []string{"candidates", "audit_logs", "job_pipelines", "users"}
	for _, table := range tables {
		rows := asked(t, root, "select count(*) from "+table)
		in := asked(t, root, "select count(*) from ledger.run_records where record_type = '"+table+
			"' and action = 'take' and status = 'success' and length(sha256) = 64")
		if rows != in || rows == "0" {
			t.Errorf("%s has %s rows, and %s are below the run", table, rows, in)
		}
	}
	records := loggedRecords(t, root, runs[0].ID)
	if all := asked(t, root, "select count(*) from ledger.run_records"); len(records) == 0 ||
		all != number(int64(len(records))) {
		t.Errorf("log lists %d records, SQL %s", len(records), all)
	}
	person := asked(t, root, "select candidate_id from candidates order by 1 limit 1")
	at := slices.IndexFunc(records, func(r archive.RunRecord) bool {
		return r.Type == "candidates" && r.ID == person
	})
	follow := []string{"--json", "log", root, "--record", "candidates:" + person}
	if o := must(t, good[:1], follow...); at < 0 || !strings.Contains(o.stdout, records[at].SHA256) ||
		!strings.Contains(o.stdout, runs[0].ID) {
		t.Errorf("candidate %s was in %s", person, o.stdout)
	}

	other := filepath.Join(t.TempDir(), "other")
	must(t, good[:1], "copy", root, other)
	copied := logged(t, other, "--record", "candidates:"+person)
	if len(copied) != 1 || copied[0].Type != "copy" || copied[0].Export != id {
		t.Errorf("where it was copied to, the candidate was in %+v", copied)
	}
	if got := loggedRecords(t, other, copied[0].ID); len(got) != len(records)+1 {
		t.Errorf("the copy brought %d records, want %d and the export", len(got), len(records))
	}

	renamed := filepath.Join(filepath.Dir(bag), "renamed")
	rename(t, bag, renamed)
	if got := loggedRecords(t, root, runs[0].ID); len(got) != len(records) {
		t.Errorf("of an archive in a directory of another name, %d records are listed", len(got))
	}
	rename(t, renamed, filepath.Join(t.TempDir(), "gone"))
	if o := holdall(t, "log", root, runs[0].ID, "--records"); o.code != exitFailed ||
		!strings.Contains(o.stderr, id+", is not here") {
		t.Errorf("exit %d, %s%s", o.code, o.stdout, o.stderr)
	}
	if o := must(t, good[:1], follow...); !strings.Contains(o.stderr, "is not here") {
		t.Errorf("that the archive is gone is not said: %s%s", o.stdout, o.stderr)
	}
}

// Two takes of one root: SQL over the one sees the records of the other, and the same record has the same
// digest in both unless it changed.
func TestRecordsOfOtherArchivesAreSeen(t *testing.T) {
	root, _, first := demo(t)
	second := filepath.Join(t.TempDir(), "second")
	must(t, good[:1], "demo", "--to", second, "--people", "60")
	must(t, good[:1], "copy", root, second)
	const sql = "select count(*) from ledger.run_records where record_type = 'candidates' and action = "
	want := asked(t, first, "select count(*) from candidates")
	if got := asked(t, second, sql+"'copy'"); got != want {
		t.Errorf("%s candidates came with the copy, want %s", got, want)
	}
	if got := asked(t, second, sql+"'take'"); got != "60" {
		t.Errorf("%s candidates were taken, want 60", got)
	}
	exports, err := filepath.Glob(filepath.Join(second, "exports", "*"))
	if err != nil || len(exports) != 2 {
		t.Fatal(exports, err)
	}
	slices.Sort(exports)
	for _, x := range exports {
		if x != filepath.Join(second, "exports", filepath.Base(first)) {
			continue
		}
		rename(t, x, filepath.Join(t.TempDir(), "gone"))
	}
	o := must(t, good[:1], "query", second, sql+"'copy'", "--format", "csv")
	if !strings.Contains(o.stderr, "is not here") || !strings.HasSuffix(o.stdout, "\n0\n") {
		t.Errorf("that an archive is gone is not said: %s%s", o.stdout, o.stderr)
	}
}

// Each day of a pull has below it what it received, what had vanished by then, and what could not be
// received; also when the archive is gone, and when a process was killed before it could say so.
func TestRecordsOfAPullAreBelowEachOfItsRuns(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for _, relist := range []bool{false, true} {
		system, err := eploysim.New(eploysim.Config{Records: eploysim.Small(20), DayLimit: 90,
			SecondLimit: 1000,
			Keys:        []eploysim.Key{{ID: "key", Secret: "k3y-that-nobody-may-see"}},
			Events: []eploysim.Event{{At: 70, Kind: "delete", Type: "candidates", Count: 2},
				{At: 70, Kind: "update", Type: "contacts", Count: 2},
				{At: 85, Kind: "raise-limit", Count: 5000}}})
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(refuseFile(system))
		defer server.Close()
		dir := t.TempDir()
		root, key := filepath.Join(dir, "archives"), filepath.Join(dir, "key.json")
		if err := os.WriteFile(key, []byte(`{"client_id":"key","client_secret":"k3y-that-nobody-may-see"}`),
			0o600); err != nil {
			t.Fatal(err)
		}
		take := []string{"take", "eploy://acme", "--to", root, "--api-url", server.URL + "/api",
			"--allow-private", "--credentials", key, "--reserve", "30"}
		if relist {
			take = append(take, "--relist")
		}
		must(t, []int{exitNotFinished}, take...)
		paused := logged(t, root)
		if len(paused) != 1 || paused[0].Status != "paused" || paused[0].Records == 0 {
			t.Fatalf("a pull that paused is %+v", paused)
		}
		before := loggedRecords(t, root, paused[0].ID)
		take[len(take)-1-map[bool]int{true: 1}[relist]] = "0"
		must(t, []int{0, exitFindings}, take...)
		runs := logged(t, root)
		if len(runs) != 2 || runs[0].Status != "complete" || runs[1].ID != paused[0].ID {
			t.Fatalf("the runs are %+v", runs)
		}
		after := loggedRecords(t, root, runs[0].ID)
		if int64(len(after)) != runs[0].Records || int64(len(before)) != runs[1].Records {
			t.Errorf("%d and %d records, and the runs say %d and %d", len(after), len(before),
				runs[0].Records,
				runs[1].Records)
		}
		checkPulled(t, system, root, slices.Concat(before, after), relist)
	}
}

func unzstd(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := zstd.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// refuseFile answers that one file's content is not there.
func refuseFile(h http.Handler) http.Handler {
	var refused string
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/content") && (refused == "" || refused == r.URL.Path) {
			if refused != "" { // not the one that the way is found by
				w.WriteHeader(http.StatusNotFound)
				return
			}
			refused = "?"
		} else if strings.HasSuffix(r.URL.Path, "/content") && refused == "?" {
			refused = r.URL.Path
			w.WriteHeader(http.StatusNotFound)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// checkPulled compares the records below the runs with what the system had and what the archive has.
func checkPulled(t *testing.T, system *eploysim.System, root string, records []archive.RunRecord,
	relist bool) {
	t.Helper()
	received, vanished, failed, times := map[string]string{}, 0, 0, map[string]int{}
	for _, r := range records {
		key := r.Type + ":" + r.ID
		switch {
		case r.Status == "failed":
			failed++
		case r.Action == "vanish":
			vanished++
		case r.Action == "receive":
			received[key] = r.SHA256
			times[r.Type]++
		}
	}
	for _, name := range []string{"candidates", "contacts", "applications", "companies", "files"} {
		for id := range system.Truth(name) {
			if received[fmt.Sprint(name, ":", id)] == "" {
				t.Errorf("%s %d was received by no run", name, id)
			}
		}
	}
	if vanished != 2 || failed != 1 {
		t.Errorf("%d vanished and %d failed, want 2 and 1", vanished, failed)
	}
	if relist != (times["companies"] > len(system.Truth("companies"))) {
		t.Errorf("companies were received %d times, with a listing again %v", times["companies"], relist)
	}
	if n := asked(t, root, "select count(*) from ledger.run_records"); n != number(int64(len(records))) {
		t.Errorf("SQL sees %s records, log %d", n, len(records))
	}
	// The digest is that of the record in its answer.
	tables, err := filepath.Glob(filepath.Join(root, "exports", "*",
		"data/received/tables/candidates.ndjson.zst"))
	if err != nil || len(tables) != 1 {
		t.Fatal(tables, err)
	}
	for _, line := range strings.Split(strings.TrimSpace(unzstd(t, tables[0])), "\n") {
		var x struct{ CandidateId json.Number }
		if err := json.Unmarshal([]byte(line), &x); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(line))
		if got := received["candidates:"+x.CandidateId.String()]; got != hex.EncodeToString(sum[:]) {
			t.Errorf("candidate %s has the digest %s", x.CandidateId, got)
		}
	}
	// The archive gone, the ledger has them all the same.
	rename(t, filepath.Join(root, "exports"), filepath.Join(t.TempDir(), "gone"))
	if err := os.Mkdir(filepath.Join(root, "exports"), 0o700); err != nil {
		t.Fatal(err)
	}
	for id := range system.Truth("contacts") {
		if len(logged(t, root, "--record", fmt.Sprint("contacts:", id))) == 0 {
			t.Errorf("contact %d is in no run once the archive is gone", id)
		}
		break
	}
}
