package fetch

import (
	"io"
	"syscall"
	"testing"
	"time"

	"holdall/fetch/failure"
)

type verdictCase struct {
	name  string
	times int // that it fails so, one after the other
	err   error
	past  tries
	want  action
	code  failure.Code  // with endTries and stopAll
	after time.Duration // at least
	fewer bool
}

func verdictCases() []verdictCase {
	busy := &refusal{
		err: &failure.Error{Code: failure.Network}, transient: true, throttled: true, after: 7 * time.Second,
	}
	gone := &refusal{err: &failure.Error{Code: failure.LinkGone}}
	rubbish := unusable("status 206, but no Content-Range")
	return []verdictCase{
		{
			name: "a broken connection", times: 1, err: io.ErrUnexpectedEOF, want: tryAgain,
			after: 100 * time.Millisecond,
		},
		{
			name: "many broken connections", times: 8, err: io.ErrUnexpectedEOF, want: tryAgain,
			after: 15 * time.Second,
		},
		{
			name: "a server that is busy and says for how long", times: 1, err: busy, want: tryAgain,
			after: 7 * time.Second, fewer: true,
		},
		{name: "a connection refused", times: 1, err: syscall.ECONNREFUSED, want: tryAgain, fewer: true},
		{name: "a link that is gone", times: 1, err: gone, want: endTries, code: failure.LinkGone},
		{name: "an unusable answer", times: 1, err: rubbish, want: tryAgain},
		{name: "unusable answers in a row", times: enoughUnusable, err: rubbish, want: askWhole},
		{name: "a range ignored by a server that knows none", times: 1, err: errIgnored, want: inOrder},
		{
			name: "a range ignored by a server that knows ranges", times: 1, err: errIgnored,
			past: tries{ranged: true}, want: tryAgain,
		},
		{name: "another ETag", times: 1, err: errChanged{"its ETag"}, want: tryAgain},
		{
			name: "another ETag each time", times: enoughChanges, err: errChanged{"its ETag"}, want: askWhole,
		},
		{
			name: "another ETag even then", times: 2 * enoughChanges, err: errChanged{"its ETag"},
			want: endTries, code: failure.ObjectChanged,
		},
		{
			name: "another size", times: enoughChanges, err: errChanged{itsSize}, want: endTries,
			code: failure.ObjectChanged,
		},
		{name: "other bytes", times: 1, err: errChanged{itsBytes}, want: endTries, code: failure.ObjectChanged},
		{
			name: "a full disk", times: 1, err: failure.Disk(syscall.ENOSPC, "write"), want: stopAll,
			code: failure.DiskFull,
		},
		{
			name: "a forbidden address", times: 1, err: forbid(failure.ReasonPrivateAddress, "10.0.0.1"),
			want: endTries, code: failure.LinkDenied,
		},
		{
			name: "nothing for longer than the budget, after too few tries", times: 2,
			err: io.ErrUnexpectedEOF, past: tries{since: time.Now().Add(-time.Hour)}, want: tryAgain,
		},
		{
			name: "nothing for longer than the budget", times: leastTries, err: io.ErrUnexpectedEOF,
			past: tries{since: time.Now().Add(-time.Hour)}, want: endTries, code: failure.Network,
		},
	}
}

func TestTheVerdictOnAFailedTry(t *testing.T) {
	for _, tc := range verdictCases() {
		t.Run(tc.name, func(t *testing.T) {
			var v verdict
			for range tc.times {
				v = tc.past.failed(tc.err, yieldNone, time.Now(), 5*time.Minute)
			}
			if v.action != tc.want || v.fewer != tc.fewer || v.after < tc.after {
				t.Errorf("got %+v, want action %d, at least %s, fewer %v", v, tc.want, tc.after, tc.fewer)
			}
			if ends := v.action == endTries || v.action == stopAll; ends != (v.err != nil) || ends &&
				v.err.Code != tc.code {
				t.Errorf("it ends with %v, want %q", v.err, tc.code)
			}
		})
	}
}

// What a try brought decides whether the next one waits.
func TestTheVerdictOnATryThatBroughtSomething(t *testing.T) {
	var h tries
	now := time.Now()
	for range 20 {
		if v := h.failed(io.ErrUnexpectedEOF, yieldNew, now, time.Minute); v.action != tryAgain ||
			v.after != 0 {
			t.Fatalf("after new bytes: %+v, want another try at once", v)
		}
	}
	for i := range enoughStale {
		v := h.failed(io.ErrUnexpectedEOF, yieldStale, now, time.Minute)
		if last := i == enoughStale-1; last != (v.action == endTries) || !last && v.after == 0 {
			t.Fatalf("after the bytes came that are here already, %d times: %+v", i+1, v)
		}
	}
}
