package archive

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// askStore learns what the store itself keeps of each file, where no content is to be read.
func (v *verifier) askStore(ctx context.Context) error {
	if v.level != Quick {
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(requests)
	for name := range v.book.sums {
		if info, ok := v.listed(name); !ok || !info.SHA256.IsZero() {
			continue
		}
		g.Go(func() error {
			info, err := v.bag.s.Stat(ctx, v.bag.prefix+name)
			if err != nil {
				return v.unreadable(ctx, name, err)
			}
			info.Name = name
			v.mu.Lock()
			defer v.mu.Unlock()
			v.present[name] = info
			return nil
		})
	}
	return g.Wait()
}

func (v *verifier) listed(name string) (Info, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	info, ok := v.present[name]
	return info, ok
}

// judgeKept compares what the store keeps of a file, which may be nothing. A digest that somebody only
// claimed does not prove that the file is as it was; one that differs proves that something is wrong.
func (v *verifier) judgeKept(name string, info Info) bool {
	same, known := info.keptAs(v.book.parts[name])
	switch {
	case !info.SHA256.IsZero():
		return v.judgeFile(name, info.SHA256)
	case known && same:
		return true
	case known:
		v.add(FaultHash, name, "it was put together from other parts than custody/parts.csv names")
		return false
	case !info.Claimed.IsZero() && info.Claimed != v.book.sums[name]:
		v.add(FaultHash, name, "who put it there claims sha256 %s, not %s", info.Claimed, v.book.sums[name])
		return false
	}
	return true
}
