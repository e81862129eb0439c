package fetch

import "time"

// growth is how a host's number of connections came about.
type growth struct {
	hurried time.Time // when a connection was last cut short for a reader
	settled bool      // more connections did not help
}

const tick = 50 * time.Millisecond

// watch looks after the run's connections until quit.
func (r *Run) watch(quit <-chan struct{}) {
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-quit:
			return
		case <-t.C:
			r.mu.Lock()
			r.work.Broadcast() // waits may be over
			r.mu.Unlock()
		}
	}
}
