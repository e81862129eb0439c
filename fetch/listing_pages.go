package fetch

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/url"
	"regexp"
	"slices"
	"time"

	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/fetch/listing"
	"holdall/internal/digest"
	"holdall/internal/filetype"
	"holdall/internal/retry"
)

const maxPages = 1_000_000 // of one listing

// listingReader reads a listing page by page.
type listingReader struct {
	f       *Fetcher
	ctx     context.Context
	src     *Source
	yield   func(listing.Entry) error
	retried func()   // called before a request is repeated; may be nil
	notes   []string // why the listing may name more files than were read

	files int
	total int64 // that the listing says it has; -1 when it does not
}

// read reads all pages. x is the first one's response, or nil. What the listing says of itself that does not
// fit what was read is noted: a page that is said to follow, and cannot be fetched.
func (p *listingReader) read(x *exchange) error {
	href := p.src.Link
	p.total = -1
	seen, contents := map[link.Link]bool{}, map[digest.Sum]bool{}
	for page := range maxPages {
		seen[href] = true
		s := &pageReader{p: p, link: href, x: x, first: page == 0}
		var d listing.Digest
		var end listing.PageEnd
		body := bufio.NewReader(&decodingReader{r: s, declared: s.encoding})
		_, err := body.Peek(1) // where the page is from, which its links are relative to, the answer says
		if err == nil || err == io.EOF {
			end, err = listing.Read(p.src.Kind, body, s.base(), func(l listing.Entry) error {
				d.Add(l)
				return p.yield(l)
			})
		}
		if err = s.close(err, page); err != nil {
			return err
		}
		p.files += d.Files
		p.total = max(p.total, end.Total)
		if end.Cut && s.encoding() == "" && !bytes.HasSuffix(s.tail, []byte("\n")) || !s.whole() {
			p.note("page %d breaks off before its end", page+1)
		}
		if contents[d.Facts] && d.Files > 0 {
			p.note("page %d repeats an earlier one", page+1)
			return nil
		}
		contents[d.Facts] = true
		if end.Next == "" {
			end.Next = s.next
		}
		if end.Next == "" {
			return p.last(end.More)
		}
		n, err := link.New(end.Next)
		if err != nil || seen[n] {
			return p.last(end.More || err != nil)
		}
		href, x = n, nil
	}
	return &failure.Error{
		Code: failure.NotTheExport, Message: "the listing has no end",
		Hint: failure.HintFor(failure.NotTheExport),
	}
}

// last records that no page follows, though more says that one should.
func (p *listingReader) last(more bool) error {
	if more {
		p.note("it says that it continues, but not where")
	} else if p.total > int64(p.files) {
		p.note("it says that it has %d files, and names %d", p.total, p.files)
	}
	return nil
}

func (p *listingReader) note(format string, args ...any) {
	p.notes = append(p.notes, fmt.Sprintf(format, args...))
}

// A pageReader reads one page of a listing over as many responses as it takes. What it has yielded is hashed,
// so that a server that starts over is known to send the same.
type pageReader struct {
	p     *listingReader
	link  link.Link
	first bool // of the listing; it has been seen to name a file
	x     *exchange
	final link.Link // where redirects led; zero when there were none
	next  string    // from the Link header

	at    int64
	sum   hash.Hash
	tries tries
	id    *Identity

	tail   []byte // the last bytes
	html   bool   // it began as a document that says where it ends
	framed bool   // the server said how long it is
	ends   int    // times in a row that it ended where it does not look whole
}

// base is what relative links are relative to; known when the page has been answered.
func (s *pageReader) base() *url.URL { return cmp.Or(s.final, s.link).URL() }

func (s *pageReader) Read(b []byte) (int, error) {
	if s.sum == nil {
		s.sum = sha256.New()
	}
	for {
		if s.x == nil {
			err := s.open()
			if errors.Is(err, io.EOF) {
				return 0, io.EOF
			}
			if err != nil {
				if err := s.pause(err); err != nil {
					return 0, err
				}
				continue
			}
		}
		s.readHeaders()
		n, err := s.x.Read(b)
		if n > 0 {
			s.took(b[:n])
			return n, nil
		}
		if err == nil {
			continue
		}
		if end := s.x.bounds.end; err == io.EOF && (end < 0 || s.at >= end) {
			if s.whole() || s.ends >= maxEnds && (s.at > 0 || !s.first) {
				return 0, io.EOF
			}
			s.ends++
			err = errPageTruncated
		}
		s.x.close(err)
		s.x = nil
		if err := s.pause(cutShort(err)); err != nil {
			return 0, err
		}
	}
}

func (s *pageReader) took(b []byte) {
	if s.at == 0 {
		s.html = bytes.Contains(bytes.ToLower(b[:min(len(b), 4096)]), []byte("<html"))
	}
	s.sum.Write(b)
	s.at += int64(len(b))
	s.ends = 0
	s.tries.reset(time.Now())
	const enough = 256
	s.tail = append(s.tail, b[max(0, len(b)-enough):]...)
	s.tail = slices.Clone(s.tail[max(0, len(s.tail)-enough):])
}

// maxEnds is how often a page that does not look whole must end at the same byte until that is its end.
const maxEnds = 2

// errPageTruncated says that a page ended where it does not look whole.
var errPageTruncated = errors.New("the page of the listing breaks off")

// whole reports whether the page, read to its end, looks like all of it. A server whose program fails
// half-way ends its answer as if all were well; so does one that closes the connection of an answer without a
// length.
func (s *pageReader) whole() bool {
	if s.encoding() != "" { // which has an end of its own
		return true
	}
	if s.at == 0 {
		return false
	}
	end := bytes.TrimSpace(s.tail)
	switch s.p.src.Kind {
	case filetype.JSON:
		return bytes.HasSuffix(end, []byte("}")) || bytes.HasSuffix(end, []byte("]"))
	case filetype.XML:
		return bytes.HasSuffix(end, []byte(">")) && bytes.Contains(end, []byte("</"))
	case filetype.HTML:
		return !s.html && s.framed || bytes.Contains(bytes.ToLower(end), []byte("</html>"))
	}
	return s.framed || bytes.HasSuffix(s.tail, []byte("\n"))
}

// encoding is the one that the page came in.
func (s *pageReader) encoding() string {
	if s.id == nil {
		return ""
	}
	return s.id.Encoding
}

// readHeaders takes what the headers of the page's first response say.
func (s *pageReader) readHeaders() {
	s.framed = s.x.bounds.end >= 0
	if s.id == nil {
		s.id, s.final = &s.x.identity, s.x.final
		s.next = nextOf(s.x)
	}
}

var nextLink = regexp.MustCompile(`<([^>]*)>\s*;[^,]*\brel="?next"?`)

// nextOf reads the next page from a Link header (RFC 8288).
func nextOf(x *exchange) string {
	for _, v := range x.resp.Header.Values("Link") {
		if m := nextLink.FindStringSubmatch(v); m != nil {
			if u, err := x.resp.Request.URL.Parse(m[1]); err == nil {
				return u.String()
			}
		}
	}
	return ""
}

// open asks for the page from where reading is. io.EOF means that there is nothing behind.
func (s *pageReader) open() error {
	src := s.p.src
	x, err := s.p.f.get(s.p.ctx, request{
		object: src.Number, part: src.Part, link: s.link, from: s.at, to: -1, whole: s.tries.whole,
		retries: s.tries.wait.Tries(),
	})
	if err != nil {
		return err
	}
	deadline, _ := link.Expiry(s.link)
	err = s.p.f.checkResponse(x, deadline)
	if errors.Is(err, errUnsatisfied) && s.at > 0 && x.bounds.total == s.at {
		x.close(nil)
		return io.EOF
	}
	if err == nil && s.at > 0 && s.id != nil && s.id.changed(x.identity) != "" {
		err = errChanged{s.id.changed(x.identity)}
	}
	if err == nil {
		err = s.skip(x)
	}
	if err != nil {
		x.close(err)
		return err
	}
	s.x = x
	return nil
}

// skip reads again what has been read already, when the server starts over, and compares it.
func (s *pageReader) skip(x *exchange) error {
	if x.bounds.start == s.at {
		return nil
	}
	if x.bounds.start != 0 {
		return unusable("asked for the bytes from %d, got those from %d", s.at, x.bounds.start)
	}
	h := sha256.New()
	if _, err := io.CopyN(h, x, s.at); err != nil {
		return cutShort(err)
	}
	if !bytes.Equal(h.Sum(nil), s.sum.Sum(nil)) {
		return errChanged{itsBytes}
	}
	return nil
}

// pause waits before the next try, or returns what no other try will change.
func (s *pageReader) pause(err error) error {
	v := s.tries.failed(err, yieldNone, time.Now(), s.p.f.opts.retryBudget())
	switch {
	case v.action == endTries && v.err.Code == failure.ObjectChanged:
		return &failure.Error{
			Code: failure.ObjectChanged, Message: "the listing changed while it was being read",
			Hint: failure.HintFor(failure.ObjectChanged),
		}
	case v.action == endTries || v.action == stopAll:
		return v.err
	}
	if s.p.retried != nil {
		s.p.retried()
	}
	if retry.Sleep(s.p.ctx, v.after) != nil {
		return failure.Stopped(s.p.ctx)
	}
	return nil
}

// close ends the page, the first being 0. err is that of its reader.
func (s *pageReader) close(err error, page int) error {
	if s.x != nil {
		s.x.close(err)
	}
	var e *failure.Error
	switch {
	case !errors.Is(err, listing.ErrFormat), errors.As(err, &e): // e is why it could not be read on
		return err
	case !s.whole(), !s.framed:
		return &failure.Error{
			Code: failure.Network,
			Message: fmt.Sprintf(
				"page %d of the listing breaks off before its end, each time it is asked for", page+1,
			),
			Hint: "run the same command again later; if that does not help, ask for a new listing", Err: err,
		}
	}
	return &failure.Error{
		Code: failure.NotTheExport, Message: fmt.Sprintf("page %d of the listing cannot be read", page+1),
		Hint: failure.HintFor(failure.NotTheExport), Err: err,
	}
}
