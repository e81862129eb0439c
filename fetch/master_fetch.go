package fetch

import (
	"context"
	"io"
	"net/http"
)

// maxMaster is the largest master CSV read.
const maxMaster = 64 << 20

// Master fetches a master CSV from a link.
func (f *Fetcher) Master(ctx context.Context, link Link) (*Master, error) {
	s := &Source{Link: link, Fingerprint: link.fingerprint()}
	s.Expiry, _ = expiry(link)
	x, err := f.probeGet(ctx, s, probeTime)
	if err != nil {
		if ctx.Err() != nil {
			return nil, interrupted(ctx)
		}
		return nil, s.failure(err)
	}
	raw, err := io.ReadAll(io.LimitReader(x, maxMaster+1))
	x.close(err)
	switch {
	case err != nil:
		return nil, s.failure(err)
	case len(raw) > maxMaster:
		return nil, s.failure(NotAMaster(raw, "more than 64 MB"))
	}
	m, err := ReadMaster(raw)
	if err != nil {
		return nil, s.failure(err)
	}
	if t, err := http.ParseTime(x.resp.Header.Get("Last-Modified")); err == nil {
		m.Date = t
	}
	return m, nil
}
