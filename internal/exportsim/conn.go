package exportsim

import (
	"context"
	"net"
	"sync"
	"time"
)

// A conn is what the server remembers of a connection.
type conn struct {
	since time.Time

	mu   sync.Mutex // guards what follows
	next time.Time  // when the next byte may go
	n    int64      // bytes of bodies
}

type connKey struct{}

func newConn(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, &conn{since: time.Now()})
}

// connOf returns the connection of a request's context.
func connOf(ctx context.Context) *conn {
	if c, ok := ctx.Value(connKey{}).(*conn); ok {
		return c
	}
	return &conn{since: time.Now()} // behind a server that is not ours
}

// sent returns how many bytes of bodies the connection has carried.
func (c *conn) sent() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// sendWithin waits until n more bytes may be sent at rate bytes a second (0: at once), and reports false when
// the client went away meanwhile.
func (c *conn) sendWithin(ctx context.Context, n int, rate int64) bool {
	c.mu.Lock()
	c.n += int64(n)
	if rate <= 0 {
		c.mu.Unlock()
		return true
	}
	now := time.Now()
	if c.next.Before(now) {
		c.next = now
	}
	c.next = c.next.Add(time.Duration(float64(n) / float64(rate) * float64(time.Second)))
	d := c.next.Sub(now)
	c.mu.Unlock()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
