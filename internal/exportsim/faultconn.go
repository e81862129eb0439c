package exportsim

import (
	"net/http"
	"time"
)

// connectionFaults are bodies that do not arrive as they should.
var connectionFaults = []fault{
	{
		Fault: Fault{"drop", "a connection is reset after N bytes of each body"}, number: 256 << 10,
		spoil: func(f *activeFault, a *answer) { a.stopAfter(f.number, cut) },
	},
	{
		Fault: Fault{
			"short",
			"a body ends after N bytes as if it were complete, although Content-Length promises more",
		},
		number: 256 << 10, spoil: func(f *activeFault, a *answer) { a.stopAfter(f.number, abort) },
	},
	{Fault: Fault{
		"close-after", "the server closes each connection after N bytes, however many requests they took",
	}, number: 1 << 20, spoil: func(f *activeFault, a *answer) {
		a.stopAfter(max(f.number-connOf(a.r.Context()).sent(), 0), abort)
	}},
	{Fault: Fault{"close-after-ms", "the server closes each connection after N milliseconds"}, number: 500,
		spoil: func(f *activeFault, a *answer) {
			a.until = connOf(a.r.Context()).since.Add(time.Duration(f.number) * time.Millisecond)
		}},
	{Fault: Fault{"stall", "the first N requests for an object get some bytes, then nothing more"},
		number: 2, spoil: func(f *activeFault, a *answer) {
			if int64(a.nth) <= f.number {
				a.stopAfter(min(a.n/2, 100_000), hang)
			}
		}},
	{Fault: Fault{"stall-headers", "the first N requests for an object get no answer at all"}, number: 2,
		spoil: func(f *activeFault, a *answer) {
			if int64(a.nth) <= f.number {
				a.stopAt, a.stop = 0, hang
			}
		}},
	{Fault: Fault{"stall-one", "request N of those for an object gets some bytes, then nothing more"},
		number: 2, spoil: func(f *activeFault, a *answer) {
			if int64(a.nth) == f.number {
				a.stopAfter(min(a.n/2, 100_000), hang)
			}
		}},
	{Fault: Fault{"trickle", "the second request for an object is answered at N bytes a second"},
		number: 1000, spoil: func(f *activeFault, a *answer) {
			if a.nth == 2 {
				a.pace = max(f.number, 1)
			}
		}},
	{Fault: Fault{
		"no-length",
		"bodies have no length at all: ranges are ignored and the end of the connection is the end of the " +
			"object",
	}, spoil: func(f *activeFault, a *answer) {
		a.whole()
		a.unsized = true
		// makes net/http close the connection instead of sending chunks
		a.header.Set("Transfer-Encoding", "identity")
	}},
	{Fault: Fault{"no-length-short", "as no-length, but the first N bodies end in the middle"}, number: 1,
		spoil: func(f *activeFault, a *answer) {
			a.whole()
			a.unsized = true
			a.header.Set("Transfer-Encoding", "identity")
			if int64(a.nth) <= f.number {
				a.n /= 2
			}
		}},
	{
		Fault: Fault{"chunked", "bodies come in chunks and ranges are ignored"},
		spoil: func(f *activeFault, a *answer) { a.whole(); a.unsized = true },
	},
	{Fault: Fault{"chunked-endless", "the first N bodies come in chunks, of which the last never comes"},
		number: 2, spoil: func(f *activeFault, a *answer) {
			a.unsized = true
			if int64(a.nth) <= f.number {
				a.stopAfter(a.n/2, abort)
			}
		}},
	{
		Fault: Fault{"gzip", "bodies are gzipped although nobody asked for that, and ranges are ignored"},
		spoil: func(f *activeFault, a *answer) { a.whole(); a.gzipped() },
	},
	{Fault: Fault{"gzip-some", "every second 206 is gzipped, with the Content-Range of what was gzipped"},
		spoil: inRange(func(f *activeFault, a *answer) {
			if a.nth%2 == 0 {
				a.gzipped()
			}
		})},
	{Fault: Fault{"flip", "a bit in the middle of the object arrives wrong the first N times"}, number: 1,
		spoil: func(f *activeFault, a *answer) {
			if mid := a.o.size / 2; a.body == nil && mid >= a.from && mid < a.from+a.n && f.once(a.o.name) {
				a.flipAt = mid
			}
		}},
	{Fault: Fault{"one-connection", "while N requests are being answered, further ones get 403"}, number: 1,
		spoil: func(f *activeFault, a *answer) {
			if int64(a.s.sending.Load()) > f.number {
				a.page(
					http.StatusForbidden, "application/xml",
					"<Error><Code>AccessDenied</Code><Message>Too many connections</Message></Error>",
				)
			}
		}},
}

// stopAfter lets stop happen after n bytes of the body, if it has more.
func (a *answer) stopAfter(n int64, stop func(*answer, http.ResponseWriter)) {
	if a.body == nil && a.n > n {
		a.stopAt, a.stop = n, stop
	}
}

func (a *answer) gzipped() {
	if a.body == nil {
		a.gzip, a.unsized = true, true
		a.header.Set("Content-Encoding", "gzip")
	}
}
