package takeover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"holdall/archive"
	"holdall/fetch"
	"holdall/internal/filetype"
	"holdall/internal/redact"
	"holdall/query"
)

// seal closes the packs, reconciles, writes the records, and reads the whole bag back. It returns the result
// to be.
func (t *takeover) seal(ctx context.Context) (*Result, error) {
	t.report(Progress{Phase: "archiving", Progress: t.source.plan(), Documents: t.counts.total()})
	parts := t.source.parts()
	for _, part := range slices.Sorted(maps.Keys(parts)) {
		p, err := t.bag.Packer(part)
		if err != nil {
			return nil, err
		}
		if err := p.Finish(ctx); err != nil {
			return nil, fmt.Errorf("close the packs of %s: %w", part, err)
		}
	}
	if err := t.source.leftovers(ctx); err != nil {
		return nil, err
	}
	if err := t.index(ctx); err != nil {
		return nil, err
	}
	found, err := t.reconcile(ctx, parts)
	if err != nil {
		return nil, err
	}
	tenant := t.tenant(ctx)
	r := t.result(tenant, found)
	catalog, err := t.catalog(ctx)
	if err != nil {
		return nil, err
	}
	if err := t.writeRecords(ctx, r, catalog); err != nil {
		return nil, err
	}
	t.report(Progress{Phase: "verifying", Progress: t.source.plan(), Documents: t.counts.total()})
	info := t.source.describe(tenant)
	info.ID, info.Started, info.Software = r.Export, t.run.state.Started, t.Software
	if err := t.finish(ctx, catalog, info); err != nil {
		return nil, err
	}
	t.measure(r)
	t.run.state.Sealed = r
	return r, t.run.save()
}

// finish reads the whole bag back and makes the catalog, side by side.
func (t *takeover) finish(ctx context.Context, c query.Catalog, info archive.BagInfo) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := t.bag.Seal(ctx, info); err != nil {
			return fmt.Errorf("verify what was written: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		return query.WriteCatalog(ctx, t.run.path("tables.duckdb"), c)
	})
	return g.Wait()
}

// index writes the documents' index as CSV and Parquet, and loads it into the database.
func (t *takeover) index(ctx context.Context) error {
	if _, err := t.bag.WriteIndex(ctx); err != nil {
		return fmt.Errorf("write the index: %w", err)
	}
	in, err := t.bag.IndexCSV()
	if err != nil {
		return err
	}
	if err := errors.Join(t.db.LoadDocuments(ctx, in), in.Close()); err != nil {
		return fmt.Errorf("load the index: %w", err)
	}
	return t.writeParquet(ctx, "documents", indexParquet)
}

// indexParquet has the documents, as the index has them, with the names of their owners.
const indexParquet = "data/documents/index.parquet"

// quarantineFile has the records that could not be loaded, of an export that has any.
const quarantineFile = "data/tables/quarantine/part-00000.parquet"

// catalog describes the tables and names the files of the bag that hold them.
func (t *takeover) catalog(ctx context.Context) (query.Catalog, error) {
	c, err := t.db.Catalog(ctx)
	if err != nil {
		return c, err
	}
	c.Parts["documents"], c.Parts["findings"] = indexParquet, findingsFile
	quarantined := int64(0)
	for _, r := range t.tables.list() {
		c.Parts[r.Table] = r.Parquet.Path
		quarantined += r.Quarantined
	}
	if quarantined == 0 {
		return c, t.bag.Discard(quarantineFile)
	}
	c.Parts["quarantine"] = quarantineFile
	return c, t.writeParquet(ctx, "quarantine", quarantineFile)
}

// reconcile adds to the findings what the tables and the documents tell, and sums all up.
func (t *takeover) reconcile(ctx context.Context, parts map[string]bool) ([]FindingCount, error) {
	if err := t.db.AddFindings(ctx, t.findings.all()); err != nil {
		return nil, err
	}
	if err := t.db.LoadRefused(ctx, t.refusedEntries()); err != nil {
		return nil, err
	}
	if err := t.db.Reconcile(ctx, parts); err != nil {
		return nil, fmt.Errorf("reconcile: %w", err)
	}
	return t.db.FindingCounts(ctx)
}

func (t *takeover) tenant(ctx context.Context) string {
	if t.Tenant != "" {
		return t.Tenant
	}
	return t.source.tenant(ctx)
}

func (t *takeover) result(tenant string, found []FindingCount) *Result {
	r := &Result{Outcome: Outcome{
		Export:   cmp.Or(t.run.state.Export, archive.NewID(t.source.name(), tenant, t.run.state.Started)),
		State:    StateComplete,
		Tables:   t.tables.counts(),
		Findings: found,
	}}
	r.Location = t.store.Location("exports/" + r.Export)
	t.measure(r)
	return r
}

// writeRecords writes everything in the bag that is about the export instead of from it. An earlier process
// may have come this far and died; what it wrote is rebuilt.
func (t *takeover) writeRecords(ctx context.Context, r *Result, c query.Catalog) error {
	objects, err := t.source.objects(ctx)
	if err != nil {
		return err
	}
	list, shown, err := t.writeFindings(ctx)
	if err != nil {
		return fmt.Errorf("write %s: %w", findingsFile, err)
	}
	known := knownTables(t.source.name())
	records := append(t.source.records(objects),
		aboutFile{name: completenessFile, write: func(w io.Writer) error {
			return t.writeCompleteness(w, r, c, objects, list, shown)
		}},
		aboutFile{name: "datapackage.json", write: func(w io.Writer) error {
			return writeJSON(w, datapackage(r, t.run.state.Started, known, t.tables.list()))
		}})
	for _, rec := range records {
		if err := t.bag.Discard(rec.name); err != nil {
			return err
		}
		if _, err := t.writeIn(rec.name, rec.write); err != nil {
			return fmt.Errorf("write %s: %w", rec.name, err)
		}
		if rec.drop != nil {
			rec.drop(objects)
		}
	}
	return nil
}

// objects says of every link what became of it.
func (t *takeover) objects(ctx context.Context) ([]ObjectRecord, error) {
	var records []ObjectRecord
	for _, o := range t.fetching.Objects {
		v, err := o.Wait(ctx)
		if err != nil {
			return nil, err
		}
		s := o.Source
		kind := string(s.Kind)
		if s.Listing {
			kind = "listing"
		}
		known, err := o.Known(v)
		if err != nil {
			return nil, err
		}
		record := ObjectRecord{
			Number: s.Number, Part: string(s.Part), Label: s.Label, URL: fmt.Sprint(s.Link),
			Fingerprint: s.Fingerprint, ListedIn: s.ListedIn,
			Name: s.Name, Kind: kind, Size: v.Size, SHA256: v.SHA256.String(), Verified: checkedBy(s, v),
			ETag: s.Identity.ETag, LastModified: s.Identity.LastModified,
			Entries:  t.entryLists.count(s.Number),
			Expiry:   s.Expiry,
			Received: t.Now().UTC().Truncate(time.Second), Checksums: known.Identity.Checksums,
			Samples: known.Samples, Links: known.Links,
			Listing: known.Listing, Contradicts: v.Contradicts, Encoding: v.Encoding,
			ReceivedSize: v.Received,
		}
		if v.Encoding != "" {
			record.ReceivedSHA256 = v.ReceivedSHA256.String()
		}
		records = append(records, record)
	}
	return records, nil
}

// checkedBy is how far verification went. What the server said nothing about is checked by what a ZIP says of
// itself: every entry has been read against its CRC-32 by now, and those that did not fit are findings.
func checkedBy(s *fetch.Source, v fetch.Verified) string {
	if v.Check == "size" && s.Kind == filetype.ZIP {
		return "zip-crc32"
	}
	return v.Check
}

func (t *takeover) writeReceipts(w io.Writer) error {
	f, err := os.Open(t.run.path("receipts.jsonl"))
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

func (t *takeover) writeContainers(w io.Writer, objects []ObjectRecord) error {
	for _, o := range objects {
		if err := t.entryLists.writeTo(w, o); err != nil {
			return err
		}
	}
	return nil
}

// dropLists removes the lists that were kept for each object, which are in the bag now: of a million refused
// entries they would take as much room again. Each process makes them anew.
func (t *takeover) dropLists(path func(number int) string) func([]ObjectRecord) {
	return func(objects []ObjectRecord) {
		for _, o := range objects {
			os.Remove(path(o.Number)) // what stays goes with the run
		}
	}
}

func writeJSON(w io.Writer, v any) error {
	enc := newEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// commit puts the sealed bag and its database in their places and drops the run.
func (t *takeover) commit(ctx context.Context, r *Result) (*Result, error) {
	if err := t.bag.Commit(ctx, t.store); err != nil {
		return t.unfinished(err), err
	}
	t.committed = true
	to := filepath.Join(t.databases(), r.Export+".duckdb")
	if err := placeDatabase(t.run.path("tables.duckdb"), to); err != nil {
		t.Talk("the database could not be moved into place, and will be rebuilt when it is needed: %v", err)
	}
	if t.fetching != nil {
		t.measure(r)
	}
	// From here on the export is complete, whatever becomes of the run's directory.
	if err := errors.Join(t.close(), t.run.remove()); err != nil {
		t.Talk("the export is complete, but its working files could not be removed: %v", redact.Error(err))
	}
	return r, nil
}

// commitSealed commits what earlier processes had sealed when they ended, which needs no network: the bag,
// the line of the ledger, or both. What cannot be committed waits, and keeps no other export from being
// taken.
func commitSealed(ctx context.Context, store archive.Store, o Options) {
	runs, err := openRuns(o.work(), o.Spool, func(string, string) {})
	if err != nil {
		o.Talk("the unfinished takeovers cannot be read: %v", err)
	}
	for _, r := range runs {
		sealed := r.state.Sealed
		if sealed == nil {
			continue
		}
		t := &takeover{Options: o, store: store, run: r}
		if t.bag, err = archive.NewBuilder(r.path("bag")); err == nil {
			err = t.deliver()
		}
		if err == nil {
			_, err = t.commit(ctx, sealed)
		}
		switch {
		case err == nil:
			o.Talk(
				"the takeover begun at %s is archived now as %s",
				r.state.Started.Format(time.DateTime+" MST"), sealed.Export,
			)
			continue
		case errors.Is(err, archive.ErrDamaged):
			r.state.Sealed = nil // what was received is in the spool
			err = errors.Join(err, r.dropBag(), r.save())
		}
		o.Talk(
			"the takeover begun at %s is not archived yet: %v", r.state.Started.Format(time.DateTime+" MST"),
			redact.Error(errors.Join(err, t.close())),
		)
	}
}

// placeDatabase moves a finished database to where queries look for it. It may have been moved already.
func placeDatabase(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	err := os.Rename(from, to)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
