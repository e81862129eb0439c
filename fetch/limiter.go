package fetch

import (
	"context"
	"sync"
	"time"
)

// A limiter spreads bytes over time. A nil limiter does not limit.
type limiter struct {
	rate float64 // bytes a second

	mu   sync.Mutex
	next time.Time // when the bytes let through so far have had their time
}

func newLimiter(rate int64) *limiter {
	if rate <= 0 {
		return nil
	}
	return &limiter{rate: float64(rate)}
}

// most returns how many bytes to read at once, so that a low rate does not come in gulps.
func (l *limiter) most(n int) int {
	if l == nil {
		return n
	}
	return min(n, max(4<<10, int(l.rate/20)))
}

// wait blocks until n bytes that have been read have had their time.
func (l *limiter) wait(ctx context.Context, n int) error {
	if l == nil || n == 0 {
		return nil
	}
	l.mu.Lock()
	now := time.Now()
	if l.next.Before(now) {
		l.next = now
	}
	l.next = l.next.Add(time.Duration(float64(n) / l.rate * float64(time.Second)))
	d := l.next.Sub(now)
	l.mu.Unlock()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
