package fetch

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

type faultFamily struct {
	name  string
	cases []faultCase
}

func faultFamilies() []faultFamily {
	return []faultFamily{
		{"The master CSV", masterFaults},
		{"Ranges", rangeFaults},
		{"Compressed on the way", encodingFaults},
		{"Changing objects", changeFaults},
		{"Refusals", refusalFaults},
		{"Broken connections", connectionFaults},
		{"Links that work once, servers that take few connections", onceFaults},
		{"Something else than the export", pageFaults},
		{"Listings of files", listingFaults},
		{"Files and pages of listings", append(listedFaults, usedFaults...)},
		{"Inside of a ZIP", zipFaults},
		{"The process and its spool", spoolFaults},
		{"The disk", diskFaults},
		{"Where a link leads", placeFaults},
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
		"Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, end-1, total), "Content-Length",
		strconv.Itoa(end-start))
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
		o.fault = func(i int, o *served, w http.ResponseWriter, r *http.Request) bool {
			return i <= n &&
				f(o, w, r)
		}
	}
}

// broken serves the range asked for, n bytes of it at most, and then drops the connection: every request
// breaks in the middle.
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

// slow keeps the first response from bringing everything before other requests are made.
func slow(o *Options) { o.MaxRate = 4 << 20 }

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

// fewRequests checks that the server was not pestered.
func fewRequests(most int) func(*testing.T, *faultWorld, *Run, error) {
	return func(t *testing.T, w *faultWorld, _ *Run, _ error) {
		if got := len(w.log()); got > most {
			t.Errorf("%d requests, want at most %d", got, most)
		}
	}
}
