package main

import (
	"strings"
	"testing"
	"time"

	"holdall/fetch"
	"holdall/fetch/link"
	"holdall/internal/takeover"
)

// Waiting is shown as waiting: in lines of its own on a terminal, within the line elsewhere.
func TestWaitingIsShownAsWaiting(t *testing.T) {
	now := time.Now()
	p := &progress{now: func() time.Time { return now }}
	wait := fetch.Wait{
		Part: link.PartCVs, Host: "files.example.com", Since: now.Add(-24 * time.Second), Try: 1,
	}
	asked := fetch.Wait{
		Part: link.PartData, Host: "files.example.com", Since: now, Next: now.Add(60 * time.Second), Try: 2,
		Asked: time.Minute,
	}
	const first, second = "cvs: no answer from files.example.com for 24 s", "data: files.example.com asks " +
		"for 60 s, trying again in 60 s (try 2)"
	for _, tc := range []struct {
		name string
		now  takeover.Progress
		want string // lines of the block
	}{
		{
			"while links are asked",
			takeover.Progress{Phase: "probing", Progress: fetch.Progress{Waiting: []fetch.Wait{wait}}},
			first + "\nasking what the links serve",
		},
		{"while one part gets on",
			takeover.Progress{
				Phase: "fetching", Progress: fetch.Progress{Total: -1, Waiting: []fetch.Wait{wait, asked}},
			},
			first + "\n" + second + "\nfetching: 0 B, 0 B/s, 0 documents archived"},
		{
			"at most three",
			takeover.Progress{
				Phase: "probing", Progress: fetch.Progress{Waiting: []fetch.Wait{wait, wait, wait, wait}},
			},
			strings.Repeat(first+"\n", 3) + "asking what the links serve",
		},
	} {
		p.update(tc.now)
		lines := p.lines()
		if got := strings.Join(lines, "\n"); got != tc.want {
			t.Errorf("%s: shown\n%s\nwant\n%s", tc.name, got, tc.want)
		}
		if got := p.line(); !strings.Contains(got, first) || !strings.HasPrefix(got, lines[len(lines)-1]) {
			t.Errorf("%s: in one line: %q", tc.name, got)
		}
	}
}
