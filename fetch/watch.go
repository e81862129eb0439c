package fetch

import (
	"slices"
	"time"
)

// A host is where connections are counted. The run's mutex guards it.
type host struct {
	name      string
	most      int // connections, ever
	target    int // connections, now
	workers   []*worker
	running   int       // workers that have not ended
	busy      int       // workers with a task
	notBefore time.Time // asked to wait until then
	hurried   time.Time // when a connection was last cut short for a reader
	latency   float64   // seconds from a request to its answer, lately
	perConn   float64   // bytes a second that a connection brings, lately; 0 while unknown

	// How the number of connections is found: measured with some, then with twice as many; kept when that brought more.
	adaptive bool
	since    time.Time // when the number last changed, or began to be measured
	base     int64     // bytes by then
	measured bool      // base has been taken
	rate     float64   // bytes a second with the number before; 0 at first
	before   int       // that number
	rest     time.Time // no try to grow until then
	penance  time.Duration
	halved   time.Time
}

const (
	tick       = 50 * time.Millisecond
	warmUp     = 100 * time.Millisecond // before a new number of connections is measured
	growthRest = 30 * time.Second       // between tries when more connections did not help
	helps      = 1.15                   // so much faster must twice as many be
	slowFor    = 15 * time.Second
)

func newHost(name string, fixed int) *host {
	h := &host{name: name, most: maxConns, target: startConns, adaptive: true}
	if fixed > 0 {
		h.most, h.target, h.adaptive = fixed, fixed, false
	}
	return h
}

// watch looks after the run's connections until quit.
func (r *Run) watch(quit <-chan struct{}) {
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
				if now.Sub(second) >= time.Second {
					r.look(h, now, now.Sub(second))
				}
			}
			if now.Sub(second) >= time.Second {
				r.forecast(now)
				second = now
			}
			r.work.Broadcast() // waits may be over
			for _, o := range r.Objects {
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

// grow measures whether more connections help, and settles on what does.
func (h *host) grow(now time.Time) {
	if h.busy < h.target || now.Before(h.rest) {
		h.since = time.Time{}
		return
	}
	settle := max(warmUp, time.Duration(2*h.latency*float64(time.Second)))
	switch {
	case h.since.IsZero():
		h.since, h.measured = now, false
		return
	case now.Sub(h.since) < settle:
		return
	case !h.measured:
		h.base, h.measured, h.since = h.bytes(), true, now.Add(-settle)
		return
	case now.Sub(h.since) < 2*settle:
		return
	}
	rate := float64(h.bytes()-h.base) / (now.Sub(h.since) - settle).Seconds()
	h.step(now, rate)
}

// step decides by the rate measured with the present number of connections.
func (h *host) step(now time.Time, rate float64) {
	h.since = time.Time{}
	if h.penance > 0 {
		// After a halving one step at a time, and ever more slowly.
		if h.target < h.most {
			h.target++
		}
		h.rest = now.Add(h.penance)
		return
	}
	if !h.adaptive {
		return
	}
	if h.rate > 0 && h.before < h.target && rate < helps*h.rate {
		h.target, h.rate = h.before, 0
		h.rest = now.Add(growthRest)
		return
	}
	if h.target == h.most {
		h.rate = 0
		h.rest = now.Add(growthRest)
		return
	}
	h.rate, h.before = rate, h.target
	h.target = min(2*h.target, h.most)
}

// halve reacts to a server that has had enough. Several connections that fail together count once.
func (h *host) halve(now time.Time) {
	if now.Sub(h.halved) < time.Second {
		return
	}
	h.target = max(1, h.target/2)
	h.halved = now
	h.penance = min(max(2*h.penance, 5*time.Second), 5*time.Minute)
	h.rest = now.Add(h.penance)
	h.rate, h.since = 0, time.Time{}
}

// look is the second's look at each connection: how fast it is, and whether it is so slow that another should do its work.
func (r *Run) look(h *host, now time.Time, elapsed time.Duration) {
	var rates []float64
	for _, w := range h.workers {
		n := w.bytes.Load()
		rate := float64(n-w.seen) / elapsed.Seconds()
		w.seen = n
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
		if !w.busy || w.rate >= max(median, h.perConn)/4 || r.f.limit != nil {
			w.slow = time.Time{}
			continue
		}
		if w.slow.IsZero() {
			w.slow = now
		}
		if now.Sub(w.slow) >= r.slowFor() && w.cancel != nil {
			w.tooSlow = true
			w.cancel()
		}
	}
}

// slowFor is how long a connection may be much slower than the others: a little less than one may be silent.
func (r *Run) slowFor() time.Duration { return min(slowFor, r.f.opts.idle()*3/4) }
