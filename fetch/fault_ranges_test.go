package fetch

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"holdall/fetch/failure"
	"holdall/fetch/master"
)

var rangeFaults = []faultCase{
	{
		name:  "the server ignores ranges",
		fault: always(func(o *served, w http.ResponseWriter, r *http.Request) bool { return o.whole(w) }),
	},
	{
		name:  "the server ignores ranges after a while",
		fault: after(1, func(o *served, w http.ResponseWriter, r *http.Request) bool { return o.whole(w) }),
	},
	{name: "the server ignores one range in three", fault: func(_ *faultWorld, o *served) {
		o.fault = func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
			return n%3 == 2 &&
				o.whole(w)
		}
	}},
	{name: "status 200 with a Content-Range that holds",
		fault: always(func(o *served, w http.ResponseWriter, r *http.Request) bool {
			start, end := asked(r, o)
			return answer(
				w, 200, o.body[start:end], "ETag", o.etag, "Content-Range",
				fmt.Sprintf("bytes %d-%d/%d", start, end-1, len(o.body)),
			)
		})},
	{name: "a part begins earlier than asked for",
		fault: after(1, func(o *served, w http.ResponseWriter, r *http.Request) bool {
			start, end := asked(r, o)
			return o.partial(w, max(0, start-5000), end, len(o.body))
		})},
	{name: "parts begin earlier than asked for, and what comes before them has not arrived yet",
		world: manySpans, fault: always(func(o *served, w http.ResponseWriter, r *http.Request) bool {
			start, end := asked(r, o)
			return o.partial(throttle(w, 8<<20), max(0, start-5000), end, len(o.body))
		})},
	{name: "the server ignores ranges near the beginning, which has not arrived yet", world: manySpans,
		fault: func(_ *faultWorld, o *served) {
			o.fault = func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
				start, end := asked(r, o)
				if n > 2 {
					return o.whole(throttle(w, 8<<20))
				}
				return o.partial(throttle(w, 8<<20), start, min(end, start+1<<20), len(o.body))
			}
		}},
	{name: "a part ends earlier than asked for",
		fault: always(func(o *served, w http.ResponseWriter, r *http.Request) bool {
			start, end := asked(r, o)
			return o.partial(w, start, min(end, start+300_000), len(o.body))
		})},
	{name: "parts begin later than asked for", fault: after(1, ranged(beginsLater)), check: fewRequests(10)},
	{
		name: "parts begin later than asked for, and so does the whole object", fault: after(1, beginsLater),
		want: failure.Network, hint: "again",
	},
	{name: "parts without Content-Range", fault: after(1, ranged(noContentRange)), check: fewRequests(10)},
	{
		name: "parts without Content-Range, and the whole object likewise", fault: after(1, noContentRange),
		want: failure.Network, hint: "again",
	},
	{name: "parts with a senseless Content-Range",
		fault: after(1, ranged(func(o *served, w http.ResponseWriter, r *http.Request) bool {
			start, end := asked(r, o)
			return answer(
				w, 206, o.body[start:end], "ETag", o.etag, "Content-Range",
				fmt.Sprintf("bytes %d-%d/%d", end, start, len(o.body)),
			)
		})), check: fewRequests(10)},
	{name: "several ranges in one response",
		fault: after(1, ranged(func(o *served, w http.ResponseWriter, r *http.Request) bool {
			return answer(
				w, 206, []byte("--x\r\n"), "ETag", o.etag, "Content-Type", "multipart/byteranges; boundary=x",
			)
		})), check: fewRequests(10)},
	{name: "parts without a byte", world: manySpans, fault: always(emptyRanges), check: fewRequests(40)},
	{name: "parts of one byte each",
		fault: after(1, ranged(func(o *served, w http.ResponseWriter, r *http.Request) bool {
			start, _ := asked(r, o)
			return o.partial(w, start, start+1, len(o.body))
		})), check: fewRequests(40)},
	{name: "a store unpacks what it keeps compressed, and tells the digest of what it keeps (Google)",
		fault: always(func(o *served, w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("X-Goog-Stored-Content-Encoding", "gzip")
			w.Header().Set("X-Goog-Hash", "md5="+base64Of(make([]byte, 16)))
			w.Header().Set("ETag", `"0123456789abcdef0123456789abcdef"`)
			w.(http.Flusher).Flush()
			w.Write(o.body)
			return true
		}), check: fewRequests(4)},
	{name: "the first answer is empty, without a length",
		fault: first(1, func(o *served, w http.ResponseWriter, r *http.Request) bool {
			return raw(w, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", nil)
		})},
	{name: "the first answer is empty, and says so",
		fault: first(1, func(o *served, w http.ResponseWriter, r *http.Request) bool {
			return answer(w, 200, nil, "Content-Length", "0")
		})},
	{name: "the first two answers are empty, and say so",
		fault: first(2, func(o *served, w http.ResponseWriter, r *http.Request) bool {
			return answer(w, 200, nil, "Content-Length", "0")
		})},
	{name: "without a length, the first answer breaks off, and the second is 416 bytes */0",
		fault: func(_ *faultWorld, o *served) {
			o.fault = func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
				switch n {
				case 1:
					w.Header().Set("ETag", o.etag)
					w.(http.Flusher).Flush()
					w.Write(o.body[:len(o.body)/2])
					w.(http.Flusher).Flush()
					panic(http.ErrAbortHandler)
				case 2:
					return answer(w, 416, nil, "Content-Range", "bytes */0")
				}
				w.Header().Set("ETag", o.etag)
				w.(http.Flusher).Flush()
				w.Write(o.body)
				return true
			}
		}},
	{name: "the first answer tells a size and brings nothing, and the next ones end at once, without a " +
		"length", fault: func(_ *faultWorld, o *served) {
		o.fault = func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
			switch {
			case n == 1:
				return broken(0)(o, w, r)
			case n <= 4:
				return raw(w, "HTTP/1.1 200 OK\r\nETag: "+o.etag+"\r\nConnection: close\r\n\r\n", nil)
			}
			return false
		}
	}},
	{name: "a part with another total",
		fault: after(1, func(o *served, w http.ResponseWriter, r *http.Request) bool {
			start, end := asked(r, o)
			return o.partial(w, start, end, len(o.body)+1)
		}), want: failure.ObjectChanged, hint: "again"},
	{name: "no part tells the total",
		fault: always(func(o *served, w http.ResponseWriter, r *http.Request) bool {
			start, end := asked(r, o)
			if start >= len(o.body) {
				return answer(w, 416, nil, "Content-Range", fmt.Sprintf("bytes */%d", len(o.body)))
			}
			end = min(end, start+700_000)
			return answer(
				w, 206, o.body[start:end], "ETag", o.etag, "Content-Range",
				fmt.Sprintf("bytes %d-%d/*", start, end-1),
			)
		})},
	{name: "no length at all", fault: always(func(o *served, w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("ETag", o.etag)
		w.(http.Flusher).Flush()
		w.Write(o.body)
		return true
	})},
	{name: "compressed on some ranges only", fault: func(_ *faultWorld, o *served) {
		o.fault = func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
			return n%2 == 0 && answer(
				w, 206, []byte("\x1f\x8b\x08"), "Content-Encoding", "gzip", "ETag", o.etag,
			)
		}
	}, opts: slow},
	{name: "an empty object", world: func(t *testing.T, w *faultWorld) *master.CSV {
		w.object = w.put("/attachments.zip", nil)
		return w.master(t, "", "/attachments.zip", "")
	}},
	{name: "an empty object whose server answers 416 bytes */0",
		world: func(t *testing.T, w *faultWorld) *master.CSV {
			w.object = w.put("/attachments.zip", nil)
			return w.master(t, "", "/attachments.zip", "")
		}, fault: always(func(o *served, w http.ResponseWriter, r *http.Request) bool {
			return answer(w, 416, nil, "Content-Range", "bytes */0")
		})},
	{name: "416 for bytes that must be there",
		fault: after(1, func(o *served, w http.ResponseWriter, r *http.Request) bool {
			return answer(w, 416, nil, "Content-Range", fmt.Sprintf("bytes */%d", len(o.body)))
		}), want: failure.Network, hint: "again"},

	{name: "a proxy on the way takes Range out of requests",
		world: func(t *testing.T, w *faultWorld) *master.CSV {
			w.object = w.put("/attachments.zip", w.body)
			proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
				target, _ := url.Parse(w.URL)
				p.SetURL(target)
				p.Out.Header.Del("Range")
			}})
			t.Cleanup(proxy.Close)
			return mustMaster(t, "Attachments\n"+proxy.URL+"/attachments.zip?sig="+secret+"\n")
		}},
	{name: "no length and no chunks, and the first connection breaks", fault: func(_ *faultWorld, o *served) {
		o.fault = func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
			body := o.body
			if n == 1 {
				body = body[:1_000_000]
			}
			return raw(w, "HTTP/1.0 200 OK\r\nETag: "+o.etag+"\r\n\r\n", body)
		}
	}},
}

// ranged gives the answer f to requests with Range; the others get the whole object.
func ranged(f func(o *served, w http.ResponseWriter, r *http.Request) bool) func(
	o *served, w http.ResponseWriter, r *http.Request,
) bool {
	return func(o *served, w http.ResponseWriter, r *http.Request) bool {
		return r.Header.Get("Range") != "" && f(o, w, r)
	}
}

// emptyRanges answers ranges from the beginning well, slowly enough that others are asked for, and those with
// no byte.
func emptyRanges(o *served, w http.ResponseWriter, r *http.Request) bool {
	start, end := asked(r, o)
	if start == 0 {
		return o.partial(throttle(w, 16<<20), start, end, len(o.body))
	}
	return answer(
		w, 206, nil, "ETag", o.etag, "Content-Range",
		fmt.Sprintf("bytes %d-%d/%d", start, end-1, len(o.body)),
	)
}

func beginsLater(o *served, w http.ResponseWriter, r *http.Request) bool {
	start, end := asked(r, o)
	start = max(start, 500_000)
	return o.partial(w, start+5000, end, len(o.body))
}

func noContentRange(o *served, w http.ResponseWriter, r *http.Request) bool {
	start, end := asked(r, o)
	return answer(w, 206, o.body[start:end], "ETag", o.etag)
}

func mustMaster(t *testing.T, text string) *master.CSV {
	t.Helper()
	m, err := master.Read([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// raw writes a response byte for byte and closes the connection.
func raw(w http.ResponseWriter, head string, body []byte) bool {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	defer c.Close()
	io.WriteString(c, head)
	c.Write(body)
	return true
}

// manySpans serves an object that several connections work on from the beginning.
func manySpans(t *testing.T, w *faultWorld) *master.CSV {
	w.object = w.put("/attachments.zip", zipLike(24<<20+99, 9))
	return w.master(t, "", "/attachments.zip", "")
}
