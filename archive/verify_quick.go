package archive

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// statFiles asks the store for the digests that it keeps, where no content is to be read.
func (v *verifier) statFiles(ctx context.Context) error {
	if v.level != Quick {
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(requests)
	for name := range v.expected.sums {
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

// compareStored compares the digest that the store keeps of a file, if any. A digest that its writer only
// claimed does not prove that the file is as it was; one that differs proves that something is wrong.
func (v *verifier) compareStored(name string, info Info) bool {
	same, known := info.matchesParts(v.expected.parts[name])
	switch {
	case !info.SHA256.IsZero():
		return v.compareDigest(name, info.SHA256)
	case known && same:
		return true
	case known:
		v.add(FaultHash, name, "it was assembled from other parts than custody/parts.csv names")
		return false
	case !info.Claimed.IsZero() && info.Claimed != v.expected.sums[name]:
		want := v.expected.sums[name]
		v.add(FaultHash, name, "its metadata claims sha256 %s instead of %s", info.Claimed, want)
		return false
	}
	return true
}
