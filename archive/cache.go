package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"holdall/internal/atomicfile"
	"holdall/internal/digest"
)

// A Cache is a local directory of files from remote bags, each under its digest, so that a file is fetched
// once for all bags that contain it. It may be removed at any time.
type Cache struct{ Dir string }

// path is where content of that digest is kept.
func (c *Cache) path(sum digest.Sum) string { return filepath.Join(c.Dir, sum.String()) }

// manifestPath is where a manifest is kept: it is found by where it came from, since nothing in a committed
// bag changes.
func (c *Cache) manifestPath(location string) string {
	return filepath.Join(c.Dir, "manifest-"+digest.Of([]byte(location)).String())
}

// WithCache returns the bag, reading whole files through c, except for what Verify reads. Documents are read
// from the store.
func (b *Bag) WithCache(c *Cache) *Bag {
	cached := *b
	cached.cache = c
	return &cached
}

// HasCache reports whether WithCache was called.
func (b *Bag) HasCache() bool { return b.cache != nil }

// CachedPath returns where LocalFile puts a file, whether it is there or not.
func (b *Bag) CachedPath(name string) (string, error) {
	sum, ok := b.sums[name]
	switch {
	case b.cache == nil:
		return "", errors.ErrUnsupported
	case !ok:
		return "", &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return b.cache.path(sum), nil
}

// LocalFile returns the path of a local copy of one of the bag's files, which has been checked against
// the manifest when it was made. A bag without a cache has none.
func (b *Bag) LocalFile(ctx context.Context, name string) (string, error) {
	path, err := b.CachedPath(name)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	return path, b.fetch(ctx, name, b.sums[name], path)
}

// fetch copies a file of the bag to path.
func (b *Bag) fetch(ctx context.Context, name string, sum digest.Sum, path string) error {
	if err := os.MkdirAll(b.cache.Dir, 0o700); err != nil {
		return err
	}
	in, err := b.openStored(ctx, name, sum)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := copyPooled(out, in); err != nil {
		return fmt.Errorf("fetch %s: %w", b.s.Location(b.prefix+name), err)
	}
	return out.Commit()
}

// openCached opens the local copy of a file. A damaged copy is removed.
func (b *Bag) openCached(ctx context.Context, name string, sum digest.Sum) (*bagFile, error) {
	path, err := b.LocalFile(ctx, name)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	bf := newBagFile(name, f, f, Info{Size: fi.Size(), Modified: fi.ModTime()}, sum)
	bf.r = evictingReader{bf.r, path}
	return bf, nil
}

// An evictingReader removes the cached copy that it reads when that turns out to be damaged.
type evictingReader struct {
	r    io.Reader
	path string
}

func (d evictingReader) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	var mismatch *digest.MismatchError
	if errors.As(err, &mismatch) {
		err = fmt.Errorf("the copy in the cache is damaged: %w", errors.Join(err, os.Remove(d.path)))
	}
	return n, err
}

// OpenPayload opens exports/<id> for reading what lies under data/, and asks the store for nothing but
// the manifest, or for nothing where c has it; c may be nil. A manifest is put into a store only after
// everything it names has been checked there, so its presence proves the rest; in a directory bagit.txt is
// checked instead.
func OpenPayload(ctx context.Context, s Store, id string, c *Cache) (*Bag, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	b := &Bag{s: s, id: id, prefix: exportsDir + id + "/", sums: map[string]digest.Sum{}, cache: c}
	if _, ok := s.(Adopter); ok {
		if err := b.checkCommitted(ctx); err != nil {
			return nil, err
		}
	}
	content, err := b.cachedManifest(ctx)
	if err != nil {
		return nil, err
	}
	lines, _ := parseManifest(content)
	for _, l := range lines {
		b.sums[l.name] = l.sum
	}
	return b, nil
}

func (b *Bag) cachedManifest(ctx context.Context) ([]byte, error) {
	path := ""
	if b.cache != nil {
		path = b.cache.manifestPath(b.s.Location(b.prefix + manifestName))
		if content, err := os.ReadFile(path); err == nil {
			return content, nil
		}
	}
	content, err := readAll(ctx, b.s, b.prefix+manifestName, maxTagFile)
	if errors.Is(err, fs.ErrNotExist) {
		if why := b.checkCommitted(ctx); why != nil {
			err = why
		}
	}
	if err != nil || path == "" {
		return content, err
	}
	if err := os.MkdirAll(b.cache.Dir, 0o700); err != nil {
		return nil, err
	}
	return content, atomicfile.WriteFile(path, content)
}
