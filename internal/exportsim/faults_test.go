package exportsim

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

var faultTests = []faultTest{
	{"no-range", func(t *testing.T, f faulty) {
		r := f.get(t, "Range", "bytes=5-9")
		f.wantBytes(t, r, 200, 0, len(f.want))
	}},
	{"no-range-later=1", func(t *testing.T, f faulty) {
		f.wantBytes(t, f.get(t, "Range", "bytes=5-9"), 206, 5, 10)
		f.wantBytes(t, f.get(t, "Range", "bytes=5-9"), 200, 0, len(f.want))
	}},
	{"range-as-200", func(t *testing.T, f faulty) {
		r := f.get(t, "Range", "bytes=5-9")
		f.wantBytes(t, r, 200, 5, 10)
		if !strings.HasPrefix(r.Header.Get("Content-Range"), "bytes 5-9/") {
			t.Errorf("Content-Range is %q", r.Header.Get("Content-Range"))
		}
	}},
	{"range-shifted=3", func(t *testing.T, f faulty) {
		r := f.get(t, "Range", "bytes=5-9")
		f.wantBytes(t, r, 206, 2, 10)
		if !strings.HasPrefix(r.Header.Get("Content-Range"), "bytes 2-9/") {
			t.Errorf("Content-Range is %q", r.Header.Get("Content-Range"))
		}
	}},
	{
		"range-short=4",
		func(t *testing.T, f faulty) { f.wantBytes(t, f.get(t, "Range", "bytes=5-"), 206, 5, 9) },
	},
	{"range-total-wrong", func(t *testing.T, f faulty) {
		a, b := f.get(t, "Range", "bytes=0-0"), f.get(t, "Range", "bytes=0-0")
		if a.Header.Get("Content-Range") == b.Header.Get("Content-Range") {
			t.Errorf("both say %s", a.Header.Get("Content-Range"))
		}
	}},
	{"range-bare", func(t *testing.T, f faulty) {
		r := f.get(t, "Range", "bytes=5-9")
		f.wantBytes(t, r, 206, 5, 10)
		if r.Header.Get("Content-Range") != "" {
			t.Error("there is a Content-Range")
		}
	}},
	{
		"range-lies=2",
		func(t *testing.T, f faulty) { f.wantBytes(t, f.get(t, "Range", "bytes=5-9"), 206, 3, 8) },
	},
	{"range-multipart", func(t *testing.T, f faulty) {
		r := f.get(t, "Range", "bytes=5-9")
		wantStatus(
			t, r, 206, fmt.Sprintf("Content-Range: bytes 5-9/%d\r\n\r\n%s\r\n--", len(f.want), f.want[5:10]),
		)
	}},
	{"range-416", func(t *testing.T, f faulty) {
		wantStatus(t, f.get(t, "Range", "bytes=5-9"), 416, "")
		f.wantBytes(t, f.get(t, "Range", "bytes=0-9"), 206, 0, 10)
	}},
	{"if-range-date", func(t *testing.T, f faulty) {
		r := f.get(t)
		f.wantBytes(t, f.get(t, "Range", "bytes=5-9", "If-Range", r.Header.Get("ETag")), 200, 0, len(f.want))
		f.wantBytes(t, f.get(t, "Range", "bytes=5-9", "If-Range", r.Header.Get("Last-Modified")), 206, 5, 10)
	}},
	{"etag-weak", func(t *testing.T, f faulty) { wantHeader(t, f.get(t), "ETag", "W/\"") }},
	{"etag-absent", func(t *testing.T, f faulty) {
		r := f.get(t)
		f.wantBytes(t, r, 200, 0, len(f.want))
		if r.Header.Get("ETag") != "" || r.Header.Get("Last-Modified") == "" {
			t.Errorf("headers are %v", r.Header)
		}
	}},
	{"validators-absent", func(t *testing.T, f faulty) {
		if r := f.get(t); r.Header.Get("ETag") != "" || r.Header.Get("Last-Modified") != "" {
			t.Errorf("headers are %v", r.Header)
		}
	}},
	{"etag-by-edge", func(t *testing.T, f faulty) {
		a, b := f.get(t).Header.Get("ETag"), f.get(t).Header.Get("ETag")
		if a == b || a == "" {
			t.Errorf("both edges say %s", a)
		}
	}},
	{
		"etag-md5",
		func(t *testing.T, f faulty) {
			wantHeader(
				t, f.get(t), "ETag", fmt.Sprintf("\"%x\"", md5.Sum(f.want)),
			)
		},
	},
	{"etag-multipart=100000", func(t *testing.T, f faulty) {
		var sums []byte
		n := 0
		for rest := f.want; len(rest) > 0; n++ {
			k := min(100_000, len(rest))
			sum := md5.Sum(rest[:k])
			sums, rest = append(sums, sum[:]...), rest[k:]
		}
		wantHeader(t, f.get(t), "ETag", fmt.Sprintf("\"%x-%d\"", md5.Sum(sums), n))
	}},

	{"drop=1000", func(t *testing.T, f faulty) {
		f.wantCut(t, f.get(t), 1000)
		f.wantCut(t, f.get(t, "Range", "bytes=0-"), 1000)
		f.wantBytes(t, f.get(t, "Range", "bytes=0-999"), 206, 0, 1000)
	}},
	{"short=1000", func(t *testing.T, f faulty) {
		r := f.get(t)
		f.wantCut(t, r, 1000)
		if !errors.Is(r.err, io.ErrUnexpectedEOF) {
			t.Errorf("the end is %v, want an unexpected EOF", r.err)
		}
	}},
	{"close-after=1000", func(t *testing.T, f faulty) {
		f.wantBytes(t, f.get(t, "Range", "bytes=0-599"), 206, 0, 600)
		f.wantCut(t, f.get(t, "Range", "bytes=0-599"), 400)
		f.wantBytes(t, f.get(t, "Range", "bytes=0-599"), 206, 0, 600)
	}},
	{"close-after-ms=0", func(t *testing.T, f faulty) {
		if r := f.get(t); r.err == nil {
			t.Error("the connection lived on")
		}
	}},
	{"stall=1", func(t *testing.T, f faulty) {
		f.c.Timeout = 300 * time.Millisecond
		r := f.get(t)
		if r.err == nil || len(r.body) == 0 {
			t.Errorf("got %d bytes and %v, want some and a timeout", len(r.body), r.err)
		}
		f.c.Timeout = 0
		f.wantBytes(t, f.get(t), 200, 0, len(f.want))
	}},
	{"stall-headers=1", func(t *testing.T, f faulty) {
		f.c.Timeout = 300 * time.Millisecond
		if r := f.get(t); r.err == nil || r.Response != nil {
			t.Errorf("got an answer: %v", r.Response)
		}
		f.c.Timeout = 0
		f.wantBytes(t, f.get(t), 200, 0, len(f.want))
	}},
	{"stall-one", func(t *testing.T, f faulty) {
		f.wantBytes(t, f.get(t), 200, 0, len(f.want))
		f.c.Timeout = 300 * time.Millisecond
		if r := f.get(t); r.err == nil {
			t.Error("the second request was answered")
		}
	}},
	{"trickle=1000", func(t *testing.T, f faulty) {
		f.get(t, "Range", "bytes=0-0")
		start := time.Now()
		f.wantBytes(t, f.get(t, "Range", "bytes=0-399"), 206, 0, 400)
		if d := time.Since(start); d < 350*time.Millisecond {
			t.Errorf("400 bytes took %v at 1000 a second", d)
		}
	}},
	{"no-length", func(t *testing.T, f faulty) {
		r := f.get(t, "Range", "bytes=5-9")
		f.wantBytes(t, r, 200, 0, len(f.want))
		if r.ContentLength != -1 || len(r.TransferEncoding) != 0 || !r.Close {
			t.Errorf("length %d, encoding %v, close %v", r.ContentLength, r.TransferEncoding, r.Close)
		}
	}},
	{"no-length-short", func(t *testing.T, f faulty) {
		f.wantBytes(t, f.get(t), 200, 0, len(f.want)/2) // and no error: that is the fault
		f.wantBytes(t, f.get(t), 200, 0, len(f.want))
	}},
	{"chunked", func(t *testing.T, f faulty) {
		r := f.get(t, "Range", "bytes=5-9")
		f.wantBytes(t, r, 200, 0, len(f.want))
		if r.ContentLength != -1 || len(r.TransferEncoding) != 1 {
			t.Errorf("length %d, encoding %v", r.ContentLength, r.TransferEncoding)
		}
	}},
	{"chunked-endless=1", func(t *testing.T, f faulty) {
		f.wantCut(t, f.get(t), len(f.want)/2)
		f.wantBytes(t, f.get(t), 200, 0, len(f.want))
	}},
	{"gzip", func(t *testing.T, f faulty) {
		r := f.get(t, "Accept-Encoding", "identity")
		z, err := gzip.NewReader(bytes.NewReader(r.body))
		if err != nil || r.Header.Get("Content-Encoding") != "gzip" {
			t.Fatalf("not gzipped: %v, %v", err, r.Header)
		}
		if b, err := io.ReadAll(z); err != nil || !bytes.Equal(b, f.want) {
			t.Errorf("unzipped to %d bytes, %v", len(b), err)
		}
	}},
	{"gzip-some", func(t *testing.T, f faulty) {
		f.wantBytes(t, f.get(t, "Range", "bytes=5-9"), 206, 5, 10)
		wantHeader(t, f.get(t, "Range", "bytes=5-9"), "Content-Encoding", "gzip")
	}},
	{"flip", func(t *testing.T, f faulty) {
		mid := len(f.want) / 2
		at := fmt.Sprintf("bytes=%d-%d", mid-2, mid+2)
		if r := f.get(t, "Range", at); len(r.body) != 5 || r.body[2]^f.want[mid] != 0x10 ||
			r.body[1] != f.want[mid-1] {
			t.Errorf("got %x, the truth is %x", r.body, f.want[mid-2:mid+3])
		}
		f.wantBytes(t, f.get(t, "Range", at), 206, mid-2, mid+3)
	}},
	{"one-connection", func(t *testing.T, f faulty) {
		f.s.e.cfg.Rate = 50_000 // the first takes a while
		done := make(chan reply)
		go func() { done <- f.get(t, "Range", "bytes=0-39999") }()
		time.Sleep(200 * time.Millisecond)
		wantStatus(t, f.get(t), 403, "Too many connections")
		r := <-done
		f.wantBytes(t, r, 206, 0, 40_000)
	}},

	{"html", func(t *testing.T, f faulty) { wantStatus(t, f.get(t), 200, "Please sign in") }},
	{"html-later=1", func(t *testing.T, f faulty) {
		f.wantBytes(t, f.get(t), 200, 0, len(f.want))
		wantStatus(t, f.get(t), 200, "Please sign in")
	}},
	{"proxy-page", func(t *testing.T, f faulty) { wantStatus(t, f.get(t), 200, "web gateway") }},
	{"json", func(t *testing.T, f faulty) { wantStatus(t, f.get(t), 200, `"error"`) }},
	{"xml", func(t *testing.T, f faulty) { wantStatus(t, f.get(t), 200, "InternalError") }},
	{"empty", func(t *testing.T, f faulty) {
		f.wantBytes(t, f.get(t), 200, 0, 0)
		wantHeader(t, f.get(t, "Range", "bytes=0-"), "Content-Range", "bytes */0")
	}},
	{"busy=2", func(t *testing.T, f faulty) {
		for range 2 {
			r := f.get(t)
			wantHeader(t, r, "Retry-After", "1")
			if r.StatusCode != 503 && r.StatusCode != 429 {
				t.Errorf("got %d", r.StatusCode)
			}
		}
		f.wantBytes(t, f.get(t), 200, 0, len(f.want))
	}},
	{"busy-date", func(t *testing.T, f faulty) { wantHeader(t, f.get(t), "Retry-After", " GMT") }},
	{"busy-absurd", func(t *testing.T, f faulty) { wantHeader(t, f.get(t), "Retry-After", "31536000") }},
	{"busy-negative", func(t *testing.T, f faulty) { wantHeader(t, f.get(t), "Retry-After", "-5") }},
	{"error-500=1", failsOnce(500)},
	{"error-502=1", failsOnce(502)},
	{"error-504=1", failsOnce(504)},
	{"error-408=1", failsOnce(408)},
	{"disposition", func(t *testing.T, f faulty) {
		seen := map[string]bool{}
		for range len(hostileNames) {
			if r := f.get(t); r.Response == nil { // a NUL in a header: clients may refuse that
				seen["refused"] = true
			} else {
				seen[r.Header.Get("Content-Disposition")] = true
			}
		}
		if len(seen) != len(hostileNames) {
			t.Errorf("got %d kinds of names, want %d", len(seen), len(hostileNames))
		}
	}},
	{"clock=7200", func(t *testing.T, f faulty) {
		at, err := http.ParseTime(f.get(t).Header.Get("Date"))
		if d := time.Until(at); err != nil || d < time.Hour || d > 3*time.Hour {
			t.Errorf("the server's clock is %v ahead, %v", d, err)
		}
	}},
	{"cookie", func(t *testing.T, f faulty) {
		wantHeader(t, f.get(t), "Set-Cookie", "session=")
		wantStatus(t, f.get(t, "Cookie", "session=EXAMPLE"), 400, "")
		wantStatus(t, f.get(t, "Referer", "http://x.example/?X-Amz-Signature=1"), 400, "")
	}},

	{"expire=1", dies(403, "<Message>Request has expired</Message>")},
	{"expire-token=1", dies(400, "ExpiredToken")},
	{"expire-r2=1", dies(403, "ExpiredRequest")},
	{"expire-google=1", dies(400, "ExpiredToken")},
	{"expire-azure=1", dies(403, "not valid in the specified time frame: Expiry [20")},
	{"expire-cloudfront=1", dies(403, "Access denied")},
	{"expire-410=1", dies(410, "no longer available")},
	{"expire-401=1", dies(401, "link expired")},
	{"expire-html=1", dies(200, "Please sign in")},
	{"denied", func(t *testing.T, f faulty) { wantStatus(t, f.get(t), 403, "SignatureDoesNotMatch") }},
	{"gone", func(t *testing.T, f faulty) { wantStatus(t, f.get(t), 404, "NoSuchKey") }},
	{"redirect", func(t *testing.T, f faulty) { f.wantRedirect(t, "127.0.0.1") }},
	{"redirect-host", func(t *testing.T, f faulty) { f.wantRedirect(t, "localhost") }},
	{"redirect-short=1", func(t *testing.T, f faulty) {
		hop := f.wantRedirect(t, "127.0.0.1")
		time.Sleep(2100 * time.Millisecond)
		wantStatus(t, do(t, f.c, "GET", hop), 403, "expired")
		f.wantRedirect(t, "127.0.0.1")
	}},
	{"redirect-loop", func(t *testing.T, f faulty) {
		f.c.CheckRedirect = nil
		if r := f.get(t); r.err == nil || !strings.Contains(r.err.Error(), "10 redirects") {
			t.Errorf("got %v, want too many redirects", r.err)
		}
	}},
	{"redirect-login", func(t *testing.T, f faulty) {
		f.c.CheckRedirect = nil
		wantStatus(t, f.get(t), 200, "Please sign in")
	}},
	{
		"redirect-private",
		func(t *testing.T, f faulty) { wantHeader(t, f.get(t), "Location", "http://169.254.169.254/") },
	},
	{
		"redirect-plain",
		func(t *testing.T, f faulty) { wantHeader(t, f.get(t), "Location", "http://127.0.0.1") },
	},

	{"change=1", func(t *testing.T, f faulty) {
		a, b := f.get(t), f.get(t)
		f.wantBytes(t, a, 200, 0, len(f.want))
		f.wantOther(t, a, b, 1)
		if r := f.get(t, "Range", "bytes=5-", "If-Range", a.Header.Get("ETag")); r.StatusCode != 200 {
			t.Errorf("a range of the old version gets %d", r.StatusCode)
		}
	}},
	{"change-same-size=1", func(t *testing.T, f faulty) { f.wantOther(t, f.get(t), f.get(t), 0) }},
	{"replaced", func(t *testing.T, f faulty) {
		r := f.get(t)
		if len(r.body) == len(f.want) {
			t.Error("the object is the same")
		}
		f.wantOther(t, reply{Response: &http.Response{Header: http.Header{}}}, r, 1)
	}},
	{"replaced-same-size", func(t *testing.T, f faulty) {
		r := f.get(t)
		f.wantOther(t, reply{Response: &http.Response{Header: http.Header{}}}, r, 0)
	}},
	{"cut-tail=10", func(t *testing.T, f faulty) {
		r := f.get(t)
		f.wantBytes(t, r, 200, 0, len(f.want)-10)
	}},
}
