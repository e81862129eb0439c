package fetch

import (
	"net/http"
	"sync"
	"time"
)

// A clock knows how far this machine's time is from the servers', which decide when a link expires.
type clock struct {
	mu     sync.Mutex
	offset time.Duration
	known  bool
}

// learn takes the difference from a response's Date, unless a cache may have held the response for a while.
func (c *clock) learn(h http.Header, now time.Time) {
	if h.Get("Age") != "" {
		return
	}
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset, c.known = date.Sub(now), true
}

// server returns what the servers' clock shows when the local one shows now.
func (c *clock) server(now time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return now.Add(c.offset)
}
