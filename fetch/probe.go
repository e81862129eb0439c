package fetch

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/fetch/listing"
	"holdall/fetch/master"
	"holdall/internal/digest"
	"holdall/internal/filetype"
	"holdall/internal/redact"
	"holdall/internal/retry"
)

const (
	probeTime = 30 * time.Second
)

// probe asks for s from its first byte and fills in what the answer tells. The body stays open for Start.
func (f *Fetcher) probe(ctx context.Context, s *Source) { f.probeWithin(ctx, s, probeTime) }

// probeWithin is probe that gives up when nothing arrives for that long.
func (f *Fetcher) probeWithin(ctx context.Context, s *Source, patience time.Duration) {
	x, err := f.probeGet(ctx, s, patience)
	if err == nil {
		if err = s.describeFrom(x); err == nil {
			f.keepProbe(s, x)
			return
		}
		x.close(err)
	}
	s.Err = s.failure(err)
}

// failure makes a source's Error of whatever went wrong.
func (s *Source) failure(err error) *failure.Error {
	var e *failure.Error
	if !errors.As(err, &e) {
		e = netError(err)
	}
	c := *e
	c.Part, c.Link = s.Part, s.Link.String()
	return &c
}

// netError classifies an error of the transport.
func netError(err error) *failure.Error {
	e := &failure.Error{
		Code: failure.Network, Message: "the server could not be reached",
		Hint: failure.HintFor(failure.Network), Err: redact.Error(err),
	}
	var no *forbidden
	switch {
	case errors.As(err, &no):
		e.Code, e.Reason, e.Message = failure.LinkDenied, no.reason, "the link leads to where holdall "+
			"does not go"
		e.Hint = "ask for a new master CSV, or allow this destination when you trust the link"
		if no.reason == failure.ReasonRedirect {
			e.Message = "the link's redirects lead nowhere"
			e.Hint = "open the link in a browser: when it does not lead to a download there either, ask " +
				"for a new master CSV"
		}
	case errors.Is(err, errProxy):
		e.Reason, e.Hint = failure.ReasonProxy, "check the proxy, with its user and password, and run the "+
			"same command again to go on"
	case untrusted(err):
		e.Reason, e.Message = failure.ReasonCertificate, "the server's certificate is not trusted"
		e.Hint = "when a proxy of your own network is in between, trust its certificate; else do not " +
			"go on: somebody may be listening"
	case errors.Is(err, errAnswer), errors.Is(err, errIgnored), errors.Is(err, errUnsatisfied):
		e.Message = "the server's answers cannot be used"
	}
	return e
}

// hopeless reports whether trying again, as it is, cannot help.
func hopeless(err error) bool {
	return errors.Is(err, errRefused) || errors.Is(err, errProxy) || untrusted(err)
}

// untrusted reports whether the server could not prove who it is.
func untrusted(err error) bool {
	var cert *tls.CertificateVerificationError
	return errors.As(err, &cert)
}

// probeGet sends the probing GET, again where that may help, and repaired where the link looks damaged.
func (f *Fetcher) probeGet(ctx context.Context, s *Source, patience time.Duration) (*exchange, error) {
	var t tries
	defer f.asking(s, &t)()
	var empty emptiness
	var doubted *exchange
	defer func() { doubted.close(nil) }()
	for {
		x, err := f.probeOnce(ctx, s, &t)
		if err == nil && x.seemsEmpty() {
			if !empty.note(s, x, min(patience, f.opts.retryBudget())) {
				err = unusable("it has no bytes")
				x.close(err)
			}
		}
		if err == nil && x.maybeCut(s.Part) && (doubted == nil || !bytes.Equal(x.prefix, doubted.prefix)) {
			err = unusable("it ended after %d bytes, and the server had not given the length", len(x.prefix))
			doubted.close(nil)
			doubted = x
		}
		if err == nil || ctx.Err() != nil {
			return x, err
		}
		f.mu.Lock()
		v := t.failed(err, yieldNone, time.Now(), min(patience, f.opts.retryBudget()))
		f.mu.Unlock()
		var r *refusal
		if errors.As(err, &r) && !r.transient {
			if x := doubted; x != nil { // the link works once, and this is all that it gave
				doubted = nil
				return x, nil
			}
			x, err := f.probeRepaired(ctx, s, r)
			if err != nil {
				err = s.emptyOnce(s.failure(err), empty.as)
			}
			return x, err
		}
		if v.action == endTries || v.action == stopAll {
			return nil, v.err
		}
		if v.fewer {
			f.dropProbes(s.Link.Host())
		}
		if retry.Sleep(ctx, v.after) != nil {
			return nil, err
		}
	}
}

// maybeCut reports whether the body just ended, without a length or any other proof that this is its end,
// before it showed what it is.
func (x *exchange) maybeCut(part link.Part) bool {
	return x.ended && len(x.prefix) > 0 && x.bounds.end < 0 && len(x.resp.TransferEncoding) == 0 &&
		x.resp.ProtoMajor < 2 && !x.enoughToTell(part)
}

// probeRepaired tries what a link may have been before it was damaged in transit. first is the refusal of the
// link as it is.
func (f *Fetcher) probeRepaired(ctx context.Context, s *Source, first *refusal) (*exchange, error) {
	if first.err.Code == failure.LinkExpired || first.err.Code == failure.LinkGone {
		return nil, first
	}
	for _, m := range link.Repairs(s.Link) {
		t := *s
		t.Link = m.Link
		x, err := f.probeOnce(ctx, &t, new(tries))
		if err != nil {
			continue
		}
		s.Link, s.Repair, s.Fingerprint = m.Link, m.Note, m.Link.Fingerprint()
		return x, nil
	}
	if s.Repair != "" || link.Damaged(s.Link) {
		e := *first.err
		e.Code, e.Message, e.Hint = failure.LinkDamaged, e.Message+
			"; it looks damaged, and repairing it did not help", failure.HintFor(failure.LinkDamaged)
		return nil, &e
	}
	return nil, first
}

func (f *Fetcher) probeOnce(ctx context.Context, s *Source, past *tries) (*exchange, error) {
	// The body outlives the planning, so only the wait for its beginning ends with ctx.
	open, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cancel)
	defer stop()
	x, err := f.get(
		open,
		request{
			object: s.Number, part: s.Part, link: s.Link, to: -1, whole: past.whole,
			retries: past.wait.Tries(),
		},
	)
	if err != nil {
		cancel()
		return nil, err
	}
	inner := x.cancel
	x.cancel = func() { inner(); cancel() }
	if err := f.checkResponse(x, s.Expiry); err != nil {
		x.close(err)
		return nil, err
	}
	x.peek(filetype.HeadLen)
	err = f.notReady(x)
	if err == nil && x.broken && !x.enoughToTell(s.Part) {
		if past.truncated++; past.truncated < enoughTruncated {
			err = io.ErrUnexpectedEOF
		}
	}
	if err != nil {
		x.close(err)
		return nil, err
	}
	return x, nil
}

// enoughToTell reports whether what has come, though the answer broke off, is enough to tell what the object
// is. The beginning of a listing looks like that of any page.
func (x *exchange) enoughToTell(part link.Part) bool {
	first, _, _ := x.content()
	switch k := filetype.Detect(first); k {
	case filetype.HTML, filetype.XML, filetype.JSON, filetype.CSV, filetype.Unknown:
		return listing.Detect(part, k, first)
	}
	return true
}

// notReady recognises a page that says, with a time to come back, that the object is still being made.
func (f *Fetcher) notReady(x *exchange) error {
	r := &refusal{err: &failure.Error{}}
	if !r.asks(x.resp.Header, f.clock.server(f.now())) {
		return nil
	}
	first, _, _ := x.content()
	switch k := filetype.Detect(first); k {
	case filetype.HTML, filetype.XML, filetype.JSON:
		r.notYet(fmt.Sprintf("the server answered with a message in %s and a time to wait", k))
		return r
	}
	return nil
}

// checkResponse reads what a response's headers say. It returns nil for one that brings bytes of the object,
// and fills in the exchange's bounds and identity; a *refusal or errAnswer for another. 416 for an object
// without bytes brings all of them.
func (f *Fetcher) checkResponse(x *exchange, expiry time.Time) error {
	switch x.resp.StatusCode {
	case http.StatusOK, http.StatusPartialContent:
		b, err := readBounds(x.resp)
		if err != nil {
			return err
		}
		x.bounds, x.identity = b, identityOf(x.resp.Header, x.resp.StatusCode, b.total)
		return nil
	case http.StatusRequestedRangeNotSatisfiable:
		b, err := parseContentRange(x.resp.Header.Get("Content-Range"))
		if err != nil || b.total < 0 {
			b.total = -1
		}
		x.bounds, x.identity = bounds{b.total, b.total, b.total}, identityOf(x.resp.Header, 416, b.total)
		if b.total == 0 {
			return nil
		}
		return errUnsatisfied
	}
	body, _ := io.ReadAll(io.LimitReader(x.resp.Body, filetype.HeadLen))
	x.receipt.Length += int64(len(body))
	return refuse(x.resp, body, expiry, f.clock.server(f.now()))
}

// errUnsatisfied is status 416: the object has no byte where one was asked for.
var errUnsatisfied = errors.New("the server says that the object has no such bytes (416)")

// describeFrom fills in what a probe's response says about the source.
func (s *Source) describeFrom(x *exchange) error {
	if x.bounds.start > 0 {
		return unusable("asked from the first byte, the server began at %d", x.bounds.start)
	}
	s.Identity = x.identity
	s.Ranges = x.resp.StatusCode == http.StatusPartialContent
	if name := dispositionName(x.resp.Header); name != "" {
		s.Name = name
	} else if n := x.final.FileName(); n != "" {
		s.Name = n
	}
	first, coded, err := x.content()
	if no := errNoDecoder(""); errors.As(err, &no) {
		return no.explain()
	}
	s.encodings = coded
	if x.resp.StatusCode == http.StatusRequestedRangeNotSatisfiable {
		first = nil
		x.prefix = nil
	}
	s.head, s.headLen = digest.Of(first), int64(len(first))
	s.raw, s.rawLen, s.rawOnly = digest.Of(x.prefix), int64(len(x.prefix)), x.ended
	s.Kind = filetype.Detect(first)
	s.Listing = listing.Detect(s.Part, s.Kind, first)
	if s.isTable(first) {
		s.Part = link.PartData // whatever its label says: Attachments.csv is a list of attachments
	}
	if s.Listing {
		base := s.Link
		if !x.final.IsZero() {
			base = x.final
		}
		s.sample = fileSample(s.Kind, first, base.URL())
	}
	switch s.Kind {
	case filetype.HTML, filetype.XML, filetype.JSON:
		if !s.Listing {
			return notTheExport(s.Kind, x.final)
		}
	}
	return nil
}

// isTable reports whether an object that begins so is a table of the export.
func (s *Source) isTable(first []byte) bool {
	text := s.Kind == filetype.CSV || s.Kind == filetype.Unknown
	return text && !s.Listing && s.Part != link.PartData && master.IsTable(first)
}

// notTheExport explains a page where an export should be.
func notTheExport(k filetype.Type, final link.Link) *failure.Error {
	e := &failure.Error{Code: failure.NotTheExport, Hint: failure.HintFor(failure.NotTheExport)}
	switch k {
	case filetype.HTML:
		e.Message = "the link shows a web page (a sign-in or error page) instead of the export"
	default:
		e.Message = fmt.Sprintf("the link serves a message in %s instead of the export", k)
	}
	if final != (link.Link{}) {
		e.Message += ", after a redirect to " + final.String()
	}
	return e
}
