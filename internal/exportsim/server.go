package exportsim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"holdall/internal/digest"
)

// A Server serves one export until it is closed.
type Server struct {
	e      *Export
	base   string // scheme and host
	signer signer
	http   *http.Server
	done   chan struct{} // closed when http has ended
	faults []*activeFault

	listings listings
	pageSize int          // of XML listings
	sending  atomic.Int32 // requests being answered

	mu      sync.Mutex         // guards what follows
	objects map[string]*object // by escaped path
	seen    map[string]int     // requests by object name, kept only where a fault counts them
	stats   Stats
	revoked time.Time // links signed before are dead: see the fault expire
}

// Stats counts what a Server has been asked for.
type Stats struct {
	Requests int64 // all requests, refused ones too
	Bytes    int64 // of bodies, as far as they were sent
	// by object name, or files/attachments and files/cvs; Count.Documents is the number of requests
	Paths map[string]Count
}

// Serve answers requests on ln in the background until the Server is closed, which closes ln too.
// Links begin with http and the listener's address.
func (e *Export) Serve(ln net.Listener) (*Server, error) { return e.serve(ln, "http") }

// ServeTLS is Serve for a listener that speaks TLS: links begin with https.
func (e *Export) ServeTLS(ln net.Listener) (*Server, error) { return e.serve(ln, "https") }

func (e *Export) serve(ln net.Listener, scheme string) (*Server, error) {
	faults, err := parseFaults(e.cfg.Faults)
	if err != nil {
		return nil, err
	}
	s := &Server{
		e: e, base: scheme + "://" + ln.Addr().String(), signer: newSigner(e.cfg.Seed),
		done: make(chan struct{}), faults: faults, objects: map[string]*object{}, seen: map[string]int{},
		pageSize: bucketPageSize,
	}
	s.stats.Paths = map[string]Count{}
	for _, o := range e.truth.Objects {
		s.addFile(o)
	}
	if err := s.addListings(); err != nil {
		return nil, fmt.Errorf("serve sample export: %w", err)
	}
	s.http = &http.Server{Handler: s, ConnContext: newConn, ErrorLog: discard, ReadHeaderTimeout: time.Minute}
	go func() {
		defer close(s.done)
		s.http.Serve(ln) // always ends with an error: ErrServerClosed, or what ended the listener
	}()
	return s, nil
}

// Close cuts all connections and waits for the server to end.
func (s *Server) Close() error {
	err := s.http.Close()
	<-s.done
	return errors.Join(err, s.closeListings())
}

// URL returns the scheme and host of all links.
func (s *Server) URL() string { return s.base }

// root is where the export's objects are.
func (s *Server) root() string { return "/exports/" + s.e.truth.Tenant + "/" }

// MasterURL returns a new link to the master CSV.
func (s *Server) MasterURL() string { return s.link(s.root()+"master.csv", s.now()) }

// now is the time that new links are signed at: later than any revocation.
func (s *Server) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if !now.After(s.revoked) {
		now = s.revoked.Add(time.Second)
	}
	return now
}

func (s *Server) link(escapedPath string, at time.Time) string {
	return s.base + escapedPath + "?" + s.signer.sign(escapedPath, at, s.e.cfg.Expire)
}

// Stats returns the counts so far.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Paths = make(map[string]Count, len(s.stats.Paths))
	for k, v := range s.stats.Paths {
		st.Paths[k] = v
	}
	return st
}

func (s *Server) addFile(o Object) {
	path := filepath.Join(s.e.dir, o.Name)
	s.objects[s.root()+url.PathEscape(o.Name)] = &object{name: o.Name, part: o.Part, size: o.Size,
		etag: etagOf(o.SHA256), modified: s.e.truth.Snapshot.Add(time.Hour),
		mediaType: cmp.Or(objectTypes[filepath.Ext(o.Name)], "application/octet-stream"), file: path}
}

var objectTypes = map[string]string{
	".zip": "application/zip", ".tar": "application/x-tar", ".gz": "application/gzip",
	".csv": "text/csv; charset=utf-8", ".json": "application/json", ".xml": "application/xml",
	".html": "text/html; charset=utf-8",
}

// etagOf makes an ETag of the length of an MD5, as S3 has them, though it is not one.
func etagOf(sum digest.Sum) string { return `"` + sum.String()[:32] + `"` }

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.wait(r.Context(), s.e.cfg.Latency) {
		return
	}
	o, public, err := s.find(r.URL)
	if err != nil {
		s.refuse(
			w, r,
			&refusal{
				status: http.StatusInternalServerError, code: "InternalError",
				message: "the sample platform cannot read its own files",
			},
		)
		return
	}
	nth := s.countRequest(o)
	if o == nil {
		s.refuse(
			w, r,
			&refusal{
				status: http.StatusNotFound, code: "NoSuchKey", message: "The specified key does not exist.",
			},
		)
		return
	}
	now := time.Now()
	if no := s.signer.check(r, now); no != nil && !(public && r.Method == http.MethodGet) {
		s.refuse(w, r, no)
		return
	}
	if r.Method != http.MethodGet {
		s.refuse(
			w, r,
			&refusal{
				status: http.StatusMethodNotAllowed, code: "MethodNotAllowed",
				message: "The specified method is not allowed against this resource.",
			},
		)
		return
	}
	s.sending.Add(1)
	defer s.sending.Add(-1)
	s.answer(o, r, nth).send(w)
}

// answer is what the faults leave of the right answer.
func (s *Server) answer(o *object, r *http.Request, nth int) *answer {
	for _, f := range s.faults {
		if f.alter != nil && f.matches(o) {
			o = f.alter(f, o, nth)
		}
	}
	a := newAnswer(s, o, r, nth)
	for _, f := range s.faults {
		if f.spoil != nil && f.matches(o) {
			f.spoil(f, a)
		}
	}
	return a
}

// find returns the object that a link leads to, or nil, and whether it may be read without a signature.
func (s *Server) find(u *url.URL) (o *object, public bool, err error) {
	path := u.EscapedPath()
	if path == loginPath {
		return &object{
			name: "login", part: "login", size: int64(len(loginPage)),
			etag: etagOf(digest.Of([]byte(loginPage))), modified: s.e.truth.Snapshot,
			mediaType: "text/html; charset=utf-8", bytes: []byte(loginPage),
		}, true, nil
	}
	if rest, ok := strings.CutPrefix(path, s.root()+movedPath); ok {
		path = s.root() + rest
	}
	s.mu.Lock()
	o, ok := s.objects[path]
	s.mu.Unlock()
	if ok {
		return o, false, nil
	}
	if path == s.root()+"master.csv" {
		return s.masterObject(), false, nil
	}
	if o, err = s.findInBucket(path, u.Query().Get("continuation-token")); o != nil || err != nil {
		return o, true, err
	}
	o, err = s.findListed(path)
	return o, false, err
}

func (s *Server) masterObject() *object {
	b := s.MasterCSV()
	return &object{
		name: "master.csv", part: "master", size: int64(len(b)), etag: etagOf(digest.Of(b)),
		modified: time.Now(), mediaType: "text/csv; charset=utf-8", bytes: b,
	}
}

func (s *Server) countRequest(o *object) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Requests++
	if o == nil {
		return 0
	}
	key := cmp.Or(o.group, o.name)
	c := s.stats.Paths[key]
	c.Documents++
	s.stats.Paths[key] = c
	if o.group == "" || len(s.faults) > 0 {
		s.seen[o.name]++
	}
	return s.seen[o.name]
}

func (s *Server) countBytes(o *object, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Bytes += n
	key := cmp.Or(o.group, o.name)
	c := s.stats.Paths[key]
	c.Bytes += n
	s.stats.Paths[key] = c
}

func (s *Server) isRevoked(r *http.Request) bool {
	at, err := time.Parse(amzTime, r.URL.Query().Get("X-Amz-Date"))
	s.mu.Lock()
	defer s.mu.Unlock()
	return err == nil && at.Before(s.revoked)
}

// revoke lets all links die that were signed until now.
func (s *Server) revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.revoked.IsZero() {
		s.revoked = time.Now().Truncate(time.Second).Add(time.Second)
	}
}

// wait sleeps, and reports false when the client went away meanwhile.
func (s *Server) wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// refuse answers as S3 does, in XML; a HEAD has no body.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, no *refusal) {
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("X-Amz-Request-Id", "EXAMPLE000000001")
	w.WriteHeader(no.status)
	if r.Method != http.MethodHead {
		fmt.Fprintf(
			w,
			"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"+
				"<Error><Code>%s</Code><Message>%s</Message>%s<RequestId>EXAMPLE000000001</RequestId>"+
				"</Error>\n",
			no.code, no.message, no.extra,
		)
	}
}
