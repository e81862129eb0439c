package exportsim

import (
	"archive/zip"
	"bytes"
	"net/http"
	"path"
	"strings"
	"testing"
)

// A faultTest asks for an object that has a fault, and looks at the answers.
type faultTest struct {
	name  string // of the fault, with what may follow it
	check func(t *testing.T, f faulty)
}

// faulty is a server with a fault, and an object of it.
type faulty struct {
	s    *Server
	c    *http.Client
	link string
	want []byte // the object
}

func (f faulty) get(t *testing.T, header ...string) reply {
	return do(t, f.c, "GET", f.link, header...)
}

func (f faulty) fresh(t *testing.T) faulty {
	f.link = links(t, f.s.MasterCSV())[path.Base(mustParse(t, f.link).Path)]
	return f
}

// wantStatus fails unless the reply has a status and its body a text in it.
func wantStatus(t *testing.T, r reply, status int, text string) {
	t.Helper()
	if r.err != nil || r.StatusCode != status || !strings.Contains(string(r.body), text) {
		t.Errorf("got %v, %d bytes, %v; want status %d with %q", r.Response, len(r.body), r.err, status, text)
	}
}

// wantBytes fails unless the reply is bytes from to to of the object.
func (f faulty) wantBytes(t *testing.T, r reply, status, from, to int) {
	t.Helper()
	if r.err != nil || r.StatusCode != status || !bytes.Equal(r.body, f.want[from:to]) {
		t.Errorf(
			"got %v, %d bytes, %v; want status %d with bytes %d to %d", r.Response, len(r.body), r.err,
			status, from, to,
		)
	}
}

// wantCut fails unless the body breaks off with an error after right bytes.
func (f faulty) wantCut(t *testing.T, r reply, n int) {
	t.Helper()
	if r.err == nil || len(r.body) != n || !bytes.Equal(r.body, f.want[:n]) {
		t.Errorf("got %d bytes, %v; want an error after the first %d", len(r.body), r.err, n)
	}
}

func wantHeader(t *testing.T, r reply, key, part string) {
	t.Helper()
	if r.err != nil || !strings.Contains(r.Header.Get(key), part) {
		t.Errorf("got %v, %v; want %q in %s", r.Response, r.err, part, key)
	}
}

func failsOnce(status int) func(t *testing.T, f faulty) {
	return func(t *testing.T, f faulty) {
		wantStatus(t, f.get(t), status, "")
		f.wantBytes(t, f.get(t), 200, 0, len(f.want))
	}
}

// dies wants the link to work once, then to be answered with status and text, and a fresh link to work for
// good.
func dies(status int, text string) func(t *testing.T, f faulty) {
	return func(t *testing.T, f faulty) {
		f.wantBytes(t, f.get(t), 200, 0, len(f.want))
		wantStatus(t, f.get(t), status, text)
		wantStatus(t, f.get(t), status, text)
		fresh := f.fresh(t)
		fresh.wantBytes(t, fresh.get(t), 200, 0, len(f.want))
		wantStatus(t, f.get(t), status, text)
	}
}

// wantRedirect follows one redirect to a host and returns where it led.
func (f faulty) wantRedirect(t *testing.T, host string) string {
	t.Helper()
	r := f.get(t)
	to := r.Header.Get("Location")
	if r.StatusCode != 302 || mustParse(t, to).Hostname() != host {
		t.Fatalf("got %d to %q, want 302 to %s", r.StatusCode, to, host)
	}
	f.wantBytes(t, do(t, f.c, "GET", to), 200, 0, len(f.want))
	return to
}

// wantOther wants b to be another version of the object than a, with the same entries: longer, or of the same
// size.
func (f faulty) wantOther(t *testing.T, a, b reply, longer int) {
	t.Helper()
	if b.err != nil || bytes.Equal(b.body, f.want) || (len(b.body) > len(f.want)) != (longer > 0) ||
		a.Header.Get("ETag") == b.Header.Get("ETag") ||
		a.Header.Get("Last-Modified") == b.Header.Get("Last-Modified") {
		t.Errorf(
			"before: %v, after: %v, %d bytes, %v; the object had %d", a.Header, b.Header, len(b.body), b.err,
			len(f.want),
		)
	}
	if r := f.get(t, "Range", "bytes=100-"); !bytes.Equal(r.body, b.body[100:]) {
		t.Error("a range of the new version is not of the new version")
	}
	was, err1 := zip.NewReader(bytes.NewReader(f.want), int64(len(f.want)))
	is, err2 := zip.NewReader(bytes.NewReader(b.body), int64(len(b.body)))
	if err1 != nil || err2 != nil || len(was.File) != len(is.File) || was.File[3].CRC32 != is.File[3].CRC32 {
		t.Errorf("the new version is not a ZIP of the same entries: %v, %v", err1, err2)
	}
}
