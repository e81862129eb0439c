// Package scratch makes temporary directories whose process can be seen to be alive, so that what a dead one
// left can be removed: it may hold personal data.
package scratch

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"holdall/internal/flock"
)

const lockName = ".lock"

// A Dir is a temporary directory of this process.
type Dir struct {
	Path string
	lock *os.File
}

// Make makes a directory in parent ("" is the system's) whose name begins with prefix. It is locked until
// Remove, or until the process ends, however it ends.
func Make(parent, prefix string) (*Dir, error) {
	path, err := os.MkdirTemp(parent, prefix)
	if err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(path, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		if err = flock.TryLock(lock); err != nil {
			lock.Close()
		}
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(path))
	}
	return &Dir{path, lock}, nil
}

// Remove removes the directory with everything in it. A nil Dir has nothing to remove.
func (d *Dir) Remove() error {
	if d == nil {
		return nil
	}
	return errors.Join(d.lock.Close(), os.RemoveAll(d.Path))
}

// unlockedFor is how old a directory without a lock must be to be taken for dead: its process may be about to
// lock it.
const unlockedFor = 24 * time.Hour

// Dead returns the directories in parent ("" is the system's) whose names begin with prefix and whose
// processes are gone.
func Dead(parent, prefix string) []string {
	if parent == "" {
		parent = os.TempDir()
	}
	entries, err := os.ReadDir(parent)
	if err != nil {
		return nil
	}
	var dead []string
	for _, e := range entries {
		if path := filepath.Join(parent, e.Name()); e.IsDir() && strings.HasPrefix(e.Name(), prefix) &&
			isDead(path) {
			dead = append(dead, path)
		}
	}
	return dead
}

func isDead(path string) bool {
	lock, err := os.OpenFile(filepath.Join(path, lockName), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		info, err := os.Stat(path)
		return err == nil && time.Since(info.ModTime()) > unlockedFor
	}
	if err != nil {
		return false // another user's
	}
	defer lock.Close()
	return flock.TryLock(lock) == nil
}
