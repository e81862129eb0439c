package fetch

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"holdall/fetch/failure"
	"holdall/internal/retry"
)

// An action is what to do after a try that failed.
type action int

const (
	tryAgain action = iota // the same request, after a wait
	inOrder                // the same, from where it is to the end: the server ignores ranges
	// the whole object, without Range, after a wait: the server's answers to ranges are useless
	askWhole
	endTries // no more tries in this run: none will help, or none has helped for too long
	stopAll  // it is this machine's trouble, and ends the run
)

// A verdict is the one decision about a failed try, the same for probes, objects, pages of listings and
// listed files. A busy server is waited for as long as it asks (Retry-After, at most retry.MaxAfter and half
// of Options.RetryBudget), else with the growing pauses of retry.Backoff; in all for the budget, which begins
// again whenever new bytes arrive.
type verdict struct {
	action
	after time.Duration  // how long to wait
	fewer bool           // the server objects to so many connections
	err   *failure.Error // why, with endTries and stopAll
}

// tries is the history of the tries at one thing since it last made progress. The zero value is that of a
// thing not tried yet.
type tries struct {
	wait        retry.Backoff
	since       time.Time // when it last made progress, or was first tried
	unusable    int       // answers in a row that could not be used for what was asked
	stale       int       // tries in a row that brought only bytes that had been received already
	trickles    int       // connections in a row that hardly brought anything
	ignored     int       // ranges ignored in a row
	changes     int       // answers in a row that looked like another object
	truncated   int       // answers that broke off before they showed what they are
	arrived     bool      // a try failed after the server may have had its request
	whole       bool      // the whole is asked for, without Range
	ranged      bool      // a range was answered as asked, so that ignoring one is an exception
	err         error     // of the last one
	next        time.Time // when the next one is due
	resumeAfter time.Time // when the server said to come back; zero when it did not say
}

// Several answers of a kind are needed before they are taken for the server's nature and not for a bad
// moment.
const (
	enoughUnusable  = 3
	enoughStale     = 5
	enoughTrickles  = 5
	leastTries      = 3 // before giving up, however long each of them takes
	enoughIgnored   = 3
	enoughChanges   = 3
	enoughTruncated = 4
)

// What a try brought before it failed.
type yield int

const (
	yieldNone yield = iota
	yieldStale
	yieldNew // enough of them to be worth the request
)

// errTrickle is the end that holdall makes of a connection which brings next to nothing.
var errTrickle = errors.New("the connection hardly brings anything")

// reset says that something new arrived: whatever failed before is forgiven.
func (t *tries) reset(now time.Time) {
	t.since, t.err, t.next, t.resumeAfter = now, nil, time.Time{}, time.Time{}
	t.unusable, t.stale, t.trickles, t.ignored, t.changes = 0, 0, 0, 0, 0
	t.wait.Reset()
}

// failed records that a try ended in err, after it had brought something, and decides what to do. budget is
// how long nothing may arrive. The wait is in the verdict and, as a time, in t.next.
func (t *tries) failed(err error, had yield, now time.Time, budget time.Duration) verdict {
	if t.since.IsZero() {
		t.since = now
	}
	if had == yieldNew {
		t.reset(now)
	}
	t.err, t.resumeAfter = err, time.Time{}
	v := t.decide(err)
	if v.action == endTries || v.action == stopAll {
		return v
	}
	t.whole = v.action == askWhole
	var dial *net.OpError
	t.arrived = t.arrived || !errors.As(err, &dial) || dial.Op != "dial"
	var ref *refusal
	if errors.As(err, &ref) && ref.asked > 0 {
		t.resumeAfter = now.Add(ref.asked)
	}
	if had == yieldStale { // which may have taken long
		t.stale++
	}
	if errors.Is(err, errTrickle) {
		t.trickles++
	}
	tooLong := had == yieldNone && now.Sub(t.since) > budget && t.wait.Tries() >= leastTries-1
	if tooLong || t.stale >= enoughStale || t.trickles >= enoughTrickles {
		return verdict{action: endTries, err: t.tooLong(now)}
	}
	if had == yieldNew && v.after == 0 {
		return v // a connection that brought something is simply followed by the next one
	}
	// However long the server asks to wait, there must be time for another try.
	v.after = max(min(v.after, budget/2), t.wait.Next())
	t.next = now.Add(v.after)
	return v
}

// decide is the part of failed that depends on the error alone, not on how long tries have been failing.
func (t *tries) decide(err error) verdict {
	var ref *refusal
	var e *failure.Error
	var changed errChanged
	switch {
	case errors.As(err, &ref):
		if !ref.transient {
			return verdict{action: endTries, err: ref.err}
		}
		return verdict{after: ref.after, fewer: ref.throttled}
	case errors.As(err, &e):
		if e.Code.Local() {
			return verdict{action: stopAll, err: e}
		}
		return verdict{action: endTries, err: e}
	case hopeless(err):
		return verdict{action: endTries, err: netError(err)}
	case errors.As(err, &changed):
		t.changes++
		switch {
		case changed.what == itsBytes, t.changes >= 2*enoughChanges,
			t.changes >= enoughChanges && changed.what == itsSize:
			return verdict{action: endTries, err: changed.explain()}
		case t.changes >= enoughChanges:
			return verdict{action: askWhole} // one answer is of one object, whatever its ETag
		}
	case errors.Is(err, errIgnored):
		if t.ignored++; t.ignored >= enoughIgnored || !t.ranged {
			return verdict{action: inOrder}
		}
	case errors.Is(err, errAnswer):
		if t.unusable++; t.unusable >= enoughUnusable {
			return verdict{action: askWhole}
		}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.ECONNREFUSED):
		return verdict{fewer: true}
	}
	return verdict{}
}

// tooLong is the failure of a thing that did not make progress for the whole budget.
func (t *tries) tooLong(now time.Time) *failure.Error {
	var changed errChanged
	if errors.As(t.err, &changed) {
		return changed.explain()
	}
	e := netError(t.err)
	waited := now.Sub(t.since).Round(time.Second)
	e.Message = fmt.Sprintf("nothing arrived for %s, over %d tries", waited, t.wait.Tries()+1)
	if t.stale > 0 {
		e.Message = fmt.Sprintf("nothing new arrived over %d tries", t.wait.Tries()+1)
	}
	if errors.Is(t.err, io.ErrUnexpectedEOF) {
		e.Message = fmt.Sprintf(
			"the server's answers break off before their end, %d times in a row", t.wait.Tries()+1,
		)
		e.Hint = "run the same command again to go on; when that does not help, ask for a new export"
	}
	var ref *refusal
	if errors.As(t.err, &ref) && ref.err.Code == failure.Busy {
		e.Code, e.Message, e.Err = failure.Busy, ref.err.Message, nil
		e.Hint = failure.HintFor(failure.Busy)
	}
	e.ResumeAfter = t.resumeAfter
	return e
}
