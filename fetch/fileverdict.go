package fetch

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"holdall/internal/retry"
	"holdall/internal/unpack"
)

// put takes in what became of an attempt at file i.
func (p *filePool) put(i int, record uint32, err error) {
	r := p.o.run
	r.mu.Lock()
	defer r.mu.Unlock()
	defer p.cond.Broadcast()
	p.busy--
	now := time.Now()
	if err == nil {
		p.refused, p.lastBytes = 0, now
		if p.backoff.Tries() > 0 {
			p.backoff.Reset()
		}
		p.settle(i, record, nil)
		if p.good >= 2*startFileConns && p.halved.IsZero() {
			p.target = p.most
		}
		return
	}
	if r.ctx.Err() != nil || p.o.settled() {
		return
	}
	p.failedTry(i, err, now)
}

// failedTry decides what an error means for file i, or for all of them.
func (p *filePool) failedTry(i int, err error, now time.Time) {
	var ref *refusal
	var e *Error
	after := time.Duration(0)
	switch {
	case errors.As(err, &ref) && !ref.transient:
		p.refuse(i, ref)
		return
	case ref != nil:
		after = ref.after
		if ref.throttled {
			p.halve(now)
		}
	case errors.As(err, &e) && (e.Code == DiskFull || e.Code == Internal || e.Code == Usage):
		go p.o.run.fatal(e)
		return
	case e != nil && !e.Retryable():
		p.refuse(i, &refusal{err: e})
		return
	case hopeless(err):
		p.settle(i, 0, p.fileError(i, netError(err)))
		return
	case errors.Is(err, errWebPage):
		if p.pages++; p.pages >= enoughPages || p.listed && p.pages >= len(p.at)-p.done {
			p.o.fail(notTheExport(unpack.KindHTML, Link{}))
			return
		}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.ECONNREFUSED):
		p.halve(now)
	}
	p.later(i, err, after, now)
}

// later puts file i back, unless it has been tried often enough, or nothing at all has come for too long.
func (p *filePool) later(i int, err error, after time.Duration, now time.Time) {
	r := p.o.run
	r.retries++
	if now.Sub(p.lastBytes) > r.f.opts.budget() {
		e := netError(err)
		e.Message = fmt.Sprintf("nothing arrived for %s", r.f.opts.budget())
		p.o.fail(e)
		return
	}
	p.tries[i]++
	if p.tries[i] >= fileTries && p.good > 0 {
		p.settle(i, 0, p.fileError(i, netError(err)))
		return
	}
	b := retry.Backoff{}
	wait := b.Next()
	for range p.tries[i] - 1 {
		wait = b.Next()
	}
	p.again = append(p.again, fileRetry{i, now.Add(max(min(after, r.f.opts.budget()/2), wait))})
	r.logf("file %d of the listing: %v; trying again", i, err)
}

// refuse takes in a refusal that another try will not change: of one file, or, when it is so for all, of the listing's links.
func (p *filePool) refuse(i int, ref *refusal) {
	p.refused++
	e := ref.err
	all := e.Code == LinkExpired || p.good == 0 && p.refused >= min(enoughPages, len(p.at)) || p.refused >= 4*maxFileConns
	if all && e.Code != LinkGone || e.Code == LinkGone && p.good == 0 && p.refused >= 4*maxFileConns {
		c := *e
		c.Message = "the listing's links: " + e.Message
		p.o.fail(&c)
		return
	}
	p.settle(i, 0, p.fileError(i, e))
}

// fileError makes an error of file i.
func (p *filePool) fileError(i int, e *Error) *Error {
	c := *e
	c.Part = p.o.Source.Part
	if l, err := p.shelf.get(i); err == nil {
		c.Link = l.link.String()
	}
	return &c
}

// halve reacts to a server that has had enough.
func (p *filePool) halve(now time.Time) {
	if now.Sub(p.halved) < time.Second {
		return
	}
	p.halved = now
	p.target = max(1, p.target/2)
}
