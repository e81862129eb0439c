package s3test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// A Request is one that passed the proxy.
type Request struct {
	Op     string // the action's name in the S3 API: PutObject, GetObject, ...
	Method string
	Bucket string
	Key    string
	Query  string
	Header http.Header
	Status int   // of the answer; 0 where none was passed on
	Bytes  int64 // of the answer's body that were passed on
}

// A Fault is what the proxy does to a request. The zero value does nothing.
type Fault struct {
	Delay   time.Duration // before anything else
	Status  int           // answer with this and Code, without asking the server
	Code    string        // of the XML error
	Drop    bool          // let the server act, and close the connection without an answer
	Acted   func()        // called when the server has acted, before anything is answered
	CutBody int64         // pass on this many bytes of the response's body, and close the connection; 0: all
	Hide    []string      // leave these headers out of the answer, as a provider does that does not know them
}

// A Proxy passes requests on to a server.
type Proxy struct {
	URL    string
	target string
	server *Server

	mu    sync.Mutex // guards what follows
	log   []Request
	fault func(Request) Fault
	open  int        // requests that are not answered yet
	done  *sync.Cond // one of them is
}

// NewProxy starts a proxy in front of s. It stops when the test ends.
func (s *Server) NewProxy(t testing.TB) *Proxy {
	p := &Proxy{target: s.URL, server: s}
	p.done = sync.NewCond(&p.mu)
	server := httptest.NewServer(p)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	p.URL = server.URL
	return p
}

// SetFault has fault decide on every request from now on; nil ends that. It is not called from two
// goroutines at once.
func (p *Proxy) SetFault(fault func(Request) Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = fault
}

// Take returns the requests since the last Take, once all of them have been answered.
func (p *Proxy) Take() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.open > 0 {
		p.done.Wait()
	}
	log := p.log
	p.log = nil
	return log
}

// Read returns an object in Bucket.
func (p *Proxy) Read(t testing.TB, key string) string {
	t.Helper()
	_, content := p.server.Do("GET", Bucket+"/"+key, "", nil, nil)
	return string(content)
}

// Overwrite changes an object in Bucket bypassing the proxy, as an intruder with other keys would.
func (p *Proxy) Overwrite(t testing.TB, key string, change func([]byte) []byte) {
	t.Helper()
	_, content := p.server.Do("GET", Bucket+"/"+key, "", nil, nil)
	content = change(content)
	sum := sha256.Sum256(content)
	headers := map[string]string{"x-amz-checksum-sha256": base64.StdEncoding.EncodeToString(sum[:])}
	p.server.Do("PUT", Bucket+"/"+key, "", headers, content)
}

// Count counts requests by their Op, and the bytes of all answers to GetObject.
func Count(log []Request) (ops map[string]int, got int64) {
	ops = map[string]int{}
	for _, r := range log {
		ops[r.Op]++
		if r.Op == "GetObject" {
			got += r.Bytes
		}
	}
	return ops, got
}

func (p *Proxy) decide(r Request) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fault == nil {
		return Fault{}
	}
	return p.fault(r)
}

func (p *Proxy) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open++
}

func (p *Proxy) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open--
	p.done.Broadcast()
}

func (p *Proxy) record(r Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = append(p.log, r)
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, in *http.Request) {
	p.begin()
	defer p.end()
	r := Request{Op: operation(in), Method: in.Method, Query: in.URL.RawQuery, Header: in.Header.Clone()}
	r.Bucket, r.Key, _ = strings.Cut(strings.TrimPrefix(in.URL.Path, "/"), "/")
	f := p.decide(r)
	if f.Delay > 0 {
		in.Body = readAhead(in) // else the server does not notice that the client has gone
		select {
		case <-time.After(f.Delay):
		case <-in.Context().Done():
			panic(http.ErrAbortHandler)
		}
	}
	if f.Status != 0 {
		r.Status = f.Status
		p.record(r)
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(f.Status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>made up</Message></Error>", f.Code)
		return
	}
	resp, err := p.forward(in)
	if f.Acted != nil {
		f.Acted()
	}
	if err != nil || f.Drop {
		if err == nil {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		p.record(r)
		panic(http.ErrAbortHandler)
	}
	defer resp.Body.Close()
	for k, v := range resp.Header {
		w.Header()[k] = v
	}
	for _, name := range f.Hide {
		w.Header().Del(name)
	}
	w.WriteHeader(resp.StatusCode)
	r.Status = resp.StatusCode
	body := io.Reader(resp.Body)
	if f.CutBody > 0 {
		body = io.LimitReader(body, f.CutBody)
	}
	r.Bytes, err = io.Copy(w, body)
	p.record(r)
	if err != nil || f.CutBody > 0 {
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

// readAhead reads a request's body into memory.
func readAhead(in *http.Request) io.ReadCloser {
	b, _ := io.ReadAll(in.Body) // what is missing the server will miss too
	return io.NopCloser(bytes.NewReader(b))
}

func (p *Proxy) forward(in *http.Request) (*http.Response, error) {
	out, err := http.NewRequestWithContext(in.Context(), in.Method, p.target+in.URL.RequestURI(), in.Body)
	if err != nil {
		return nil, err
	}
	out.Header, out.ContentLength = in.Header.Clone(), in.ContentLength
	if in.ContentLength == 0 {
		out.Body = nil
	}
	out.Host = in.Host // it is signed
	return http.DefaultTransport.RoundTrip(out)
}

// operation names the S3 action of a request.
func operation(r *http.Request) string {
	q := r.URL.Query()
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case r.Method == "PUT" && q.Has("partNumber"):
		return "UploadPart"
	case r.Method == "PUT" && key != "":
		return "PutObject"
	case r.Method == "POST" && q.Has("uploads"):
		return "CreateMultipartUpload"
	case r.Method == "POST" && q.Has("uploadId"):
		return "CompleteMultipartUpload"
	case r.Method == "GET" && q.Get("list-type") == "2":
		return "ListObjectsV2"
	case r.Method == "GET" && key != "":
		return "GetObject"
	case r.Method == "HEAD" && key != "":
		return "HeadObject"
	}
	return r.Method
}
