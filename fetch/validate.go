package fetch

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"holdall/fetch/failure"
	"holdall/internal/filetype"
)

// errChanged says that a response is of another object than the one begun.
type errChanged struct{ what string }

const (
	itsBytes = "its bytes" // differ from those that have been received
	itsSize  = "its size"
)

func (e errChanged) Error() string {
	return fmt.Sprintf("the object changed at its source (%s) while it was being fetched", e.what)
}

func (e errChanged) explain() *failure.Error {
	return &failure.Error{
		Code: failure.ObjectChanged, Message: e.Error(),
		Hint: "run the same command again to fetch the new one; the old part is kept alongside it",
	}
}

// errIgnored says that the server sent the object from its first byte, though a later part was asked for.
var errIgnored = errors.New("the server ignored the range asked for")

// validate decides whether a response is of use for the worker's span.
func (r *Run) validate(w *worker, o *Object, x *exchange) error {
	if err := r.f.checkResponse(x, o.Source.Expiry); err != nil && !(errors.Is(err, errUnsatisfied) &&
		r.endsHere(w, o, x)) {
		return r.unsatisfied(o, x, err)
	}
	if err := o.pageInstead(x, r.f.clock.server(r.f.now())); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if x.identity.Encoding != o.id.Encoding && x.resp.StatusCode != http.StatusRequestedRangeNotSatisfiable {
		return unusable(
			"it came in the encoding %q, what was received before in %q", x.identity.Encoding, o.id.Encoding,
		)
	}
	if what := o.id.changed(x.identity); what != "" && (what == itsSize || !o.comparable(x)) {
		return errChanged{what}
	}
	if n := x.bounds.total; n >= 0 && n < o.Source.headLen && o.encodings == nil {
		return unusable("it says that it has %d bytes, after %d of them had been seen", n, o.Source.headLen)
	}
	o.attempts.tries.changes = 0
	if o.attempts.lastTry {
		o.attempts.pending = nil // alone it works
	}
	if o.size < 0 && x.bounds.total >= 0 {
		if x.bounds.total < w.span.pos {
			return errChanged{itsSize}
		}
		if err := r.ends(w, o, x.bounds.total); err != nil {
			return err
		}
	}
	if !x.final.IsZero() {
		o.access.resolved = x.final
	}
	if w.asked {
		w.host.repeatable, o.access.proved = true, true
		if o.access.probe != nil && o.spans.have.has(0) && !o.access.sequential {
			o.access.probe.close(nil)
			o.access.probe = nil
		}
	}
	s := w.span
	if x.bounds.start > s.pos {
		return unusable("asked for the bytes from %d, got those from %d", s.pos, x.bounds.start)
	}
	if s.pos > 0 && x.bounds.start+soonBytes < s.pos && !o.access.sequential {
		return errIgnored
	}
	if s.pos > 0 && x.bounds.start > 0 {
		o.attempts.tries.ranged, o.attempts.tries.ignored = true, 0
	}
	return nil
}

// comparable reports whether x brings the whole object to the one worker that is left, so that all that is
// here is compared with it on the way: then an ETag that differs, as each server of a farm may make its own,
// does no harm, and other bytes are noticed. With the run's mutex held.
func (o *Object) comparable(x *exchange) bool {
	fromStart := x.resp.StatusCode == http.StatusOK && x.bounds.start == 0
	return o.attempts.tries.whole && len(o.spans.active) == 1 && fromStart
}

// pageInstead recognises a page of a server or proxy that came with status 200 where bytes of the object
// should be.
func (o *Object) pageInstead(x *exchange, now time.Time) error {
	if x.resp.StatusCode != http.StatusOK || x.bounds.start > 0 || len(x.prefix) > 0 || o.Source.Kind == "" {
		return nil
	}
	first := x.peek(1024)
	switch k := filetype.Detect(first); k {
	case o.Source.Kind:
	case filetype.HTML, filetype.XML, filetype.JSON:
		e := notTheExport(k, x.final)
		if !o.Source.Expiry.IsZero() && now.After(o.Source.Expiry) {
			e.Code, e.Message, e.Hint = failure.LinkExpired, e.Message+
				": the link has expired", failure.HintNewLink
		}
		return &refusal{err: e}
	}
	return nil
}

// endsHere takes a 416 for the end of an object whose size was not known, if that is where the object has
// been received up to.
func (r *Run) endsHere(w *worker, o *Object, x *exchange) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return o.size < 0 && x.bounds.total == w.span.pos
}

// unsatisfied says what a 416 means that names another size: another object, or, where
// redirects led to it, a page instead of the object. Other errors are returned as they are.
func (r *Run) unsatisfied(o *Object, x *exchange, err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !errors.Is(err, errUnsatisfied) || o.size < 0 || x.bounds.total < 0 || x.bounds.total == o.size {
		return err
	}
	if !x.final.IsZero() {
		return &refusal{err: notTheExport(filetype.HTML, x.final)}
	}
	return errChanged{itsSize}
}

// setSize records a size that was unknown; with the run's mutex held.
func (o *Object) setSize(n int64) {
	o.size = n
	for s := range o.spans.active {
		s.end = min(s.end, n)
	}
	for _, s := range o.spans.free {
		s.end = min(s.end, n)
	}
	o.readers.arrived.Broadcast()
}
