package fetch

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"holdall/fetch/failure"
	"holdall/fetch/master"
)

// What links do that do not like to be asked more than once, or by many at once.
var onceFaults = []faultCase{
	{
		name: "a link that works once, and is gone then", world: manySpans, fault: once(410), opts: patient,
		check: oneAnswer(4),
	},
	{
		name: "a link that works once, and is refused then", world: manySpans, fault: once(403),
		opts: patient, check: oneAnswer(4),
	},
	{name: "a link that works once leads to a page then", world: manySpans,
		fault: func(_ *faultWorld, o *served) {
			o.fault = func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
				return n > 1 && answer(w, 200, []byte(signInPage), "Content-Type", "text/html") ||
					o.whole(throttle(w, 8<<20))
			}
		}, opts: patient, check: oneAnswer(5)},
	{name: "a link that works once, of a ZIP that is read from its end", world: manySpans, fault: once(404),
		while: func(t *testing.T, w *faultWorld, r *Run) {
			o := r.Objects[0]
			tail := make([]byte, 100)
			if _, err := o.ReadAt(tail, int64(len(w.object.body))-100); err != nil ||
				string(tail) != string(w.object.body[len(w.object.body)-100:]) {
				t.Errorf("the end of the object: %v", err)
			}
		}, opts: patient, check: oneAnswer(4)},
	{name: "links that work once, of three parts on one host",
		world: func(t *testing.T, w *faultWorld) *master.CSV {
			for _, part := range []string{"/data.zip", "/attachments.zip", "/cvs.zip"} {
				w.object = w.put(part, zipLike(5<<20, uint64(len(part))))
				once(410)(w, w.object)
			}
			return w.master(t, "/data.zip", "/attachments.zip", "/cvs.zip")
		}, opts: patient, check: oneAnswer(9)},
	{name: "the server makes a new object for each request", world: manySpans,
		fault: func(_ *faultWorld, o *served) {
			o.fault = func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
				if n > 1 {
					o = &served{
						body: append(zipLike(len(o.body), uint64(n)), "more"[:n%4]...),
						etag: fmt.Sprintf(`"made %d"`, n),
					}
				}
				o.serve(throttle(w, 32<<20), r)
				return true
			}
		}, opts: patient, check: oneAnswer(4)},
	{name: "the same, and the only answer breaks", world: manySpans, fault: func(_ *faultWorld, o *served) {
		o.fault = func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
			o = &served{body: zipLike(len(o.body), uint64(n)), etag: fmt.Sprintf(`"made %d"`, n)}
			return broken(2<<20)(o, w, r)
		}
	}, opts: func(o *Options) { o.Idle, o.RetryBudget = 20*time.Second, 20*time.Second },
		want: failure.ObjectChanged, hint: "again"},
	{name: "a link that works once, and tells no length",
		world: func(t *testing.T, w *faultWorld) *master.CSV {
			w.object = w.put("/attachments.zip", zipOf(t, 3000))
			return w.master(t, "", "/attachments.zip", "")
		}, fault: func(_ *faultWorld, o *served) {
			o.fault = func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
				return n > 1 && answer(w, 410, nil) || raw(w, "HTTP/1.0 200 OK\r\n\r\n", o.body)
			}
		}, opts: patient, check: oneAnswer(1)},
	{name: "a small file by a link that works once, of a server that is too busy for the next one",
		world: func(t *testing.T, w *faultWorld) *master.CSV {
			small, given := w.put("/data.zip", zipOf(t, 3)), make(chan struct{})
			small.fault = func(n int, o *served, rw http.ResponseWriter, r *http.Request) bool {
				if n > 1 {
					return answer(rw, 410, nil)
				}
				o.serve(rw, r)
				close(given)
				return true
			}
			w.object = w.put("/attachments.zip", zipLike(faultSize, 5))
			w.object.fault = func(n int, _ *served, rw http.ResponseWriter, _ *http.Request) bool {
				if n > 1 {
					return false
				}
				<-given
				time.Sleep(100 * time.Millisecond) // until it has arrived, too
				return answer(rw, 503, nil)
			}
			return w.master(t, "/data.zip", "/attachments.zip", "")
		}, opts: patient, check: oneAnswer(9)},
	{
		name: "the server takes one connection from a host, and the user says so", test: testOneConnection,
		outcome: "never more than one request is open, in a run that goes on as well",
	},
}

// once answers the first request slowly and whole, and others with status.
func once(status int) func(*faultWorld, *served) {
	return func(_ *faultWorld, o *served) {
		o.fault = func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
			if n > 1 {
				time.Sleep(700 * time.Millisecond) // the first answer gets to where the second was to begin
				return answer(w, status, []byte(`{"message":"this link has been used"}`))
			}
			o.serve(throttle(w, 32<<20), r)
			return true
		}
	}
}

// patient waits for a busy machine: what works once must not be dropped.
func patient(o *Options) { o.Idle = 20 * time.Second }

// oneAnswer checks that every object came out of few requests.
func oneAnswer(most int) func(*testing.T, *faultWorld, *Run, error) {
	return func(t *testing.T, w *faultWorld, r *Run, err error) {
		fewRequests(most)(t, w, r, err)
		if err != nil {
			return
		}
		for _, o := range r.Objects {
			path := o.Source.Link.URL().Path
			wantBytes(t, o, w.objects[path].body)
		}
	}
}

// A counter counts the requests that a Fetcher has open at once: from when one is sent until its body has
// ended or is closed.
type counter struct {
	*http.Transport
	mu         sync.Mutex
	open, most int
}

func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	c.add(1)
	resp, err := c.Transport.RoundTrip(r)
	if err != nil {
		c.add(-1)
		return nil, err
	}
	resp.Body = &countedBody{ReadCloser: resp.Body, ended: sync.OnceFunc(func() { c.add(-1) })}
	return resp, nil
}

func (c *counter) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open += n
	c.most = max(c.most, c.open)
}

type countedBody struct {
	io.ReadCloser
	ended func()
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.ended()
	}
	return n, err
}

func (b *countedBody) Close() error {
	defer b.ended()
	return b.ReadCloser.Close()
}

func testOneConnection(t *testing.T) {
	for _, n := range []int{1, 2, 5} {
		s := newFaultServer(t)
		var lines strings.Builder
		lines.WriteString("url\n")
		for i := range 40 {
			path := fmt.Sprintf("/cv/%d.pdf", i)
			s.put(path, []byte(fmt.Sprintf("%%PDF-1.4 number %d", i)))
			fmt.Fprintf(&lines, "%s\n", s.link(path))
		}
		s.put("/data.zip", zipLike(2<<20, 1))
		s.put("/attachments.zip", zipLike(6<<20, 2))
		s.put("/cvs.csv", []byte(lines.String()))
		for path, o := range s.objects {
			o.fault = func(k int, o *served, w http.ResponseWriter, r *http.Request) bool {
				if path == "/attachments.zip" && k == 1 {
					return broken(3<<20)(o, w, r)
				}
				o.serve(throttle(w, 64<<20), r)
				return true
			}
		}
		dir := t.TempDir()
		m := s.master(t, "/data.zip", "/attachments.zip", "/cvs.csv")
		for run := range 2 {
			f := newTestFetcher(t, func(o *Options) { o.Connections = n; o.RetryBudget = 20 * time.Second })
			if run == 1 {
				s.mu.Lock()
				s.objects["/attachments.zip"].etag = `"another"` // so that there is something to do
				s.mu.Unlock()
			}
			c := &counter{Transport: f.gate.next.(*http.Transport)}
			f.gate.next = c
			r, err := take(t, f, m, dir)
			if err != nil {
				t.Fatal(err)
			}
			err = errors.Join(r.Close(), f.Close())
			if err != nil || c.most > n || c.most == 0 {
				t.Errorf("connections %d: %d requests were open at once (%v)", n, c.most, err)
			}
		}
	}
}
