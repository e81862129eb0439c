// Package flock takes advisory locks that the operating system releases when their process ends, however it
// ends.
package flock

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// ErrLocked says that another process, or another open file of this one, holds the lock.
var ErrLocked = errors.New("locked")

// TryLock takes f's exclusive lock or returns ErrLocked at once. Closing f releases it.
// The locked byte is far beyond the content, because Windows refuses others to read locked bytes.
func TryLock(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(
		windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{OffsetHigh: 0x40000000},
	)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrLocked
	}
	return err
}

// Unlock releases f's lock at once.
func Unlock(f *os.File) error {
	return windows.UnlockFileEx(windows.Handle(f.Fd()), 0, 1, 0, &windows.Overlapped{OffsetHigh: 0x40000000})
}
