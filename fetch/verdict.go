package fetch

import (
	"errors"
	"fmt"
	"syscall"
	"time"
)

// failedTry decides what to do about an error: nothing but wait and ask again, fail the object, or return it because it ends
// the whole run. With the run's mutex held.
func (r *Run) failedTry(w *worker, o *Object, err error) error {
	var e *Error
	var ref *refusal
	var changed errChanged
	switch {
	case r.ctx.Err() != nil:
		return nil
	case w.tooSlow:
		r.retries++
		r.logf("%s: one connection was much slower than the others; another one goes on with its work", o.Source.Link)
		return nil
	case errors.As(err, &ref):
		r.refused(w, o, ref)
		return nil
	case errors.As(err, &e):
		return e // of the disk
	case hopeless(err):
		o.fail(netError(err))
		return nil
	case errors.As(err, &changed):
		if o.changes++; o.changes >= 3 || changed.what == "its bytes" {
			o.fail(changed.explain())
			return nil
		}
	case errors.Is(err, errIgnored):
		if o.ignored++; o.ignored >= 3 || !o.rangesSeen {
			o.sequential, o.limit = true, 1
		}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.ECONNREFUSED):
		w.host.halve(time.Now())
	}
	// A connection that brought something before it broke is simply followed by the next one.
	if w.bytes.Load()-w.atBegin >= overlap && !errors.As(err, &changed) {
		r.retries++
		o.lastErr = err
		return nil
	}
	r.again(o, err, 0)
	return nil
}

// again lets o wait before the next try, or fails it when nothing has come for too long.
func (r *Run) again(o *Object, err error, after time.Duration) {
	r.retries++
	o.lastErr = err
	if time.Since(o.lastBytes) > r.f.opts.budget() {
		if changed := (errChanged{}); errors.As(err, &changed) {
			o.fail(changed.explain())
			return
		}
		e := netError(err)
		e.Message = fmt.Sprintf("nothing arrived for %s, over %d tries", r.f.opts.budget(), o.backoff.Tries()+1)
		o.fail(e)
		return
	}
	// However long the server asks to wait, there must be time for another try.
	o.notBefore = time.Now().Add(max(min(after, r.f.opts.budget()/2), o.backoff.Next()))
	r.logf("%s: %v; trying again", o.Source.Link, err)
}

// refused decides about an answer with a status other than success.
func (r *Run) refused(w *worker, o *Object, ref *refusal) {
	switch {
	case ref.throttled:
		w.host.halve(time.Now())
		r.again(o, ref, ref.after)
	case ref.transient:
		r.again(o, ref, ref.after)
	case !o.resolved.IsZero() && o.resolves == 0:
		o.resolved, o.resolves = Link{}, 1
		r.again(o, ref, 0)
	case !o.lastTry && (!ref.certain && !o.alone(w) && ref.err.Code == LinkDenied || ref.err.Code == NotTheExport):
		// Some servers refuse more than one connection in this way, and some proxies have a bad moment.
		o.pending, o.lastTry, o.limit = ref.err, true, 1
	case o.lastTry && len(o.active) > 0:
	default:
		o.pending, o.lastTry = ref.err, false
	}
}

// alone reports whether w's request was the only one that the server can have seen for o. With the run's mutex held.
func (o *Object) alone(w *worker) bool {
	return len(o.active) == 0 && o.ended.Before(w.began.Add(-aloneAfter))
}
