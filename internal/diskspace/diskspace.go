// Package diskspace says how much room a directory's file system has.
package diskspace

import (
	"os"
	"path/filepath"
)

// A Space is the room on a file system.
type Space struct {
	Free   int64  // bytes that this user may still write
	Device string // tells file systems apart
}

// Of returns the space where dir is, or will be: a directory that is not there yet is made on the file system
// of the nearest one above it. It is false where that is unknown.
func Of(dir string) (Space, bool) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Space{}, false
	}
	for {
		if _, err := os.Stat(abs); err == nil {
			return of(abs)
		}
		parent := filepath.Dir(abs)
		if parent == abs {
			return Space{}, false
		}
		abs = parent
	}
}
