package fetch

import (
	"errors"
	"time"

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

// failedTry does what the verdict on err asks for, to file i or to all of them.
func (p *filePool) failedTry(i int, err error, now time.Time) {
	r := p.o.run
	if errors.Is(err, errWebPage) {
		if p.pages++; p.pages >= enoughPages || p.listed && p.pages >= len(p.at)-p.done {
			p.o.fail(notTheExport(unpack.KindHTML, Link{}))
			return
		}
	}
	t := p.historyOf(i)
	v := t.failed(err, nothing, now, r.f.opts.budget())
	if v.fewer {
		p.halve(now)
	}
	var ref *refusal
	switch {
	case v.action == stopAll:
		go r.fatal(v.err)
		return
	case v.action == giveUp && errors.As(err, &ref) && !ref.transient:
		p.refuse(i, ref)
		return
	case v.action == giveUp && !v.err.Retryable():
		p.refuse(i, &refusal{err: v.err})
		return
	}
	r.retries++
	if now.Sub(p.lastBytes) > r.f.opts.budget() { // of any file
		p.o.fail(t.tooLong(r.f.opts.budget()))
		return
	}
	if v.action != giveUp && t.wait.Tries() >= fileTries && p.good > 0 {
		v = verdict{action: giveUp, err: netError(err)}
	}
	if v.action == giveUp {
		p.settle(i, 0, p.fileError(i, v.err))
		return
	}
	p.again = append(p.again, fileRetry{i, t.again})
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
