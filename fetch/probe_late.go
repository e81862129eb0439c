package fetch

import (
	"time"

	"holdall/fetch/failure"
	"holdall/internal/retry"
)

// lateProbeEvery is how long a source that cannot be reached is left alone while others still arrive.
const lateProbeEvery = time.Minute

// A late source is one that could not be reached when it was planned.
type late struct {
	planned *Source // as it is in the plan
	found   *Source // as it was asked again: with Err, or fetched like the others
}

// Late returns, for sources of the plan that failed and were asked again, what came of that. Those without
// Err are in the spool, where the next Start finds them; their objects are not among Objects. Call it after
// Wait.
func (r *Run) Late() map[*Source]*Source {
	<-r.ended
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[*Source]*Source{}
	for _, l := range r.late {
		all[l.planned] = l.found
	}
	return all
}

// worthProbingLater reports whether a source that failed may be reached after all, by asking again before
// long. budget is how long that is worth waiting for.
func (s *Source) worthProbingLater(budget time.Duration) bool {
	e := s.Err
	if e == nil || s.probed() || e.Reason != "" || e.Code != failure.Network && e.Code != failure.Busy {
		return false
	}
	// else it said itself that it is useless
	return e.ResumeAfter.IsZero() || time.Until(e.ResumeAfter) <= budget
}

// probeLater asks again for a source that could not be reached, while others are fetched and at least for a
// whole budget, and fetches it.
func (r *Run) probeLater(planned *Source) {
	for {
		s := *planned
		s.Err = nil
		r.f.probeWithin(r.ctx, &s, r.f.opts.retryBudget())
		if s.Err == nil {
			if err := r.fetchLate(planned, &s); err != nil {
				r.fatal(err)
			}
			return
		}
		again := s.worthProbingLater(r.f.opts.retryBudget()) && r.ctx.Err() == nil && r.fetching()
		if !again || retry.Sleep(r.ctx, lateProbeEvery) != nil {
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.ctx.Err() == nil {
				r.late = append(r.late, late{planned, &s})
			}
			return
		}
	}
}

// fetching reports whether an object is still being fetched.
func (r *Run) fetching() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range r.all() {
		if !o.over() {
			return true
		}
	}
	return false
}

// fetchLate adds what found serves to what is being fetched.
func (r *Run) fetchLate(planned, found *Source) error {
	r.adding.Lock()
	defer r.adding.Unlock()
	o, err := r.add(found)
	if err == nil {
		err = r.spool.save()
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.late = append(r.late, late{planned, found})
	r.lateObjects = append(r.lateObjects, o)
	r.order = byPriority(append(r.order, o))
	if r.ctx.Err() != nil {
		o.fail(failure.Stopped(r.ctx))
	}
	if !o.outcome.complete {
		r.begin(o)
	}
	return nil
}

// all returns the objects, the late ones too. With the run's mutex held.
func (r *Run) all() []*Object {
	return append(r.Objects[:len(r.Objects):len(r.Objects)], r.lateObjects...)
}
