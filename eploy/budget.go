package eploy

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"holdall/internal/retry"
)

// budget knows how much may be asked, from nothing but what the system said: the headers of the answers
// before. It is made again from the receipts by each process.
type budget struct {
	reserve int // negative: a tenth of the limit

	limit, remaining int       // of the day; limit 0: not known yet
	at               time.Time // of the last answer
	before           time.Time // of the one before
	refilled         time.Time // when a new day was last seen to have begun
	perSecond        int
	next             time.Time // nothing is asked before, so that a second has no more than its share
}

const assumedPerSecond = 10

// learn takes over what an answer said of the budget.
func (b *budget) learn(r *Receipt) {
	if r.SecondLimit != nil && *r.SecondLimit > 0 {
		b.perSecond = *r.SecondLimit
	}
	if r.DayLimit == nil || r.DayRemaining == nil {
		return
	}
	if b.limit > 0 && *r.DayRemaining > b.remaining {
		b.refilled = r.Time
	}
	b.before, b.at = b.at, r.Time
	b.limit, b.remaining = *r.DayLimit, *r.DayRemaining
}

// kept is what is left to others.
func (b *budget) kept() int {
	if b.reserve >= 0 {
		return b.reserve
	}
	return (b.limit + 9) / 10
}

// nextDay is when the budget is expected to be there again. The guide says at 00:00:00 and not where, so it
// is learnt: a day after a new day was last seen to begin; failing that at midnight UTC, then hour by hour.
func (b *budget) nextDay() time.Time {
	if day := b.refilled.Add(24 * time.Hour); !b.refilled.IsZero() && day.After(b.at) {
		return day
	}
	if !b.before.IsZero() && b.at.Sub(b.before) >= time.Hour {
		return b.at.Add(time.Hour) // that was to be the new day, and was not
	}
	return b.at.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
}

// check is a *Paused when nothing more may be asked now, and a *Failure when nothing ever may.
func (b *budget) check(now time.Time) error {
	if b.limit == 0 || b.remaining > b.kept() {
		return nil
	}
	if b.limit > 1 && b.kept() >= b.limit {
		return &Failure{Code: CodeUsage, Hint: "leave fewer to others with --reserve",
			Message: fmt.Sprintf("of the day's %d requests, %d are to be left to others: "+
				"none is left for the pull", b.limit, b.kept())}
	}
	if day := b.nextDay(); now.Before(day) {
		day = day.Add(time.Second - 1).Truncate(time.Second) // as it is told
		return &Paused{ResumeAfter: day, Remaining: b.remaining, Limit: b.limit, Reserve: b.kept()}
	}
	return nil // a new day, it seems: one answer will tell
}

// pace waits until the next request is due.
func (b *budget) pace(ctx context.Context) error {
	rate := b.perSecond
	if rate == 0 {
		rate = assumedPerSecond
	}
	now := time.Now()
	if err := retry.Sleep(ctx, b.next.Sub(now)); err != nil {
		return err
	}
	if b.next.Before(now) {
		b.next = now
	}
	// One a second is left alone: a counter that reads zero means that somebody is refused.
	b.next = b.next.Add(time.Second / time.Duration(max(1, rate-1)))
	return nil
}

// hold lets nothing be asked for a while.
func (b *budget) hold(d time.Duration) {
	if until := time.Now().Add(d); until.After(b.next) {
		b.next = until
	}
}

// rates copies the four headers into a receipt.
func rates(r *Receipt, h http.Header) {
	for name, to := range map[string]**int{
		"X-RateLimit-Total-Second-Limit": &r.SecondLimit, "X-RateLimit-Remaining-Second": &r.SecondRemaining,
		"X-RateLimit-Total-Day-Limit": &r.DayLimit, "X-RateLimit-Remaining-Day": &r.DayRemaining,
	} {
		if n, err := strconv.Atoi(h.Get(name)); err == nil {
			*to = &n
		}
	}
}
