package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"holdall/archive"
	"holdall/archive/s3store"
	"holdall/internal/takeover"
	"holdall/query"
)

// An export is an opened EXPORT argument.
type export struct {
	*home
	root  string // the root that it lies in; "" for an archive that lies alone
	asked bool   // for by its root
	bag   *archive.Bag
}

// A place is what a ROOT or EXPORT argument leads to: a root, or one archive, in a root or alone.
type place struct {
	root string // "" for an archive that lies alone
	// of the archive: its name in ROOT/exports, or its whole path where it lies alone; "" for a root
	folder string
}

// locate finds the root or the archive that a path leads to: by way of symbolic links, relative, with a slash
// at its end, or from anywhere inside of an archive. What is an archive is told by what is in it, not by its
// name.
func locate(arg string) (place, error) {
	if arg == "" {
		return place{}, usagef(
			"name the root or the archive; \".\" is the current directory", "the path is empty",
		)
	}
	if isS3(arg) {
		return locateS3(arg), nil
	}
	abs, err := filepath.Abs(arg)
	if err != nil {
		return place{}, err
	}
	dir, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return locateLost(abs, err)
	}
	switch {
	case isDir(filepath.Join(dir, "exports")) && !isBag(dir):
		return place{root: dir}, nil
	case isExports(dir):
		return place{root: filepath.Dir(dir)}, nil
	}
	for at := dir; ; at = filepath.Dir(at) {
		if isBag(at) {
			return placeOf(at), nil
		}
		if at == filepath.Dir(at) {
			break
		}
	}
	if !isDir(dir) {
		return place{}, withHint(fmt.Errorf("%s is a file, not an archive", arg), rootHint)
	}
	return placeOf(dir), nil
}

const rootHint = "check the path: a ROOT has the directory exports in it, an EXPORT a bagit.txt"

// isExports reports whether a directory is that of a root's exports. A root may be called so itself.
func isExports(dir string) bool {
	dir = filepath.Clean(dir)
	if filepath.Base(dir) != "exports" || isDir(filepath.Join(dir, "exports")) || isBag(dir) {
		return false
	}
	children, err := os.ReadDir(dir)
	holdsBag := func(e fs.DirEntry) bool { return isBag(filepath.Join(dir, e.Name())) }
	return err == nil && (slices.ContainsFunc(children, holdsBag) || isDir(
		filepath.Join(filepath.Dir(dir), "ledger"),
	))
}

// locateLost is for a path that leads nowhere: ROOT/exports/ID of an export that is gone is told so by
// whoever opens it.
func locateLost(abs string, err error) (place, error) {
	if errors.Is(err, fs.ErrNotExist) && filepath.Base(filepath.Dir(abs)) == "exports" {
		return placeOf(abs), nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return place{}, withHint(fmt.Errorf("there is nothing at %s", abs), rootHint)
	}
	return place{}, err
}

func placeOf(dir string) place {
	exports := filepath.Dir(dir)
	if filepath.Base(exports) == "exports" && archive.CheckStoreName("exports/"+filepath.Base(dir)) == nil {
		return place{root: filepath.Dir(exports), folder: filepath.Base(dir)}
	}
	if isBag(dir) {
		return place{folder: dir}
	}
	return place{root: dir}
}

// checkOutside refuses a place to write to that is inside of an archive: nothing there may ever change. flag
// names the place.
func checkOutside(flag, path string) error {
	if path == "" {
		return nil
	}
	dir, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	for at := dir; ; at = filepath.Dir(at) {
		real, err := filepath.EvalSymlinks(at)
		if err != nil && at != filepath.Dir(at) {
			continue // not made yet
		}
		for ; ; real = filepath.Dir(real) {
			if isBag(real) {
				return usagef("name a directory elsewhere",
					"%s %s is inside of an archive (%s), which nothing may change", flag, path, real)
			}
			if real == filepath.Dir(real) {
				return nil
			}
		}
	}
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// isBag reports whether a directory is an archive, also one that has lost one of its files.
func isBag(dir string) bool {
	found := 0
	for _, name := range []string{
		"bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt",
	} {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() {
			found++
		}
	}
	return found >= 2 || found == 1 && isDir(filepath.Join(dir, "data"))
}

// openRoot opens a ROOT argument for reading.
func openRoot(ctx context.Context, e *env, arg string) (*home, error) {
	at, err := locate(arg)
	if err != nil {
		return nil, err
	}
	if at.folder != "" {
		return nil, usagef("name the directory that exports/ is in; \"holdall status\" shows one archive",
			"%s is in an archive, not a root of archives", arg)
	}
	return e.openHome(ctx, at.root, false, s3store.Options{})
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

// open opens the complete archive at the place, of a root the newest.
func (at place) open(ctx context.Context, e *env) (*export, error) {
	if at.root != "" {
		h, err := e.openHome(ctx, at.root, false, s3store.Options{})
		if err != nil {
			return nil, err
		}
		bag, err := archive.Open(ctx, h.store, at.folder)
		if err == nil && h.cache != nil {
			bag = bag.WithCache(h.cache)
		}
		return &export{home: h, root: at.root, asked: at.folder == "", bag: bag}, err
	}
	x, err := at.openAny(ctx, e)
	if err != nil {
		return nil, err
	}
	if _, err := x.store.Stat(ctx, "bagit.txt"); err != nil {
		return nil, fmt.Errorf("%s: %w", at.folder, archive.ErrIncomplete)
	}
	return x, nil
}

// openAny opens the archive at the place, also one that has lost its bagit.txt.
func (at place) openAny(ctx context.Context, e *env) (*export, error) {
	dir, folder := at.root, "exports/"+at.folder
	if at.root == "" {
		dir, folder = at.folder, ""
	}
	h, err := e.openHome(ctx, dir, false, s3store.Options{})
	if err != nil {
		return nil, err
	}
	bag, err := archive.OpenFolder(ctx, h.store, folder)
	return &export{home: h, root: at.root, bag: bag}, err
}

// explain adds to the failure to open an archive what is there instead.
func (at place) explain(ctx context.Context, e *env, err error) error {
	switch {
	case errors.Is(err, archive.ErrIncomplete):
		dir := at.folder
		if at.root != "" {
			dir = at.path(at.folder)
		}
		return withHint(
			err,
			fmt.Sprintf(
				"%q says what is lost; of a copy that is not finished, finish it", "holdall verify "+dir,
			),
		)
	case !errors.Is(err, fs.ErrNotExist) || at.root == "" || at.folder != "":
		return err
	}
	h, oerr := e.openHome(ctx, at.root, false, s3store.Options{})
	if oerr != nil {
		return err
	}
	defer h.close()
	if r, cerr := archive.CheckRoot(ctx, h.store); cerr == nil && len(r.Folders)+len(r.Faults) > 0 {
		return withHint(
			err, fmt.Sprintf("what is there is not whole: %q says what is lost", "holdall verify "+at.root),
		)
	}
	if all, lerr := takeover.ListUnfinished(h.runs()); lerr == nil && len(all) > 0 {
		return &unfinishedOnly{
			withHint(err, "a takeover into this root is not finished: run \"holdall take\" again to go on"),
			all,
		}
	}
	return withHint(err, "a ROOT has the directory exports in it, and \"holdall take\" makes both")
}

// unfinishedOnly is the failure to open a root in which there is nothing but takeovers that are not finished.
type unfinishedOnly struct {
	error
	all []*takeover.Status
}

func (u *unfinishedOnly) Unwrap() error { return u.error }

func errNoExport(root string) error {
	return fmt.Errorf("no export in %s%w", root, quietly{fs.ErrNotExist})
}

// quietly is an error that matches and says nothing.
type quietly struct{ error }

func (q quietly) Error() string { return "" }
func (q quietly) Unwrap() error { return q.error }

// database opens the export's database, making it where it is missing: in ROOT/db, or in the user's cache
// directory when the archive lies alone or its root may not be written to. Of older archives it holds what
// the tables hold, so the user is told where it is made.
func (x *export) database(ctx context.Context, e *env) (*query.DB, error) {
	if x.root != "" {
		db, err := takeover.OpenDatabase(ctx, x.bag, x.databases(), query.OpenOptions{}, e.talk)
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
	return takeover.OpenDatabase(ctx, x.bag, dir, query.OpenOptions{}, e.talk)
}

// cacheDir is a directory of this user for what holdall can make again.
func cacheDir(name string) (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", withHint(fmt.Errorf("find a place for databases and the history: %w", err),
			"set HOME to a directory that can be written to")
	}
	return filepath.Join(dir, "holdall", name), nil
}
