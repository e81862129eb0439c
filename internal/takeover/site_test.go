package takeover

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"holdall/archive/dirstore"
	"holdall/fetch/failure"
)

// A site is a small server of which a test decides everything.
type site struct {
	*httptest.Server

	mu      sync.Mutex // guards what follows
	objects map[string]*siteObject
	asked   map[string]int
}

// A siteObject is served with ranges, a date and an ETag, unless it says otherwise.
type siteObject struct {
	body []byte
	// "": one made of the content; "-": none
	etag string
	// answers in its place; n counts requests from 1
	odd func(n int, w http.ResponseWriter, r *http.Request) (done bool)
}

func newSite(t *testing.T, objects map[string]string) *site {
	t.Helper()
	s := &site{objects: map[string]*siteObject{}, asked: map[string]int{}}
	for path, body := range objects {
		s.objects[path] = &siteObject{body: []byte(body)}
	}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *site) put(path, body string) *siteObject {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[path] = &siteObject{body: []byte(body)}
	return s.objects[path]
}

func (s *site) requests(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[path]
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := r.URL.Path
	s.mu.Lock()
	if q := key + "?" + r.URL.RawQuery; s.objects[q] != nil {
		key = q
	}
	s.asked[key]++
	o, n := s.objects[key], s.asked[key]
	s.mu.Unlock()
	if o == nil {
		http.NotFound(w, r)
		return
	}
	if o.odd != nil && o.odd(n, w, r) {
		return
	}
	switch o.etag {
	case "":
		w.Header().Set("ETag", fmt.Sprintf(`"%08x-%d"`, sumOf(o.body), len(o.body)))
	case "-":
	default:
		w.Header().Set("ETag", o.etag)
	}
	http.ServeContent(w, r, "", time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), bytes.NewReader(o.body))
}

func sumOf(b []byte) (n uint32) {
	for _, c := range b {
		n = n*31 + uint32(c)
	}
	return n
}

// master is a master CSV with links to these paths, signed with the secret.
func (s *site) master(secret string, paths ...string) MasterCSV {
	labels := []string{"Data files", "Attachments", "Internal CVs"}
	var b strings.Builder
	b.WriteString("Part,Link\r\n")
	for i, p := range paths {
		if p != "" {
			fmt.Fprintf(&b, "%s,%s%s?sig=%s\r\n", labels[i], s.URL, p, secret)
		}
	}
	return MasterCSV{Raw: []byte(b.String())}
}

func zipOf(t *testing.T, files ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		w, err := z.Create(files[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// people is a data part with so many candidates.
func people(t *testing.T, names ...string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("Candidate Id,First Name,Last Name\r\n")
	for i, n := range names {
		fmt.Fprintf(&b, "%024x,%s,Example\r\n", 0xabc000+i, n)
	}
	return zipOf(t, "Candidates.csv", b.String())
}

// quick are options for tests in which servers misbehave.
func quick(t *testing.T, root string) Options {
	o := options(t, root)
	o.Fetch.RetryBudget, o.Fetch.Idle = 2*time.Second, time.Second
	return o
}

// talkOf collects what the takeover says.
func talkOf(o *Options) func() string {
	var mu sync.Mutex
	var b strings.Builder
	o.Talk = func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(&b, format+"\n", args...)
	}
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		return b.String()
	}
}

func mustTake(t *testing.T, m MasterCSV, o Options) *Result {
	t.Helper()
	r, err := Take(context.Background(), m, o)
	if err != nil {
		t.Fatalf("take: %v", err)
	}
	return r
}

// wantCode fails the test unless a takeover ends in a failure of that class.
func wantCode(t *testing.T, m MasterCSV, o Options, code failure.Code) *Result {
	t.Helper()
	r, err := Take(context.Background(), m, o)
	var fe *failure.Error
	if !errors.As(err, &fe) || fe.Code != code {
		t.Fatalf("take: %+v, error %v; want %s", r, err, code)
	}
	return r
}

func tarOf(t *testing.T, files ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		if err := w.WriteHeader(
			&tar.Header{Name: files[i], Mode: 0o600, Size: int64(len(files[i+1]))},
		); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func mustStore(t *testing.T, root string) *dirstore.Store {
	t.Helper()
	store, err := dirstore.Open(root, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}
