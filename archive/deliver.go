package archive

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"holdall/internal/atomicfile"
)

// uploads is how many files are put into a store at once.
const uploads = 4

// A Delivery says where the files of a bag go while it is being built: into a store that cannot take over a
// directory.
type Delivery struct {
	Store Store
	ID    string // of the export
	// Final reports which files, apart from those that hold documents, are never discarded once finished.
	// They are delivered at once; all others with Commit.
	Final func(name string) bool
	// Facts are added to the event that Commit writes, such as features that the store lacks.
	Facts map[string]string
}

// DeliverTo has files put into a store as soon as they are finished and have been read back. Packs are then
// removed from the staging directory, and Packer.Put waits while too many are still there, so that it holds a
// few packs at a time. Packer.Put, Seal and Commit return failures of the store; the next Builder resumes,
// with the same ID and into the same store. DeliverTo is called once, before anything is added.
func (b *Builder) DeliverTo(d Delivery) error {
	if !validID(d.ID) {
		return fmt.Errorf("deliver: %q is not an ID of an export", d.ID)
	}
	if err := b.startDelivery(d); err != nil {
		return err
	}
	b.readBack.onGood(b.uploader.add)
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
	b.uploader, b.storeFacts = newUploader(b, d), d.Facts
	return nil
}

// rowsPath is where a delivered pack's _pack.csv is kept for the index.
func (b *Builder) rowsPath(name string) string {
	return filepath.Join(b.dir, "rows", strings.ReplaceAll(name, "/", "_")+".csv")
}

func (b *Builder) saveRows(rec fileRecord) error {
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
	if errors.Is(err, fs.ErrNotExist) && b.isDelivered(rec.Name) { // just now
		return os.Open(b.rowsPath(rec.Name))
	}
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
