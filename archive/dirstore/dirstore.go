// Package dirstore keeps an archive's objects as files in a directory.
package dirstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"

	"holdall/archive"
	"holdall/internal/atomicfile"
)

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
		if err := atomicfile.MkdirAll(abs); err != nil {
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

func (s *Store) readDir(dir string) ([]fs.DirEntry, error) {
	d, err := s.root.Open(dir)
	if err != nil {
		if fi, lerr := s.root.Lstat(path.Clean(dir)); lerr == nil && fi.Mode()&fs.ModeSymlink != 0 {
			err = fmt.Errorf("%s is a symbolic link out of %s, which is not followed; "+
				"mount the directory there, or move the whole archive: %w", dir, s.dir, err)
		}
		return nil, err
	}
	defer d.Close()
	return d.ReadDir(-1)
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
