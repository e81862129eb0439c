package takeoversim

import (
	"bufio"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// An object is what one link serves.
type object struct {
	path   string
	name   string // of a listed file, as the listing has it
	part   string // data, attachments, cvs
	data   []byte
	style  objectStyle
	faults []fault

	listing string    // csv, json or html: data is made when it is asked for, since it holds links
	more    string    // what else the listing says; see rowOf
	files   []*object // of a listing
	next    *object   // its second page
}

// children are the files of a listing, and its second page with its files.
func (o *object) children() []*object {
	if o.next == nil {
		return o.files
	}
	return append(append(slices.Clone(o.files), o.next), o.next.files...)
}

// An objectStyle is what a store is like forever.
type objectStyle struct {
	noRanges, noETag, weakETag, edgeETag, noLength, gzipped, once, shortRanges bool
	// a redirect leads to another host, and works this long; 0: none
	elsewhere time.Duration
	pace      time.Duration // for each 16 KiB
}

// State is what the server remembers when the program, and the simulation with it, is killed.
type State struct {
	Clock      time.Time
	Issue      int // of the master CSV
	Generation int // of the export that is served
	Requests   map[string]int
	Total      int
	Chunks     int
}

// A server is the vendor's, with its faults.
type server struct {
	w     *World
	mu    sync.Mutex
	state State // guarded by mu
	begun int   // requests of this run, guarded by mu
	open  int   // requests that are being answered, guarded by mu
	event func(chunks int)
}

const chunk = 16 << 10

// serve answers requests on a connection until one of the two ends it.
func (s *server) serve(c *serverConn) {
	in := bufio.NewReader(c)
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if !s.answer(c, req) {
			return
		}
	}
}

// answer answers one request. It is false when the connection is of no further use.
func (s *server) answer(c *serverConn, req *http.Request) bool {
	o, secret := s.w.find(req.URL)
	if o != nil && o.style.elsewhere > 0 && req.Host == host && !s.w.expired(max(s.w.issueOf(secret), 0)) {
		return s.redirect(c, req, o)
	}
	s.mu.Lock()
	s.open++
	crowded := s.w.connections > 0 && s.open > s.w.connections
	defer func() {
		s.mu.Lock()
		s.open--
		s.mu.Unlock()
	}()
	s.state.Clock = time.Now()
	s.state.Total++
	nth := s.state.Total
	s.begun++
	key := "none"
	if o != nil {
		key = o.path
	}
	s.state.Requests[key]++
	n := s.state.Requests[key]
	issue := s.w.issueOf(secret)
	if !crowded { // turned away at the door: a link that works once is not used up by that
		s.state.Requests[fmt.Sprint(key, "@", issue)]++
	}
	ofIssue := s.state.Requests[fmt.Sprint(key, "@", issue)]
	s.mu.Unlock()
	r := &reply{c: c, s: s, req: req, o: o, n: n, nth: nth}
	return r.answer(issue, ofIssue, crowded)
}

// answer answers the ofIssue-th request by the links of an issue.
func (r *reply) answer(issue, ofIssue int, crowded bool) bool {
	s, o := r.s, r.o
	switch {
	case o == nil:
		return r.plain(404, "text/plain", "no such object")
	case r.req.Host != host && stale(r.req.URL):
		return r.plain(
			403, "application/xml",
			"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>",
		)
	case crowded:
		return r.plain(503, "text/plain", "too many connections")
	case issue < 0:
		return r.plain(403, "application/xml", "<Error><Code>SignatureDoesNotMatch</Code></Error>")
	case s.w.expired(issue):
		return r.plain(
			403, "application/xml",
			"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>",
		)
	case o.style.once && ofIssue > 1:
		return r.plain(410, "text/plain", "this link has been used")
	}
	if o.listing != "" {
		r.body = s.w.list(o, issue)
	} else {
		r.body = o.data
	}
	for _, f := range o.faults {
		if r.n >= f.from && r.n < f.from+f.times {
			return f.answer(r)
		}
	}
	return r.give(giving{})
}

// redirect sends a request on to the store, by a link of its own that does not hold for long.
func (s *server) redirect(c *serverConn, req *http.Request, o *object) bool {
	u := *req.URL
	q := u.Query()
	q.Set("until", fmt.Sprint(time.Now().Add(o.style.elsewhere).Unix()))
	u.Scheme, u.Host, u.RawQuery = "http", storeHost, q.Encode()
	return (&reply{c: c, s: s, req: req, o: o}).plain(302, "text/html", "elsewhere", "Location", u.String())
}

// stale reports whether a redirect does not hold any more.
func stale(u *url.URL) bool {
	until, err := strconv.ParseInt(u.Query().Get("until"), 10, 64)
	return err == nil && time.Now().Unix() > until
}

// A reply is the answer to one request in the making.
type reply struct {
	c    *serverConn
	s    *server
	req  *http.Request
	o    *object
	n    int // the request's number among those for the object
	nth  int // the request's number among all
	body []byte
}

// head writes a status line and headers.
func (r *reply) head(status int, headers map[string]string) error {
	return r.headAs("HTTP/1.1", status, headers)
}

func (r *reply) headAs(protocol string, status int, headers map[string]string) error {
	names := make([]string, 0, len(headers))
	for k := range headers {
		names = append(names, k)
	}
	sort.Strings(names)
	var b strings.Builder
	fmt.Fprintf(
		&b, "%s %d %s\r\nDate: %s\r\n", protocol, status, http.StatusText(status),
		time.Now().UTC().Format(http.TimeFormat),
	)
	for _, k := range names {
		fmt.Fprintf(&b, "%s: %s\r\n", k, headers[k])
	}
	b.WriteString("\r\n")
	_, err := r.c.Write([]byte(b.String()))
	return err
}

func (r *reply) plain(status int, media, text string, more ...string) bool {
	h := map[string]string{"Content-Type": media, "Content-Length": fmt.Sprint(len(text))}
	for i := 0; i+1 < len(more); i += 2 {
		h[more[i]] = more[i+1]
	}
	if r.head(status, h) != nil {
		return false
	}
	_, err := r.c.Write([]byte(text))
	return err == nil
}

// giving says how an answer differs from a good one.
type giving struct {
	ignoreRange    bool
	noContentRange bool
	noBytes        bool // the body is empty, whatever the headers say
	cut            int  // break off after this many bytes; 0: do not
	reset          bool // break off with a reset
	stall          time.Duration
	flip           int // the byte at this place of the object is wrong; 0: none
	noLength       bool
	chunkedCut     bool
	multipart      bool // a range comes as multipart/byteranges (RFC 9110, section 14.6)
	unknownTotal   bool // Content-Range does not say how long the object is
	tooLong        int  // Content-Length is this much more than what comes
	as206          bool // a whole object comes with status 206
	surplus        bool // bytes follow the body
	falseGzip      bool // Content-Encoding says gzip, and the bytes are not
	http10         bool
}

// span returns the bytes asked for.
func (r *reply) span() (from, to int, ranged bool) {
	size := len(r.body)
	spec, ok := strings.CutPrefix(r.req.Header.Get("Range"), "bytes=")
	if !ok || r.o.style.noRanges || size == 0 {
		return 0, size, false
	}
	if cond := r.req.Header.Get("If-Range"); cond != "" && cond != r.etag() {
		return 0, size, false
	}
	a, b, _ := strings.Cut(spec, "-")
	from, err := strconv.Atoi(a)
	if err != nil {
		return 0, size, false
	}
	to = size
	if last, err := strconv.Atoi(b); err == nil {
		to = min(last+1, size)
	}
	return from, to, true
}

func (r *reply) etag() string {
	sum := sha1.Sum(r.body)
	tag := `"` + hex.EncodeToString(sum[:10]) + `-x"`
	switch {
	case r.o.style.noETag:
		return ""
	case r.o.style.weakETag:
		return "W/" + tag
	case r.o.style.edgeETag:
		return fmt.Sprintf(`W/"edge%d"`, r.nth%3)
	}
	return tag
}

// give answers with bytes of the object.
func (r *reply) give(g giving) bool {
	if r.o.style.gzipped {
		r.body = gzipped(r.body)
	}
	from, to, ranged := r.span()
	if g.ignoreRange {
		from, to, ranged = 0, len(r.body), false
	}
	if ranged && from >= len(r.body) {
		return r.plain(416, "text/plain", "", "Content-Range", fmt.Sprintf("bytes */%d", len(r.body)))
	}
	if r.o.style.shortRanges && ranged && to-from > chunk {
		to = from + chunk
	}
	if g.multipart && ranged {
		return r.inParts(from, to)
	}
	if r.headOf(g, from, to, ranged) != nil || g.noBytes {
		return false
	}
	whole := r.bytes(g, from, to) && !g.noLength && !r.o.style.noLength && !g.chunkedCut && g.tooLong == 0
	if whole && g.surplus {
		_, _ = r.c.Write([]byte("\r\n<!-- served by cache 7 -->\r\n"))
		return false
	}
	return whole
}

// inParts answers with multipart/byteranges, which nobody asked for.
func (r *reply) inParts(from, to int) bool {
	head := fmt.Sprintf("\r\n--part\r\nContent-Type: application/octet-stream\r\n"+
		"Content-Range: bytes %d-%d/%d\r\n\r\n", from, to-1, len(r.body))
	body := head + string(r.body[from:to]) + "\r\n--part--\r\n"
	h := map[string]string{
		"Content-Type": "multipart/byteranges; boundary=part", "Content-Length": fmt.Sprint(len(body)),
	}
	if t := r.etag(); t != "" {
		h["ETag"] = t
	}
	if r.head(206, h) != nil {
		return false
	}
	_, err := r.c.Write([]byte(body))
	return err == nil
}

func (r *reply) headOf(g giving, from, to int, ranged bool) error {
	h := map[string]string{
		"Content-Type": "application/octet-stream", "Last-Modified": "Sun, 01 Mar 2026 08:00:00 GMT",
	}
	if t := r.etag(); t != "" {
		h["ETag"] = t
	}
	if r.o.style.edgeETag {
		delete(h, "Last-Modified")
	}
	if r.o.style.gzipped || g.falseGzip {
		h["Content-Encoding"] = "gzip"
	}
	switch {
	case g.chunkedCut:
		h["Transfer-Encoding"] = "chunked"
	case g.noLength || r.o.style.noLength:
		h["Connection"] = "close"
	default:
		h["Content-Length"] = fmt.Sprint(to - from + g.tooLong)
	}
	status := 200
	if ranged || g.as206 {
		status = 206
		switch {
		case g.unknownTotal:
			h["Content-Range"] = fmt.Sprintf("bytes %d-%d/*", from, to-1)
		case !g.noContentRange:
			h["Content-Range"] = fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(r.body))
		}
	}
	if g.http10 {
		return r.headAs("HTTP/1.0", status, h)
	}
	return r.head(status, h)
}

// bytes sends the body in chunks. Each is an event at which the world may end the program.
func (r *reply) bytes(g giving, from, to int) bool {
	end := to
	if g.cut > 0 {
		end = min(to, from+g.cut)
	}
	if g.chunkedCut {
		_, _ = fmt.Fprintf(r.c, "%x\r\n", to-from+1)
	}
	for at := from; at < end; at += chunk {
		b := append([]byte(nil), r.body[at:min(at+chunk, end)]...)
		if g.flip >= at && g.flip < at+len(b) && g.flip > 0 {
			b[g.flip-at] ^= 0x20
		}
		r.s.sent()
		if _, err := r.c.Write(b); err != nil {
			return false
		}
		time.Sleep(r.o.style.pace)
	}
	if g.stall > 0 {
		time.Sleep(g.stall)
	}
	if end < to || g.chunkedCut {
		if g.reset {
			r.c.Reset()
		}
		return false
	}
	return true
}

// sent notes a chunk on its way.
func (s *server) sent() {
	s.mu.Lock()
	s.state.Clock = time.Now()
	s.state.Chunks++
	n := s.state.Chunks
	s.mu.Unlock()
	if s.event != nil {
		s.event(n)
	}
}
