package takeover

import (
	"sync"
	"time"

	"holdall/fetch"
)

// Progress is a snapshot of a takeover.
type Progress struct {
	fetch.Progress
	Phase     string // "probing", "fetching", "archiving", "verifying"
	Documents int64  // in packs so far
}

func (o Options) report(p Progress) {
	if o.Progress != nil {
		o.Progress(p)
	}
}

// measure fills in what can be said at any time.
func (t *takeover) measure(r *Result) {
	t.measureTransfer(r)
	r.Documents = t.counts.documents()
}

func (t *takeover) measureTransfer(r *Result) {
	p := t.transferred()
	r.FetchedBytes, r.ReusedBytes = p.Fetched, p.Reused
	r.Seconds = t.Now().Sub(t.began).Seconds()
}

// transferred is what this process has fetched, over all of its bags, and what it found.
func (t *takeover) transferred() (p fetch.Progress) {
	if t.fetching != nil {
		p = t.fetching.Progress()
	}
	if t.before != nil {
		p.Fetched, p.Reused = p.Fetched+t.before.Fetched, t.before.Reused
	}
	return p
}

// watch reports progress until stop is called.
func (t *takeover) watch() (stop func()) {
	return t.reporting(func() Progress {
		p := t.fetching.Progress()
		phase := "fetching"
		if p.Total >= 0 && p.Done == p.Total {
			phase = "archiving"
		}
		return Progress{Progress: p, Phase: phase, Documents: t.counts.total()}
	})
}

// watchProbing reports which links do not say what they serve, until stop is called.
func (o Options) watchProbing(f *fetch.Fetcher) (stop func()) {
	o.report(Progress{Phase: "probing"})
	return o.reporting(func() Progress {
		return Progress{Phase: "probing", Progress: fetch.Progress{Waiting: f.Waiting()}}
	})
}

// reporting reports what now returns, several times a second, until stop is called, which may be more than
// once.
func (o Options) reporting(now func() Progress) (stop func()) {
	if o.Progress == nil {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				o.report(now())
			}
		}
	}()
	return sync.OnceFunc(func() { close(done); <-ended })
}
