package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"holdall/internal/digest"
)

// A CopyReport says what Copy has done.
type CopyReport struct {
	Files   int   // of the bag
	Bytes   int64 // of these
	Copied  int64 // bytes that this call copied
	Present int64 // bytes that an earlier call had copied
	Extra   int   // files that no manifest names, which were not copied
}

// Copy copies a complete bag into another store, under the same ID and byte for byte, and adds an event to
// the ledger there. Every file is compared with the bag's manifests on the way, and checked again at its
// destination; bagit.txt is written last. After a failure the same call resumes: files that have arrived are
// not copied again. Where the whole bag is already, nothing is done; another file under a name of the bag is
// an error matching fs.ErrExist.
func Copy(ctx context.Context, b *Bag, to Store, progress func(done, total int64)) (*CopyReport, error) {
	c := &copying{b: b, to: to, prefix: exportsDir + b.id + "/", progress: progress}
	if !validID(b.id) {
		return nil, fmt.Errorf("copy %s: %q is not an ID of an export", b.Location(), b.id)
	}
	if err := c.run(ctx); err != nil {
		return &c.report, fmt.Errorf("copy to %s: %w", to.Location(exportsDir+b.id), err)
	}
	return &c.report, nil
}

// copying is one Copy at work.
type copying struct {
	b      *Bag
	to     Store
	prefix string
	sizes  map[string]int64
	parts  map[string][]digest.Sum

	mu       sync.Mutex // guards what follows
	report   CopyReport
	progress func(done, total int64)
}

func (c *copying) run(ctx context.Context) error {
	if err := c.listSource(ctx); err != nil {
		return err
	}
	var first []string
	for name := range c.b.sums {
		if name != bagitName && !manifestNames[name] {
			first = append(first, name)
		}
	}
	slices.Sort(first)
	for _, names := range [][]string{first, {manifestName, tagManifestName}} {
		if err := c.copyFiles(ctx, names); err != nil {
			return err
		}
	}
	if err := putNew(ctx, c.to, readmeName, RootReadme()); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := c.copyFiles(ctx, []string{bagitName}); err != nil {
		return err
	}
	return c.recordCopy(ctx)
}

// listSource reads the sizes of the bag's files, and fails where one is missing.
func (c *copying) listSource(ctx context.Context) error {
	c.sizes = map[string]int64{}
	for info, err := range c.b.s.List(ctx, strings.TrimSuffix(c.b.prefix, "/")) {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(info.Name, c.b.prefix)
		if _, ok := c.b.sums[name]; !ok {
			c.report.Extra++
			continue
		}
		c.sizes[name] = info.Size
		c.report.Files++
		c.report.Bytes += info.Size
	}
	for _, name := range []string{bagitName, bagInfoName, fileListName, manifestName, tagManifestName} {
		if _, ok := c.b.sums[name]; !ok {
			return fmt.Errorf("no manifest of %s names %s: it is damaged", c.b.Location(), name)
		}
	}
	if err := c.readParts(ctx); err != nil {
		return err
	}
	for name := range c.b.sums {
		if _, ok := c.sizes[name]; !ok {
			return fmt.Errorf("%s: %w", c.b.s.Location(c.b.prefix+name), fs.ErrNotExist)
		}
	}
	return nil
}

// readParts reads the digests of the parts of long files.
func (c *copying) readParts(ctx context.Context) error {
	if _, ok := c.b.sums[partListName]; !ok {
		return nil
	}
	content, err := c.b.readTag(ctx, partListName)
	if err == nil {
		c.parts, err = parsePartList(content)
	}
	return err
}

func (c *copying) copyFiles(ctx context.Context, names []string) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(uploads)
	for _, name := range names {
		g.Go(func() error { return c.copyFile(ctx, name) })
	}
	return g.Wait()
}

// copyFile copies one file, unless it is there already, and checks it at its destination.
func (c *copying) copyFile(ctx context.Context, name string) error {
	there, err := c.isThere(ctx, name)
	if err != nil || there {
		c.addBytes(&c.report.Present, c.sizes[name])
		return err
	}
	r, err := c.b.s.Open(ctx, c.b.prefix+name, 0, -1)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := c.to.Put(ctx, c.prefix+name, r, c.sizes[name], c.b.sums[name]); err != nil {
		return fmt.Errorf("%s: %w", c.b.s.Location(c.b.prefix+name), err)
	}
	there, err = c.isThere(ctx, name)
	if err == nil && !there {
		err = fmt.Errorf("%s was put there and is gone", c.to.Location(c.prefix+name))
	}
	c.addBytes(&c.report.Copied, c.sizes[name])
	return err
}

func (c *copying) addBytes(what *int64, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*what += n
	if c.progress != nil {
		c.progress(c.report.Copied+c.report.Present, c.report.Bytes)
	}
}

// isThere reports whether the destination has the file with the right content: by the store's own digest,
// else by reading it.
func (c *copying) isThere(ctx context.Context, name string) (bool, error) {
	info, err := c.to.Stat(ctx, c.prefix+name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	other := &fs.PathError{Op: "copy", Path: c.to.Location(c.prefix + name),
		Err: fmt.Errorf("%w, with other content", fs.ErrExist)}
	same, known := info.matchesParts(c.parts[name])
	switch {
	case info.Size != c.sizes[name], !info.SHA256.IsZero() && info.SHA256 != c.b.sums[name], known && !same:
		return false, other
	case !info.SHA256.IsZero(), known:
		return true, nil
	}
	r, err := c.to.Open(ctx, c.prefix+name, 0, -1)
	if err != nil {
		return false, err
	}
	defer r.Close()
	_, err = copyPooled(io.Discard, digest.NewReader(r, c.sizes[name], c.b.sums[name]))
	var mismatch *digest.MismatchError
	if errors.As(err, &mismatch) {
		err = other
	}
	return err == nil, err
}

// recordCopy adds the event to the destination's ledger.
func (c *copying) recordCopy(ctx context.Context) error {
	size, files, _ := strings.Cut(strings.Join(c.b.info["Payload-Oxum"], " "), ".")
	facts := map[string]string{
		factTagManifest: c.b.sums[tagManifestName].String(),
		"payload-files": files,
		"payload-bytes": size,
		"documents":     strings.Join(c.b.info[labelDocuments], " "),
		"from":          c.b.Location(),
	}
	return recordArrival(ctx, c.to, Event{Kind: KindCopied, Export: c.b.id, Time: time.Now(), Facts: facts})
}
