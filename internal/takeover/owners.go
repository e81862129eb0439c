package takeover

import (
	"context"
	"sync"

	"holdall/fetch"
	"holdall/fetch/link"
)

// owners tells packing when the tables that documents' owners are found in are loaded.
type owners struct {
	mu      sync.Mutex
	waiting map[int]bool  // data sources whose tables are not loaded yet, guarded by mu
	lost    bool          // a data source could not be loaded, guarded by mu
	ready   chan struct{} // closed when nothing is waited for
}

func newOwners(p *fetch.Plan) *owners {
	o := &owners{waiting: map[int]bool{}, ready: make(chan struct{})}
	for _, s := range p.Sources {
		switch {
		case s.Part != link.PartData:
		case s.Err != nil:
			o.lost = true
		default:
			o.waiting[s.Number] = true
		}
	}
	if len(o.waiting) == 0 {
		close(o.ready)
	}
	return o
}

// know says that what a data source tells of owners is loaded. Saying it again changes nothing.
func (o *owners) know(number int) { o.settle(number, false) }

// lose says that a data source cannot be loaded.
func (o *owners) lose(number int) { o.settle(number, true) }

func (o *owners) settle(number int, lost bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.waiting[number] {
		return
	}
	o.lost = o.lost || lost
	delete(o.waiting, number)
	if len(o.waiting) == 0 {
		close(o.ready)
	}
}

// wait returns when nothing more is to come, and whether all is known.
func (o *owners) wait(ctx context.Context) (complete bool, err error) {
	select {
	case <-o.ready:
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.lost, nil
}
