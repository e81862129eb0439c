package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
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
		!strings.HasPrefix(r.Location,
			s3Root+"/exports/eploy-acme-") || r.Types["candidates"].Received != 20 {
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
	if runs := must(t, good[:1], "log", s3Root, "--type", "take").stdout; !strings.Contains(runs,
		"complete") {
		t.Errorf("the ledger: %s", runs)
	}
	searchFor(t, work, []string{"k3y-that-nobody-may-see", "access_token"})
	asked := len(system.Requests())
	must(t, good[:1], append(take, at...)...)
	if more := len(system.Requests()) - asked; more > 0 {
		t.Errorf("%d requests of a pull that is archived", more)
	}
}
