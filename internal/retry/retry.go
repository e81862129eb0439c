// Package retry decides when to try again, and waits until then: backoff with jitter, and what servers ask
// for in Retry-After.
package retry

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MaxAfter caps what a server may ask for: a wait of days would outlive the link.
const MaxAfter = 2 * time.Minute

// Backoff yields growing waits. The zero value starts at 250 ms and grows to 30 s. It is not safe for
// concurrent use.
type Backoff struct {
	Base, Max time.Duration
	tries     int
}

// Next returns the wait before the next try: doubled each time, of which a random half is taken off, so that
// many who failed together do not come back together.
func (b *Backoff) Next() time.Duration {
	base, most := b.Base, b.Max
	if base <= 0 {
		base = 250 * time.Millisecond
	}
	if most <= 0 {
		most = 30 * time.Second
	}
	d := most
	if b.tries < 30 && base<<b.tries < most && base<<b.tries > 0 {
		d = base << b.tries
	}
	b.tries++
	return d/2 + rand.N(d/2+1)
}

// Tries returns how many waits have been handed out since the last Reset.
func (b *Backoff) Tries() int { return b.tries }

// Reset starts again from the shortest wait: something arrived.
func (b *Backoff) Reset() { b.tries = 0 }

// After returns what Asked does, but never more than MaxAfter.
func After(h http.Header, now time.Time) (time.Duration, bool) {
	d, ok := Asked(h, now)
	return min(d, MaxAfter), ok
}

// maxAsked is the most that Asked returns.
const maxAsked = 30 * 24 * time.Hour

// Asked reads Retry-After (RFC 9110, section 10.2.3), in seconds or as a date; a date is measured against the
// response's own Date where it has one, since the local clock may be wrong. The result is between 0 and 30
// days. It is false where the header is absent, negative or nonsense.
func Asked(h http.Header, now time.Time) (time.Duration, bool) {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0, false
	}
	if secs, err := strconv.ParseFloat(v, 64); err == nil {
		if !(secs >= 0) {
			return 0, false
		}
		if secs > maxAsked.Seconds() {
			return maxAsked, true
		}
		return time.Duration(secs * float64(time.Second)), true
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0, false
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(at.Sub(now), 0), maxAsked), true
}

// Sleep waits for d, or returns ctx's error when that ends first, and when it has ended already.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
