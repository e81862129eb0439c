package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"holdall/archive"
	"holdall/archive/dirstore"
	"holdall/archive/s3store"
	"holdall/internal/digest"
	"holdall/internal/takeover"
)

// An openedRoot is a root, in a directory or in S3, or the directory of an archive that is in no root.
type openedRoot struct {
	store archive.Store
	name  string         // its path or URL
	local string         // directory for its runs and databases: the root itself, unless that is in S3
	s3    *s3store.Store // nil: a directory
	cache *archive.Cache // of files fetched from S3; nil: a directory
	close func() error
}

func isS3(name string) bool { return strings.HasPrefix(name, "s3://") }

func checkS3(name string) error {
	if err := s3store.CheckURL(name); err != nil {
		return usagef("name the bucket, and below it a prefix of its own for the archives", "%v", err)
	}
	return nil
}

// openRootAt opens the root at a path or URL. A directory is made if missing and create is set.
func (e *env) openRootAt(
	ctx context.Context, name string, create bool, o s3store.Options,
) (*openedRoot, error) {
	if !isS3(name) {
		store, err := dirstore.Open(name, create)
		if err != nil {
			return nil, err
		}
		return &openedRoot{store: store, name: name, local: name, close: store.Close}, nil
	}
	if err := checkS3(name); err != nil {
		return nil, err
	}
	name = strings.TrimRight(name, "/")
	local, err := e.workOf(name)
	if err != nil {
		return nil, err
	}
	o.Scratch = local
	o.Waiting = func(why error, until time.Time) {
		e.talk("%v; trying until %s", why, until.Format(time.TimeOnly))
	}
	store, err := s3store.Open(ctx, name, o)
	if err != nil {
		return nil, withHint(err, "see \"holdall help s3\"")
	}
	cache := &archive.Cache{Dir: filepath.Join(local, "cache")}
	nothing := func() error { return nil }
	return &openedRoot{store: store, s3: store, name: name, local: local, cache: cache, close: nothing}, nil
}

// workOf is the directory on this machine that belongs to a root in S3.
func (e *env) workOf(url string) (string, error) {
	base, err := e.workBase()
	bucket, _, _ := strings.Cut(strings.TrimPrefix(url, "s3://"), "/")
	return filepath.Join(base, bucket+"-"+digest.Of([]byte(url)).String()[:8]), err
}

// workBase is the directory that has one for each root in S3: that of --work, else one in the user's cache.
func (e *env) workBase() (string, error) {
	if e.work == "" {
		return cacheDir("s3")
	}
	return filepath.Abs(e.work)
}

// runs is the directory that takeovers into the root work in.
func (h *openedRoot) runs() string {
	if h.s3 != nil {
		return takeover.RunsIn(h.local)
	}
	return takeover.WorkIn(h.local)
}

func (h *openedRoot) databases() string { return takeover.DatabasesIn(h.local) }

// lock keeps other writers away: all of them from a directory, those of this machine from S3, where
// nothing is overwritten anyway.
func (h *openedRoot) lock() (unlock func() error, err error) {
	if dir, ok := h.store.(*dirstore.Store); ok {
		return dir.Lock()
	}
	dir, err := dirstore.Open(h.local, true)
	if err != nil {
		return nil, err
	}
	release, err := dir.Lock()
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return func() error { return errors.Join(release(), dir.Close()) }, nil
}

// probe finds out what a provider of S3 supports, before anything else is written there.
func (h *openedRoot) probe(ctx context.Context, e *env) (facts map[string]string, err error) {
	if h.s3 == nil {
		return nil, nil
	}
	found, err := h.s3.Probe(ctx, archive.RootReadmeName, archive.RootReadme())
	if err != nil || found.Complete() {
		return nil, err
	}
	e.warn(fmt.Sprintf("%s supports less than S3 does: %s; without conditional writes two writers may "+
		"overwrite each other, and without kept digests everything is read back", h.name, found))
	return map[string]string{"store": found.String()}, nil
}

// openPayload opens an EXPORT for reading single documents, which in S3 takes fewer requests than
// openExport.
func openPayload(ctx context.Context, e *env, arg string) (*archive.Bag, error) {
	if !isS3(arg) {
		x, err := openExport(ctx, e, arg)
		if err != nil {
			return nil, err
		}
		return x.bag, nil
	}
	at := locateS3(arg)
	h, err := e.openRootAt(ctx, at.root, false, s3store.Options{})
	if err != nil {
		return nil, err
	}
	if at.folder == "" {
		if at.folder, err = archive.Newest(ctx, h.store); err != nil {
			return nil, at.explain(ctx, e, err)
		}
	}
	bag, err := archive.OpenPayload(ctx, h.store, at.folder, h.cache)
	if err != nil {
		return nil, at.explain(ctx, e, err)
	}
	return bag, nil
}
