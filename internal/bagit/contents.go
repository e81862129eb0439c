package bagit

import (
	"context"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// A claim is what a manifest says of a file.
type claim struct {
	manifest, algorithm, sum string
}

// compareContents reads each file that a manifest lists once, and compares its checksums.
func (c *checker) compareContents(ctx context.Context) error {
	claims, total := map[string][]claim{}, int64(0)
	for _, x := range slices.Concat(c.payload, c.tags) {
		for name, sum := range x.sums {
			size, there := c.files[name]
			if !there || x.algorithm == "" {
				continue
			}
			if claims[name] == nil {
				total += size
			}
			claims[name] = append(claims[name], claim{x.name, x.algorithm, sum})
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(min(4, runtime.GOMAXPROCS(0)))
	var done atomic.Int64
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		g.Go(func() error {
			return c.compareFile(ctx, name, claims[name], func(n int) {
				if n := done.Add(int64(n)); c.progress != nil {
					c.progress(n, total)
				}
			})
		})
	}
	return g.Wait()
}

func (c *checker) compareFile(ctx context.Context, name string, claims []claim, read func(n int)) error {
	f, err := c.root.Open(name)
	if err != nil {
		c.add(Unreadable, name, "%v", cause(err))
		return nil
	}
	defer f.Close()
	sums, writers := map[string]hash.Hash{}, []io.Writer{}
	for _, x := range claims {
		if sums[x.algorithm] == nil {
			sums[x.algorithm] = algorithms[x.algorithm]()
			writers = append(writers, sums[x.algorithm])
		}
	}
	all, buf := io.MultiWriter(writers...), make([]byte, 256<<10)
	for {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		n, err := f.Read(buf)
		all.Write(buf[:n])
		read(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			c.add(Unreadable, name, "%v", cause(err))
			return nil
		}
	}
	var fit, unfit []string
	for _, x := range claims {
		if got := hex.EncodeToString(sums[x.algorithm].Sum(nil)); got != x.sum {
			unfit = append(
				unfit,
				fmt.Sprintf("%s %s instead of %s (%s)", x.algorithm, got, x.sum, x.manifest),
			)
		} else {
			fit = append(fit, x.manifest)
		}
	}
	switch {
	case len(unfit) > 0 && len(fit) > 0:
		c.add(Hash, name, "%s; it fits %s: more likely the manifest was changed than the file",
			strings.Join(unfit, "; "), strings.Join(fit, ", "))
	case len(unfit) > 0:
		c.add(Hash, name, "%s", strings.Join(unfit, "; "))
	}
	return nil
}
