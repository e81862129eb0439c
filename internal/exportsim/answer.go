package exportsim

import (
	"compress/gzip"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"
)

var discard = log.New(io.Discard, "", 0)

// An answer is what a request will get; faults change it before it is sent.
type answer struct {
	s   *Server
	o   *object
	r   *http.Request
	nth int // of the requests for the object, from 1

	status  int
	header  http.Header
	from, n int64                                  // the object's bytes that are the body
	body    []byte                                 // instead of the object's bytes, if not nil
	partial bool                                   // a range was asked for and is answered
	unsized bool                                   // no Content-Length
	flipAt  int64                                  // a byte of the object that arrives wrong, or -1
	pace    int64                                  // bytes a second, 0 for as fast as the server's rate
	stopAt  int64                                  // bytes of the body after which stop happens
	stop    func(a *answer, w http.ResponseWriter) // nil: the body is sent whole
	until   time.Time                              // when the connection ends; zero: never
	gzip    bool                                   // the body is compressed
	before  []byte                                 // sent before the body
	after   []byte                                 // sent after it
}

// newAnswer is the right answer.
func newAnswer(s *Server, o *object, r *http.Request, nth int) *answer {
	a := &answer{
		s: s, o: o, r: r, nth: nth, status: http.StatusOK, header: http.Header{}, n: o.size, flipAt: -1,
	}
	a.header.Set("Accept-Ranges", "bytes")
	a.header.Set("Content-Type", o.mediaType)
	a.header.Set("ETag", o.etag)
	a.header.Set("Last-Modified", o.modified.UTC().Format(http.TimeFormat))
	a.header.Set("X-Amz-Request-Id", "EXAMPLE000000001")
	if r.Header.Get("If-Match") != "" && r.Header.Get("If-Match") != o.etag {
		a.page(
			http.StatusPreconditionFailed, "application/xml",
			"<Error><Code>PreconditionFailed</Code></Error>",
		)
		return a
	}
	a.applyRange()
	return a
}

// applyRange turns the answer into a 206 or a 416 if one range is asked for (RFC 9110, section 14) and
// If-Range allows it.
func (a *answer) applyRange() {
	spec := a.r.Header.Get("Range")
	if spec == "" || !a.ifRange() {
		return
	}
	from, n, ok := parseRange(spec, a.o.size)
	if !ok {
		return // several ranges, or nonsense: the whole
	}
	if n <= 0 {
		a.page(
			http.StatusRequestedRangeNotSatisfiable, "application/xml",
			"<Error><Code>InvalidRange</Code><Message>The requested range is not "+
				"satisfiable</Message></Error>",
		)
		a.header.Set("Content-Range", fmt.Sprintf("bytes */%d", a.o.size))
		return
	}
	a.status, a.partial, a.from, a.n = http.StatusPartialContent, true, from, n
	a.contentRange(from, n, a.o.size)
}

func (a *answer) contentRange(from, n, total int64) {
	a.header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, from+n-1, total))
}

func (a *answer) ifRange() bool {
	v := a.r.Header.Get("If-Range")
	if v == "" || v == a.header.Get("ETag") {
		return true
	}
	t, err := http.ParseTime(v)
	return err == nil && t.Equal(a.o.modified.Truncate(time.Second))
}

// parseRange returns the bytes that a single range means in an object; n is 0 if it lies outside. ok is false
// if the header is not one well-formed range.
func parseRange(spec string, size int64) (from, n int64, ok bool) {
	spec, found := strings.CutPrefix(textproto.TrimString(spec), "bytes=")
	first, last, dash := strings.Cut(spec, "-")
	if !found || !dash || strings.Contains(spec, ",") {
		return 0, 0, false
	}
	if first == "" { // the last bytes
		n, err := strconv.ParseInt(last, 10, 64)
		if err != nil || n < 0 {
			return 0, 0, false
		}
		n = min(n, size)
		return size - n, n, true
	}
	from, err := strconv.ParseInt(first, 10, 64)
	if err != nil || from < 0 {
		return 0, 0, false
	}
	end := size - 1
	if last != "" {
		l, err := strconv.ParseInt(last, 10, 64)
		if err != nil || l < from {
			return 0, 0, false
		}
		end = min(end, l)
	}
	return from, max(end-from+1, 0), true
}

// page replaces the answer by a text of another kind.
func (a *answer) page(status int, mediaType, text string) {
	a.status, a.body, a.partial = status, []byte(text), false
	a.from, a.n = 0, int64(len(text))
	a.header = http.Header{"Content-Type": {mediaType}}
}

// whole makes the answer as if no range had been asked for.
func (a *answer) whole() {
	a.status, a.partial, a.from, a.n = http.StatusOK, false, 0, a.o.size
	a.header.Del("Content-Range")
	a.header.Del("Accept-Ranges")
}

func (a *answer) send(w http.ResponseWriter) {
	var content io.ReaderAt = strings.NewReader(string(a.body))
	if a.body == nil {
		c, closer, err := a.o.open()
		if err != nil {
			a.s.refuse(
				w, a.r,
				&refusal{
					status: http.StatusInternalServerError, code: "InternalError",
					message: "the sample platform cannot read its own files",
				},
			)
			return
		}
		defer closer.Close()
		content = c
	}
	for k, v := range a.header {
		w.Header()[k] = v
	}
	if !a.unsized {
		w.Header().Set("Content-Length", strconv.FormatInt(a.n+int64(len(a.before)+len(a.after)), 10))
	}
	if a.stopAt == 0 && a.stop != nil {
		a.stop(a, w) // without even a header
		return
	}
	w.WriteHeader(a.status)
	w.Write(a.before)
	if !a.gzip {
		a.copy(w, w, content)
	} else {
		z := gzip.NewWriter(w)
		a.copy(w, z, content)
		z.Close()
	}
	w.Write(a.after)
}

// copy sends the body at the server's rate, up to where it stops.
func (a *answer) copy(w http.ResponseWriter, out io.Writer, content io.ReaderAt) {
	buf := make([]byte, 64<<10)
	ctx, conn := a.r.Context(), connOf(a.r.Context())
	sent := int64(0)
	defer func() { a.s.countBytes(a.o, sent) }()
	for sent < a.n {
		if !a.until.IsZero() && time.Now().After(a.until) {
			abort(a, w)
		}
		k := min(int64(len(buf)), a.n-sent)
		if a.stop != nil && sent+k > a.stopAt {
			k = a.stopAt - sent
		}
		if a.pace > 0 {
			k = min(k, max(a.pace/10, 1))
		}
		if k == 0 {
			break
		}
		got, err := content.ReadAt(buf[:k], a.from+sent)
		if int64(got) < k {
			// the file is shorter than it was: let the client see a cut, never a clean end
			panic(http.ErrAbortHandler)
		}
		_ = err // io.EOF with all bytes is fine
		if at := a.flipAt - a.from - sent; a.flipAt >= 0 && at >= 0 && at < k {
			buf[at] ^= 0x10
		}
		if !conn.sendWithin(ctx, int(k), a.s.e.cfg.Rate) || a.pace > 0 && !a.s.wait(
			ctx, time.Duration(float64(k)/float64(a.pace)*float64(time.Second)),
		) {
			return
		}
		if _, err := out.Write(buf[:k]); err != nil {
			return
		}
		sent += k
	}
	if a.stop != nil {
		if f, ok := w.(http.Flusher); ok && sent > 0 {
			f.Flush()
		}
		a.stop(a, w)
	}
}

// cut ends the connection with a reset.
func cut(a *answer, w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// abort ends the connection in the middle of the body, as a server does that crashes.
func abort(*answer, http.ResponseWriter) { panic(http.ErrAbortHandler) }

// hang keeps the connection open and sends nothing more, for an hour or until the client goes away.
func hang(a *answer, w http.ResponseWriter) {
	a.s.wait(a.r.Context(), time.Hour)
	panic(http.ErrAbortHandler)
}
