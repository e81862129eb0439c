package fetch

import (
	"slices"
	"sync"
	"time"
)

const (
	syncEvery  = 24 << 20 // start a sync when this many bytes wait for one
	maxUnsaved = 64 << 20 // a power loss costs at most this many; workers wait beyond
	syncAfter  = 5 * time.Second
)

// A flusher syncs the objects of a run in groups, alongside the fetching, and holds it up when the disk
// cannot keep pace.
type flusher struct {
	run *Run

	mu      sync.Mutex // guards what follows
	cond    *sync.Cond
	unsaved int64
	stopped bool
	failed  bool
}

func newFlusher(r *Run) *flusher {
	f := &flusher{run: r}
	f.cond = sync.NewCond(&f.mu)
	return f
}

// wrote says that n more bytes wait to be synced. It blocks while too many do.
func (f *flusher) wrote(n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unsaved += n
	if f.unsaved >= syncEvery {
		f.cond.Broadcast()
	}
	for f.unsaved > maxUnsaved && !f.stopped && !f.failed {
		f.cond.Wait()
	}
}

func (f *flusher) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped = true
	f.cond.Broadcast()
}

// loop syncs until stop, and then once more.
func (f *flusher) loop() {
	tick := time.AfterFunc(syncAfter, func() {})
	defer tick.Stop()
	for {
		due := time.Now().Add(syncAfter)
		tick.Stop()
		tick = time.AfterFunc(syncAfter, func() { f.mu.Lock(); f.cond.Broadcast(); f.mu.Unlock() })
		f.mu.Lock()
		for !f.stopped && f.unsaved < syncEvery && time.Now().Before(due) {
			f.cond.Wait()
		}
		stopped, n := f.stopped, f.unsaved
		f.mu.Unlock()
		err := f.syncObjects()
		f.mu.Lock()
		f.unsaved -= n
		f.failed = f.failed || err != nil
		failed := f.failed
		f.cond.Broadcast()
		f.mu.Unlock()
		if err != nil {
			f.run.fatal(err)
		}
		if stopped || failed {
			return
		}
	}
}

func (f *flusher) syncObjects() error {
	f.run.mu.Lock()
	objects := slices.Clone(f.run.order)
	f.run.mu.Unlock()
	for _, o := range objects {
		if o.files != nil {
			if err := o.files.files.sync(); err != nil {
				return err
			}
			continue
		}
		if o.store.unsynced.Load() == 0 {
			continue
		}
		at, state := o.hash.state()
		if err := o.store.sync(at, state); err != nil {
			return err
		}
	}
	return nil
}
