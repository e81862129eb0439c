// Package diskspace says how much room a directory's file system has, and whether an error means that it has
// none.
package diskspace

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// A Space is the room on a file system.
type Space struct {
	Free   int64  // bytes that this user may still write
	Device string // identifies the file system
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

// IsFull reports whether err says that a file system or a quota is full. It also knows the words of the
// database engine for it, whose errors are text only.
func IsFull(err error) bool {
	return err != nil && (errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) ||
		strings.Contains(err.Error(), "No space left on device"))
}
