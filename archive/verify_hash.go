package archive

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"holdall/internal/digest"
)

// hashFiles reads every file, except for packs at level Deep, where checkPacks reads them, and for what the
// checkpoint knows. When the time is over, it stops.
func (v *verifier) hashFiles(ctx context.Context) error {
	var names []string
	for name := range v.expected.sums {
		if info, ok := v.present[name]; ok {
			names = append(names, name)
			v.total += info.Size
		}
	}
	slices.Sort(names)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(min(4, runtime.GOMAXPROCS(0)))
	v.prepareCheckpoint()
	begun := 0
	for _, name := range names {
		if v.level == Deep && isPackName(name) || v.recall(name) {
			continue
		}
		if begun++; begun > 1 && !v.until.IsZero() && time.Now().After(v.until) {
			v.stopped = true
			break
		}
		g.Go(func() error { return v.hashFile(ctx, name) })
	}
	return g.Wait()
}

func (v *verifier) hashFile(ctx context.Context, name string) error {
	r, err := v.bag.s.Open(ctx, v.bag.prefix+name, 0, -1)
	if err != nil {
		return v.unreadable(ctx, name, err)
	}
	defer r.Close()
	w := digest.NewWriter()
	if _, err := copyPooled(w, &countingReader{v, r}); err != nil {
		return v.unreadable(ctx, name, err)
	}
	v.setActual(name, w.Sum())
	v.remember(name, w.Sum())
	return nil
}

func (v *verifier) setActual(name string, sum digest.Sum) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.actual[name] = sum
}

// unreadable records that a file could not be read, unless ctx is done.
func (v *verifier) unreadable(ctx context.Context, name string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, ErrCredentials) || errors.Is(err, ErrUnavailable) {
		return err // which says nothing about the file
	}
	if errors.Is(err, fs.ErrNotExist) {
		v.add(FaultMissing, name, "the file was there and is gone")
	} else {
		v.add(FaultUnreadable, name, "%v", err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.docs.addLostFile(name)
	return nil
}

// A countingReader reports progress.
type countingReader struct {
	v *verifier
	r io.Reader
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.v.mu.Lock()
	defer c.v.mu.Unlock()
	c.v.done += int64(n)
	if c.v.progress != nil {
		c.v.progress(c.v.done, c.v.total)
	}
	return n, err
}
