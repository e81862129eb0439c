package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"

	"holdall/internal/term"
)

// env is what a command may know of the process.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	console        *console                    // what is said on stderr
	lookup         func(string) (string, bool) // environment variables
	quiet, verbose bool
	json           bool
	work           string   // --work
	memory         byteSize // --memory

	onInterrupt atomic.Pointer[func()] // what Ctrl-C does in place of ending the process

	dial func(ctx context.Context, network, address string) (net.Conn, error) // nil: the system's network
}

func processEnv() *env {
	return &env{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, console: newConsole(os.Stderr),
		lookup: os.LookupEnv,
	}
}

// interrupt has Ctrl-C do something else than ending the process, until it is called with nil.
func (e *env) interrupt(do func()) {
	if do == nil {
		e.onInterrupt.Store(nil)
		return
	}
	e.onInterrupt.Store(&do)
}

// printJSON writes v as JSON with --json.
func (e *env) printJSON(v any) error {
	enc := json.NewEncoder(e.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// table prints rows: aligned on a terminal, TSV otherwise. right names the columns of numbers.
func (e *env) table(headings []string, right []int, rows [][]string) error {
	if !term.Is(e.stdout) {
		return term.TSV(e.stdout, headings, rows)
	}
	columns := map[int]bool{}
	for _, i := range right {
		columns[i] = true
	}
	return term.Table(e.stdout, headings, columns, rows)
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// group writes 1234567 as 1,234,567.
func group(n int64) string {
	s := fmt.Sprint(n)
	var b strings.Builder
	for i, r := range s {
		if i > 0 && (len(s)-i)%3 == 0 && s[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(r)
	}
	return b.String()
}
