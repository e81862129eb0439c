package fetch

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"holdall/fetch/failure"
	"holdall/fetch/master"
)

var connectionFaults = []faultCase{
	{name: "every connection breaks after 100,000 bytes", fault: always(broken(100_000))},
	{name: "every connection breaks after 1,500,000 bytes", fault: always(broken(1_500_000))},
	{
		name: "the first connections break at once",
		fault: first(
			3, func(o *served, w http.ResponseWriter, r *http.Request) bool { panic(http.ErrAbortHandler) },
		),
	},
	{name: "silence before the answer",
		fault: first(1, func(o *served, w http.ResponseWriter, r *http.Request) bool {
			select {
			case <-r.Context().Done():
			case <-time.After(5 * time.Second):
			}
			return true
		})},
	{name: "silence in the middle",
		fault: first(2, func(o *served, w http.ResponseWriter, r *http.Request) bool {
			start, end := asked(r, o)
			w.Header().Set("ETag", o.etag)
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, end-1, len(o.body)))
			w.Header().Set("Content-Length", strconv.Itoa(end-start))
			w.WriteHeader(206)
			w.Write(o.body[start : start+min(end-start, 300_000)])
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
			case <-time.After(5 * time.Second):
			}
			return true
		})},
	{name: "no answer ever again",
		fault: after(1, func(o *served, w http.ResponseWriter, r *http.Request) bool {
			select {
			case <-r.Context().Done():
			case <-time.After(10 * time.Second):
			}
			return true
		}), want: failure.Network, hint: "again"},
	{name: "a body shorter than its length", fault: first(2, broken(1000))},
	{name: "every answer ends before its length, at the same byte of the object",
		fault: always(func(o *served, w http.ResponseWriter, r *http.Request) bool {
			start, end := asked(r, o)
			total := len(o.body) + 1000
			w.Header().Set("ETag", o.etag)
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, total-1, total))
			w.Header().Set("Content-Length", fmt.Sprint(total-start))
			w.WriteHeader(http.StatusPartialContent)
			w.Write(o.body[min(start, len(o.body)):min(end, len(o.body))])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}), want: failure.Network, hint: "new export", check: fewRequests(20)},
	{name: "a chunked body without an end",
		fault: first(2, func(o *served, w http.ResponseWriter, r *http.Request) bool {
			start, end := asked(r, o)
			w.Header().Set("ETag", o.etag)
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, end-1, len(o.body)))
			w.WriteHeader(206)
			w.Write(o.body[start:min(end, start+200_000)])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		})},

	{name: "the server closes every connection after 100 ms",
		fault: always(func(o *served, w http.ResponseWriter, r *http.Request) bool {
			o.serve(&dyingWriter{throttle(w, 4<<20), time.Now().Add(100 * time.Millisecond)}, r)
			return true
		})},
	{
		name: "the machine sleeps, and its connections are gone when it wakes", test: testSleep,
		outcome: "every byte is right; what was here is not fetched again",
	},
	{name: "every connection is reset after 600,000 bytes",
		fault: always(func(o *served, w http.ResponseWriter, r *http.Request) bool {
			start, end := asked(r, o)
			c, buf, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			fmt.Fprintf(
				buf,
				"HTTP/1.1 206 Partial Content\r\nETag: %s\r\nContent-Range: bytes "+
					"%d-%d/%d\r\nContent-Length: %d\r\n\r\n",
				o.etag, start, end-1, len(o.body), end-start,
			)
			buf.Write(o.body[start:min(end, start+600_000)])
			buf.Flush()
			time.Sleep(20 * time.Millisecond)
			c.(*net.TCPConn).SetLinger(0)
			return c.Close() == nil
		})},
	{name: "a redirect whose target lives for two requests", fault: func(w *faultWorld, o *served) {
		var issued, used atomic.Int64
		o.fault = func(_ int, o *served, rw http.ResponseWriter, r *http.Request) bool {
			hop := r.URL.Query().Get("hop")
			if hop == "" {
				used.Store(0)
				http.Redirect(
					rw, r, fmt.Sprintf("/attachments.zip?sig=%s&hop=%d", secret, issued.Add(1)),
					http.StatusFound,
				)
				return true
			}
			if hop != strconv.FormatInt(issued.Load(), 10) || used.Add(1) > 2 {
				return answer(rw, 403, nil)
			}
			return broken(800_000)(o, rw, r)
		}
	}},
	{name: "a redirect to another host", world: func(t *testing.T, w *faultWorld) *master.CSV {
		w.object = w.put("/attachments.zip", w.body)
		front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, w.link("/attachments.zip"), http.StatusTemporaryRedirect)
		}))
		t.Cleanup(front.Close)
		return mustMaster(t, "Attachments\n"+front.URL+"/go?token="+secret+"\n")
	}, fault: always(broken(1_200_000))},
	{name: "one connection falls silent while the others go on", world: bigObject,
		fault: func(_ *faultWorld, o *served) {
			o.fault = func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
				if n == 2 {
					start, end := asked(r, o)
					w.Header().Set("ETag", o.etag)
					w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, end-1, len(o.body)))
					w.WriteHeader(206)
					w.(http.Flusher).Flush()
					select {
					case <-r.Context().Done():
					case <-time.After(5 * time.Second):
					}
					return true
				}
				o.serve(throttle(w, 6<<20), r)
				return true
			}
		}},
	{name: "every connection trickles: a byte now and then, and never an end",
		opts: func(o *Options) { o.RetryBudget, o.Connections = 20*time.Second, 2 },
		fault: func(_ *faultWorld, o *served) {
			o.fault = func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
				start, end := asked(r, o)
				w.Header().Set("ETag", o.etag)
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, end-1, len(o.body)))
				w.WriteHeader(http.StatusPartialContent)
				w.Write(o.body[start:min(end, start+600_000+n%2)])
				for i := start + 600_000 + n%2; i < end && r.Context().Err() == nil; i++ {
					w.(http.Flusher).Flush()
					time.Sleep(50 * time.Millisecond)
					w.Write(o.body[i : i+1])
				}
				return true
			}
		}, check: fewRequests(20)},
	{name: "one connection trickles while the others go on", world: bigObject,
		fault: func(_ *faultWorld, o *served) {
			o.fault = func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
				rate := 6 << 20
				if n == 2 {
					rate = 50_000
				}
				o.serve(throttle(w, rate), r)
				return true
			}
		}},
}

// bigObject serves an object that several connections share.
func bigObject(t *testing.T, w *faultWorld) *master.CSV {
	w.object = w.put("/attachments.zip", zipLike(20<<20+1, 43))
	return w.master(t, "", "/attachments.zip", "")
}

// A dyingWriter breaks its connection at a certain time.
type dyingWriter struct {
	http.ResponseWriter
	dies time.Time
}

func (w *dyingWriter) Write(p []byte) (int, error) {
	for total := 0; ; {
		if time.Now().After(w.dies) {
			panic(http.ErrAbortHandler)
		}
		n, err := w.ResponseWriter.Write(p[total:min(len(p), total+32<<10)])
		if total += n; err != nil || total == len(p) {
			return total, err
		}
	}
}

// testSleep stops a process, as a laptop does whose lid is closed, and lets it go on when nobody remembers
// its connections.
func testSleep(t *testing.T) {
	s := newFaultServer(t)
	body := zipLike(12<<20+5, 8)
	s.put("/attachments.zip", body).fault = func(
		_ int, o *served, w http.ResponseWriter, r *http.Request,
	) bool {
		o.serve(throttle(w, 3<<20), r)
		return true
	}
	m, dir := s.master(t, "", "/attachments.zip", ""), t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "HOLDALL_FETCH_INTO="+dir)
	cmd.Stdin = bytes.NewReader(m.Raw)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for s.sent.Load() < 2<<20 {
		time.Sleep(time.Millisecond)
	}
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2500 * time.Millisecond) // longer than a connection of the process may be silent
	s.CloseClientConnections()
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if got, err := os.ReadFile(dataPath(dir, "object-01")); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes, %v, differ from the %d served", len(got), err, len(body))
	}
	var fetched int
	if _, err := fmt.Sscanf(out.String(), "fetched %d", &fetched); err != nil || fetched != len(body) {
		t.Errorf("the process took %d bytes (%v) of %d from the network", fetched, err, len(body))
	}
	wantNoSecret(t, dir)
}
