// Package dirstore keeps an archive's objects as files in a directory.
package dirstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"holdall/archive"
	"holdall/internal/digest"
	"holdall/internal/flock"
)

// partDir holds files that are still being written. It is not beside the objects, because what a killed
// process leaves there would lie in an export for ever: nothing there is ever deleted.
const partDir = ".part"

// Store is an archive.Store and archive.Adopter in a directory. Nothing outside of the directory is
// reached, not through symbolic links either. It keeps no digests: Info.SHA256 is zero.
type Store struct {
	dir  string
	root *os.Root
}

// Open returns the store in dir, made if missing and create is set.
func Open(dir string, create bool) (*Store, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if create {
		if err := os.MkdirAll(abs, 0o700); err != nil {
			return nil, err
		}
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, err
	}
	return &Store{dir: abs, root: root}, nil
}

// Close releases the directory.
func (s *Store) Close() error { return s.root.Close() }

// Location returns a path.
func (s *Store) Location(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

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
	if _, err := io.Copy(f, digest.NewReader(ctxReader{ctx, r}, size, sum)); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := s.place(part, name); errors.Is(err, fs.ErrExist) {
		return s.same(ctx, name, size, sum, err)
	} else if err != nil {
		return err
	}
	return s.syncDir(path.Dir(name))
}

// createPart starts a file, locked for as long as it is open, so that others can tell it from what a dead
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

// place gives the finished file its name, unless that is taken.
func (s *Store) place(part, name string) error {
	err := s.root.Link(part, name)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	// A file system without hard links. The root's lock keeps other writers away between the look and the
	// rename.
	if _, serr := s.root.Lstat(name); serr == nil {
		return &fs.PathError{Op: "rename", Path: name, Err: fs.ErrExist}
	} else if !errors.Is(serr, fs.ErrNotExist) {
		return serr
	}
	return s.root.Rename(part, name)
}

// same returns nil where the object that took the name has the content in question.
func (s *Store) same(ctx context.Context, name string, size int64, sum digest.Sum, taken error) error {
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

func (s *Store) readDir(dir string) ([]fs.DirEntry, error) {
	d, err := s.root.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.ReadDir(-1)
}

func (s *Store) syncDir(dir string) error {
	d, err := s.root.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Open implements archive.Store.
func (s *Store) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if err := archive.CheckStoreName(name); err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fmt.Errorf("%w: %w", fs.ErrNotExist, err)}
	}
	f, err := s.root.Open(name)
	if err != nil {
		return nil, missing(err)
	}
	fi, err := f.Stat()
	if err != nil || !fi.Mode().IsRegular() {
		f.Close()
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.Join(err, fs.ErrNotExist)}
	}
	if n < 0 {
		n = max(0, fi.Size()-off)
	}
	return &object{SectionReader: io.NewSectionReader(f, off, n), ctx: ctx, f: f, info: infoOf(name, fi)}, nil
}

// An object can be read anywhere, and again: a store that it is copied to may have to.
type object struct {
	*io.SectionReader
	ctx  context.Context
	f    *os.File
	info archive.Info
}

func (o *object) Read(p []byte) (int, error) {
	if err := o.ctx.Err(); err != nil {
		return 0, err
	}
	return o.SectionReader.Read(p)
}

// Info implements archive.Described.
func (o *object) Info() archive.Info { return o.info }

func infoOf(name string, fi fs.FileInfo) archive.Info {
	return archive.Info{Name: name, Size: fi.Size(), Modified: fi.ModTime()}
}

func (o *object) Close() error { return o.f.Close() }

// missing makes an error of a name below a file one that matches fs.ErrNotExist.
func missing(err error) error {
	if errors.Is(err, syscall.ENOTDIR) {
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return err
}

// Stat implements archive.Store.
func (s *Store) Stat(_ context.Context, name string) (archive.Info, error) {
	if err := archive.CheckStoreName(name); err != nil {
		return archive.Info{}, &fs.PathError{
			Op: "stat", Path: name, Err: fmt.Errorf("%w: %w", fs.ErrNotExist, err),
		}
	}
	fi, err := s.root.Lstat(name)
	if err != nil {
		return archive.Info{}, missing(err)
	}
	if !fi.Mode().IsRegular() {
		return archive.Info{}, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	}
	return infoOf(name, fi), nil
}

// List implements archive.Store. It shows whatever lies in the directory, except for files and
// directories at its top that begin with a dot: those are not part of the archive.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[archive.Info, error] {
	return func(yield func(archive.Info, error) bool) {
		dir := prefix
		if dir == "" {
			dir = "."
		}
		if fi, err := s.root.Lstat(dir); errors.Is(err, fs.ErrNotExist) || err == nil && !fi.IsDir() {
			return
		}
		s.walk(ctx, dir, yield)
	}
}

// walk yields what lies below dir and reports whether to go on. The order of names is that of the whole
// paths: "a-b" comes before "a/c".
func (s *Store) walk(ctx context.Context, dir string, yield func(archive.Info, error) bool) bool {
	entries, err := s.readDir(dir)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return yield(archive.Info{Name: dir}, fmt.Errorf("list %s: %w", s.Location(dir), err))
	}
	slices.SortFunc(entries, func(x, y fs.DirEntry) int { return strings.Compare(sortKey(x), sortKey(y)) })
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if dir == "." && strings.HasPrefix(name, ".") {
			continue
		}
		if e.IsDir() {
			if !s.walk(ctx, name, yield) {
				return false
			}
			continue
		}
		fi, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // a part file that got its name meanwhile
		}
		if err != nil {
			if !yield(archive.Info{Name: name}, fmt.Errorf("list %s: %w", s.Location(name), err)) {
				return false
			}
			continue
		}
		if !yield(infoOf(name, fi), nil) {
			return false
		}
	}
	return true
}

// Folders implements archive.Store. A directory is among them when something lies in it, or when it
// cannot be read; and so is a symbolic link by the name of an export, for whoever opens it to be told
// where it leads.
func (s *Store) Folders(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		dir := prefix
		if dir == "" {
			dir = "."
		}
		entries, err := s.readDir(dir)
		if errors.Is(missing(err), fs.ErrNotExist) {
			return
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			yield("", fmt.Errorf("list %s: %w", s.Location(dir), err))
			return
		}
		slices.SortFunc(entries, func(x, y fs.DirEntry) int { return strings.Compare(x.Name(), y.Name()) })
		for _, e := range entries {
			if s.isFolder(dir, e) && !yield(e.Name(), nil) {
				return
			}
		}
	}
}

func (s *Store) isFolder(dir string, e fs.DirEntry) bool {
	switch {
	case dir == "." && strings.HasPrefix(e.Name(), "."):
		return false
	case e.Type()&fs.ModeSymlink != 0:
		return !archive.StartOf(e.Name()).IsZero()
	case !e.IsDir():
		return false
	}
	in, err := s.readDir(path.Join(dir, e.Name()))
	return err != nil || len(in) > 0
}

func sortKey(e fs.DirEntry) string {
	if e.IsDir() {
		return e.Name() + "/"
	}
	return e.Name()
}

// Adopt implements archive.Adopter. It syncs what is in dir, renames dir, and syncs both parents.
func (s *Store) Adopt(ctx context.Context, dir, prefix string) error {
	if err := s.adopt(ctx, dir, prefix); err != nil {
		return fmt.Errorf("move %s to %s: %w", dir, s.Location(prefix), err)
	}
	return nil
}

func (s *Store) adopt(ctx context.Context, dir, prefix string) error {
	if err := archive.CheckStoreName(prefix); err != nil {
		return err
	}
	if err := s.makeDirs(path.Dir(prefix)); err != nil {
		return err
	}
	if err := s.checkCase(prefix); err != nil {
		return err
	}
	if _, err := s.root.Lstat(prefix); err == nil {
		return fs.ErrExist
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := syncTree(ctx, dir); err != nil {
		return err
	}
	if err := os.Rename(dir, s.Location(prefix)); err != nil {
		if crossesDevices(err) {
			return fmt.Errorf("%w: %w", errors.ErrUnsupported, err)
		}
		return err
	}
	if err := s.syncDir(path.Dir(prefix)); err != nil {
		return err
	}
	return syncPath(filepath.Dir(dir))
}

// syncTree syncs every file and directory in dir. What has been synced before costs next to nothing.
func syncTree(ctx context.Context, dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if !d.IsDir() && !d.Type().IsRegular() {
			return fmt.Errorf("%s is neither a file nor a directory", path)
		}
		return syncPath(path)
	})
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// A ctxReader fails when its context is done.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (r ctxReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
