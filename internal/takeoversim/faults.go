package takeoversim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A fault is what a server or the network does to some of an object's requests: those numbered from on, so
// many times.
type fault struct {
	name        string
	from, times int
	at          int // a place in the object
	wait        int // seconds
}

// faultKinds are all kinds of faults that end by themselves, so that a takeover under them must end as well.
var faultKinds = []string{
	"503", "503-wait", "429", "500", "504", "408", "202", "425", "reset-early", "reset", "cut",
	"cut-chunked", "stall", "flip",
	"page", "empty-once", "empty-part", "no-content-range", "range-ignored", "silence",
}

// laterFaults are those that were thought of later.
var laterFaults = []string{
	"404", "403-busy", "multipart", "unknown-total", "too-long", "whole-206", "416", "redirect-loop",
	"surplus", "early-hints", "false-gzip", "json-error", "xml-error", "empty-ok", "http-1.0", "401",
}

// faultsOf draws the faults of an object.
func (c *Choices) faultsOf(path string, size int) []fault {
	var all []fault
	kinds := faultKinds
	if c.Seed >= widened {
		kinds = append(slices.Clone(kinds), laterFaults...)
	}
	for _, kind := range kinds {
		name := path + ":" + kind
		if !c.odd(name, 0.025) {
			continue
		}
		r := c.random("fault " + name)
		times := 1 + r.IntN(2)
		if kind == "503" || kind == "503-wait" || kind == "429" {
			times = 1 + r.IntN(12)
		}
		all = append(
			all,
			fault{
				name: kind, from: 1 + r.IntN(4), times: times, at: 1 + r.IntN(max(size-1, 1)),
				wait: 1 + r.IntN(90),
			},
		)
	}
	return all
}

const loginPage = "<!DOCTYPE html><html><head><title>Sign in</title></head><body><form>Please sign " +
	"in</form></body></html>"

// answer answers a request in the fault's way. It is false when the connection is of no further use.
func (f fault) answer(r *reply) bool {
	wait := fmt.Sprint(f.wait)
	switch f.name {
	case "503":
		return r.plain(503, "text/plain", "busy")
	case "503-wait":
		return r.plain(503, "text/plain", "busy", "Retry-After", wait)
	case "429":
		return r.plain(
			429, "text/plain", "slow down", "Retry-After",
			time.Now().Add(time.Duration(f.wait)*time.Second).UTC().Format(time.RFC1123),
		)
	case "500":
		return r.plain(500, "text/html", "<html>oops</html>")
	case "504":
		return r.plain(504, "text/plain", "late")
	case "408":
		return r.plain(408, "text/plain", "late")
	case "202":
		return r.plain(202, "application/json", `{"status":"preparing"}`, "Retry-After", wait)
	case "425":
		return r.plain(425, "text/plain", "too early")
	case "reset-early":
		r.c.Reset()
		return false
	case "reset":
		return r.give(giving{cut: f.at, reset: true})
	case "cut": // another place each time: without a length, the same end twice is the object's
		return r.give(giving{cut: f.at + r.n - f.from})
	case "cut-chunked":
		return r.give(giving{cut: f.at, chunkedCut: true})
	case "stall":
		return r.give(giving{cut: f.at + r.n - f.from, stall: time.Duration(f.wait) * time.Second})
	case "flip": // another place each time: the same wrong byte twice would be the vendor's
		return r.give(giving{flip: f.at + r.n - f.from})
	case "page":
		return r.plain(200, "text/html", loginPage)
	case "empty-once":
		return r.give(giving{ignoreRange: true, noBytes: true, noLength: true})
	case "empty-part":
		return r.give(giving{noBytes: true})
	case "no-content-range":
		return r.give(giving{noContentRange: true})
	case "range-ignored":
		return r.give(giving{ignoreRange: true})
	case "silence":
		time.Sleep(time.Duration(f.wait) * time.Second)
		return false
	}
	return f.answerOddly(r)
}

// answerOddly answers in the way of one of laterFaults.
func (f fault) answerOddly(r *reply) bool {
	switch f.name {
	case "404":
		return r.plain(404, "text/html", "<html>Not found</html>")
	case "401":
		return r.plain(401, "text/plain", "who is it?", "WWW-Authenticate", `Bearer realm="exports"`)
	case "403-busy":
		return r.plain(403, "application/xml", "<Error><Code>SlowDown</Code></Error>")
	case "multipart":
		return r.give(giving{multipart: true})
	case "unknown-total":
		return r.give(giving{unknownTotal: true})
	case "too-long":
		return r.give(giving{tooLong: 1 + f.wait})
	case "whole-206":
		return r.give(giving{ignoreRange: true, as206: true})
	case "416":
		return r.plain(416, "text/plain", "", "Content-Range", "bytes */0")
	case "redirect-loop":
		return r.plain(302, "text/html", "again", "Location", r.req.URL.RequestURI())
	case "surplus":
		return r.give(giving{surplus: true})
	case "early-hints":
		hints := "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
		if _, err := r.c.Write([]byte(hints)); err != nil {
			return false
		}
	case "false-gzip": // of what is gzip, it would be true
		return r.give(giving{falseGzip: !strings.HasSuffix(r.o.path, ".gz")})
	case "json-error":
		return r.plain(200, "application/json", `{"error":{"code":500,"message":"internal error"}}`)
	case "xml-error":
		return r.plain(
			200, "application/xml", "<?xml version=\"1.0\"?><Error><Code>InternalError</Code></Error>",
		)
	case "empty-ok":
		return r.plain(200, "application/octet-stream", "")
	case "http-1.0":
		return r.give(giving{http10: true, noLength: true})
	}
	return r.give(giving{})
}
