package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"holdall/internal/atomicfile"
	"holdall/internal/flock"
)

// A Builder makes one bag. Its methods may be called from several goroutines.
//
// The staging directory holds bag/, the bag in the making; journal.jsonl, one line for each file that was
// synced; lock; and, while documents are added, the rows of the open packs and documents too long for memory.
type Builder struct {
	dir      string
	limits   limits
	lock     *os.File
	journal  *journal
	readBack *readBack
	contents *contentIndex // where the documents are

	mu         sync.Mutex // guards what follows, and the journal
	files      map[string]fileRecord
	order      []string // names of files in the order they were finished
	names      nameSet  // finished files and files being written
	packers    map[string]*Packer
	sealed     *sealRecord
	committing string // where the bag goes, once Commit has begun
	delivering string // where files of it go before that, once DeliverTo was called
	delivered  map[string]bool
	uploader   *uploader         // nil: nothing is delivered before Commit
	storeFacts map[string]string // what the ledger is to say of the store
	resumed    atomic.Bool       // an earlier process may have put files into the store
	moved      bool              // bag/ has been moved there
	closed     bool
}

// NewBuilder opens a staging directory, made if missing, and goes on with the files finished there: those
// whose length and SHA-256 were recorded after they were synced. Everything else in it is dropped. It fails
// with ErrBusy while another Builder has the directory, and with ErrDamaged where a finished pack is missing
// or has another length.
func NewBuilder(dir string) (*Builder, error) {
	return newBuilder(dir, defaultLimits())
}

func newBuilder(dir string, lim limits) (_ *Builder, err error) {
	if err := makeDirs(filepath.Dir(dir), filepath.Base(dir)); err != nil {
		return nil, fmt.Errorf("make the staging directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	b := &Builder{
		dir: dir, limits: lim, lock: lock, readBack: newReadBack(filepath.Join(dir, "bag")),
		contents: newContentIndex(),
		files:    map[string]fileRecord{}, names: nameSet{}, packers: map[string]*Packer{},
		delivered: map[string]bool{},
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close())
		}
	}()
	if err := flock.TryLock(lock); errors.Is(err, flock.ErrLocked) {
		return nil, fmt.Errorf("%w: %s", ErrBusy, dir)
	} else if err != nil {
		return nil, fmt.Errorf("lock the staging directory: %w", err)
	}
	var entries []entry
	b.journal, entries, err = openJournal(filepath.Join(dir, "journal.jsonl"))
	if err != nil {
		return nil, err
	}
	if err := atomicfile.SyncDir(dir); err != nil {
		return nil, err
	}
	return b, b.resume(entries)
}

func (b *Builder) bagDir() string { return filepath.Join(b.dir, "bag") }
func (b *Builder) path(name string) string {
	return filepath.Join(b.bagDir(), filepath.FromSlash(name))
}

// Has reports whether a file of that name is finished, and its size and digest.
func (b *Builder) Has(name string) (Info, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	rec, ok := b.files[name]
	if !ok {
		return Info{}, false
	}
	return Info{Name: name, Size: rec.Size, SHA256: rec.SHA256}, true
}

// HasZstd is Has for a file made with CreateZstd: what its Commit reported.
func (b *Builder) HasZstd(name string) (Compressed, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	rec, ok := b.files[name]
	if !ok || rec.Content == nil {
		return Compressed{}, false
	}
	return rec.compressed(), true
}

// Files returns the finished files in the order they were finished.
func (b *Builder) Files() []Info {
	b.mu.Lock()
	defer b.mu.Unlock()
	infos := make([]Info, len(b.order))
	for i, name := range b.order {
		rec := b.files[name]
		infos[i] = Info{Name: name, Size: rec.Size, SHA256: rec.SHA256}
	}
	return infos
}

// Open reads a finished file of a bag that is not committed yet.
func (b *Builder) Open(name string) (*os.File, error) {
	if _, ok := b.Has(name); !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return os.Open(b.path(name))
}

// Discard takes a finished file out of the bag, so that it can be made again. Packs and other files that hold
// documents stay. A name that is not finished is not an error. Like Create and Add, it takes the seal off a
// bag whose commit has not begun.
func (b *Builder) Discard(name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	rec, ok := b.files[name]
	if !ok {
		return nil
	}
	if holdsDocuments(rec) || b.delivered[name] {
		return fmt.Errorf("discard %s: it holds documents, or has been delivered", name)
	}
	if err := b.unseal(); err != nil {
		return fmt.Errorf("discard %s: %w", name, err)
	}
	return b.drop(name)
}

// unseal makes the bag one that can be added to, unless its commit has begun. It needs b.mu.
func (b *Builder) unseal() error {
	switch {
	case b.closed:
		return os.ErrClosed
	case b.committing != "":
		return ErrSealed
	case b.sealed == nil:
		return nil
	}
	if err := b.journal.append(entry{Unsealed: true}); err != nil {
		return err
	}
	b.sealed = nil
	return b.dropSeal()
}

// dropSeal takes away what Seal writes. It needs b.mu.
func (b *Builder) dropSeal() error {
	for _, name := range sealNames {
		if _, ok := b.files[name]; !ok {
			continue
		}
		if err := b.drop(name); err != nil {
			return err
		}
	}
	return nil
}

// drop needs b.mu.
func (b *Builder) drop(name string) error {
	// The journal first: a file that is recorded must be there.
	if err := b.journal.append(entry{Drop: name}); err != nil {
		return err
	}
	b.unlist(name)
	b.names.remove(name)
	b.readBack.forget(name)
	return os.Remove(b.path(name))
}

// record makes a file part of the bag: its journal line, then the state in memory. The file is in place and
// synced.
func (b *Builder) record(rec fileRecord) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return os.ErrClosed
	}
	if err := b.journal.append(entry{File: &rec}); err != nil {
		return err
	}
	b.files[rec.Name] = rec
	b.order = append(b.order, rec.Name)
	b.readBack.add(rec)
	return nil
}

// Sealed reports whether the bag is sealed, and its ID.
func (b *Builder) Sealed() (id string, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sealed == nil {
		return "", false
	}
	return b.sealed.ID, true
}

// Close releases the staging directory, leaving what is finished in it. Open packs are dropped.
func (b *Builder) Close() error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	packers := b.packers
	b.mu.Unlock()
	b.uploader.stop()
	var errs []error
	for _, p := range packers {
		errs = append(errs, p.abandon())
	}
	b.readBack.stop()
	if b.journal != nil {
		errs = append(errs, b.journal.close())
	}
	return errors.Join(append(errs, b.lock.Close())...)
}

func dirExists(path string) (bool, error) {
	fi, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && fi.IsDir(), err
}

// makeDirs makes rel and what leads to it below dir, durably.
func makeDirs(dir, rel string) error {
	if err := atomicfile.MkdirAll(dir); err != nil {
		return err
	}
	for elem := range strings.SplitSeq(filepath.ToSlash(rel), "/") {
		if elem == "." || elem == "" {
			continue
		}
		next := filepath.Join(dir, elem)
		err := os.Mkdir(next, 0o700)
		switch {
		case err == nil:
			err = atomicfile.SyncDir(dir)
		case errors.Is(err, fs.ErrExist):
			err = nil
		}
		if err != nil {
			return err
		}
		dir = next
	}
	return nil
}
