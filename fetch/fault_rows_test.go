package fetch

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

type faultFamily struct {
	name  string
	cases []faultCase
}

func faultFamilies() []faultFamily {
	return []faultFamily{
		{"Ranges", rangeFaults},
		{"Changing objects", changeFaults},
		{"Refusals", refusalFaults},
		{"Broken connections", connectionFaults},
		{"Something else than the export", pageFaults},
		{"The spool", spoolFaults},
	}
}

// answer writes a response by hand.
func answer(w http.ResponseWriter, status int, body []byte, headers ...string) bool {
	for i := 0; i < len(headers); i += 2 {
		w.Header().Set(headers[i], headers[i+1])
	}
	w.WriteHeader(status)
	w.Write(body)
	return true
}

// asked returns the bounds of a request's range; end is the object's where it is open.
func asked(r *http.Request, o *served) (start, end int) {
	a, b, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "-")
	start, _ = strconv.Atoi(a)
	end = len(o.body)
	if n, err := strconv.Atoi(b); err == nil {
		end = n + 1
	}
	return start, end
}

// partial serves bytes from start up to end as 206, whatever was asked for.
func (o *served) partial(w http.ResponseWriter, start, end, total int) bool {
	return answer(w, http.StatusPartialContent, o.body[start:end], "ETag", o.etag,
		"Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, end-1, total), "Content-Length", strconv.Itoa(end-start))
}

// whole serves the object as 200, whatever was asked for.
func (o *served) whole(w http.ResponseWriter) bool {
	return answer(w, http.StatusOK, o.body, "ETag", o.etag, "Content-Length", strconv.Itoa(len(o.body)))
}

// always answers every request in the same way.
func always(f func(o *served, w http.ResponseWriter, r *http.Request) bool) func(*faultWorld, *served) {
	return func(_ *faultWorld, o *served) {
		o.fault = func(_ int, o *served, w http.ResponseWriter, r *http.Request) bool { return f(o, w, r) }
	}
}

// after lets the first n requests bring 500,000 bytes each before they break, and answers the others so.
func after(n int, f func(o *served, w http.ResponseWriter, r *http.Request) bool) func(*faultWorld, *served) {
	return func(_ *faultWorld, o *served) {
		o.fault = func(i int, o *served, w http.ResponseWriter, r *http.Request) bool {
			if i <= n {
				return broken(500_000)(o, w, r)
			}
			return f(o, w, r)
		}
	}
}

// first answers the first n requests so and the others well.
func first(n int, f func(o *served, w http.ResponseWriter, r *http.Request) bool) func(*faultWorld, *served) {
	return func(_ *faultWorld, o *served) {
		o.fault = func(i int, o *served, w http.ResponseWriter, r *http.Request) bool { return i <= n && f(o, w, r) }
	}
}

// broken serves the range asked for, n bytes of it at most, and then drops the connection: every request breaks in the middle.
func broken(n int) func(o *served, w http.ResponseWriter, r *http.Request) bool {
	return func(o *served, w http.ResponseWriter, r *http.Request) bool {
		start, end := asked(r, o)
		w.Header().Set("ETag", o.etag)
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, end-1, len(o.body)))
		w.Header().Set("Content-Length", strconv.Itoa(end-start))
		w.WriteHeader(http.StatusPartialContent)
		w.Write(o.body[start:min(end, start+n)])
		if start+n < end {
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		return true
	}
}

var rangeFaults = []faultCase{
	{name: "the server ignores ranges", fault: always(func(o *served, w http.ResponseWriter, r *http.Request) bool { return o.whole(w) })},
	{name: "the server ignores ranges after a while", fault: after(1, func(o *served, w http.ResponseWriter, r *http.Request) bool { return o.whole(w) })},
	{name: "the server ignores one range in three", fault: func(_ *faultWorld, o *served) {
		o.fault = func(n int, o *served, w http.ResponseWriter, r *http.Request) bool { return n%3 == 2 && o.whole(w) }
	}},
	{name: "status 200 with a Content-Range that holds", fault: always(func(o *served, w http.ResponseWriter, r *http.Request) bool {
		start, end := asked(r, o)
		return answer(w, 200, o.body[start:end], "ETag", o.etag, "Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, end-1, len(o.body)))
	})},
	{name: "a part begins earlier than asked for", fault: after(1, func(o *served, w http.ResponseWriter, r *http.Request) bool {
		start, end := asked(r, o)
		return o.partial(w, max(0, start-5000), end, len(o.body))
	})},
	{name: "a part ends earlier than asked for", fault: always(func(o *served, w http.ResponseWriter, r *http.Request) bool {
		start, end := asked(r, o)
		return o.partial(w, start, min(end, start+300_000), len(o.body))
	})},
	{name: "a part begins later than asked for", fault: after(1, func(o *served, w http.ResponseWriter, r *http.Request) bool {
		start, end := asked(r, o)
		return o.partial(w, min(start+5000, end-1), end, len(o.body))
	}), want: Network, hint: "again"},
	{name: "a part without Content-Range", fault: after(1, func(o *served, w http.ResponseWriter, r *http.Request) bool {
		start, end := asked(r, o)
		return answer(w, 206, o.body[start:end], "ETag", o.etag)
	}), want: Network, hint: "again"},
	{name: "several ranges in one response", fault: after(1, func(o *served, w http.ResponseWriter, r *http.Request) bool {
		return answer(w, 206, []byte("--x\r\n"), "ETag", o.etag, "Content-Type", "multipart/byteranges; boundary=x")
	}), want: Network, hint: "again"},
	{name: "a part with another total", fault: after(1, func(o *served, w http.ResponseWriter, r *http.Request) bool {
		start, end := asked(r, o)
		return o.partial(w, start, end, len(o.body)+1)
	}), want: ObjectChanged, hint: "again"},
	{name: "no part tells the total", fault: always(func(o *served, w http.ResponseWriter, r *http.Request) bool {
		start, end := asked(r, o)
		if start >= len(o.body) {
			return answer(w, 416, nil, "Content-Range", fmt.Sprintf("bytes */%d", len(o.body)))
		}
		end = min(end, start+700_000)
		return answer(w, 206, o.body[start:end], "ETag", o.etag, "Content-Range", fmt.Sprintf("bytes %d-%d/*", start, end-1))
	})},
	{name: "no length at all", fault: always(func(o *served, w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("ETag", o.etag)
		w.(http.Flusher).Flush()
		w.Write(o.body)
		return true
	})},
	{name: "compressed on the way, though asked not to", fault: always(func(o *served, w http.ResponseWriter, r *http.Request) bool {
		return answer(w, 200, []byte("\x1f\x8b\x08"), "Content-Encoding", "gzip", "ETag", o.etag)
	}), want: Network, hint: "again"},
	{name: "compressed on some ranges only", fault: func(_ *faultWorld, o *served) {
		o.fault = func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
			return n%2 == 0 && answer(w, 206, []byte("\x1f\x8b\x08"), "Content-Encoding", "gzip", "ETag", o.etag)
		}
	}, opts: slow},
	{name: "an empty object", world: func(t *testing.T, w *faultWorld) *Master {
		w.object = w.put("/attachments.zip", nil)
		return w.master(t, "", "/attachments.zip", "")
	}},
	{name: "an empty object whose server answers 416 bytes */0", world: func(t *testing.T, w *faultWorld) *Master {
		w.object = w.put("/attachments.zip", nil)
		return w.master(t, "", "/attachments.zip", "")
	}, fault: always(func(o *served, w http.ResponseWriter, r *http.Request) bool {
		return answer(w, 416, nil, "Content-Range", "bytes */0")
	})},
	{name: "416 for bytes that must be there", fault: after(1, func(o *served, w http.ResponseWriter, r *http.Request) bool {
		return answer(w, 416, nil, "Content-Range", fmt.Sprintf("bytes */%d", len(o.body)))
	}), want: Network, hint: "again"},
}

// slow keeps the first response from bringing everything before other requests are made.
func slow(o *Options) { o.MaxRate = 4 << 20 }

// replace gives the object other bytes of the same size, and another ETag.
func replace(o *served) {
	o.body = zipLike(len(o.body), 77)
	o.etag = `"replaced"`
	o.mod = o.mod.Add(time.Hour)
}

var changeFaults = []faultCase{
	{name: "replaced while it is being fetched, same size", fault: after(2, func(o *served, w http.ResponseWriter, r *http.Request) bool {
		other := &served{body: zipLike(faultSize, 77), etag: `"replaced"`, mod: o.mod.Add(time.Hour)}
		other.serve(w, r)
		return true
	}), want: ObjectChanged, hint: "again"},
	{name: "replaced between two runs, same size", fault: stopAfter(1 << 20), first: Network,
		between: func(t *testing.T, w *faultWorld) { replace(w.object) }},
	{name: "replaced between two runs, no ETag", fault: func(w *faultWorld, o *served) { o.etag = ""; stopAfter(1<<20)(w, o) }, first: Network,
		between: func(t *testing.T, w *faultWorld) { replace(w.object); w.object.etag = "" }},
	{name: "replaced between two runs, nothing tells", fault: func(w *faultWorld, o *served) { o.etag, o.mod = "", time.Time{}; stopAfter(1<<20)(w, o) }, first: Network,
		between: func(t *testing.T, w *faultWorld) {
			w.object.body = zipLike(faultSize, 77)
		}},
	{name: "replaced between two runs from the middle on, nothing tells", fault: func(w *faultWorld, o *served) { o.etag, o.mod = "", time.Time{}; stopAfter(1<<20)(w, o) }, first: Network,
		between: func(t *testing.T, w *faultWorld) {
			w.object.body = append(w.body[:500_000:500_000], zipLike(faultSize, 77)[500_000:]...)
		}, want: ObjectChanged, hint: "again"},
	{name: "a complete object was replaced, nothing tells", fault: func(w *faultWorld, o *served) { o.etag, o.mod = "", time.Time{} },
		between: func(t *testing.T, w *faultWorld) { w.object.body = zipLike(faultSize, 77) }},
	{name: "a weak ETag", fault: func(_ *faultWorld, o *served) { o.etag = `W/"1"` }},
	{name: "no ETag and no date", fault: func(_ *faultWorld, o *served) { o.etag, o.mod = "", time.Time{} }},
	{name: "one in three answers has the ETag of another edge", fault: func(_ *faultWorld, o *served) {
		edge := &served{body: o.body, etag: `"other-edge"`, mod: o.mod}
		o.fault = func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
			if n%3 == 2 {
				edge.serve(w, r)
			}
			return n%3 == 2
		}
	}, opts: slow},
	{name: "a fresh link to the same object", fault: stopAfter(1 << 20), first: Network,
		between: func(t *testing.T, w *faultWorld) {
			w.objects["/moved/again.zip"] = w.object
		},
		master2: func(t *testing.T, w *faultWorld) *Master { return w.master(t, "", "/moved/again.zip", "") },
		check: func(t *testing.T, w *faultWorld, r *Run, err error) {
			if p := r.Progress(); p.Reused == 0 || p.Fetched+p.Reused != p.Total {
				t.Errorf("progress %+v, want the old bytes reused", p)
			}
		}},
	{name: "a fresh link to another export", fault: stopAfter(1 << 20), first: Network,
		between: func(t *testing.T, w *faultWorld) {
			w.object = w.place("/other.zip", zipLike(faultSize, 78))
		},
		master2: func(t *testing.T, w *faultWorld) *Master { return w.master(t, "", "/other.zip", "") },
		check: func(t *testing.T, w *faultWorld, r *Run, err error) {
			if p := r.Progress(); p.Reused != 0 {
				t.Errorf("progress %+v, want nothing of the other export reused", p)
			}
		}},
}

// stopAfter lets n bytes through, and then nothing, until the fault is taken away.
func stopAfter(n int64) func(*faultWorld, *served) {
	return func(_ *faultWorld, o *served) {
		var left atomic.Int64
		left.Store(n)
		o.fault = func(_ int, o *served, w http.ResponseWriter, r *http.Request) bool {
			start, end := asked(r, o)
			give := min(int64(end-start), max(left.Load(), 0))
			left.Add(-give)
			if give == 0 && start > 0 {
				panic(http.ErrAbortHandler)
			}
			if o.etag != "" {
				w.Header().Set("ETag", o.etag)
			}
			if !o.mod.IsZero() {
				w.Header().Set("Last-Modified", o.mod.Format(http.TimeFormat))
			}
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, end-1, len(o.body)))
			w.Header().Set("Content-Length", strconv.Itoa(end-start))
			w.WriteHeader(206)
			w.Write(o.body[start : start+int(give)])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
	}
}

func s3Error(code, message string) []byte {
	return []byte("<?xml version=\"1.0\"?><Error><Code>" + code + "</Code><Message>" + message + "</Message></Error>")
}

// refuses answers with a status and an error body.
func refuses(status int, body []byte, headers ...string) func(*served, http.ResponseWriter, *http.Request) bool {
	return func(o *served, w http.ResponseWriter, r *http.Request) bool {
		return answer(w, status, body, headers...)
	}
}

var refusalFaults = []faultCase{
	{name: "the link has expired before the start (S3)", fault: always(refuses(403, s3Error("AccessDenied", "Request has expired"))), want: LinkExpired, hint: "new master CSV"},
	{name: "the link has expired before the start (Google)", fault: always(refuses(400, s3Error("ExpiredToken", "The provided token has expired."))), want: LinkExpired, hint: "new master CSV"},
	{name: "the link has expired before the start (R2)", fault: always(refuses(403, s3Error("ExpiredRequest", "Request has expired"))), want: LinkExpired, hint: "new master CSV"},
	{name: "the link has expired before the start (Azure)", fault: always(refuses(403, []byte("\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>AuthenticationFailed</Code><Message>Server failed to authenticate the request.</Message><AuthenticationErrorDetail>Signature not valid in the specified time frame: Start [..] - Expiry [..]</AuthenticationErrorDetail></Error>"))), want: LinkExpired, hint: "new master CSV"},
	{name: "the link expires while it is being fetched (S3)", fault: after(2, refuses(403, s3Error("AccessDenied", "Request has expired"))), want: LinkExpired, hint: "new master CSV", check: fewRequests(2 + startConns)},
	{name: "the link expires while it is being fetched (Google)", fault: after(2, refuses(400, s3Error("ExpiredToken", "expired"))), want: LinkExpired, hint: "new master CSV", check: fewRequests(2 + startConns)},
	{name: "the signature is wrong", fault: always(refuses(403, s3Error("SignatureDoesNotMatch", "The request signature we calculated does not match"))), want: LinkDenied, hint: "new master CSV"},
	{name: "the link is refused without a reason", fault: always(refuses(403, nil)), want: LinkDenied, hint: "new master CSV"},
	{name: "refused without a reason while it is being fetched", fault: after(2, refuses(403, nil)), want: LinkDenied, hint: "new master CSV", check: fewRequests(3 + startConns)},
	{name: "403 for every connection but the first", fault: func(_ *faultWorld, o *served) {
		var open atomic.Int64
		o.fault = func(_ int, o *served, w http.ResponseWriter, r *http.Request) bool {
			defer open.Add(-1)
			if open.Add(1) > 1 {
				return answer(w, 403, nil)
			}
			o.serve(throttle(w, 8<<20), r)
			return true
		}
	}},
	{name: "there is nothing at the link", fault: always(refuses(404, nil)), want: LinkGone, hint: "new master CSV"},
	{name: "there is nothing at the link any more", fault: always(refuses(410, nil)), want: LinkGone, hint: "new master CSV"},
	{name: "gone while it is being fetched", fault: after(2, refuses(404, nil)), want: LinkGone, hint: "new master CSV", check: fewRequests(2 + startConns)},
	{name: "503 a few times", fault: first(3, refuses(503, nil))},
	{name: "503 with Retry-After in seconds", fault: first(1, refuses(503, nil, "Retry-After", "1"))},
	{name: "429 with Retry-After as a date", fault: first(1, func(o *served, w http.ResponseWriter, r *http.Request) bool {
		return answer(w, 429, nil, "Retry-After", time.Now().Add(time.Second).UTC().Format(http.TimeFormat))
	})},
	{name: "429 with a negative Retry-After", fault: first(1, refuses(429, nil, "Retry-After", "-7"))},
	{name: "429 with nonsense in Retry-After", fault: first(1, refuses(429, nil, "Retry-After", "soon"))},
	{name: "503 on every second request", fault: func(_ *faultWorld, o *served) {
		o.fault = func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
			return n%2 == 1 && answer(w, 503, nil)
		}
	}, opts: slow},
	{name: "503 without end", fault: after(1, refuses(503, nil)), want: Network, hint: "again"},
	{name: "500 a few times", fault: first(2, refuses(500, nil))},
	{name: "502 a few times", fault: first(2, refuses(502, []byte("<html>Bad Gateway</html>")))},
	{name: "504 a few times", fault: first(2, refuses(504, nil))},
	{name: "408 a few times", fault: first(2, refuses(408, nil))},
}

// fewRequests checks that the server was not pestered.
func fewRequests(most int) func(*testing.T, *faultWorld, *Run, error) {
	return func(t *testing.T, w *faultWorld, _ *Run, _ error) {
		if got := len(w.log()); got > most {
			t.Errorf("%d requests, want at most %d", got, most)
		}
	}
}

var connectionFaults = []faultCase{
	{name: "every connection breaks after 100,000 bytes", fault: always(broken(100_000))},
	{name: "every connection breaks after 1,500,000 bytes", fault: always(broken(1_500_000))},
	{name: "the first connections break at once", fault: first(3, func(o *served, w http.ResponseWriter, r *http.Request) bool { panic(http.ErrAbortHandler) })},
	{name: "silence before the answer", fault: first(1, func(o *served, w http.ResponseWriter, r *http.Request) bool {
		select {
		case <-r.Context().Done():
		case <-time.After(5 * time.Second):
		}
		return true
	})},
	{name: "silence in the middle", fault: first(2, func(o *served, w http.ResponseWriter, r *http.Request) bool {
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
	{name: "no answer ever again", fault: after(1, func(o *served, w http.ResponseWriter, r *http.Request) bool {
		select {
		case <-r.Context().Done():
		case <-time.After(10 * time.Second):
		}
		return true
	}), want: Network, hint: "again"},
	{name: "a body shorter than its length", fault: first(2, broken(1000))},
	{name: "a chunked body without an end", fault: first(2, func(o *served, w http.ResponseWriter, r *http.Request) bool {
		start, end := asked(r, o)
		w.Header().Set("ETag", o.etag)
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, end-1, len(o.body)))
		w.WriteHeader(206)
		w.Write(o.body[start:min(end, start+200_000)])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})},
}

const signInPage = "<!DOCTYPE html><html><head><title>Sign in</title></head><body><form>Sign in to continue</form></body></html>"

var pageFaults = []faultCase{
	{name: "a sign-in page with status 200", fault: always(refuses(200, []byte(signInPage), "Content-Type", "text/html")), want: NotTheExport, hint: "sign in"},
	{name: "an error in JSON with status 200", fault: always(refuses(200, []byte(`{"error":"link expired","code":"E42"}`))), want: NotTheExport, hint: "new master CSV"},
	{name: "an error in XML with status 200", fault: always(refuses(200, s3Error("AccessDenied", "no"))), want: NotTheExport, hint: "new master CSV"},
	{name: "a proxy's page on a later range", fault: after(1, refuses(200, []byte(signInPage), "Content-Type", "text/html")), want: ObjectChanged, hint: "again"},
}

var spoolFaults = []faultCase{
	{name: "the journal is torn", fault: stopAfter(1 << 20), first: Network, between: func(t *testing.T, w *faultWorld) {
		w.change(t, ".journal", func(b []byte) []byte { return b[:len(b)-5] })
	}},
	{name: "the journal is full of zeros from the middle on", fault: stopAfter(1 << 20), first: Network, between: func(t *testing.T, w *faultWorld) {
		w.change(t, ".journal", func(b []byte) []byte { clear(b[len(b)/2:]); return b })
	}},
	{name: "the journal is lost, the preallocated file is left", fault: stopAfter(1 << 20), first: Network, between: func(t *testing.T, w *faultWorld) {
		w.change(t, ".journal", func(b []byte) []byte { return nil })
	}},
	{name: "the spool's list is lost", fault: stopAfter(1 << 20), first: Network, between: func(t *testing.T, w *faultWorld) {
		remove(t, w.dir+"/spool.json")
	}},
	{name: "the data is lost, the journal is left", fault: stopAfter(1 << 20), first: Network, between: func(t *testing.T, w *faultWorld) {
		remove(t, w.spoolFile(".data"))
	}},
	{name: "the data was cut", fault: stopAfter(2 << 20), first: Network, between: func(t *testing.T, w *faultWorld) {
		w.change(t, ".data", func(b []byte) []byte { return b[:300_000] })
	}},
	{name: "data that was not synced became zeros in a power loss", fault: stopAfter(2 << 20), first: Network, between: func(t *testing.T, w *faultWorld) {
		dropDurable(t, w)
		w.change(t, ".data", func(b []byte) []byte { clear(b[256<<10:]); return b })
	}},
	{name: "the state of another export", fault: stopAfter(2 << 20), first: Network, between: func(t *testing.T, w *faultWorld) {
		w.object = w.place("/attachments.zip", zipLike(faultSize, 99))
	}},
}
