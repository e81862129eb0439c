package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"holdall/archive"
	"holdall/archive/s3store"
	"holdall/internal/takeover"
	"holdall/query"
)

// An export is an opened EXPORT argument.
type export struct {
	*openedRoot
	root  string // the root that it is in; "" for an archive outside of any root
	asked bool   // for by its root
	bag   *archive.Bag
}

// openRoot opens a ROOT argument for reading.
func openRoot(ctx context.Context, e *env, arg string) (*openedRoot, error) {
	at, err := locate(arg)
	if err != nil {
		return nil, err
	}
	if at.folder != "" {
		return nil, usagef("name the directory that exports/ is in; \"holdall status\" shows one archive",
			"%s is in an archive, not a root of archives", arg)
	}
	return e.openRootAt(ctx, at.root, false, s3store.Options{})
}

// openExport opens an EXPORT argument: an archive, or a ROOT, meaning the newest complete one in it.
func openExport(ctx context.Context, e *env, arg string) (*export, error) {
	at, err := locate(arg)
	if err != nil {
		return nil, err
	}
	x, err := at.open(ctx, e)
	if err != nil {
		return nil, at.explain(ctx, e, err)
	}
	return x, nil
}

// unfinishedOnly is the failure to open a root in which there is nothing but takeovers that are not finished.
type unfinishedOnly struct {
	error
	all []*takeover.Status
}

func (u *unfinishedOnly) Unwrap() error { return u.error }

func errNoExport(root string) error {
	return fmt.Errorf("no export in %s%w", root, silentError{fs.ErrNotExist})
}

// silentError is an error that matches and says nothing.
type silentError struct{ error }

func (q silentError) Error() string { return "" }
func (q silentError) Unwrap() error { return q.error }

// openDatabase opens the export that the arguments of a command name, and its database, which the caller
// closes. rest are the other arguments; see exportArgs.
func (e *env) openDatabase(
	ctx context.Context, args []string, least, most int,
) (x *export, db *query.DB, rest []string, err error) {
	named, rest, err := e.exportArgs(args, least, most)
	if err != nil {
		return nil, nil, nil, err
	}
	if x, err = openExport(ctx, e, named); err != nil {
		return nil, nil, nil, err
	}
	db, err = x.database(ctx, e)
	return x, db, rest, err
}

// database opens the export's database, making it where it is missing: in ROOT/db, or in the user's cache
// directory when the archive is in no root or the root is not writable. For older archives it contains what
// the tables contain, so the user is informed where it is made.
func (x *export) database(ctx context.Context, e *env) (*query.DB, error) {
	if x.root != "" {
		db, err := takeover.OpenDatabase(ctx, x.bag, x.databases(), e.openOptions(), e.talk)
		if !errors.Is(err, fs.ErrPermission) && !isReadOnly(err) {
			return db, err
		}
	}
	dir, err := cacheDir("db")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, x.bag.ID()+".duckdb")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		e.talk("its catalog is made outside of the archive: %s; \"holdall clean\" removes it", path)
	}
	return takeover.OpenDatabase(ctx, x.bag, dir, e.openOptions(), e.talk)
}

func (e *env) openOptions() query.OpenOptions { return query.OpenOptions{MemoryLimit: int64(e.memory)} }

// cacheDir is a directory of this user for what holdall can make again.
func cacheDir(name string) (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", withHint(fmt.Errorf("find a place for databases and the history: %w", err),
			"set HOME to a directory that can be written to")
	}
	return filepath.Join(dir, "holdall", name), nil
}
