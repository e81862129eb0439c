package main

import (
	"context"
	"errors"
	"testing"
)

// Ctrl-C in the middle of a statement makes the database engine fail in its own words.
func TestWhatTheUserStoppedIsNoFailure(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	interrupted := errors.New("INTERRUPT Error: Interrupted!")
	if f := describeError(stopped(ctx, interrupted)); f.exit != exitFailed {
		t.Errorf("while nobody stopped it: %+v, want exit 1", f)
	}
	cancel()
	f := describeError(stopped(ctx, interrupted))
	if f.exit != exitInterrupted || f.Code != codeInterrupted || !f.Retryable || f.Hint == "" {
		t.Errorf("stopped: %+v, want exit 130", f)
	}
	if stopped(ctx, nil) != nil {
		t.Error("what ended well before it could be stopped has failed")
	}
}
