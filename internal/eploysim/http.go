package eploysim

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// answer is what a request gets.
type answer struct {
	status  int
	typ     string
	body    []byte
	headers http.Header
	stall   bool // never answered
	cut     bool // breaks off half-way
	slow    time.Duration
}

const jsonType = "application/json; charset=utf-8"

// ServeHTTP answers as an Eploy system does, at /api.
func (s *System) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	if !pause(r.Context(), s.config.Latency) {
		return
	}
	a := s.answer(r, body)
	if a.stall {
		<-r.Context().Done()
		return
	}
	for name, values := range a.headers {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", a.typ)
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
	w.WriteHeader(a.status)
	if a.cut {
		w.Write(a.body[:len(a.body)/2])
		panic(http.ErrAbortHandler)
	}
	if a.slow == 0 {
		w.Write(a.body)
		return
	}
	for from, b := a.slowly(r.Context()), make([]byte, 32<<10); ; {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		w.Write(b[:n])
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
	}
}

// slowly reads the body in pieces that take a tenth of the time each.
func (a *answer) slowly(ctx context.Context) io.Reader {
	return &slowReader{ctx, a.body, max(1, len(a.body)/10), a.slow / 10}
}

type slowReader struct {
	ctx   context.Context
	left  []byte
	piece int
	each  time.Duration
}

func (r *slowReader) Read(p []byte) (int, error) {
	if len(r.left) == 0 {
		return 0, io.EOF
	}
	if !pause(r.ctx, r.each) {
		return 0, r.ctx.Err()
	}
	n := copy(p, r.left[:min(r.piece, len(r.left))])
	r.left = r.left[n:]
	return n, nil
}

func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// Transport reaches the system without a network, for clients in a testing/synctest bubble.
func (s *System) Transport() http.RoundTripper { return transport{s} }

type transport struct{ s *System }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body.Close()
	}
	if !pause(r.Context(), t.s.config.Latency) {
		return nil, r.Context().Err()
	}
	a := t.s.answer(r, body)
	if a.stall {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	var content io.Reader = bytes.NewReader(a.body)
	if a.slow > 0 {
		content = a.slowly(r.Context())
	}
	if a.cut {
		content = io.MultiReader(bytes.NewReader(a.body[:len(a.body)/2]), broken{})
	}
	if a.headers == nil {
		a.headers = http.Header{}
	}
	a.headers.Set("Content-Type", a.typ)
	a.headers.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	return &http.Response{
		Status: fmt.Sprintf("%d %s", a.status, http.StatusText(a.status)), StatusCode: a.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: a.headers,
		Body: io.NopCloser(content), ContentLength: int64(len(a.body)), Request: r,
	}, nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// answer decides about one request.
func (s *System) answer(r *http.Request, body []byte) (a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if key, ok := strings.CutPrefix(r.URL.Path, "/store/"); ok {
		return s.store(r, key)
	}
	path := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/"), "api/")
	number := len(s.requests) + 1
	kept := string(body)
	if path == "token" {
		kept = ""
	}
	request := Request{Number: number, Time: time.Now(), Method: r.Method, Path: path, Body: kept}
	s.requests = append(s.requests, request)
	defer func() { s.requests[number-1].Status = a.status }()
	s.happen(number)
	if path == "token" {
		return s.tokenAnswer(r, body)
	}
	key, ok := s.authorised(r)
	if !ok {
		return failed(denied())
	}
	headers, over := s.count()
	if over {
		a = s.overLimit(path)
	} else {
		a = s.unlessSick(func() answer { return s.route(key, r, path, body) })
	}
	for name, values := range headers {
		if a.headers == nil {
			a.headers = http.Header{}
		}
		a.headers[name] = values
	}
	return a
}

const errorPage = "<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>"

// unlessSick answers, or not, as the faults that are due demand.
func (s *System) unlessSick(do func() answer) answer {
	take := func(n *int) bool {
		if *n > 0 {
			*n--
			return true
		}
		return false
	}
	switch {
	case take(&s.stalled):
		return answer{stall: true}
	case take(&s.sick):
		return answer{status: 200, typ: "text/html", body: []byte(errorPage)}
	case take(&s.cut):
		a := do()
		a.cut = true
		return a
	}
	return do()
}

func good(body string) answer { return answer{status: 200, typ: jsonType, body: []byte(body)} }

func failed(p *problem) answer {
	a := answer{status: p.status, typ: jsonType, body: []byte(p.body())}
	if p.retry > 0 {
		a.headers = http.Header{"Retry-After": {strconv.Itoa(int(p.retry.Seconds()))}}
	}
	return a
}

func notFound() *problem {
	return &problem{status: 404, message: "No HTTP resource was found that matches the request URI."}
}

var (
	optionsPath = regexp.MustCompile(`^options/(?:dropdown|custom)/(\d+)(/search)?$`)
	oneRecord   = regexp.MustCompile(`^([a-z/]+)/(\d+)(/questions|/references)?$`)
)

// route finds what a path means and answers it.
func (s *System) route(key *Key, r *http.Request, path string, body []byte) answer {
	method := r.Method
	path = strings.ToLower(path)
	searching := strings.HasSuffix(path, "/search")
	if method != http.MethodGet && !(method == http.MethodPost && searching) {
		return s.write(key, method, path, body)
	}
	if m := optionsPath.FindStringSubmatch(path); m != nil && searching == (method == http.MethodPost) {
		return s.options(m[1], searching, body)
	}
	if path == "export/search" {
		return reply(s.searchExports(body))
	}
	if searching {
		for _, k := range catalogue {
			if path == k.route()+"/search" {
				return s.searching(key, s.tables[k.name], body)
			}
		}
		return failed(notFound())
	}
	return s.get(key, r, path)
}

// broken is the answer to what fails for a while.
func (s *System) broken(what string) (answer, bool) {
	if s.failing[what] == 0 {
		return answer{}, false
	}
	s.failing[what]--
	return failed(&problem{status: http.StatusInternalServerError, message: "An error has occurred."}), true
}

func reply(body string, p *problem) answer {
	if p != nil {
		return failed(p)
	}
	return good(body)
}

func (s *System) options(list string, searching bool, body []byte) answer {
	if searching {
		return reply(s.searchOptions(list, body))
	}
	var values []string
	for i := range optionsOf(list) {
		values = append(values, optionValue(list, i+1, true))
	}
	return good(`{"Values":[` + strings.Join(values, ",") + `]}`)
}

func (s *System) searching(key *Key, t *table, body []byte) answer {
	if !s.may(key, t.kind.needs()) {
		return failed(denied())
	}
	if a, ok := s.broken(t.kind.name); ok {
		return a
	}
	if s.samePage > 0 && s.lastPages[t.kind.name] != nil {
		s.samePage--
		return good(string(s.lastPages[t.kind.name]))
	}
	a := reply(s.search(t, body))
	if a.status == 200 {
		s.lastPages[t.kind.name] = a.body
	}
	return a
}

// get answers GET of a record, of what hangs on it, or of a file's content.
func (s *System) get(key *Key, q *http.Request, path string) answer {
	if t := s.config.Behaviour.FileContent; t != "-" {
		before, after, _ := strings.Cut(strings.ToLower(t), "{id}")
		if rest, ok := strings.CutPrefix(path, before); ok {
			if id, ok := strings.CutSuffix(rest, after); ok {
				if n, err := strconv.Atoi(id); err == nil {
					return s.content(key, q, n)
				}
			}
		}
	}
	m := oneRecord.FindStringSubmatch(path)
	if m == nil {
		return failed(notFound())
	}
	for _, k := range catalogue {
		if k.route() != m[1] {
			continue
		}
		if !s.may(key, k.needs()) {
			return failed(denied())
		}
		id, _ := strconv.Atoi(m[2])
		r := s.tables[k.name].records[id]
		if r == nil || s.hidden(id) {
			return s.missing()
		}
		switch m[3] {
		case "/questions":
			return good((&writer{system: s, kind: k, record: r, search: true}).answers())
		case "/references":
			return good(`[]`)
		}
		members := s.members(k, r, false)
		if s.config.Behaviour.SparseGet {
			members = slices.DeleteFunc(members,
				func(m member) bool { return m.value == "null" || m.value == `""` })
		}
		return good(object(members))
	}
	return failed(notFound())
}

func (s *System) missing() answer {
	switch s.config.Behaviour.Missing {
	case "400":
		return failed(bad("The record does not exist"))
	case "200-null":
		return good("null")
	}
	return failed(&problem{status: 404, message: "The record does not exist"})
}

// write refuses and remembers what would change something. Only marking records as exported is possible, for
// a key that may.
func (s *System) write(key *Key, method, path string, body []byte) answer {
	if method == http.MethodPost && path == "export" && s.may(key, "export.insert") {
		return s.markExported(body)
	}
	s.writes = append(s.writes, method+" "+path)
	return failed(denied())
}
