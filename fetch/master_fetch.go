package fetch

import (
	"context"
	"net/http"

	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/fetch/master"
)

// Master fetches a master CSV from a link.
func (f *Fetcher) Master(ctx context.Context, href link.Link) (*master.CSV, error) {
	s := &Source{Link: href, Fingerprint: href.Fingerprint()}
	s.Expiry, _ = link.Expiry(href)
	x, err := f.probeGet(ctx, s, probeTime)
	if err != nil {
		if ctx.Err() != nil {
			return nil, failure.Stopped(ctx)
		}
		return nil, s.failure(err)
	}
	raw, err := master.ReadAll(x)
	x.close(err)
	if err != nil {
		return nil, s.failure(err)
	}
	m, err := master.Read(raw)
	if err != nil {
		return nil, s.failure(err)
	}
	if t, err := http.ParseTime(x.resp.Header.Get("Last-Modified")); err == nil {
		m.Date = t
	}
	return m, nil
}
