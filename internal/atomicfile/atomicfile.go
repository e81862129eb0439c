// Package atomicfile makes files that appear whole or not at all, and stay after a power loss.
//
// A File is written alongside its target under the same name with ".part" added. Commit syncs it, renames it
// over the target and syncs the directory: before the rename the target is as it was, after Commit it
// survives a crash. What is left as ".part" was never reported as written.
package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// Suffix marks a file that is still being written.
const Suffix = ".part"

// File is one file in the making. It is an *os.File opened for reading and writing.
type File struct {
	*os.File
	target string
	done   bool
}

// Create starts a file that Commit will name target. What an earlier attempt left as target+".part" is
// dropped.
func Create(target string) (*File, error) {
	f, err := os.OpenFile(target+Suffix, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	return &File{File: f, target: target}, nil
}

// Commit makes the file appear under its target name, durably, and closes it. After an error the target is as
// it was.
func (f *File) Commit() error {
	if f.done {
		return os.ErrClosed
	}
	f.done = true
	// Sync before rename: a rename may reach the disk before the data does.
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.discard())
	}
	if err := f.File.Close(); err != nil {
		return errors.Join(err, os.Remove(f.target+Suffix))
	}
	if err := os.Rename(f.target+Suffix, f.target); err != nil {
		return errors.Join(err, os.Remove(f.target+Suffix))
	}
	return SyncDir(filepath.Dir(f.target))
}

// Close drops the file unless it has been committed. It may be deferred.
func (f *File) Close() error {
	if f.done {
		return nil
	}
	f.done = true
	return f.discard()
}

func (f *File) discard() error {
	return errors.Join(f.File.Close(), os.Remove(f.target+Suffix))
}

// Write makes target hold what do writes, whole or not at all.
func Write(target string, do func(io.Writer) error) error {
	f, err := Create(target)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := do(f); err != nil {
		return err
	}
	return f.Commit()
}

// WriteFile makes target hold b, whole or not at all.
func WriteFile(target string, b []byte) error {
	return Write(target, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// SyncDir makes the names in dir durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync directory %s: %w", dir, err)
	}
	return nil
}

// MkdirAll makes a directory and what leads to it, as far as it is missing, so that it survives a crash. Its
// mode is 0700.
func MkdirAll(dir string) error {
	dir = filepath.Clean(dir)
	parent := filepath.Dir(dir)
	info, err := os.Stat(dir)
	if err == nil && info.IsDir() || parent == dir {
		return nil
	}
	if errors.Is(err, os.ErrNotExist) {
		if err := MkdirAll(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return errors.Join(&os.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}, err)
	}
	err = SyncDir(parent)
	if errors.Is(err, os.ErrPermission) { // a directory that others own need not be readable
		return nil
	}
	return err
}
