package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"holdall/archive"
	"holdall/archive/dirstore"
	"holdall/internal/takeover"
	"holdall/query"
)

// An export is an opened EXPORT argument.
type export struct {
	root  string
	store *dirstore.Store
	bag   *archive.Bag
}

// openRoot opens a ROOT argument for reading.
func openRoot(root string) (*dirstore.Store, error) {
	if strings.HasPrefix(root, "s3://") {
		return nil, usagef("copy the archive to a directory first", "roots in S3 are not supported by this version: %s", root)
	}
	return dirstore.Open(root, false)
}

// openExport opens an EXPORT argument: ROOT/exports/ID, or a ROOT, meaning the newest complete export in it.
func openExport(ctx context.Context, arg string) (*export, error) {
	root, id := arg, ""
	if clean := filepath.Clean(arg); filepath.Base(filepath.Dir(clean)) == "exports" && !strings.HasPrefix(arg, "s3://") {
		root, id = filepath.Dir(filepath.Dir(clean)), filepath.Base(clean)
	}
	store, err := openRoot(root)
	if err != nil {
		return nil, err
	}
	bag, err := archive.Open(ctx, store, id)
	if err != nil {
		return nil, err
	}
	return &export{root: root, store: store, bag: bag}, nil
}

// database opens the export's database, making it where it is missing: beside the archive, or in the user's cache
// directory when the archive may not be written.
func (x *export) database(ctx context.Context, e *env) (*query.DB, error) {
	db, err := takeover.OpenDatabase(ctx, x.bag, filepath.Join(x.root, "db"), query.OpenOptions{}, e.talk)
	if !errors.Is(err, fs.ErrPermission) && !isReadOnly(err) {
		return db, err
	}
	cache, cerr := os.UserCacheDir()
	if cerr != nil {
		return nil, errors.Join(err, cerr)
	}
	return takeover.OpenDatabase(ctx, x.bag, filepath.Join(cache, "holdall", "db"), query.OpenOptions{}, e.talk)
}
