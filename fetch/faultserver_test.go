package fetch

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdall/fetch/master"
)

// secret is in every link of these tests. It must be found nowhere but in requests.
const secret = "s3cr3tS1gnature0123456789abcdef"

// zipLike returns n bytes that begin like a ZIP, the same for the same seed.
func zipLike(n int, seed uint64) []byte {
	src := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	b := make([]byte, n)
	src.Read(b)
	copy(b, "PK\x03\x04")
	return b
}

// A faultServer serves objects with ranges, as a storage service does, and misbehaves as stated.
type faultServer struct {
	*httptest.Server
	t *testing.T

	mu       sync.Mutex
	objects  map[string]*served
	requests []string // method, path, range
	sent     atomic.Int64
}

// served is one object of a faultServer. fault, when set, sees each request first, with its number from 1 and
// the object as it is then, and returns true when it has answered.
type served struct {
	body  []byte
	etag  string
	mod   time.Time
	fault func(n int, o *served, w http.ResponseWriter, r *http.Request) bool
	n     int
}

func newFaultServer(t *testing.T) *faultServer {
	s := &faultServer{t: t, objects: map[string]*served{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// put serves body at path.
func (s *faultServer) put(path string, body []byte) *served {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.place(path, body)
}

// place is put with the lock held.
func (s *faultServer) place(path string, body []byte) *served {
	o := &served{
		body: body, etag: fmt.Sprintf(`"%x"`, rand.Uint64()),
		mod: time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC),
	}
	s.objects[path] = o
	return o
}

func (s *faultServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r.Method+" "+r.URL.Path+" "+r.Header.Get("Range"))
	o := s.objects[r.URL.Path]
	n := 0
	if o != nil {
		o.n++
		n = o.n
		now := *o
		o = &now
	}
	s.mu.Unlock()
	w = &countingWriter{w, &s.sent}
	switch {
	case r.Method != http.MethodGet, r.URL.Query().Get("sig") != secret:
		http.Error(w, "<Error><Code>SignatureDoesNotMatch</Code></Error>", http.StatusForbidden)
	case o == nil:
		http.NotFound(w, r)
	case o.fault != nil && o.fault(n, o, w, r):
	default:
		o.serve(w, r)
	}
}

func (o *served) serve(w http.ResponseWriter, r *http.Request) {
	if o.etag != "" {
		w.Header().Set("ETag", o.etag)
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", o.mod, bytes.NewReader(o.body))
}

type countingWriter struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.n.Add(int64(n))
	return n, err
}

func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// link returns the signed link of path.
func (s *faultServer) link(path string) string { return s.URL + path + "?sig=" + secret }

// log returns the requests so far.
func (s *faultServer) log() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.requests...)
}

// master returns a master CSV for the three parts.
func (s *faultServer) master(t *testing.T, data, attachments, cvs string) *master.CSV {
	t.Helper()
	var head, row []string
	for _, l := range []struct{ name, path string }{
		{"Data files", data}, {"Attachments", attachments}, {"Internal CVs", cvs},
	} {
		if l.path != "" {
			head, row = append(head, l.name), append(row, s.link(l.path))
		}
	}
	m, err := master.Read([]byte(strings.Join(head, ",") + "\n" + strings.Join(row, ",") + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// newTestFetcher returns a Fetcher for loopback that is quick to lose patience.
func newTestFetcher(t *testing.T, change func(*Options)) *Fetcher {
	t.Helper()
	o := Options{AllowPrivate: true, Idle: time.Second, RetryBudget: 3 * time.Second, Log: t.Logf}
	if change != nil {
		change(&o)
	}
	f, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// take plans and fetches m into dir, and waits for the end.
func take(t *testing.T, f *Fetcher, m *master.CSV, dir string) (*Run, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	p, err := f.Plan(ctx, m)
	if err != nil {
		t.Fatalf("plan: %v", err)
	}
	for _, s := range p.Sources {
		if s.Err != nil {
			return nil, s.Err
		}
	}
	r, err := f.Start(ctx, p, dir)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { r.Close() })
	return r, r.Wait()
}

// offline is the plan of m as far as the spool in dir answers it, without any request.
func (f *Fetcher) offline(t *testing.T, m *master.CSV, dir string) *Plan {
	t.Helper()
	p, err := f.outline(m)
	if err == nil {
		err = f.AnswerFrom(dir, p)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// wantBytes compares an object with what was served.
func wantBytes(t *testing.T, o *Object, want []byte) {
	t.Helper()
	f, err := os.Open(o.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf(
			"%s: the %d bytes in the spool differ from the %d served", o.Source.Link, len(got), len(want),
		)
	}
}

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func readerAt(b []byte) io.ReaderAt { return bytes.NewReader(b) }
