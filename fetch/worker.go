package fetch

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"holdall/fetch/failure"
	"holdall/fetch/link"
)

// A worker is one connection's worth of fetching.
type worker struct {
	host  *host
	buf   []byte
	bytes atomic.Int64 // taken from the network

	// The run's mutex guards what follows.
	busy        bool
	object      *Object
	asked       bool  // it made a request of its own; the worker's
	accepted    bool  // the answer began as it should
	span        *span // what it works on; only this worker changes which one
	express     bool  // it is what a reader waits for
	began       time.Time
	cancel      context.CancelFunc
	atBegin     int64     // bytes when it began
	saved       int64     // bytes that went into the spool since it began
	lastBytes   int64     // bytes at the last look
	rate        float64   // bytes a second, lately
	slow        time.Time // since when it is much slower than the others, or trickles
	bytesAtSlow int64     // bytes then
	tooSlow     bool      // cancelled for that

	trickles bool // and there is no other to compare it with: it brings next to nothing
}

// begin is called with the run's mutex held.
func (w *worker) begin(t task, cancel context.CancelFunc) {
	w.busy, w.object, w.span, w.express, w.began, w.cancel = true, t.o, t.s, t.express, time.Now(), cancel
	w.atBegin, w.saved = w.bytes.Load(), 0
	w.lastBytes, w.rate, w.slow, w.tooSlow, w.trickles = w.atBegin, 0, time.Time{}, false, false
}

// runWorker fetches until there is nothing more from the host.
func (r *Run) runWorker(w *worker) {
	for {
		ctx, cancel := context.WithCancel(r.ctx)
		t, ok := r.nextTask(w, cancel)
		if !ok {
			cancel()
			return
		}
		if len(w.buf) < int(t.o.store.pieceSize) {
			w.buf = make([]byte, t.o.store.pieceSize)
		}
		err := r.serve(ctx, w, t)
		cancel()
		r.finishTask(w, t.o, err)
	}
}

// serve fetches a task's span, and what follows it where the same response brings that too.
func (r *Run) serve(ctx context.Context, w *worker, t task) error {
	x, err := r.f.gate.unpark(t.probe), error(nil)
	w.asked, w.accepted = x == nil, false
	if x == nil {
		if x, err = r.request(ctx, w, t.o, t.s); err != nil {
			return err
		}
	} else {
		stop := context.AfterFunc(ctx, x.cancel)
		defer stop()
	}
	if err = r.validate(w, t.o, x); err == nil {
		w.accepted = true
		err = r.receive(ctx, w, t.o, x)
	}
	x.close(err)
	return err
}

const aloneAfter = 500 * time.Millisecond

// overlap is how much is fetched again, to be compared with what has been received, where nothing else would
// show that the object changed.
const overlap = 64 << 10

func (r *Run) request(ctx context.Context, w *worker, o *Object, s *span) (*exchange, error) {
	r.mu.Lock()
	q := request{
		object: o.Source.Number, part: o.Source.Part, link: o.Source.Link, from: s.pos, to: s.end,
		retries: o.attempts.tries.wait.Tries(),
	}
	if !o.access.resolved.IsZero() {
		q.link = o.access.resolved
	}
	if o.access.sequential || s.end == forever {
		q.to = -1
	}
	if !o.id.versioned() {
		q.from = max(0, q.from-overlap)
	}
	if o.attempts.tries.whole {
		q.from, q.to, q.whole = 0, -1, true
	}
	r.mu.Unlock()
	asked := time.Now()
	x, err := r.f.get(ctx, q)
	r.mu.Lock()
	defer r.mu.Unlock()
	if took := time.Since(asked).Seconds(); err == nil && (w.host.latency == 0 || took < 4*w.host.latency) {
		w.host.latency = took/2 + w.host.latency/2
	}
	return x, err
}

// finishTask gives back what is left of the worker's span and decides what an error means.
func (r *Run) finishTask(w *worker, o *Object, err error) {
	r.mu.Lock()
	s := w.span
	w.host.busy--
	w.busy, w.cancel = false, nil
	if w.express && err == nil {
		w.host.reservedUntil = time.Now().Add(reserveFor)
	}
	delete(o.spans.active, s)
	o.spans.free = insertSpan(o.spans.free, s, o.store.pieceSize)
	if err == nil && w.yield() != yieldNew && s.pos < s.end {
		err = unusable("it ended %d bytes after it began, with %d more asked for", w.saved, s.end-s.pos)
	} else if err == nil && o.attempts.tries.err != nil {
		o.attempts.tries.reset(time.Now())
	}
	fatal := error(nil)
	if err != nil && !o.over() {
		fatal = r.objectFailed(w, o, err)
	}
	o.attempts.ended = time.Now()
	if o.attempts.pending != nil && len(o.spans.active) == 0 && (o.size < 0 || len(o.spans.free) > 0) {
		if !o.attempts.lastTry {
			o.fail(o.attempts.pending)
		}
		o.attempts.notBefore = o.attempts.ended.Add(aloneAfter)
	}
	r.work.Broadcast()
	r.mu.Unlock()
	if fatal != nil {
		r.fatal(fatal)
	}
}

// objectFailed does what the verdict on err asks for. It returns an error that ends the whole run. With the
// run's mutex held.
func (r *Run) objectFailed(w *worker, o *Object, err error) error {
	if r.ctx.Err() != nil {
		return nil
	}
	r.retries++
	if w.trickles {
		err = errTrickle
	} else if w.tooSlow {
		r.logf(
			"%s: one connection was much slower than the others; another one takes over its work",
			o.Source.Link,
		)
		return nil
	}
	now := time.Now()
	var changed errChanged
	if errors.As(err, &changed) && o.onlyOne(changed.explain()) {
		return nil
	}
	if o.noteBreak(w, err) {
		return r.acceptCutOff(o)
	}
	v := o.attempts.tries.failed(err, w.yield(), now, r.f.opts.retryBudget())
	if v.fewer {
		r.closeProbesAt(w.host.name)
		w.host.halve(now)
	}
	var ref *refusal
	switch {
	case v.action == stopAll:
		return v.err
	case v.action == endTries && errors.As(err, &ref) && !ref.transient:
		if o.endedOnce(ref) {
			return r.acceptEnd(o)
		}
		r.refused(w, o, ref)
	case v.action == endTries:
		o.outcome.superseded = changed.what == itsBytes
		o.fail(o.cutOffHint(v.err))
	default:
		if v.action == askWhole || v.action == inOrder {
			o.access.sequential, o.access.limit = true, 1
		}
		r.logf("%s: %v; trying again", o.Source.Link, err)
	}
	return nil
}

// yield says what w's connection brought. With the run's mutex held.
func (w *worker) yield() yield {
	switch {
	case w.saved >= overlap:
		return yieldNew
	case w.bytes.Load()-w.atBegin >= overlap:
		return yieldStale
	}
	return yieldNone
}

// refused decides about a refusal that no other try will change.
func (r *Run) refused(w *worker, o *Object, ref *refusal) {
	switch {
	case !o.access.resolved.IsZero() && o.access.resolves == 0:
		o.access.resolved, o.access.resolves = link.Link{}, 1
		o.attempts.tries.next = time.Now().Add(o.attempts.tries.wait.Next())
	case !o.attempts.lastTry && (!ref.certain && !o.alone(w) && ref.err.Code == failure.LinkDenied ||
		ref.err.Code == failure.NotTheExport):
		// Some servers refuse more than one connection in this way, and some proxies have a bad moment.
		o.attempts.pending, o.attempts.lastTry, o.access.limit = ref.err, true, 1
	case o.attempts.lastTry && len(o.spans.active) > 0:
	case o.onlyOne(ref.err):
	default:
		o.attempts.pending, o.attempts.lastTry = ref.err, false
	}
}

// onlyOne reports whether there is still an open answer, of an object for which no second request was ever
// answered like the first: its link works once, or the server makes a new object for each request. Then
// that answer is read to its end, and why becomes the failure only if it breaks. With the run's mutex held.
func (o *Object) onlyOne(why *failure.Error) bool {
	if o.access.proved || o.access.probe == nil && len(o.spans.active) == 0 {
		return false
	}
	o.access.single, o.access.sequential, o.access.limit = true, true, 1
	if o.access.probe == nil {
		o.attempts.pending, o.attempts.lastTry = why, false
	}
	return true
}

// alone reports whether w's request was the only one that the server can have seen for o. With the run's
// mutex held.
func (o *Object) alone(w *worker) bool {
	return len(o.spans.active) == 0 && o.attempts.ended.Before(w.began.Add(-aloneAfter))
}
