package fetch

import (
	"fmt"
	"time"
)

const (
	forecastAfter = 15 * time.Second // measured at least this long before any forecast
	lastMinute    = time.Minute
)

// forecast warns, once an object, when at the present pace its link will have expired before everything is
// here. With the run's mutex held.
func (r *Run) forecast(now time.Time) {
	if now.Sub(r.started) < forecastAfter || r.f.opts.Warn == nil {
		return
	}
	rate := float64(r.fetched) / now.Sub(r.started).Seconds()
	if rate == 0 || len(r.waiting(now)) > 0 { // a rate that has stalled foretells nothing
		return
	}
	server := r.f.clock.server(r.f.now())
	var before int64 // bytes to come before and with the object, in the order of fetching
	for _, o := range r.order {
		if o.over() || o.size < 0 {
			continue
		}
		before += o.size - o.spans.received
		need := time.Duration(float64(before) / rate * float64(time.Second))
		if o.warned || server.After(o.Source.Expiry) || !server.Add(need).After(o.Source.Expiry) {
			continue
		}
		o.warned = true
		left := rough(o.Source.Expiry.Sub(server))
		r.f.opts.Warn(fmt.Sprintf("the link for %s expires in %s (%s), but at the present pace it takes "+
			"%s more: ask for a fresh master CSV in time; "+
			"with it, the same command resumes where this one stops", o.Source.Part, left,
			o.Source.ExpiryFrom, rough(need)))
	}
}

// rough is a time as people say it: to the second while it is short.
func rough(d time.Duration) time.Duration {
	if d < 10*time.Minute {
		return d.Round(time.Second)
	}
	return d.Round(time.Minute)
}

// lastCall reports whether o's link is about to expire. Then connections take on as much as there is: an open
// response runs on past the expiry, and a new request does not.
func (o *Object) lastCall() bool {
	f := o.run.f
	return !o.Source.Expiry.IsZero() && o.Source.Expiry.Sub(f.clock.server(f.now())) < lastMinute
}
