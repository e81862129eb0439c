package dirstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"holdall/archive"
	"holdall/internal/ctxio"
	"holdall/internal/digest"
	"holdall/internal/flock"
)

// partDir holds files that are still being written. It is apart from the objects, because nothing among those
// is ever deleted: what a killed process left would stay in an export for ever.
const partDir = ".part"

// Put implements archive.Store: the object is written to a part file, checked, synced, and linked to its
// place, which fails where something else is, and the directory is synced.
func (s *Store) Put(ctx context.Context, name string, r io.Reader, size int64, sum digest.Sum) error {
	if err := s.put(ctx, name, r, size, sum); err != nil {
		return fmt.Errorf("put %s: %w", s.Location(name), err)
	}
	return nil
}

func (s *Store) put(ctx context.Context, name string, r io.Reader, size int64, sum digest.Sum) error {
	if err := archive.CheckStoreName(name); err != nil {
		return err
	}
	if err := s.makeDirs(path.Dir(name)); err != nil {
		return err
	}
	if err := s.checkCase(name); err != nil {
		return err
	}
	part, f, err := s.createPart()
	if err != nil {
		return err
	}
	defer s.root.Remove(part)
	defer f.Close()
	if _, err := io.Copy(f, digest.NewReader(ctxio.NewReader(ctx, r), size, sum)); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := s.linkPart(part, name); errors.Is(err, fs.ErrExist) {
		return s.checkSame(ctx, name, size, sum, err)
	} else if err != nil {
		return err
	}
	return s.syncDir(path.Dir(name))
}

// createPart starts a file, locked while it is open, so that others can distinguish it from what a dead
// process left.
func (s *Store) createPart() (name string, f *os.File, err error) {
	if err := s.root.Mkdir(partDir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", nil, err
	}
	name = path.Join(partDir, strings.ToLower(rand.Text()))
	if f, err = s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return "", nil, err
	}
	if err := flock.TryLock(f); err != nil {
		return "", nil, errors.Join(err, f.Close(), s.root.Remove(name))
	}
	return name, f, nil
}

// dropParts removes the files that dead processes did not finish.
func (s *Store) dropParts() error {
	entries, err := s.readDir(partDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		name := path.Join(partDir, e.Name())
		f, oerr := s.root.Open(name)
		if oerr != nil {
			continue // its writer has just finished
		}
		if flock.TryLock(f) == nil {
			err = errors.Join(err, s.root.Remove(name))
		}
		err = errors.Join(err, f.Close())
	}
	return err
}

// linkPart gives the finished file its name, unless that is taken.
func (s *Store) linkPart(part, name string) error {
	err := s.root.Link(part, name)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	// A file system without hard links. The root's lock keeps other writers away between the Lstat and the
	// rename.
	if _, serr := s.root.Lstat(name); serr == nil {
		return &fs.PathError{Op: "rename", Path: name, Err: fs.ErrExist}
	} else if !errors.Is(serr, fs.ErrNotExist) {
		return serr
	}
	return s.root.Rename(part, name)
}

// checkSame returns nil where the object that took the name has the content in question.
func (s *Store) checkSame(ctx context.Context, name string, size int64, sum digest.Sum, taken error) error {
	r, err := s.Open(ctx, name, 0, -1)
	if err != nil {
		return errors.Join(taken, err)
	}
	defer r.Close()
	_, err = io.Copy(io.Discard, digest.NewReader(r, size, sum))
	var mismatch *digest.MismatchError
	if errors.As(err, &mismatch) {
		return fmt.Errorf("%w, with other content", taken)
	}
	return err
}

// makeDirs makes dir and what leads to it, durably.
func (s *Store) makeDirs(dir string) error {
	if dir == "." {
		return nil
	}
	if fi, err := s.root.Stat(dir); err == nil && fi.IsDir() {
		return nil
	}
	if err := s.makeDirs(path.Dir(dir)); err != nil {
		return err
	}
	if err := s.checkCase(dir); err != nil {
		return err
	}
	if err := s.root.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return s.syncDir(path.Dir(dir))
}

// checkCase refuses a name whose last element differs only in case from one that is there: on many file
// systems, and in a copy made on one, the two would be one.
func (s *Store) checkCase(name string) error {
	base := path.Base(name)
	entries, err := s.readDir(path.Dir(name))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != base && strings.EqualFold(e.Name(), base) {
			return &fs.PathError{Op: "create", Path: name, Err: fmt.Errorf("%w as %s", fs.ErrExist, e.Name())}
		}
	}
	return nil
}

func (s *Store) syncDir(dir string) error {
	d, err := s.root.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
