package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// resume restores the builder's state from the journal, and makes the directory agree with it.
func (b *Builder) resume(entries []entry) error {
	for _, e := range entries {
		b.replay(e)
	}
	if b.sealed != nil {
		there, err := dirExists(b.bagDir())
		b.moved = err == nil && !there && b.committing != ""
		if err != nil || b.moved {
			return err
		}
	}
	if err := makeDirs(b.dir, "bag"); err != nil {
		return err
	}
	if err := b.dropMissing(); err != nil {
		return err
	}
	if err := b.dropUnknown(); err != nil {
		return err
	}
	for _, name := range b.order {
		if err := b.names.add(name); err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		if b.sealed == nil && !b.delivered[name] { // a sealed bag has been read back
			b.readBack.add(b.files[name])
		}
	}
	return b.loadDocuments()
}

func (b *Builder) replay(e entry) {
	switch {
	case e.File != nil:
		b.files[e.File.Name] = *e.File
		b.order = append(b.order, e.File.Name)
	case e.Drop != "":
		b.unlist(e.Drop)
	case e.Sealed != nil:
		b.sealed = e.Sealed
	case e.Unsealed:
		b.sealed = nil
	case e.Committing != "":
		b.committing = e.Committing
		b.resumed.Store(true)
	case e.Delivering != "":
		b.delivering = e.Delivering
		b.resumed.Store(true)
	case e.Delivered != "":
		b.delivered[e.Delivered] = true
	}
}

func (b *Builder) unlist(name string) {
	delete(b.files, name)
	for i, n := range b.order {
		if n == name {
			b.order = append(b.order[:i], b.order[i+1:]...)
			return
		}
	}
}

// dropMissing forgets files that are missing or have another length. A missing pack, document file or file of
// a sealed bag is ErrDamaged instead: others refer to it.
func (b *Builder) dropMissing() error {
	for _, name := range append([]string(nil), b.order...) {
		rec := b.files[name]
		if b.delivered[name] && holdsDocuments(rec) {
			if err := os.Remove(b.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			continue
		}
		size, err := sizeOf(b.path(name))
		if err != nil {
			return err
		}
		if size == rec.Size {
			continue
		}
		if b.sealed != nil || holdsDocuments(rec) || b.delivered[name] {
			return fmt.Errorf(
				"%w: %s has %d bytes instead of %d (-1 means that it is gone)", ErrDamaged, b.path(name),
				size, rec.Size,
			)
		}
		if err := b.journal.append(entry{Drop: name}); err != nil {
			return err
		}
		b.unlist(name)
	}
	return nil
}

// dropUnknown removes files that no journal line records.
func (b *Builder) dropUnknown() error {
	root := b.bagDir()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if _, ok := b.files[filepath.ToSlash(rel)]; ok {
			return nil
		}
		return os.Remove(path)
	})
	if err != nil {
		return fmt.Errorf("drop unfinished files: %w", err)
	}
	left, err := filepath.Glob(filepath.Join(b.dir, "*"+scratchSuffix))
	if err != nil {
		return err
	}
	for _, path := range left {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

// scratchSuffix marks files of the staging directory that a new Builder drops.
const scratchSuffix = ".scratch"

// loadDocuments fills the content index from the packs that earlier processes closed.
func (b *Builder) loadDocuments() error {
	known := map[string]uint32{}
	for _, name := range b.order {
		rec := b.files[name]
		switch {
		case rec.Pack != nil:
			known[name] = b.contents.addPack(name, rec.Pack.Part, true)
			if err := b.loadPack(rec, known); err != nil {
				return fmt.Errorf("%w: %s: %w", ErrDamaged, name, err)
			}
		case strings.HasPrefix(name, largeDir):
			part, _, _ := strings.Cut(strings.TrimPrefix(name, largeDir), "-")
			known[name] = b.contents.addPack(name, part, true)
			b.contents.add(rec.SHA256, location{pack: known[name]})
		}
	}
	return nil
}

func (b *Builder) loadPack(rec fileRecord, known map[string]uint32) error {
	own := known[rec.Name]
	for row, err := range b.packRows(rec) {
		if err != nil {
			return err
		}
		pack, ok := known[row.Pack]
		if !ok {
			return fmt.Errorf("the row of document %s refers to %s, which is missing", row.ID, row.Pack)
		}
		loc := location{pack: pack, offset: uint32(row.Offset)}
		if row.Method == methodDeflated {
			loc.deflated = uint32(row.StoredSize)
		}
		b.contents.add(row.SHA256, loc)
		b.contents.setPack(row.ID, own)
	}
	return nil
}
