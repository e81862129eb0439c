package main

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"holdall/fetch/link"
	"holdall/internal/takeover"
	"holdall/internal/term"
)

// progress shows a takeover on the way.
type progress struct {
	e    *env
	tick *ticker

	mu      sync.Mutex // guards what follows
	now     func() time.Time
	current takeover.Progress
	speed   speed
}

func newProgress(e *env) *progress {
	p := &progress{e: e, now: time.Now}
	if !e.quiet {
		p.tick = startTicker(e, p.show)
	}
	return p
}

func (p *progress) update(now takeover.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current = now
	p.speed.measure(p.now(), now.Fetched, now.Done)
}

func (p *progress) show() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.e.console.progress(p.line(), p.lines()...)
}

// A speed is measured from what arrives.
type speed struct {
	began, last, moved time.Time // the first and the last measurement, and when a byte last came
	fetched, done      int64
	rate, gain         float64 // bytes a second, smoothed: from the network, and towards the end
}

// A forecast is made from a rate measured for a while, and from none where nothing arrives.
const (
	smoothFor     = 3 * time.Second
	stalledFor    = 5 * time.Second
	forecastAfter = 5 * time.Second
)

func (s *speed) measure(now time.Time, fetched, done int64) {
	dt := now.Sub(s.last).Seconds()
	switch {
	case s.last.IsZero():
		s.began, s.moved = now, now
	case dt > 0:
		weight := min(1, dt/smoothFor.Seconds())
		s.rate += (float64(fetched-s.fetched)/dt - s.rate) * weight
		s.gain += (float64(done-s.done)/dt - s.gain) * weight
	}
	if fetched > s.fetched {
		s.moved = now
	}
	s.last, s.fetched, s.done = now, fetched, done
}

// stalled returns for how long nothing has arrived, once that is worth telling; else 0.
func (s *speed) stalled() time.Duration {
	if quiet := s.last.Sub(s.moved); quiet >= stalledFor {
		return quiet.Truncate(time.Second)
	}
	return 0
}

// left estimates the time until so many bytes have come; 0 when it cannot be said.
func (s *speed) left(bytes int64) time.Duration {
	if bytes <= 0 || s.gain < 1 || s.stalled() > 0 || s.last.Sub(s.began) < forecastAfter {
		return 0
	}
	return time.Duration(float64(bytes) / s.gain * float64(time.Second)).Round(time.Second)
}

// line is the progress in one line.
func (p *progress) line() string {
	return strings.Join(append([]string{p.summary()}, p.waits()...), "; ")
}

func (p *progress) summary() string {
	c := p.current
	if c.Phase == "" || c.Phase == "probing" {
		return "asking what the links serve"
	}
	s := fmt.Sprintf("%s: %s", c.Phase, term.Bytes(c.Done))
	if c.Total > 0 {
		s += fmt.Sprintf(" of %s (%.0f %%)", term.Bytes(c.Total), 100*float64(c.Done)/float64(c.Total))
	}
	if c.Total < 0 || c.Done < c.Total {
		s += p.pace()
	}
	return s + fmt.Sprintf(", %s documents archived", group(c.Documents))
}

// pace says how fast the rest comes, or that it does not.
func (p *progress) pace() string {
	if quiet := p.speed.stalled(); quiet > 0 {
		return fmt.Sprintf(", nothing for %s", quiet)
	}
	s := fmt.Sprintf(", %s/s", term.Bytes(int64(p.speed.rate)))
	if left := p.speed.left(p.current.Total - p.current.Done); left > 0 {
		s += ", about " + left.String() + " left"
	}
	return s
}

// waits says which links do not get on, and why: of many the first three.
func (p *progress) waits() []string {
	var all []string
	for _, w := range p.current.Waiting[:min(3, len(p.current.Waiting))] {
		all = append(all, w.Text(p.now()))
	}
	return all
}

func (p *progress) lines() []string {
	var lines []string
	for _, part := range []link.Part{link.PartData, link.PartAttachments, link.PartCVs, link.PartUnknown} {
		b, ok := p.current.ByPart[part]
		if !ok {
			continue
		}
		if b.Total > 0 {
			f := float64(b.Done) / float64(b.Total)
			lines = append(
				lines,
				fmt.Sprintf(
					"%-11s %s %3.0f %%  %s of %s", part, term.Bar(f, 24), 100*f, term.Bytes(b.Done),
					term.Bytes(b.Total),
				),
			)
		} else {
			lines = append(lines, fmt.Sprintf("%-11s %s", part, term.Bytes(b.Done)))
		}
	}
	return append(append(lines, p.waits()...), p.summary())
}

func (p *progress) end() {
	if p.tick != nil {
		p.tick.end(p.e)
	}
}
