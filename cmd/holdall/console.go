package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"holdall/internal/redact"
	"holdall/internal/term"
)

// A console writes everything that goes to stderr, from any goroutine: lines that stay, and below them the
// progress, which on a terminal is a block of lines drawn again in place, and elsewhere one plain line every
// ten seconds.
//
// The rules of the user interface:
//   - stdout is data and stderr is talk. A line of talk begins with "holdall: ", one of advice with
//     "holdall: hint: "; lower case, no full stop.
//   - What stays is printed above the progress, never over it. Warnings are printed when they arise and again
//     at the end of a run that did not finish: by then they have scrolled away.
//   - -q leaves warnings and errors; -v adds details.
//   - Every line is redacted here, even if it was redacted before.
type console struct {
	w io.Writer

	mu       sync.Mutex // guards what follows
	block    *term.Block
	lines    []string // of the progress, as drawn
	lastLine time.Time
	warnings []string
}

func newConsole(w io.Writer) *console {
	v := &console{w: w}
	if term.Is(w) && os.Getenv("TERM") != "dumb" {
		v.block = term.NewBlock(w)
	}
	return v
}

// say prints a line that stays.
func (v *console) say(line string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.print(line)
}

// print is say, with the mutex held.
func (v *console) print(line string) {
	if v.block != nil {
		v.block.Clear()
	}
	fmt.Fprintln(v.w, "holdall: "+redact.Text(line))
	if v.block != nil && len(v.lines) > 0 {
		v.block.Draw(v.lines...)
	}
}

// warn is say for what must not be missed: repeat says it again. The same warning is printed once.
func (v *console) warn(line string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !slices.Contains(v.warnings, line) {
		v.warnings = append(v.warnings, line)
		v.print(line)
	}
}

// repeat prints the warnings again.
func (v *console) repeat() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, line := range v.warnings {
		v.print("warned before: " + line)
	}
}

// begin starts to show progress; the first plain line comes ten seconds later.
func (v *console) begin() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.lastLine = time.Now()
}

// progress shows how far the work is: lines in the block on a terminal, else line, if it is time for one.
func (v *console) progress(line string, lines ...string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.block != nil:
		v.lines = lines
		v.block.Draw(lines...)
	case time.Since(v.lastLine) >= plainEvery:
		v.lastLine = time.Now()
		v.print(line)
	}
}

// end removes the progress.
func (v *console) end() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.lines = nil
	if v.block != nil {
		v.block.Clear()
	}
}

// plainEvery is how often progress is printed where it cannot be drawn.
const plainEvery = 10 * time.Second

// A ticker shows progress several times a second until it is stopped, whether or not anything happens: that
// nothing happens is what the user wants to know then.
type ticker struct {
	stop, stopped chan struct{}
}

func startTicker(e *env, show func()) *ticker {
	t := &ticker{make(chan struct{}), make(chan struct{})}
	e.console.begin()
	go func() {
		defer close(t.stopped)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-t.stop:
				return
			case <-tick.C:
				show()
			}
		}
	}()
	return t
}

// end stops the ticker and removes the progress.
func (t *ticker) end(e *env) {
	close(t.stop)
	<-t.stopped
	e.console.end()
}

// talk informs the user, unless -q.
func (e *env) talk(format string, args ...any) {
	if !e.quiet {
		e.say(format, args...)
	}
}

// detail talks only with -v.
func (e *env) detail(format string, args ...any) {
	if e.verbose {
		e.talk(format, args...)
	}
}

// say informs the user, also with -q: of an error, or a result that is not data.
func (e *env) say(format string, args ...any) { e.console.say(fmt.Sprintf(format, args...)) }

// warn informs the user of something that threatens the work.
func (e *env) warn(text string) { e.console.warn(text) }

// hint says what the user can do.
func (e *env) hint(format string, args ...any) {
	e.say("hint: %s", strings.TrimSuffix(fmt.Sprintf(format, args...), "."))
}
