package fetch

import (
	"context"
	"time"

	"holdall/fetch/link"
)

// host returns the host of that name; with the run's mutex held.
func (r *Run) host(name string) *host {
	h := r.hosts[name]
	if h == nil {
		h = newHost(name, r.f.opts.Connections)
		r.hosts[name] = h
	}
	return h
}

// A task is a span to fetch.
type task struct {
	o       *Object
	s       *span
	probe   *exchange // an open response that begins with the object's first byte, or nil
	express bool      // for a reader that waits
}

// nextTask waits for something to fetch. It is false when there will be nothing more.
func (r *Run) nextTask(w *worker, cancel context.CancelFunc) (task, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := w.host
	for {
		if r.over(h) {
			h.running--
			return task{}, false
		}
		if h.busy < h.target {
			if t, ok := r.pick(h); ok {
				h.busy++
				t.o.spans.active[t.s] = w
				w.begin(t, cancel)
				return t, true
			}
		}
		r.work.Wait()
	}
}

// over reports whether everything that comes from h is settled. Out of a listing large files may still come.
func (r *Run) over(h *host) bool {
	for _, o := range r.order {
		if !o.over() && (o.files != nil || o.Source.Link.Host() == h.name) {
			return false
		}
	}
	return true
}

// pick chooses what to fetch next: first what somebody waits for, then data parts, then the object with the
// fewest connections. The last free connection is kept for a reader that has just been served, for it will
// soon ask for more.
func (r *Run) pick(h *host) (task, bool) {
	now := time.Now()
	var open []*Object
	for _, o := range r.order {
		if o.Source.Link.Host() == h.name && o.mayFetch(now) {
			open = append(open, o)
		}
	}
	for _, o := range open {
		if s := o.claimAwaited(h); s != nil {
			h.reservedUntil = time.Time{}
			t := o.task(s)
			t.express = true
			return t, true
		}
	}
	if h.busy > 0 && h.busy+1 == h.target && now.Before(h.reservedUntil) {
		return task{}, false
	}
	if o := firstAnswer(open); o != nil && h.target-h.busy > 1 {
		return o.task(o.claimNext(h)), true
	}
	for _, steal := range []bool{false, true} {
		var best *Object
		for _, o := range open {
			if !steal && len(o.spans.free) == 0 || steal && o.victim(h) == nil {
				continue
			}
			fewer := best != nil && len(o.spans.active) < len(best.spans.active)
			if best == nil || fewer && best.Source.Part != link.PartData {
				best = o
			}
		}
		if best == nil {
			continue
		}
		if steal {
			return best.task(best.steal(h)), true
		}
		return best.task(best.claimNext(h)), true
	}
	return task{}, false
}

// firstAnswer returns an object whose probe is to be read on before it grows cold, because its link may not
// work again.
func firstAnswer(open []*Object) *Object {
	for _, o := range open {
		if o.access.probe != nil && !o.repeatable() && len(o.spans.free) > 0 && o.spans.free[0].pos == 0 {
			return o
		}
	}
	return nil
}

// preempt makes a connection free for bytes that readers wait for, when none is or soon will be. With the
// run's mutex held.
func (r *Run) preempt(h *host) {
	now := time.Now()
	if now.Sub(h.preempted) < preemptEvery || r.wanted(h) <= max(h.target-h.busy, 0)+r.ending(h) {
		return
	}
	// Cut short the connection that has the most left; what it leaves stays to be fetched.
	var from *Object
	var longest *span
	for _, x := range r.order {
		if x.Source.Link.Host() != h.name || x.access.sequential || !x.repeatable() {
			continue
		}
		for s := range x.spans.active {
			if s.end < forever && (longest == nil || s.end-s.pos > longest.end-longest.pos) {
				from, longest = x, s
			}
		}
	}
	if longest == nil {
		return
	}
	if cut := from.pieceEnd(longest.pos); cut < longest.end {
		h.preempted = now
		from.spans.free = insertSpan(from.spans.free, &span{pos: cut, end: longest.end}, from.store.pieceSize)
		longest.end = cut
	}
}

// wanted counts the places from which readers wait for bytes of h that no connection will bring soon.
func (r *Run) wanted(h *host) int {
	now := time.Now()
	n := 0
	for _, o := range r.order {
		if len(o.readers.waits) == 0 || o.over() || o.access.sequential || o.attempts.pending != nil ||
			!o.attempts.due(now) || o.Source.Link.Host() != h.name {
			continue
		}
		seen := map[int64]bool{}
		for _, w := range o.readers.waits {
			first := o.missing(w.from, w.to)
			if place := first / soonBytes; first < w.to && !seen[place] && !o.arrivesSoon(first) {
				seen[place] = true
				n++
			}
		}
	}
	return n
}

// ending counts the connections to h that are in the last piece of their span and will be done with it soon.
func (r *Run) ending(h *host) int {
	n := 0
	for _, o := range r.order {
		if o.Source.Link.Host() != h.name {
			continue
		}
		for s, w := range o.spans.active {
			if s.end <= o.pieceEnd(s.pos) && (w.rate == 0 || o.timeLeft(s) < endsSoon) {
				n++
			}
		}
	}
	return n
}
