// Command holdall takes over a recruitment platform's full data export before its links expire, keeps it as
// an archive that anyone can check and read with stock tools, and answers SQL about it offline.
//
// Rules of this package: a command is an options struct, addFlags and run; run knows the environment only
// through env. What is said, and how, is in voice.go. Every failure ends in fail (errors.go), which chooses
// the exit code.
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
	log.SetOutput(io.Discard) // net/http logs what servers sent; nobody has looked into that for secrets
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
		case <-time.After(100 * time.Millisecond): // nobody reads stderr
		}
		os.Exit(exitInterrupted)
	}()
	return ctx, cancel
}
