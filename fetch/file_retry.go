package fetch

import (
	"errors"
	"fmt"
	"time"

	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/internal/digest"
	"holdall/internal/filetype"
)

// finish records what became of an attempt at file i.
func (p *filePool) finish(i int, record uint32, err error) {
	r := p.o.run
	r.mu.Lock()
	defer r.mu.Unlock()
	defer p.cond.Broadcast()
	p.conns.busy--
	now := time.Now()
	if err == nil {
		p.refusals.inRow, p.conns.lastBytes = 0, now
		if p.refusals.alone { // asked for after links had expired; others, under way before, say nothing
			p.refusals.expired = 0
		}
		p.resolve(i, record, nil)
		if p.results.fetched >= 2*startFileConns && p.conns.halved.IsZero() {
			p.conns.target = p.conns.limit
		}
		return
	}
	if r.ctx.Err() != nil || p.o.over() {
		return
	}
	p.fileFailed(i, err, now)
}

// fileFailed does what the verdict on err asks for, to file i or to all of them.
func (p *filePool) fileFailed(i int, err error, now time.Time) {
	r := p.o.run
	var d *doubt
	if errors.As(err, &d) && d.page && p.pageForAll(i, d) {
		return
	}
	t := p.historyOf(i)
	v := t.failed(err, yieldNone, now, r.f.opts.retryBudget())
	if v.fewer {
		p.halve(now)
	}
	var ref *refusal
	switch {
	case v.action == stopAll:
		go r.fatal(v.err)
		return
	case v.action == endTries && errors.As(err, &ref) && !ref.transient:
		p.refuse(i, ref, t, now)
		return
	case v.action == endTries && !v.err.Retryable():
		p.refuse(i, &refusal{err: v.err, certain: true}, t, now)
		return
	}
	r.retries++
	if now.Sub(p.conns.lastBytes) > r.f.opts.retryBudget() && p.conns.large == 0 { // of any file
		p.o.fail(p.notYetError(len(p.results.records)-p.results.done, p.fileError(i, t.tooLong(now))))
		return
	}
	if v.action == endTries { // not yet: the next run asks for it again
		p.resolve(i, 0, p.fileError(i, v.err))
		return
	}
	p.queue.retries = append(p.queue.retries, fileRetry{i, t.next})
	r.logf("file %d of the listing: %v; trying again", i, err)
}

// pageForAll fails the listing when the same page comes in place of many files, or of all of them. It is true
// when it did.
func (p *filePool) pageForAll(i int, d *doubt) bool {
	sum := d.sum
	if p.results.fetched == 0 {
		sum = digest.Sum{} // any page: nothing says that one of them may be a file
	}
	of := p.doubts.pages[sum]
	if of == nil {
		of = map[int]bool{}
		p.doubts.pages[sum] = of
	}
	of[i] = true
	left := len(p.results.records) - p.results.done
	if p.results.fetched > 0 && !p.seenAgain(i, d.sum.String(), p.slowWait()) {
		return false // a proxy may have a bad moment
	}
	if len(of) < enoughPages && (!p.queue.listed || len(of) < left || p.results.fetched > 0) {
		return false
	}
	e := notTheExport(filetype.HTML, link.Link{})
	e.Message = "the listing's links: " + e.Message
	if at := p.o.Source.Expiry; !at.IsZero() && p.o.run.f.clock.server(p.o.run.f.now()).After(at) {
		e.Code, e.Hint = failure.LinkExpired, failure.HintNewLink
	}
	p.o.fail(e)
	return true
}

// refuse records a refusal that another try will not change: of one file, or, when it is so for all, of the
// listing's links. A server that is not certain is asked again, as for a page in place of the file.
func (p *filePool) refuse(i int, ref *refusal, t *tries, now time.Time) {
	e := ref.err
	if e.Code == failure.LinkExpired {
		p.expire(i, e)
		return
	}
	if !ref.certain && !p.seenAgain(i, string(e.Code), p.slowWait()) {
		p.queue.retries = append(p.queue.retries, fileRetry{i, now.Add(max(t.wait.Next(), p.slowWait()/2))})
		return
	}
	p.refusals.inRow++
	none, many := p.results.fetched == 0, p.refusals.inRow >= 4*maxFileConns
	all := none && p.refusals.inRow >= min(enoughPages, len(p.results.records)) || many
	if all && e.Code != failure.LinkGone || e.Code == failure.LinkGone && none && many {
		p.failAll(e)
		return
	}
	accepted, err := p.acceptOnly(i, e)
	again := false
	if err == nil && !accepted {
		again, err = p.usedUp(i, e, t)
	}
	switch {
	case err != nil:
		go p.o.run.fatal(err)
		return
	case accepted:
		return
	case again:
		e = usedUpError(e)
	}
	p.resolve(i, 0, p.fileError(i, e))
}

// enoughExpired is how many links must have expired, the last of them asked for alone, when all have.
const enoughExpired = 3

// expire records that file i's link has expired.
func (p *filePool) expire(i int, e *failure.Error) {
	if p.refusals.expired++; p.refusals.alone && p.refusals.expired >= enoughExpired {
		p.failAll(e)
		return
	}
	p.resolve(i, 0, p.fileError(i, e))
}

func (p *filePool) failAll(e *failure.Error) {
	c := *e
	c.Message = "the listing's links: " + e.Message
	p.o.fail(&c)
}

// mayStillCome reports whether a failed file is not given up: another try, or a new link, will bring it.
func mayStillCome(e *failure.Error) bool { return e.Retryable() || e.Code == failure.LinkExpired }

// unresolved is the failure of a listing of which files have not arrived yet, though all others are; nil when
// there are none.
func (p *filePool) unresolved() *failure.Error {
	p.o.run.mu.Lock()
	defer p.o.run.mu.Unlock()
	var worst *failure.Error
	n := 0
	for _, e := range p.results.errs {
		if !mayStillCome(e) {
			continue
		}
		n++
		if worst == nil || e.Code.Rank() < worst.Code.Rank() {
			worst = e
		}
	}
	if worst == nil {
		return nil
	}
	return p.notYetError(n, worst)
}

// notYetError is the failure of a listing of which n files have not arrived yet, one of them because of e.
func (p *filePool) notYetError(n int, e *failure.Error) *failure.Error {
	c := *e
	c.Message = fmt.Sprintf("%d of the listing's %d files have not arrived yet: "+
		"%s", n, len(p.results.records), e.Message)
	return &c
}

// fileError returns a copy of e that names the part and the link of file i.
func (p *filePool) fileError(i int, e *failure.Error) *failure.Error {
	c := *e
	c.Part = p.o.Source.Part
	if l, err := p.entries.get(i); err == nil {
		c.Link = l.Link.String()
	}
	return &c
}

// halve reacts to a server that objects to so many connections.
func (p *filePool) halve(now time.Time) {
	if now.Sub(p.conns.halved) < time.Second {
		return
	}
	p.conns.halved = now
	p.conns.target = max(1, p.conns.target/2)
}
