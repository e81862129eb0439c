package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"holdall/archive"
	"holdall/archive/s3store"
	"holdall/internal/takeover"
)

// An exportPath is what a ROOT or EXPORT argument leads to: a root, or one archive, in a root or outside of
// any.
type exportPath struct {
	root string // "" for an archive outside of any root
	// of the archive: its name in ROOT/exports, or its whole path where it is in no root; "" for a root
	folder string
}

// locate finds the root or the archive that a path leads to: by way of symbolic links, relative, with a slash
// at its end, or from anywhere inside of an archive. An archive is recognised by what is in it, not by its
// name.
func locate(arg string) (exportPath, error) {
	if arg == "" {
		return exportPath{}, usagef(
			"name the root or the archive; \".\" is the current directory", "the path is empty",
		)
	}
	if isS3(arg) {
		return locateS3(arg), nil
	}
	abs, err := filepath.Abs(arg)
	if err != nil {
		return exportPath{}, err
	}
	dir, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return locateMissing(abs, err)
	}
	switch {
	case isDir(filepath.Join(dir, "exports")) && !isBag(dir):
		return exportPath{root: dir}, nil
	case isExports(dir):
		return exportPath{root: filepath.Dir(dir)}, nil
	}
	for at := dir; ; at = filepath.Dir(at) {
		if isBag(at) {
			return exportPathOf(at), nil
		}
		if at == filepath.Dir(at) {
			break
		}
	}
	if !isDir(dir) {
		return exportPath{}, withHint(fmt.Errorf("%s is a file, not an archive", arg), rootHint)
	}
	return exportPathOf(dir), nil
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

// locateMissing is locate for a path that does not exist. ROOT/exports/ID of an export that is gone is no
// error here: opening it reports that.
func locateMissing(abs string, err error) (exportPath, error) {
	if errors.Is(err, fs.ErrNotExist) && filepath.Base(filepath.Dir(abs)) == "exports" {
		return exportPathOf(abs), nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return exportPath{}, withHint(fmt.Errorf("%s does not exist", abs), rootHint)
	}
	return exportPath{}, err
}

func exportPathOf(dir string) exportPath {
	exports := filepath.Dir(dir)
	if filepath.Base(exports) == "exports" && archive.CheckStoreName("exports/"+filepath.Base(dir)) == nil {
		return exportPath{root: filepath.Dir(exports), folder: filepath.Base(dir)}
	}
	if isBag(dir) {
		return exportPath{folder: dir}
	}
	return exportPath{root: dir}
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

// open opens the complete archive at the place, of a root the newest.
func (at exportPath) open(ctx context.Context, e *env) (*export, error) {
	if at.root != "" {
		h, err := e.openRootAt(ctx, at.root, false, s3store.Options{})
		if err != nil {
			return nil, err
		}
		bag, err := archive.Open(ctx, h.store, at.folder)
		if err == nil && h.cache != nil {
			bag = bag.WithCache(h.cache)
		}
		return &export{openedRoot: h, root: at.root, asked: at.folder == "", bag: bag}, err
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
func (at exportPath) openAny(ctx context.Context, e *env) (*export, error) {
	dir, folder := at.root, "exports/"+at.folder
	if at.root == "" {
		dir, folder = at.folder, ""
	}
	h, err := e.openRootAt(ctx, dir, false, s3store.Options{})
	if err != nil {
		return nil, err
	}
	bag, err := archive.OpenFolder(ctx, h.store, folder)
	return &export{openedRoot: h, root: at.root, bag: bag}, err
}

// explain adds to the failure to open an archive what is there instead.
func (at exportPath) explain(ctx context.Context, e *env, err error) error {
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
	h, oerr := e.openRootAt(ctx, at.root, false, s3store.Options{})
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

// locateS3 finds the root, and the archive if one is named, in a URL: it may lead into the archive.
func locateS3(url string) exportPath {
	url = strings.TrimRight(url, "/")
	const exports = "/exports/"
	for at := strings.LastIndex(url, exports); at > 0; at = strings.LastIndex(url[:at], exports) {
		folder, _, _ := strings.Cut(url[at+len(exports):], "/")
		if !archive.StartOf(folder).IsZero() {
			return exportPath{root: url[:at], folder: folder}
		}
	}
	return exportPath{root: url}
}

// path names an export of a root.
func (at exportPath) path(folder string) string {
	if isS3(at.root) {
		return at.root + "/exports/" + folder
	}
	return filepath.Join(at.root, "exports", folder)
}
