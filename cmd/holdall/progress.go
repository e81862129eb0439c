package main

import (
	"fmt"
	"sync"
	"time"

	"holdall/fetch"
	"holdall/internal/takeover"
	"holdall/internal/term"
)

// progress shows a takeover on the way: bars on a terminal, a plain line every 10 s elsewhere.
type progress struct {
	e  *env
	mu sync.Mutex // guards all below
	// block is nil where stderr is no terminal.
	block   *term.Block
	began   time.Time
	spoken  time.Time
	lastAt  time.Time
	last    int64
	rate    float64 // bytes a second, smoothed
	current takeover.Progress
}

const plainEvery = 10 * time.Second

func newProgress(e *env) *progress {
	p := &progress{e: e, began: time.Now(), spoken: time.Now()}
	if term.Is(e.stderr) && !e.quiet {
		p.block = term.NewBlock(e.stderr)
	}
	return p
}

func (p *progress) update(now takeover.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.measure(now)
	if p.block != nil {
		p.block.Draw(p.lines()...)
		return
	}
	if time.Since(p.spoken) >= plainEvery {
		p.spoken = time.Now()
		p.e.talk("%s", p.line())
	}
}

func (p *progress) measure(now takeover.Progress) {
	t := time.Now()
	if dt := t.Sub(p.lastAt).Seconds(); !p.lastAt.IsZero() && dt > 0 {
		p.rate += (float64(now.Fetched-p.last)/dt - p.rate) * min(1, dt/3)
	}
	p.lastAt, p.last, p.current = t, now.Fetched, now
}

func (p *progress) line() string {
	c := p.current
	s := fmt.Sprintf("%s: %s", c.Phase, term.Bytes(c.Done))
	if c.Total > 0 {
		s += fmt.Sprintf(" of %s (%.0f %%)", term.Bytes(c.Total), 100*float64(c.Done)/float64(c.Total))
	}
	s += fmt.Sprintf(", %s/s, %s documents archived", term.Bytes(int64(p.rate)), group(c.Documents))
	if left := p.left(); left > 0 {
		s += ", about " + left.String() + " left"
	}
	return s
}

// left estimates the time until everything is fetched; 0 when it cannot be said.
func (p *progress) left() time.Duration {
	if p.current.Total <= p.current.Done || p.rate < 1 {
		return 0
	}
	return time.Duration(float64(p.current.Total-p.current.Done) / p.rate * float64(time.Second)).Round(time.Second)
}

func (p *progress) lines() []string {
	var lines []string
	for _, part := range []fetch.Part{fetch.PartData, fetch.PartAttachments, fetch.PartCVs, fetch.PartUnknown} {
		b, ok := p.current.ByPart[part]
		if !ok {
			continue
		}
		if b.Total > 0 {
			f := float64(b.Done) / float64(b.Total)
			lines = append(lines, fmt.Sprintf("%-11s %s %3.0f %%  %s of %s", part, term.Bar(f, 24), 100*f, term.Bytes(b.Done), term.Bytes(b.Total)))
		} else {
			lines = append(lines, fmt.Sprintf("%-11s %s", part, term.Bytes(b.Done)))
		}
	}
	return append(lines, p.line())
}

// talk says something without tearing the bars.
func (p *progress) talk(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.block != nil {
		p.block.Clear()
	}
	p.e.talk(format, args...)
}

func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.block != nil {
		p.block.Clear()
	}
}
