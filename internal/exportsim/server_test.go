package exportsim

import (
	"context"
	"encoding/csv"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"holdall/internal/digest"
)

// serve prepares and serves a small export until the test ends.
func serve(t *testing.T, cfg Config) (*Export, *Server) {
	t.Helper()
	if cfg.People == 0 {
		cfg.People = 12
	}
	e, err := Prepare(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := e.Serve(ln)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return e, s
}

// links returns the master CSV's links by file name.
func links(t *testing.T, master []byte) map[string]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(string(master))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	for _, row := range rows[1:] {
		m[row[1]] = row[2]
	}
	return m
}

func get(t *testing.T, method, url string, header ...string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, b
}

func TestLinksServeTheObjectsOfTheTruth(t *testing.T) {
	e, s := serve(t, Config{Seed: 3})
	_, master := get(t, "GET", s.MasterURL())
	m := links(t, master)
	for _, o := range e.Truth().Objects {
		resp, b := get(t, "GET", m[o.Name])
		if resp.StatusCode != 200 || digest.Of(b) != o.SHA256 || int64(len(b)) != o.Size {
			t.Errorf("%s: status %d, %d bytes, digest %v; want 200, %d, %v", o.Name, resp.StatusCode, len(b), digest.Of(b), o.Size, o.SHA256)
		}
	}
}
