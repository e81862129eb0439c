package fetch

import (
	"slices"
	"time"
)

// A host is where connections are counted. The run's mutex guards it.
type host struct {
	name          string
	limit         int // connections, ever
	target        int // connections, now
	workers       []*worker
	running       int       // workers that have not ended
	busy          int       // workers with a task
	preempted     time.Time // when a connection was last cut short for a reader
	reservedUntil time.Time // one connection is kept for a reader until then
	latency       float64   // seconds from a request to its answer, lately
	perConn       float64   // bytes a second that a connection brings, lately; 0 while unknown
	repeatable    bool      // its links work more than once: one was asked for a second time and answered

	// How the number of connections is found: raised quickly to the limit, since nobody knows how soon the
	// links die. Later half of them pause for a while, and for good when that costs nothing: servers that
	// count connections throttle or refuse those who hold more than they need, and a line that few
	// connections fill gains nothing from more.
	adaptive  bool
	since     time.Time     // when the present stage began; zero while not all connections are at work
	stage     stage         // of leaving out
	base      int64         // bytes when the measuring began
	fullRate  float64       // bytes a second with all
	holdUntil time.Time     // nothing is changed until then
	stepWait  time.Duration // between steps after a halving
	halved    time.Time
}

// A stage of finding out whether half of the connections do as well.
type stage int

const (
	growing stage = iota
	settled
	measuringAll
	leavingOut
	measuringHalf
)

const (
	tick         = 20 * time.Millisecond
	reserveFor   = 2 * tick         // a connection for a reader that has just been served
	growthFactor = 4                // connections multiply by this
	trialTime    = 2 * time.Second  // of one measurement
	trialAfter   = 15 * time.Second // after the last change
	worthIt      = 1.10             // all connections must be this much faster than half of them
	slowFor      = 15 * time.Second
	trickle      = 256 // bytes a second: a connection that brings less is as good as none
)

func newHost(name string, fixed int) *host {
	h := &host{name: name, limit: maxConns, target: startConns, adaptive: true}
	if fixed > 0 {
		h.limit, h.target, h.adaptive = fixed, fixed, false
	}
	return h
}

// monitor looks after the run's connections until quit.
func (r *Run) monitor(quit <-chan struct{}) {
	t := time.NewTicker(tick)
	defer t.Stop()
	second := time.Now()
	for {
		select {
		case <-quit:
			return
		case now := <-t.C:
			r.mu.Lock()
			for _, h := range r.hosts {
				h.grow(now)
				r.preempt(h)
				if now.Sub(second) >= time.Second {
					r.sampleRates(h, now, now.Sub(second))
				}
			}
			if now.Sub(second) >= time.Second {
				r.forecast(now)
				second = now
			}
			r.work.Broadcast() // waits may be over
			for _, o := range r.all() {
				if o.files != nil {
					o.files.cond.Broadcast()
				}
			}
			r.mu.Unlock()
		}
	}
}

// bytes returns what the host's workers have taken from the network.
func (h *host) bytes() int64 {
	var n int64
	for _, w := range h.workers {
		n += w.bytes.Load()
	}
	return n
}

// grow finds the number of connections.
func (h *host) grow(now time.Time) {
	// A few may be between two requests.
	if 4*h.busy < 3*h.target || now.Before(h.holdUntil) {
		h.since = time.Time{}
		return
	}
	if h.since.IsZero() {
		h.enter(h.stage, now)
		return
	}
	passed := now.Sub(h.since)
	answer := time.Duration(h.latency * float64(time.Second))
	switch {
	case h.stepWait > 0: // after a halving one at a time, at growing intervals
		h.target = min(h.target+1, h.limit)
		h.holdUntil = now.Add(h.stepWait)
	case !h.adaptive:
	case h.stage == growing && passed >= answer:
		h.target = min(growthFactor*h.target, h.limit)
		h.enter(growing, now)
		if h.target == h.limit {
			h.enter(settled, now)
		}
	case h.stage == settled && passed >= trialAfter && h.target > startConns:
		h.enter(measuringAll, now)
	case h.stage == measuringAll && passed >= trialTime:
		h.fullRate = float64(h.bytes()-h.base) / passed.Seconds()
		h.target /= 2
		h.enter(leavingOut, now)
	case h.stage == leavingOut && passed >= trialTime/2:
		h.enter(measuringHalf, now)
	case h.stage == measuringHalf && passed >= trialTime:
		if h.fullRate > worthIt*float64(h.bytes()-h.base)/passed.Seconds() {
			h.target *= 2
			h.holdUntil = now.Add(20 * trialAfter)
		}
		h.enter(settled, now)
	}
}

func (h *host) enter(s stage, now time.Time) { h.stage, h.since, h.base = s, now, h.bytes() }

// halve reacts to a server that objects to so many connections. Several connections that fail together count
// once.
func (h *host) halve(now time.Time) {
	if now.Sub(h.halved) < time.Second {
		return
	}
	h.target = max(1, h.target/2)
	h.halved = now
	h.stepWait = min(max(2*h.stepWait, 5*time.Second), 5*time.Minute)
	h.holdUntil = now.Add(h.stepWait)
	h.stage, h.since = settled, time.Time{}
}

// sampleRates is the second's look at each connection: how fast it is, and whether it is so slow that another
// should do its work.
func (r *Run) sampleRates(h *host, now time.Time, elapsed time.Duration) {
	var rates []float64
	for _, w := range h.workers {
		n := w.bytes.Load()
		rate := float64(n-w.lastBytes) / elapsed.Seconds()
		w.lastBytes = n
		if !w.busy || now.Sub(w.began) < elapsed {
			continue
		}
		if w.rate == 0 {
			w.rate = rate
		}
		w.rate = 0.5*w.rate + 0.5*rate
		rates = append(rates, w.rate)
	}
	if len(rates) == 0 {
		return
	}
	slices.Sort(rates)
	median := rates[len(rates)/2]
	if h.perConn == 0 {
		h.perConn = median
	}
	h.perConn = 0.8*h.perConn + 0.2*median
	for _, w := range h.workers {
		slow := w.rate < max(median, h.perConn)/4 || w.rate < trickle
		if !w.busy || !w.object.repeatable() || !slow || r.f.limit != nil {
			w.slow = time.Time{}
			continue
		}
		if w.slow.IsZero() {
			w.slow, w.bytesAtSlow = now, w.lastBytes
		}
		if now.Sub(w.slow) < r.slowFor() || w.cancel == nil {
			continue
		}
		came := w.lastBytes - w.bytesAtSlow
		switch {
		case w.rate < max(median, h.perConn)/4:
			w.tooSlow = true
			w.cancel()
		// where nothing comes, the idle watchdog sees to it
		case came > 0 && came < trickle*int64(now.Sub(w.slow).Seconds()):
			w.tooSlow, w.trickles = true, true
			w.cancel()
		}
	}
}

// slowFor is how long a connection may be much slower than the others: a little less than one may be silent.
func (r *Run) slowFor() time.Duration { return min(slowFor, r.f.opts.idleTimeout()*3/4) }
