package dirstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"

	"holdall/archive"
)

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
// cannot be read; and so is a symbolic link by the name of an export, so that opening it reports where it
// leads.
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
