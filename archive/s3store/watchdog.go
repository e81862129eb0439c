package s3store

import (
	"context"
	"errors"
	"io"
	"time"
)

// errStalled is why a watchdog ends a request. It is a failure of the line: the request is repeated.
var errStalled = errors.New("nothing has moved on the connection for a while")

// A watchdog cancels a request on which nothing moves.
type watchdog struct {
	timer *time.Timer
	limit time.Duration
	stop  context.CancelFunc
}

// watch returns a context that ends when touch has not been called for the limit.
func watch(ctx context.Context, limit time.Duration) (context.Context, *watchdog) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watchdog{limit: limit}
	w.timer = time.AfterFunc(limit, func() { cancel(errStalled) })
	w.stop = func() { w.timer.Stop(); cancel(nil) }
	return ctx, w
}

// touch records that something moved.
func (w *watchdog) touch() { w.timer.Reset(w.limit) }

// pause stops the watch until the next touch: nothing is being waited for.
func (w *watchdog) pause() { w.timer.Stop() }

// A sending touches a watchdog with each read, and marks the reader's own failures as permanent.
type sending struct {
	io.ReadSeeker
	dog *watchdog
}

func (s *sending) Read(p []byte) (int, error) {
	n, err := s.ReadSeeker.Read(p)
	s.dog.touch()
	if err != nil && err != io.EOF {
		err = permanent{err}
	}
	return n, err
}
