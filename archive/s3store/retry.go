package s3store

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"holdall/internal/retry"
)

// A request is one try. It touches the watchdog when something moves.
type request func(context.Context, *watchdog) error

// do carries out a request until it is answered. What is left is an error that names the object and matches
// what callers decide on: fs.ErrNotExist, fs.ErrPermission, archive.ErrCredentials, archive.ErrUnavailable.
func (s *Store) do(ctx context.Context, what, name string, request request) error {
	err := s.repeat(ctx, request)
	if err == nil {
		return nil
	}
	return &Error{Op: what, Location: s.Location(name), err: ctxError(ctx, err)}
}

// ctxError is the context's own error where that is why a request failed.
func ctxError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func (s *Store) repeat(ctx context.Context, request request) error {
	backoff := s.backoff()
	began := time.Now()
	deadline := began.Add(s.Patience)
	refreshed := false
	for {
		err := s.attempt(ctx, request)
		var body permanent
		if err == nil || ctx.Err() != nil || errors.As(err, &body) {
			return err
		}
		switch classify(err) {
		case temporary:
		case credentials:
			// Keys that the SDK keeps may have been replaced where they come from.
			if cache, ok := s.credentials.(*aws.CredentialsCache); ok && !refreshed {
				cache.Invalidate()
				refreshed = true
				continue
			}
			return err
		default:
			return err
		}
		wait := max(backoff.Next(), retryAfter(err))
		if time.Now().Add(wait).After(deadline) {
			return err
		}
		s.reportWaiting(err, began, deadline)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// reportWaiting calls Waiting, unless the trouble has just begun or was reported a moment ago.
func (s *Store) reportWaiting(err error, began, deadline time.Time) {
	now := time.Now()
	last := s.lastReport.Load()
	soon := now.Sub(began) < s.quiet || last != nil && now.Sub(*last) < 6*s.quiet
	if s.Waiting == nil || soon || !s.lastReport.CompareAndSwap(last, &now) {
		return
	}
	s.Waiting(&Error{Op: "reach", Location: s.Location(""), err: err}, deadline)
}

// attempt carries a request out once.
func (s *Store) attempt(ctx context.Context, request request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	watched, dog := watch(ctx, s.stall)
	defer dog.stop()
	err := request(watched, dog)
	if err != nil && context.Cause(watched) == errStalled {
		return errStalled // not the cancellation that it takes the form of
	}
	return err
}

func (s *Store) backoff() retry.Backoff { return retry.Backoff{Base: s.pause, Max: 10 * time.Second} }

func retryAfter(err error) time.Duration {
	var response *smithyhttp.ResponseError
	if !errors.As(err, &response) || response.Response == nil {
		return 0
	}
	wait, _ := retry.After(response.Response.Header, time.Now())
	return wait
}
