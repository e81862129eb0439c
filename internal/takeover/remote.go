package takeover

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"holdall/archive"
	"holdall/archive/dirstore"
	"holdall/internal/redact"
)

// A Remote is a root that is not a directory. What a takeover needs on this machine lies in Work: runs, with
// their spool and their bag in the making, and databases. It belongs to one root.
type Remote struct {
	Store archive.Store     // no archive.Adopter
	Work  string            // directory, made if missing
	Facts map[string]string // for the ledger: what the store lacks
}

// WorkIn is where the runs of takeovers into a root in a directory lie.
func WorkIn(root string) string { return filepath.Join(root, ".work") }

// RunsIn is where the runs of takeovers into a remote root lie, in its Work, and DatabasesIn where
// databases do, in that or in a root in a directory.
func RunsIn(work string) string     { return filepath.Join(work, "runs") }
func DatabasesIn(dir string) string { return filepath.Join(dir, "db") }

// Home is the directory on this machine that everything of the root lies in.
func (o Options) Home() string {
	if o.Remote != nil {
		return o.Remote.Work
	}
	return o.Root
}

func (o Options) work() string {
	if o.Remote != nil {
		return RunsIn(o.Remote.Work)
	}
	return WorkIn(o.Root)
}

func (o Options) databases() string { return DatabasesIn(o.Home()) }

func (o Options) checkRoot() error { return CheckRoot(o.Home()) }

// begin opens the root for a takeover, and commits what earlier ones had sealed when they ended.
func (o Options) begin(ctx context.Context) (store archive.Store, release func() error, err error) {
	if err := o.checkRoot(); err != nil {
		return nil, nil, err
	}
	store, release, err = o.openRoot()
	if err == nil {
		commitSealed(ctx, store, o)
	}
	return store, release, err
}

// openRoot opens the root for this process alone. Of a remote one that keeps away only the processes of
// this machine; what others do at the same time does no harm, since every takeover has an ID of its own
// and nothing is overwritten.
func (o Options) openRoot() (store archive.Store, release func() error, err error) {
	dir, err := dirstore.Open(o.Home(), true)
	if err != nil {
		return nil, nil, err
	}
	unlock, err := dir.Lock()
	if err != nil {
		return nil, nil, errors.Join(err, dir.Close())
	}
	release = func() error { return errors.Join(unlock(), dir.Close()) }
	if o.Remote != nil {
		return o.Remote.Store, release, nil
	}
	return dir, release, nil
}

// deliver has the bag go into a remote root while it is being made, under an ID that stays.
func (t *takeover) deliver() error {
	if t.Remote == nil {
		return nil
	}
	if t.run.state.Export == "" {
		tenant := t.Tenant
		if tenant == "" {
			tenant = "export" // the data, which names the account, has not arrived yet
		}
		t.run.state.Export = archive.NewID(t.source.name(), tenant, t.run.state.Started)
		if err := t.run.save(); err != nil {
			return err
		}
	}
	return t.bag.DeliverTo(archive.Delivery{
		Store: t.store, ID: t.run.state.Export, Final: isFinal, Facts: t.Remote.Facts,
	})
}

// isFinal reports whether a file of the bag is never rebuilt once it is finished.
func isFinal(name string) bool {
	return strings.HasPrefix(name, "data/received/tables/") ||
		strings.HasPrefix(name, "data/received/containers/")
}

// receiveRest keeps receiving when it is the root that failed: links die, and what has been received can be
// archived later.
func (t *takeover) receiveRest(ctx context.Context, err error) {
	rootFailed := errors.Is(err, archive.ErrCredentials) || errors.Is(err, archive.ErrUnavailable) ||
		errors.Is(err, fs.ErrPermission)
	if t.Remote == nil || t.fetching == nil || !rootFailed {
		return
	}
	t.Talk("the root cannot be written to now (%v); the rest of the export is received all the same",
		redact.Error(err))
	defer t.watch()()
	for _, o := range t.fetching.Objects {
		if _, err := o.Wait(ctx); err != nil && ctx.Err() != nil {
			return // others may still arrive
		}
	}
}
