package fetch

import (
	"context"
	"errors"
	"net/http"
	"time"

	"holdall/fetch/listing"
	"holdall/internal/retry"
)

// Files of a listing that are asked for to recognise it are kept until it is fetched: a link may work once.

// enoughSampling is how long a server may be in trouble while a listing is to be recognised. It is fetched
// then.
const enoughSampling = time.Minute

// fileSample fetches a small file of a listing, or takes it from those that were fetched before.
func (f *Fetcher) fileSample(ctx context.Context, s *Source, l listing.Entry) (listing.FileSample, error) {
	var t tries
	for {
		sum, err := f.fileSampleOnce(ctx, s, l)
		var r *refusal
		if err == nil || ctx.Err() != nil || errors.Is(err, errSample) || errors.As(err, &r) && !r.transient {
			return sum, err
		}
		v := t.failed(err, yieldNone, time.Now(), min(enoughSampling, f.opts.retryBudget()))
		if v.action == endTries || v.action == stopAll || retry.Sleep(ctx, v.after) != nil {
			return sum, err
		}
	}
}

// keepSample keeps a file that came whole, as the answer to one more request.
func (f *Fetcher) keepSample(s *Source, l listing.Entry, x *exchange, body []byte) {
	again := &exchange{
		f: f, resp: &http.Response{
			Status: x.resp.Status, StatusCode: x.resp.StatusCode, Proto: x.resp.Proto,
			ProtoMajor: x.resp.ProtoMajor, ProtoMinor: x.resp.ProtoMinor,
			Header: x.resp.Header, TransferEncoding: x.resp.TransferEncoding,
			ContentLength: x.resp.ContentLength, Request: x.resp.Request, Body: http.NoBody,
		},
		bounds: x.bounds, identity: x.identity, prefix: body, cancel: func() {}, final: x.final,
		receipt: x.receipt,
	}
	again.closing.Do(func() {}) // its receipt is handed in already
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.sampled == nil {
		s.sampled = map[string]*exchange{}
	}
	s.sampled[l.Link.Secret()] = again
}

// spoilSample notes that a file was asked for and did not come, by which its link may be used up.
func (f *Fetcher) spoilSample(s *Source, l listing.Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.spoiled == nil {
		s.spoiled = map[string]bool{}
	}
	s.spoiled[l.Link.Secret()] = true
}

// spoiled reports whether that happened to a file.
func (f *Fetcher) spoiled(s *Source, l listing.Entry) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return s.spoiled[l.Link.Secret()]
}

// takeSample returns the answer that is kept for a file, which can be read once, or nil.
func (f *Fetcher) takeSample(s *Source, l listing.Entry) *exchange {
	f.mu.Lock()
	defer f.mu.Unlock()
	x := s.sampled[l.Link.Secret()]
	delete(s.sampled, l.Link.Secret())
	return x
}
