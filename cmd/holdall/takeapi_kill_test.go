package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"holdall/internal/eploysim"
)

// eploySystem serves a made-up Eploy system and returns it with the flags that lead to it.
func eploySystem(t *testing.T, wrap func(http.Handler) http.Handler) (*eploysim.System, []string) {
	t.Helper()
	const secret = "k3y-that-nobody-may-see"
	system, err := eploysim.New(eploysim.Config{
		Records: eploysim.Small(20), DayLimit: 10000, SecondLimit: 1000,
		Keys: []eploysim.Key{{ID: "key", Secret: secret}},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(wrap(system))
	t.Cleanup(server.Close)
	key := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(key, []byte(`{"client_id":"key","client_secret":"`+secret+`"}`),
		0o600); err != nil {
		t.Fatal(err)
	}
	return system, []string{"--json", "take", "eploy://acme", "--api-url", server.URL + "/api",
		"--allow-private", "--credentials", key}
}

func unwrapped(h http.Handler) http.Handler { return h }

// A pull goes into S3 as it goes into a directory: with every record, verified, and without the key.
func TestTakeFromAnAPIIntoS3(t *testing.T) {
	_, proxy := bucketBehindProxy(t)
	system, take := eploySystem(t, unwrapped)
	work := t.TempDir()
	at := []string{"--to", s3Root, "--work", work}
	var r struct {
		State, Location string
		Types           map[string]struct{ Received, Missing int }
	}
	o := must(t, good[:1], append(take, at...)...)
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil || r.State != "complete" ||
		!strings.HasPrefix(r.Location, s3Root+"/exports/eploy-acme-") || r.Types["candidates"].Received != 20 {
		t.Fatalf("%v: %s", err, o.stdout)
	}
	for _, request := range proxy.Take() {
		if request.Method == "DELETE" {
			t.Errorf("%s is deleted", request.Key)
		}
	}
	must(t, good[:1], "verify", s3Root, "--work", work, "--level", "deep")
	n := must(t, good[:1], "query", s3Root, "select count(*) as n from candidates", "--work", work,
		"--format", "csv").stdout
	if n != "n\n20\n" {
		t.Errorf("candidates: %s", n)
	}
	if runs := must(t, good[:1], "log", s3Root, "--type", "take").stdout; !strings.Contains(runs, "complete") {
		t.Errorf("the ledger: %s", runs)
	}
	searchFor(t, work, []string{"k3y-that-nobody-may-see", "access_token"})
	asked := len(system.Requests())
	must(t, good[:1], append(take, at...)...)
	if more := len(system.Requests()) - asked; more > 0 {
		t.Errorf("%d requests of a pull that is archived", more)
	}
}

// A real process is killed with SIGKILL while the Nth request is answered, for several N; at last one lives,
// and has every record.
func TestAPullSurvivesKill9(t *testing.T) {
	var mu sync.Mutex
	var child *os.Process
	strikes := map[int]bool{3: true, 11: true, 12: true, 25: true, 40: true, 58: true, 70: true}
	asked, killed := 0, 0
	system, take := eploySystem(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			asked++
			strike := strikes[asked]
			if strike && asked%2 == 1 { // before the answer
				killed++
				child.Kill()
			}
			mu.Unlock()
			h.ServeHTTP(w, r)
			mu.Lock()
			defer mu.Unlock()
			if strike && killed < len(strikes) && asked%2 == 0 { // with the answer on its way
				killed++
				child.Kill()
			}
		})
	})
	root := filepath.Join(t.TempDir(), "archives")
	args, err := json.Marshal(append(take, "--to", root))
	if err != nil {
		t.Fatal(err)
	}
	for life := 0; ; life++ {
		if life > len(strikes) {
			t.Fatal("it never ends")
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestAPIChild$")
		cmd.Env = append(os.Environ(), "HOLDALL_API_CHILD="+string(args))
		mu.Lock()
		err := cmd.Start()
		child = cmd.Process
		mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		err = cmd.Wait()
		if err == nil {
			break
		}
		if cmd.ProcessState.ExitCode() >= 0 {
			t.Fatalf("it ended by itself with %v", err)
		}
	}
	if killed != len(strikes) {
		t.Errorf("it was killed %d times, want %d", killed, len(strikes))
	}
	for _, name := range []string{"candidates", "applications", "placements", "companies"} {
		o := must(t, good[:1], "query", root, "select count(*) as n from "+name, "--format", "csv")
		if want := fmt.Sprintf("n\n%d\n", len(system.Truth(name))); o.stdout != want {
			t.Errorf("%s: %q, want %q", name, o.stdout, want)
		}
	}
	must(t, good[:1], "verify", root, "--level", "deep")
	searchFor(t, root, []string{"k3y-that-nobody-may-see", "access_token"})
	if len(system.Writes()) > 0 {
		t.Errorf("written: %q", system.Writes())
	}
}

// TestAPIChild is the process that TestAPullSurvivesKill9 starts.
func TestAPIChild(t *testing.T) {
	given := os.Getenv("HOLDALL_API_CHILD")
	if given == "" {
		t.SkipNow()
	}
	var args []string
	if err := json.Unmarshal([]byte(given), &args); err != nil {
		t.Fatal(err)
	}
	if o := holdall(t, args...); o.code != 0 {
		t.Fatalf("exit %d, %s%s", o.code, o.stdout, o.stderr)
	}
}
