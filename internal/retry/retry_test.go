package retry

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

func TestBackoffGrowsAndIsCapped(t *testing.T) {
	b := Backoff{Base: 100 * time.Millisecond, Max: 2 * time.Second}
	for i, most := range []time.Duration{100, 200, 400, 800, 1600, 2000, 2000} {
		most *= time.Millisecond
		if got := b.Next(); got < most/2 || got > most {
			t.Errorf("wait %d = %s, want between %s and %s", i, got, most/2, most)
		}
	}
	for range 100 {
		if got := b.Next(); got <= 0 || got > 2*time.Second {
			t.Fatalf("after many tries the wait is %s", got)
		}
	}
	b.Reset()
	if got := b.Next(); got > 100*time.Millisecond || b.Tries() != 1 {
		t.Errorf("after Reset: %s, %d tries", got, b.Tries())
	}
	var zero Backoff
	if got := zero.Next(); got < 125*time.Millisecond || got > 250*time.Millisecond {
		t.Errorf("the zero Backoff starts with %s", got)
	}
}

func TestAfter(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	date := func(t time.Time) string { return t.Format(http.TimeFormat) }
	for _, tc := range []struct {
		name, after, date string
		want              time.Duration
		ok                bool
	}{
		{"absent", "", "", 0, false},
		{"seconds", "7", "", 7 * time.Second, true},
		{"zero", "0", "", 0, true},
		{"a fraction", "0.5", "", 500 * time.Millisecond, true},
		{"negative", "-7", "", 0, false},
		{"a year", "31536000", "", MaxAfter, true},
		{"endless", "1e300", "", MaxAfter, true},
		{"no number", "NaN", "", 0, false},
		{"nonsense", "soon", "", 0, false},
		{"a date", date(now.Add(30 * time.Second)), "", 30 * time.Second, true},
		{"a date long past", date(now.Add(-time.Hour)), "", 0, true},
		{
			"a date by a server whose clock is days ahead", date(now.Add(72*time.Hour + 20*time.Second)),
			date(now.Add(72 * time.Hour)), 20 * time.Second, true,
		},
		{"a date far ahead", date(now.Add(72 * time.Hour)), "", MaxAfter, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := http.Header{}
			if tc.after != "" {
				h.Set("Retry-After", tc.after)
			}
			if tc.date != "" {
				h.Set("Date", tc.date)
			}
			got, ok := After(h, now)
			if got != tc.want || ok != tc.ok {
				t.Errorf("After = %s, %v; want %s, %v", got, ok, tc.want, tc.ok)
			}
		})
	}
}

func TestSleepEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		if err := Sleep(t.Context(), time.Minute); err != nil || time.Since(begin) != time.Minute {
			t.Errorf("slept %s: %v", time.Since(begin), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin = time.Now()
		err := Sleep(ctx, time.Minute)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
			t.Errorf("slept %s: %v", time.Since(begin), err)
		}
		if err := Sleep(ctx, 0); err == nil {
			t.Error("no error after the context has ended")
		}
	})
}
