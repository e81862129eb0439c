// Command holdall takes over a recruitment platform's full data export before its links expire, keeps it as
// an archive that anyone can check and read with stock tools, and answers SQL about it offline.
//
// This package is the only place that touches the process: flags, streams, environment, exit codes. Main
// calls run (commands.go), which builds the commands and hands one command line to one of them.
//
// A command is an options struct with addFlags and run, in the file of its name: take.go, verify.go,
// query.go. Its run knows the environment only through env (env.go) and nothing of cobra. What is printed on
// stderr, and the rules for that, are in console.go. Every failure ends in env.fail (errors.go), which turns
// it into the message, hint and code that the user sees; exitcodes.go says which exit code that is. For
// failures of links both come from the table in fetch/failure, hints from fetchhints.go.
//
// What EXPORT and ROOT mean is in exportarg.go (left out, or which argument it is), exportpath.go (what a
// path leads to), openedroot.go (a directory or S3) and export.go (an archive and its database).
package main

import (
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() { os.Exit(Main()) }

// Main runs the command line of this process and returns its exit code.
func Main() int {
	log.SetOutput(io.Discard) // net/http logs what servers sent, which may contain secrets
	e := processEnv()
	ctx, stop := interruptible(e)
	defer stop()
	return run(ctx, e, os.Args[1:])
}

// interruptible returns a context that ends with the first SIGINT or SIGTERM. A second one, or two seconds of
// not having stopped, end the process: everything on disk is made so that it may be killed at any moment.
func interruptible(e *env) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for sig := range signals {
			do := e.onInterrupt.Load()
			if do == nil || sig != os.Interrupt {
				break
			}
			(*do)()
		}
		cancel()
		select {
		case <-signals:
		case <-time.After(1900 * time.Millisecond):
		}
		printed := make(chan struct{})
		go func() {
			e.say("stopped")
			e.hint(rerunHint)
			close(printed)
		}()
		select {
		case <-printed:
		case <-time.After(100 * time.Millisecond): // stderr is not being read
		}
		os.Exit(exitInterrupted)
	}()
	return ctx, cancel
}
