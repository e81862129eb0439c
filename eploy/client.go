package eploy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"holdall/internal/retry"
)

const (
	// maxTries is how often a step is tried before the pull gives up for now.
	maxTries = 5
	// stall is how long an answer may take to begin, and how long it may bring nothing.
	stall = 2 * time.Minute
	// longest is how long an answer that is no file may take.
	longest = 15 * time.Minute
	// maxAnswer bounds an answer that is held in memory: a page of 1,000 records is a few MB.
	maxAnswer = 256 << 20
)

// A request is one step's.
type request struct {
	step   string
	method string
	path   string // below the API's URL
	body   []byte
	file   string // of answers that this one goes to; empty: the body is a file's content
	id     string // of that file
	name   string // of that file, as its record has it
	tries  int    // 0: maxTries
	// usable says whether an answer with status 200 is one: an error makes it be asked for again. It may
	// fill in the receipt.
	usable func(body []byte, r *Receipt) error
}

// client sends requests and keeps what comes.
type client struct {
	o        Options
	journal  *journal
	budget   budget
	token    token
	scopes   []string // that a token is asked for
	requests int
	offline  bool   // nothing may be asked for
	clock    func() // called after each request
}

// ask returns the receipt of a step, from the journal if it is there. A receipt with another status than 200
// is the system's answer to this step, too: it will not be asked for again, but for what the key was denied:
// once by each process, since somebody may have allowed it.
func (c *client) ask(ctx context.Context, q request) (*Receipt, error) {
	r := c.journal.done[q.step]
	if r == nil {
		return c.request(ctx, q)
	}
	if c.offline || !r.earlier || !r.denied() {
		return r, nil
	}
	r.earlier = false
	again, err := c.request(ctx, q)
	var p *Paused
	var f *Failure
	if errors.As(err, &p) || errors.As(err, &f) {
		return r, nil
	}
	return again, err
}

// denied reports whether a receipt says that the key may not.
func (r *Receipt) denied() bool {
	return r.Status == http.StatusUnauthorized || r.Status == http.StatusForbidden
}

// request asks the system.
func (c *client) request(ctx context.Context, q request) (*Receipt, error) {
	if q.method != http.MethodGet && !(q.method == http.MethodPost && strings.HasSuffix(q.path, "/search")) {
		return nil, fmt.Errorf("%s %s might change something and is not sent", q.method, q.path)
	}
	if c.offline {
		return nil, ErrUnfinished
	}
	tries := q.tries
	if tries == 0 {
		tries = maxTries
	}
	var last *Receipt
	denied := false
	for try := 1; try <= tries; {
		r, err := c.once(ctx, q)
		if err != nil {
			return nil, err
		}
		switch verdict(r) {
		case verdictUsable, verdictRefused:
			return r, c.journal.add(r)
		case verdictDenied:
			if denied || !c.token.used {
				return r, c.journal.add(r)
			}
			denied = true
			c.token = token{}
			r.Rejected = rejectedDenied
		case verdictOver:
			r.Rejected = rejectedOver
			if err := c.overLimit(ctx, r); err != nil {
				return nil, errors.Join(err, c.journal.add(r))
			}
			try++
		default:
			last = r
			c.budget.hold(time.Second << min(try, 6))
			try++
		}
		if err := c.journal.add(r); err != nil {
			return nil, err
		}
	}
	return nil, &Failure{Code: CodeNetwork, Retryable: true, Hint: "run the same command again to go on",
		Message: fmt.Sprintf("%s could not be asked for: %s", q.path, reason(last)), last: last}
}

// patience is how long a step may fail before that is taken for the system's answer.
const patience = 24 * time.Hour

// lasting reports whether a step has failed for so long that waiting is no use.
func (c *client) lasting(step string) bool {
	first := c.journal.failed[step]
	return first != nil && time.Since(first.Time) >= patience
}

// refuse takes a failure for the system's last word on a step.
func (c *client) refuse(step string, last *Receipt) (*Receipt, error) {
	r := *last
	r.Step, r.Rejected, r.Refusal, r.File = step, "", last.Rejected, ""
	return &r, c.journal.add(&r)
}

func reason(r *Receipt) string {
	if r == nil {
		return "the limit of requests a second is used up by others"
	}
	return r.Rejected
}

// overLimit waits for the next second, or stops until the next day.
func (c *client) overLimit(ctx context.Context, r *Receipt) error {
	if r.DayRemaining != nil && *r.DayRemaining > 0 {
		c.budget.hold(time.Second)
		return nil
	}
	c.budget.before, c.budget.at, c.budget.remaining = c.budget.at, r.Time, 0
	if c.budget.limit == 0 {
		c.budget.limit = 1
	}
	return c.mayAsk(ctx)
}

// mayAsk returns when the budget allows a request.
func (c *client) mayAsk(ctx context.Context) error {
	for {
		err := c.budget.check(time.Now())
		var p *Paused
		if !c.o.Wait || !errors.As(err, &p) {
			return err
		}
		c.o.Talk("%d of the day's %d requests are left, of which %d are for others; going on at %s",
			p.Remaining, p.Limit,
			p.Reserve, p.ResumeAfter.UTC().Format(time.RFC3339))
		if err := retry.Sleep(ctx, time.Until(p.ResumeAfter)); err != nil {
			return err
		}
	}
}

// once makes one attempt. Its error ends the pull for now; what the system did is in the receipt.
func (c *client) once(ctx context.Context, q request) (*Receipt, error) {
	if err := c.mayAsk(ctx); err != nil {
		return nil, err
	}
	if err := c.authorise(ctx); err != nil {
		return nil, err
	}
	if err := c.budget.pace(ctx); err != nil {
		return nil, err
	}
	r := &Receipt{Step: q.step, Method: q.method, Path: q.path}
	if q.body != nil {
		sum := sha256.Sum256(q.body)
		r.RequestSHA256 = hex.EncodeToString(sum[:])
	}
	limited, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := &watch{time.AfterFunc(stall, func() { cancel(errStalled) })}
	defer w.Stop()
	if q.file != "" {
		defer time.AfterFunc(longest, func() { cancel(errStalled) }).Stop()
	}
	err := c.receive(limited, q, r, w)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if context.Cause(limited) == errStalled && err != nil {
		err = errStalled
	}
	var broken *storeError
	if errors.As(err, &broken) {
		return nil, broken.err
	}
	if err != nil {
		r.Rejected = plainNetwork(err)
	}
	r.Time = time.Now().UTC()
	c.budget.learn(r)
	c.token.used = true
	c.requests++
	c.clock()
	return r, nil
}

// storeError is a failure of this machine, not of the system.
type storeError struct{ err error }

func (e *storeError) Error() string { return e.err.Error() }

var errStalled = fmt.Errorf("nothing came for %s, or no end of it for %s", stall, longest)

type verdictOf int

const (
	verdictUsable  verdictOf = iota // the answer
	verdictRefused                  // a lasting answer, too: there is no such thing, or not so
	verdictDenied                   // the token is dead, or the key may not
	verdictOver                     // beyond a limit
	verdictAgain                    // a fault that may pass
)

// verdict says what an answer means. What comes beyond a limit is not documented: 429, or any other failure
// or emptiness while a counter stands at zero.
func verdict(r *Receipt) verdictOf {
	// A counter of one a second reads zero with each answer.
	spent := r.DayRemaining != nil && *r.DayRemaining <= 0 || r.SecondRemaining != nil &&
		*r.SecondRemaining <= 0 && (r.SecondLimit == nil || *r.SecondLimit > 1)
	empty := r.Total != nil && *r.Total == 0 || r.Rejected != "" ||
		r.Method == http.MethodGet && r.Size <= int64(len("null"))
	switch {
	case r.Status == http.StatusTooManyRequests:
		return verdictOver
	case spent && r.Status != 0 && (r.Status == http.StatusForbidden || r.Status >= 500 ||
		r.Status == http.StatusOK && empty):
		return verdictOver
	case r.Status == http.StatusOK && r.Rejected == "":
		return verdictUsable
	case r.Status == http.StatusUnauthorized:
		return verdictDenied
	case r.Rejected != "" || r.Status >= 500 || r.Status == http.StatusRequestTimeout:
		if r.Rejected == "" {
			r.Rejected = fmt.Sprintf("status %d", r.Status)
		}
		return verdictAgain
	}
	return verdictRefused
}
