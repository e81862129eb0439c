package fetch

import (
	"slices"
	"time"
)

// task hands out s, with the probe's body where s begins there.
func (o *Object) task(s *span) task {
	t := task{o: o, s: s}
	if o.access.probe != nil && (s.pos == 0 || o.access.sequential) {
		t.probe, o.access.probe = o.access.probe, nil
	}
	return t
}

// repeatable reports whether o's link is known to work more than once. Until then one further request at a
// time is made, and the first answer, which may be the only one there will ever be, is left alone.
func (o *Object) repeatable() bool {
	return !o.access.single && (o.run.host(o.Source.Link.Host()).repeatable || o.access.signed)
}

// open counts o's open answers, the probe's included.
func (o *Object) open() int {
	n := len(o.spans.active)
	if o.access.probe != nil {
		n++
	}
	return n
}

// mayFetch reports whether a connection may begin with o now.
func (o *Object) mayFetch(now time.Time) bool {
	if !o.repeatable() && o.open() >= 2 {
		return false
	}
	if o.files != nil || o.over() || !o.attempts.due(now) || len(o.spans.active) >= o.access.limit {
		return false
	}
	return o.attempts.pending == nil || o.attempts.lastTry && len(o.spans.active) == 0
}

const (
	minSpan   = 4 << 20
	firstSpan = 16 << 20 // while the pace is not known
	maxSpan   = 64 << 20
	spanTime  = 4 // seconds that a span should take, at most
	// a span should take this many times as long as its response takes to begin; the last ones may take less:
	worthAsking = 200
	leastAsking = 12
	leastTime   = 0.4 // seconds
	// of what all connections still have to bring, one takes at most its share of this fraction
	ofTheRest    = 2. / 3
	soonBytes    = 2 << 20
	preemptEvery = 100 * time.Millisecond // a connection is cut short for readers at most this often
	endsSoon     = 5                      // seconds
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
		share := float64(o.size-o.spans.received) / float64(max(h.target, 1))
		if !o.lastCall() {
			share *= ofTheRest
		}
		n = min(n, max(min(least, maxSpan), int64(share)))
	}
	return (n + o.store.pieceSize - 1) / o.store.pieceSize * o.store.pieceSize
}

// claimNext takes the first free bytes.
func (o *Object) claimNext(h *host) *span {
	s := o.spans.free[0]
	if o.access.sequential || s.end == forever {
		o.spans.free = o.spans.free[1:]
		return s
	}
	return o.claimHead(0, o.spanLength(h))
}

// claimHead cuts the first n bytes, rounded to pieces, off the i-th free span.
func (o *Object) claimHead(i int, n int64) *span {
	s := o.spans.free[i]
	cut := (s.pos/o.store.pieceSize)*o.store.pieceSize + n
	// What would be left must be worth a request of its own.
	if cut+o.store.pieceSize*2 >= s.end {
		o.spans.free = append(o.spans.free[:i:i], o.spans.free[i+1:]...)
		return s
	}
	t := &span{pos: s.pos, end: cut, crc: s.crc}
	s.pos, s.crc = cut, 0
	return t
}

// claimAwaited takes bytes that a reader waits for and that no connection will bring soon.
func (o *Object) claimAwaited(h *host) *span {
	if o.access.sequential {
		return nil
	}
	for _, w := range o.readers.waits {
		first := o.missing(w.from, w.to)
		if first >= w.to || o.arrivesSoon(first) {
			continue
		}
		if s := o.expressSpan(h, first, w.to); s != nil {
			return s
		}
	}
	return nil
}

// arrivesSoon reports whether a connection is about to bring the byte at off.
func (o *Object) arrivesSoon(off int64) bool {
	for s := range o.spans.active {
		if s.pos/o.store.pieceSize*o.store.pieceSize <= off && off < s.end && off-s.pos < soonBytes {
			return true
		}
	}
	return false
}

// expressSpan takes the piece that first is in, and more: at least what counts as soon, as far as the reader
// waits, and twice as much each time a reader continues where the last one was served.
func (o *Object) expressSpan(h *host, first, to int64) *span {
	ps := o.store.pieceSize
	start := first / ps * ps
	n := max((to-start+ps-1)/ps*ps, soonBytes)
	if o.readers.expressEnd == start && o.readers.expressLen > 0 {
		n = max(n, 2*o.readers.expressLen)
	}
	n = min(n, o.spanLength(h))
	taken := func(s *span) *span {
		o.readers.expressEnd, o.readers.expressLen = s.end, s.end-start
		return s
	}
	for i, s := range o.spans.free {
		if s.pos/ps*ps > first || first >= s.end {
			continue
		}
		if s.pos >= start {
			return taken(o.claimHead(i, max(n, o.spanLength(h))))
		}
		rest := &span{pos: start, end: s.end}
		s.end = start
		o.spans.free = append(o.spans.free[:i+1:i+1], append([]*span{rest}, o.spans.free[i+1:]...)...)
		return taken(o.claimHead(i+1, n))
	}
	for s := range o.spans.active {
		if s.pos/ps*ps < start && first < s.end {
			rest := &span{pos: start, end: s.end}
			s.end = start
			o.spans.free = insertSpan(o.spans.free, rest, ps)
			for i, f := range o.spans.free {
				if f.pos <= start && start < f.end {
					return taken(o.claimHead(i, n))
				}
			}
		}
	}
	return nil
}

// victim returns the active span with the most left, when taking over half of it saves time.
func (o *Object) victim(h *host) *span {
	if o.access.sequential || o.size < 0 {
		return nil
	}
	var best *span
	for s := range o.spans.active {
		if best == nil || o.timeLeft(s) > o.timeLeft(best) {
			best = s
		}
	}
	if best == nil || !o.worthStealing(h, best) {
		return nil
	}
	return best
}

// timeLeft is the time that a span will still take its connection; in bytes while no rate is known.
func (o *Object) timeLeft(s *span) float64 {
	return float64(s.end-s.pos) / max(o.spans.active[s].rate, 1)
}

// worthStealing reports whether taking over half of s saves time: the connection that has it will not be done
// before a new request gets going.
func (o *Object) worthStealing(h *host, s *span) bool {
	left := s.end - o.pieceEnd(s.pos)
	if left < o.store.pieceSize {
		return false
	}
	rate := o.spans.active[s].rate
	if rate == 0 {
		return left >= minSpan
	}
	return float64(left)/rate > max(4*h.latency, 0.2)
}

// steal takes over half of what the victim has left.
func (o *Object) steal(h *host) *span {
	v := o.victim(h)
	ps := o.store.pieceSize
	mid := max((v.pos+(v.end-v.pos)/2)/ps*ps, o.pieceEnd(v.pos))
	s := &span{pos: mid, end: v.end}
	v.end = mid
	return s
}

// awaited reports whether a reader waits for bytes that a connection will bring soon when it continues at
// off.
func (o *Object) awaited(off int64) bool {
	return slices.ContainsFunc(o.readers.waits, func(w *interval) bool {
		first := o.missing(w.from, w.to)
		return first < w.to && off <= first && first-off < soonBytes
	})
}
