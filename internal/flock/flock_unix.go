//go:build unix

// Package flock takes advisory locks that the operating system releases when their process ends, however it
// ends.
package flock

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// ErrLocked says that another process, or another open file of this one, holds the lock.
var ErrLocked = errors.New("locked")

// TryLock takes f's exclusive lock or returns ErrLocked at once. Closing f releases it.
func TryLock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EWOULDBLOCK):
			return ErrLocked
		}
		return err
	}
}

// Unlock releases f's lock at once. Closing f alone leaves it with a process that is being started at that
// moment, which holds a copy of f for the time between fork and exec.
func Unlock(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_UN) }
