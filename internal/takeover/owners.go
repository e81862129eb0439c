package takeover

import (
	"context"
	"sync"

	"holdall/fetch"
	"holdall/fetch/link"
)

// ownerTables tells packing when the tables that documents' owners are found in are loaded.
type ownerTables struct {
	mu      sync.Mutex
	waiting map[int]bool  // data sources whose tables are not loaded yet, guarded by mu
	lost    bool          // a data source could not be loaded, guarded by mu
	ready   chan struct{} // closed when nothing is waited for
}

func newOwnerTables(p *fetch.Plan) *ownerTables {
	o := &ownerTables{waiting: map[int]bool{}, ready: make(chan struct{})}
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

// loaded records that what a data source says about owners is loaded. Saying it again changes nothing.
func (o *ownerTables) loaded(number int) { o.finish(number, false) }

// failed says that a data source cannot be loaded.
func (o *ownerTables) failed(number int) { o.finish(number, true) }

func (o *ownerTables) finish(number int, lost bool) {
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
func (o *ownerTables) wait(ctx context.Context) (complete bool, err error) {
	select {
	case <-o.ready:
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.lost, nil
}
