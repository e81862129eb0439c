package exportsim

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/csv"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"
)

// serve prepares and serves a small export until the test ends.
func serve(t testing.TB, cfg Config) (*Export, *Server) {
	t.Helper()
	if cfg.People == 0 {
		cfg.People = 12
	}
	e := prepare(t, cfg)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := e.Serve(ln)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return e, s
}

// links returns a master CSV's links by part and file name.
func links(t testing.TB, master []byte) map[string]string {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(master)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	for _, row := range rows[1:] {
		m[row[1]] = row[2]
	}
	return m
}

// A reply is what came back: the error is of reading the body.
type reply struct {
	*http.Response
	body []byte
	err  error
}

// client follows no redirects, asks for no compression and keeps connections apart from other tests'.
func client(t testing.TB) *http.Client {
	tr := &http.Transport{DisableCompression: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{
		Transport:     tr,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func do(t testing.TB, c *http.Client, method, url string, header ...string) reply {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.Do(req)
	if err != nil {
		return reply{err: err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return reply{resp, b, err}
}

func get(t testing.TB, url string, header ...string) reply {
	t.Helper()
	r := do(t, client(t), "GET", url, header...)
	if r.err != nil {
		t.Fatal(r.err)
	}
	return r
}

func mustParse(t testing.TB, link string) *url.URL {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
