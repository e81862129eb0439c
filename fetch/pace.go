package fetch

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	paceTime  = 2 * time.Second // measured at most this long
	paceLeast = 1 << 20         // fewer bytes measure the latency, not the line
	paceMost  = 64 << 20        // more would only be thrown away
)

// Pace measures how many bytes a second p's objects come at, by reading on for at most two seconds and 64 MiB
// from the bodies that Plan left open, one connection each. What it reads is thrown away, so that Start asks
// again. It is 0 where that says nothing: for a small export, for listings, and where nothing comes. A
// download uses more connections and may be faster.
func (f *Fetcher) Pace(ctx context.Context, p *Plan) float64 {
	ctx, cancel := context.WithTimeout(ctx, paceTime)
	defer cancel()
	var all sync.WaitGroup
	var bytes atomic.Int64
	began := time.Now()
	for _, s := range p.Sources {
		if s.Listing {
			f.takeProbe(s).close(nil)
			continue
		}
		x := f.gate.unpark(f.takeProbe(s))
		if x == nil {
			continue
		}
		all.Go(func() {
			defer x.close(nil)
			defer context.AfterFunc(ctx, x.cancel)()
			x.prefix = nil // here already
			buf := make([]byte, 64<<10)
			for {
				n, err := x.Read(buf[:f.limit.most(len(buf))])
				if bytes.Add(int64(n)) >= paceMost {
					cancel()
					return
				}
				if err == nil {
					err = f.limit.wait(ctx, n)
				}
				if err != nil {
					if err != io.EOF { // else the others may still tell
						cancel()
					}
					return
				}
			}
		})
	}
	all.Wait()
	if bytes.Load() < paceLeast {
		return 0
	}
	return float64(bytes.Load()) / time.Since(began).Seconds()
}
