package fetch

import (
	"context"
	"slices"
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
				t.o.active[t.s] = w
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
			h.keptUntil = time.Time{}
			t := o.task(s)
			t.express = true
			return t, true
		}
	}
	if h.busy > 0 && h.busy+1 == h.target && now.Before(h.keptUntil) {
		return task{}, false
	}
	if o := firstAnswer(open); o != nil && h.target-h.busy > 1 {
		return o.task(o.claimNext(h)), true
	}
	for _, steal := range []bool{false, true} {
		var best *Object
		for _, o := range open {
			if !steal && len(o.free) == 0 || steal && o.victim(h) == nil {
				continue
			}
			if best == nil || len(o.active) < len(best.active) && best.Source.Part != link.PartData {
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

// task hands out s, with the probe's body where s begins there.
func (o *Object) task(s *span) task {
	t := task{o: o, s: s}
	if o.probe != nil && (s.pos == 0 || o.sequential) {
		t.probe, o.probe = o.probe, nil
	}
	return t
}

// again reports whether o's link is known to work more than once. Until then one further request at a time is
// made, and the first answer, which may be the only one there will ever be, is left alone.
func (o *Object) again() bool {
	return !o.single && (o.run.host(o.Source.Link.Host()).again || o.signed)
}

// open counts o's open answers, the probe's included.
func (o *Object) open() int {
	n := len(o.active)
	if o.probe != nil {
		n++
	}
	return n
}

// firstAnswer returns an object whose probe is to be read on before it grows cold, because its link may not
// work again.
func firstAnswer(open []*Object) *Object {
	for _, o := range open {
		if o.probe != nil && !o.again() && len(o.free) > 0 && o.free[0].pos == 0 {
			return o
		}
	}
	return nil
}

// mayFetch reports whether a connection may begin with o now.
func (o *Object) mayFetch(now time.Time) bool {
	if !o.again() && o.open() >= 2 {
		return false
	}
	if o.files != nil || o.over() || now.Before(o.notBefore) || now.Before(o.tries.again) ||
		len(o.active) >= o.limit {
		return false
	}
	return o.pending == nil || o.lastTry && len(o.active) == 0
}

const (
	minSpan   = 4 << 20
	firstSpan = 16 << 20 // while the pace is not known
	maxSpan   = 64 << 20
	spanTime  = 4 // seconds that a span should take, at most
	// times as long as its answer takes to begin should a span take; the last ones may take less:
	worthAsking = 200
	leastAsking = 12
	leastTime   = 0.4 // seconds
	// of what all connections still have to bring, one takes at most its share of so much
	ofTheRest  = 2. / 3
	soonBytes  = 2 << 20
	hurryEvery = 100 * time.Millisecond // at most is a connection cut short for readers
	endsSoon   = 5                      // seconds
)

// spanLength is how much a connection takes on at once: enough that asking costs little, and not so much that
// the readers, who go from front to back, wait long for one slow connection.
func (o *Object) spanLength(h *host) int64 {
	n := int64(h.perConn * min(max(h.latency*worthAsking, 1), spanTime))
	n = min(max(n, firstSpan), maxSpan)
	if o.lastCall() {
		n = forever / 2
	}
	if o.size >= 0 {
		// Towards the end spans become shorter, so that the object's first missing bytes never come last:
		// what lies behind them would have to be hashed when everything else is over.
		least := max(minSpan, int64(h.perConn*max(leastTime, leastAsking*h.latency)))
		share := float64(o.size-o.here) / float64(max(h.target, 1))
		if !o.lastCall() {
			share *= ofTheRest
		}
		n = min(n, max(min(least, maxSpan), int64(share)))
	}
	return (n + o.st.pieceSize - 1) / o.st.pieceSize * o.st.pieceSize
}

// claimNext takes the first free bytes.
func (o *Object) claimNext(h *host) *span {
	s := o.free[0]
	if o.sequential || s.end == forever {
		o.free = o.free[1:]
		return s
	}
	return o.head(0, o.spanLength(h))
}

// head cuts the first n bytes, rounded to pieces, off the i-th free span.
func (o *Object) head(i int, n int64) *span {
	s := o.free[i]
	cut := (s.pos/o.st.pieceSize)*o.st.pieceSize + n
	// What would be left must be worth a request of its own.
	if cut+o.st.pieceSize*2 >= s.end {
		o.free = append(o.free[:i:i], o.free[i+1:]...)
		return s
	}
	t := &span{pos: s.pos, end: cut, crc: s.crc}
	s.pos, s.crc = cut, 0
	return t
}

// claimAwaited takes bytes that a reader waits for and that no connection will bring soon.
func (o *Object) claimAwaited(h *host) *span {
	if o.sequential {
		return nil
	}
	for _, w := range o.waits {
		first := o.missing(w.from, w.to)
		if first >= w.to || o.soon(first) {
			continue
		}
		if s := o.expressSpan(h, first, w.to); s != nil {
			return s
		}
	}
	return nil
}

// soon reports whether a connection is about to bring the byte at off.
func (o *Object) soon(off int64) bool {
	for s := range o.active {
		if s.pos/o.st.pieceSize*o.st.pieceSize <= off && off < s.end && off-s.pos < soonBytes {
			return true
		}
	}
	return false
}

// expressSpan takes the piece that first is in, and more: at least what counts as soon, as far as the reader
// waits, and twice as much each time a reader goes on where the last one was served.
func (o *Object) expressSpan(h *host, first, to int64) *span {
	ps := o.st.pieceSize
	start := first / ps * ps
	n := max((to-start+ps-1)/ps*ps, soonBytes)
	if o.ahead == start && o.aheadLen > 0 {
		n = max(n, 2*o.aheadLen)
	}
	n = min(n, o.spanLength(h))
	taken := func(s *span) *span {
		o.ahead, o.aheadLen = s.end, s.end-start
		return s
	}
	for i, s := range o.free {
		if s.pos/ps*ps > first || first >= s.end {
			continue
		}
		if s.pos >= start {
			return taken(o.head(i, max(n, o.spanLength(h))))
		}
		rest := &span{pos: start, end: s.end}
		s.end = start
		o.free = append(o.free[:i+1:i+1], append([]*span{rest}, o.free[i+1:]...)...)
		return taken(o.head(i+1, n))
	}
	for s := range o.active {
		if s.pos/ps*ps < start && first < s.end {
			rest := &span{pos: start, end: s.end}
			s.end = start
			o.free = insertSpan(o.free, rest, ps)
			for i, f := range o.free {
				if f.pos <= start && start < f.end {
					return taken(o.head(i, n))
				}
			}
		}
	}
	return nil
}

// victim returns the active span with the most left, when taking over half of it saves time.
func (o *Object) victim(h *host) *span {
	if o.sequential || o.size < 0 {
		return nil
	}
	var best *span
	for s := range o.active {
		if best == nil || o.left(s) > o.left(best) {
			best = s
		}
	}
	if best == nil || !o.worth(h, best) {
		return nil
	}
	return best
}

// left is the time that a span will still take its connection; in bytes while no rate is known.
func (o *Object) left(s *span) float64 {
	return float64(s.end-s.pos) / max(o.active[s].rate, 1)
}

// worth reports whether taking over half of s saves time: the connection that has it will not be done before
// a new request gets going.
func (o *Object) worth(h *host, s *span) bool {
	left := s.end - o.pieceEnd(s.pos)
	if left < o.st.pieceSize {
		return false
	}
	rate := o.active[s].rate
	if rate == 0 {
		return left >= minSpan
	}
	return float64(left)/rate > max(4*h.latency, 0.2)
}

// steal takes over half of what the victim has left.
func (o *Object) steal(h *host) *span {
	v := o.victim(h)
	ps := o.st.pieceSize
	mid := max((v.pos+(v.end-v.pos)/2)/ps*ps, o.pieceEnd(v.pos))
	s := &span{pos: mid, end: v.end}
	v.end = mid
	return s
}

// preempt makes a connection free for bytes that readers wait for, when none is or soon will be. With the
// run's mutex held.
func (r *Run) preempt(h *host) {
	now := time.Now()
	if now.Sub(h.preempted) < hurryEvery || r.wanted(h) <= max(h.target-h.busy, 0)+r.ending(h) {
		return
	}
	// Cut short the connection that has the most left; what it leaves stays to be fetched.
	var from *Object
	var longest *span
	for _, x := range r.order {
		if x.Source.Link.Host() != h.name || x.sequential || !x.again() {
			continue
		}
		for s := range x.active {
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
		from.free = insertSpan(from.free, &span{pos: cut, end: longest.end}, from.st.pieceSize)
		longest.end = cut
	}
}

// wanted counts the places from which readers wait for bytes of h that no connection will bring soon.
func (r *Run) wanted(h *host) int {
	now := time.Now()
	n := 0
	for _, o := range r.order {
		if len(o.waits) == 0 || o.over() || o.sequential || o.pending != nil || now.Before(o.notBefore) ||
			now.Before(o.tries.again) || o.Source.Link.Host() != h.name {
			continue
		}
		seen := map[int64]bool{}
		for _, w := range o.waits {
			first := o.missing(w.from, w.to)
			if place := first / soonBytes; first < w.to && !seen[place] && !o.soon(first) {
				seen[place] = true
				n++
			}
		}
	}
	return n
}

// awaited reports whether a reader waits for bytes that a connection will bring soon when it goes on at off.
func (o *Object) awaited(off int64) bool {
	return slices.ContainsFunc(o.waits, func(w *interval) bool {
		first := o.missing(w.from, w.to)
		return first < w.to && off <= first && first-off < soonBytes
	})
}

// ending counts the connections to h that are in the last piece of their span and will be done with it soon.
func (r *Run) ending(h *host) int {
	n := 0
	for _, o := range r.order {
		if o.Source.Link.Host() != h.name {
			continue
		}
		for s, w := range o.active {
			if s.end <= o.pieceEnd(s.pos) && (w.rate == 0 || o.left(s) < endsSoon) {
				n++
			}
		}
	}
	return n
}
