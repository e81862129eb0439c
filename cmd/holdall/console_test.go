package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"holdall/fetch"
	"holdall/internal/takeover"
	"holdall/internal/term"
)

// What is said while progress is drawn stands above it: the block is taken away first, and drawn again below.
func TestTalkStandsAboveTheProgress(t *testing.T) {
	var out bytes.Buffer
	v := &console{w: &out, block: term.NewBlock(&out)}
	v.progress("plain", "a bar", "a line")
	v.warn("your link expires before this is done")
	v.warn("your link expires before this is done")
	v.progress("plain", "a bar", "a line")
	v.end()
	const clear, up = "\x1b[2A\r\x1b[J", "\x1b[2A"
	const block = "\r\x1b[2Ka bar\n\r\x1b[2Ka line\n"
	want := block + clear + "holdall: your link expires before this is done\n" + block + up + block + clear
	if got := out.String(); got != want {
		t.Errorf("written:\n%q\nwant:\n%q", got, want)
	}
}

func TestAWarningIsSaidAgainAtTheEnd(t *testing.T) {
	var out bytes.Buffer
	e := &env{console: newConsole(&out), quiet: true}
	e.warn("your link expires at https://a.example/x?sig=0123456789abcdef")
	e.talk("not said with -q")
	e.console.repeat()
	const line = "your link expires at https://a.example/…?…\n"
	if got, want := out.String(), "holdall: "+line+"holdall: warned before: "+line; got != want {
		t.Errorf("said %q, want %q", got, want)
	}
}

func TestPlainProgressIsToldEveryTenSeconds(t *testing.T) {
	var out bytes.Buffer
	v := newConsole(&out)
	v.begin()
	v.progress("too early")
	v.lastLine = v.lastLine.Add(-plainEvery)
	v.progress("now")
	v.progress("too early again")
	if got := out.String(); got != "holdall: now\n" {
		t.Errorf("said %q, want one line", got)
	}
}

// A minute of a takeover, second by second.
func TestNothingIsForetoldFromAStalledRate(t *testing.T) {
	now := time.Now()
	p := &progress{now: func() time.Time { return now }}
	at := func(done int64) string {
		now = now.Add(time.Second)
		p.update(takeover.Progress{
			Phase: "fetching", Documents: 3,
			Progress: fetch.Progress{Done: done, Fetched: done, Total: 100e6},
		})
		return p.line()
	}
	line := at(0)
	for i := range int64(20) {
		line = at((i + 1) * 1e6)
	}
	if want := "fetching: 20 MB of 100 MB (20 %), 1.0 MB/s, about 1m20s left, 3 documents archived"; line != want {
		t.Errorf("moving: %q, want %q", line, want)
	}
	for range 4 {
		line = at(20e6)
	}
	if strings.Contains(line, "nothing for") {
		t.Errorf("after 4 s: %q", line)
	}
	for range 3 {
		line = at(20e6)
	}
	if want := "fetching: 20 MB of 100 MB (20 %), nothing for 7s, 3 documents archived"; line != want {
		t.Errorf("stalled: %q, want %q", line, want)
	}
}
