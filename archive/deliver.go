package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"holdall/internal/atomicfile"
	"holdall/internal/digest"
)

// uploads is how many files are put into a store at once.
const uploads = 4

// A Delivery is where a bag goes while it is being made: into a store that cannot take over a directory.
type Delivery struct {
	Store Store
	ID    string // of the export
	// Final says which files, beside those that hold documents, are never discarded once they are
	// finished. They go at once; all others go with Commit.
	Final func(name string) bool
	// Facts are added to the event that Commit writes, such as what the store lacks.
	Facts map[string]string
}

// DeliverTo has files go to a store as soon as they are finished and have been read back. What holds
// documents is removed here when it is there, and Packer.Put waits while too much is not; so the staging
// directory holds a few packs and whatever holds no documents. A failure of the store shows in
// Packer.Put, Seal and Commit; the next Builder goes on, with the same ID and into the same store. It is
// called once, before anything is added.
func (b *Builder) DeliverTo(d Delivery) error {
	if !validID(d.ID) {
		return fmt.Errorf("deliver: %q is not an ID of an export", d.ID)
	}
	if err := b.startDelivery(d); err != nil {
		return err
	}
	b.readBack.then(b.courier.add)
	return nil
}

func (b *Builder) startDelivery(d Delivery) error {
	prefix := exportsDir + d.ID
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return os.ErrClosed
	case b.delivering == "":
		if err := b.journal.append(entry{Delivering: prefix}); err != nil {
			return err
		}
		b.delivering = prefix
	case b.delivering != prefix:
		return fmt.Errorf("deliver: files of this bag have gone to %s", d.Store.Location(b.delivering))
	}
	b.courier, b.storeFacts = newCourier(b, d), d.Facts
	return nil
}

// A courier brings files into the store in the background.
type courier struct {
	b      *Builder
	d      Delivery
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
	slots  chan struct{} // one for each upload at once

	mu      sync.Mutex // guards what follows
	changed *sync.Cond
	waiting int64 // bytes of documents that are here and not there yet
	open    int   // files on their way
	err     error // the store failed: nothing more is tried
}

func newCourier(b *Builder, d Delivery) *courier {
	c := &courier{b: b, d: d, slots: make(chan struct{}, uploads)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.changed = sync.NewCond(&c.mu)
	return c
}

// holdsDocuments reports whether a file is never discarded, and not needed here once it has been delivered.
func holdsDocuments(rec fileRecord) bool {
	return rec.Pack != nil || strings.HasPrefix(rec.Name, largeDir)
}

// add takes a file that has been read back.
func (c *courier) add(rec fileRecord) {
	if !holdsDocuments(rec) && (c.d.Final == nil || !c.d.Final(rec.Name)) || c.b.isDelivered(rec.Name) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		return
	}
	c.open++
	if holdsDocuments(rec) {
		c.waiting += rec.Size
	}
	c.work.Go(func() {
		c.slots <- struct{}{}
		err := c.bring(rec)
		<-c.slots
		c.done(rec, err)
	})
}

func (c *courier) done(rec fileRecord, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open--
	if err != nil && c.err == nil {
		c.err = err
	}
	if holdsDocuments(rec) {
		c.waiting -= rec.Size
	}
	c.changed.Broadcast()
}

// bring puts one file into the store, records that, and removes it here.
func (c *courier) bring(rec fileRecord) error {
	if err := c.failed(); err != nil {
		return err
	}
	if err := c.b.upload(c.ctx, c.d.Store, exportsDir+c.d.ID+"/"+rec.Name, rec); err != nil {
		if c.ctx.Err() != nil {
			err = os.ErrClosed // and no interruption: stop ended it
		}
		return fmt.Errorf("deliver %s: %w", rec.Name, err)
	}
	if rec.Pack != nil {
		if err := c.b.keepRows(rec); err != nil {
			return fmt.Errorf("deliver %s: keep its rows: %w", rec.Name, err)
		}
	}
	if err := c.b.recordDelivered(rec.Name); err != nil {
		return err
	}
	if !holdsDocuments(rec) {
		return nil
	}
	return os.Remove(c.b.path(rec.Name))
}

func (c *courier) failed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && c.ctx.Err() != nil {
		return os.ErrClosed
	}
	return c.err
}

// wait returns when enough says so, or the store has failed.
func (c *courier) wait(ctx context.Context, enough func() bool) error {
	stop := context.AfterFunc(ctx, func() {
		c.mu.Lock() // so that it does not fall between the look at ctx and the wait
		defer c.mu.Unlock()
		c.changed.Broadcast()
	})
	defer stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for !enough() && c.err == nil && ctx.Err() == nil && c.ctx.Err() == nil {
		c.changed.Wait()
	}
	switch {
	case c.err != nil:
		return c.err
	case ctx.Err() == nil && c.ctx.Err() != nil:
		return os.ErrClosed
	}
	return ctx.Err()
}

// room returns when few enough documents wait to be delivered.
func (c *courier) room(ctx context.Context) error {
	if c == nil {
		return nil
	}
	most := backlog * c.b.limits.packBytes
	return c.wait(ctx, func() bool { return c.waiting <= most })
}

// idle returns when everything that was handed over is there.
func (c *courier) idle(ctx context.Context) error {
	if c == nil {
		return nil
	}
	return c.wait(ctx, func() bool { return c.open == 0 })
}

// stop ends all uploads and waits for them.
func (c *courier) stop() {
	if c == nil {
		return
	}
	c.mu.Lock()
	c.cancel()
	c.changed.Broadcast()
	c.mu.Unlock()
	c.work.Wait()
}

// rowsPath is where a delivered pack's _pack.csv is kept for the index.
func (b *Builder) rowsPath(name string) string {
	return filepath.Join(b.dir, "rows", strings.ReplaceAll(name, "/", "_")+".csv")
}

func (b *Builder) keepRows(rec fileRecord) error {
	f, err := os.Open(b.path(rec.Name))
	if err != nil {
		return err
	}
	defer f.Close()
	rows := make([]byte, rec.Pack.RowsSize)
	if _, err := f.ReadAt(rows, rec.Pack.RowsOffset); err != nil && err != io.EOF {
		return err
	}
	if err := makeDirs(b.dir, "rows"); err != nil {
		return err
	}
	return atomicfile.WriteFile(b.rowsPath(rec.Name), rows)
}

// openRows opens a finished pack's _pack.csv: in the pack, or as it was kept when the pack was delivered.
func (b *Builder) openRows(rec fileRecord) (io.ReadCloser, error) {
	if b.isDelivered(rec.Name) {
		return os.Open(b.rowsPath(rec.Name))
	}
	f, err := os.Open(b.path(rec.Name))
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, rec.Pack.RowsOffset, rec.Pack.RowsSize), f}, nil
}

func (b *Builder) isDelivered(name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.delivered[name]
}

func (b *Builder) recordDelivered(name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return os.ErrClosed
	}
	if err := b.journal.append(entry{Delivered: name}); err != nil {
		return err
	}
	b.delivered[name] = true
	return nil
}

// upload puts one file, unless an earlier process did and the store's digest says so.
func (b *Builder) upload(ctx context.Context, s Store, name string, rec fileRecord) error {
	if b.again.Load() {
		info, err := s.Stat(ctx, name)
		if err == nil && info.Size == rec.Size && info.SHA256 == rec.SHA256 {
			return nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	f, err := b.Open(rec.Name)
	if err != nil {
		return err
	}
	defer f.Close()
	err = s.Put(ctx, name, f, rec.Size, rec.SHA256)
	var mismatch *digest.MismatchError
	if errors.As(err, &mismatch) {
		return fmt.Errorf("%w: %s: %w", ErrDamaged, f.Name(), mismatch)
	}
	return err
}

// lastNames go into a store after everything that they name has been checked there, so that whoever finds
// them finds the rest.
var lastNames = map[string]bool{manifestName: true, tagManifestName: true}

// bringAll brings every file but bagit.txt into the store and makes sure of it.
func (b *Builder) bringAll(ctx context.Context, s Store, prefix string) error {
	if err := b.courier.idle(ctx); err != nil {
		return err
	}
	for _, last := range []bool{false, true} {
		var recs []fileRecord
		for _, rec := range b.records() {
			if lastNames[rec.Name] == last {
				recs = append(recs, rec)
			}
		}
		put := func(ctx context.Context, rec fileRecord) error {
			if b.isDelivered(rec.Name) {
				return nil
			}
			return b.upload(ctx, s, prefix+"/"+rec.Name, rec)
		}
		if err := eachFile(ctx, uploads, recs, put); err != nil {
			return err
		}
		if err := b.checkAll(ctx, s, prefix, recs); err != nil {
			return err
		}
	}
	return nil
}

func eachFile(ctx context.Context, limit int, recs []fileRecord,
	do func(context.Context, fileRecord) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(limit)
	for _, rec := range recs {
		g.Go(func() error { return do(ctx, rec) })
	}
	return g.Wait()
}

// checkNoOthers makes sure that the store holds no files there but the bag's.
func (b *Builder) checkNoOthers(ctx context.Context, s Store, prefix string) error {
	known := map[string]bool{prefix + "/" + bagitName: true}
	for _, rec := range b.records() {
		known[prefix+"/"+rec.Name] = true
	}
	for info, err := range s.List(ctx, prefix) {
		if err != nil {
			return err
		}
		if !known[info.Name] {
			return fmt.Errorf("%s lies there and is not of this bag", s.Location(info.Name))
		}
	}
	return nil
}

// checkAll makes sure that files are in the store as they were sealed.
func (b *Builder) checkAll(ctx context.Context, s Store, prefix string, recs []fileRecord) error {
	return eachFile(ctx, requests, recs, func(ctx context.Context, rec fileRecord) error {
		return b.checkOne(ctx, s, prefix+"/"+rec.Name, rec)
	})
}

// checkOne compares a file's digest as the store keeps it. Where it keeps none the file is read back,
// unless it is the staged one, moved: that has been read back before. A file that is not there as it was
// brought is damage: the bag has to be made again.
func (b *Builder) checkOne(ctx context.Context, s Store, name string, rec fileRecord) error {
	info, err := s.Stat(ctx, name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && b.isDelivered(rec.Name):
		return fmt.Errorf("%w: %s was put there, and is not there any more", ErrDamaged, s.Location(name))
	case err != nil:
		return err
	case info.Size != rec.Size || !info.SHA256.IsZero() && info.SHA256 != rec.SHA256:
		return fmt.Errorf("%w: %s: %w", ErrDamaged, s.Location(name), &digest.MismatchError{
			WantSize: rec.Size, GotSize: info.Size, Want: rec.SHA256, Got: info.SHA256,
		})
	case !info.SHA256.IsZero() || b.moved && rec.Name != tagManifestName:
		return nil
	}
	if same, known := info.keptAs(rec.Parts); known {
		if !same {
			return fmt.Errorf("%w: %s was put together from other parts", ErrDamaged, s.Location(name))
		}
		return nil
	}
	r, err := s.Open(ctx, name, 0, -1)
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := copyPooled(io.Discard, digest.NewReader(r, rec.Size, rec.SHA256)); err != nil {
		return fmt.Errorf("read %s back: %w", s.Location(name), err)
	}
	return nil
}
