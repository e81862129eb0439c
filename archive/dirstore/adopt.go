package dirstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"holdall/archive"
)

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
