package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"holdall/archive"
	"holdall/query"
)

// archiveGone says that the records of a run cannot be listed, since the archive that holds them is not here.
type archiveGone struct {
	run archive.Run
	why error
}

func (g *archiveGone) Error() string {
	return fmt.Sprintf("the records of run %s are not listed: the archive that holds them, %s, is not here",
		g.run.ID, g.run.Export)
}

func (g *archiveGone) Unwrap() error { return g.why }

// records calls use for each record of a run: those that the ledger lists, then those of the archive that it
// brought, where the archive holds them. With an ID only for those of that type and ID. If the archive is not
// here, the error is an *archiveGone, and nothing is listed.
func (h *openedRoot) records(ctx context.Context, e *env, run archive.Run, typ, id string,
	use func(archive.RunRecord) error) error {
	if run.Arrival() {
		if _, err := h.archiveOf(ctx, run); err != nil {
			return err
		}
	}
	for r, err := range archive.RunRecords(ctx, h.store, run) {
		if err == nil && (id == "" || r.Type == typ && r.ID == id) {
			err = use(r)
		}
		if err != nil {
			return err
		}
	}
	if !run.Arrival() {
		return nil
	}
	return h.arrived(ctx, e, run, typ, id, use)
}

// arrived calls use for the records in the archive that a run brought.
func (h *openedRoot) arrived(ctx context.Context, e *env, run archive.Run, typ, id string,
	use func(archive.RunRecord) error) error {
	bag, err := h.archiveOf(ctx, run)
	if err != nil {
		return err
	}
	x := &export{openedRoot: h, root: h.name, bag: bag}
	db, err := x.database(ctx, e)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.Records(ctx, typ, id, func(r query.Record) error {
		record := archive.RunRecord{Type: r.Table, ID: r.ID, Action: run.Type, Status: "failed",
			SHA256: r.SHA256,
			Error:  r.Error}
		if r.Loaded {
			record.Status = "success"
		}
		return use(record)
	})
}

// archiveOf opens the archive that a run brought, whatever its directory is called.
func (h *openedRoot) archiveOf(ctx context.Context, run archive.Run) (*archive.Bag, error) {
	bag, err := archive.Open(ctx, h.store, run.Export)
	if errors.Is(err, fs.ErrNotExist) {
		folders, ferr := archive.IDs(ctx, h.store)
		if ferr != nil {
			return nil, ferr
		}
		for _, folder := range folders {
			if b, oerr := archive.Open(ctx, h.store, folder); oerr == nil && b.ID() == run.Export {
				bag, err = b, nil
			}
		}
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, archive.ErrIncomplete) {
		err = &archiveGone{run, err}
	}
	if err == nil && h.cache != nil {
		bag = bag.WithCache(h.cache)
	}
	return bag, err
}
