// Package takeover carries one export from its source to a committed archive, and resumes wherever an earlier
// process stopped.
//
// Call Plan to see what a master CSV leads to, Take to archive it, TakeAPI to archive a system that is read
// through its API. List and ReadStatus say what is recorded of archives, ListUnfinished what is known of
// takeovers that have not ended, Verify compares an archive with its own records in depth, and OpenDatabase
// prepares an archive for queries.
//
// Whatever an earlier process received is used: everything worth keeping between processes is in one run
// directory (run.go): the spool of received bytes, the bag in the making, the receipts. Everything else, the
// database included, is derived and rebuilt. Nothing in the run directory is removed before the archive that
// holds it has been read back, verified and committed. "Missing" and "damaged" are findings that somebody
// acts on, so both need proof.
//
// Where to look for what:
//
//	takeover.go, progress.go            a takeover from start to commit; plan.go: a dry run of it
//	resume.go, archived.go, run.go      whether an export is archived already or begun; the run directory
//	source.go, links.go, apisource.go   the two sources, and what each contributes; api.go: TakeAPI
//	unpacking.go, unpacker.go           objects become tables and documents; container.go: ZIP, tar, listing
//	damage.go, doubts.go                damaged or doubtful bytes are fetched again
//	unwrap.go, decompress.go, joined.go containers in containers, compressed files, split containers
//	datafiles.go, tables.go, growingfile.go   CSVs become tables; documents.go, packing.go: files become packs
//	litter.go, refused.go               entries that are not documents, and where they are kept
//	findings.go, entrylist.go           what a takeover finds, and what each container held
//	seal.go, status.go                  the last records of a bag, its commit; reading those records again
//	database.go, verify.go              the database of an archive; deep verification
//	remote.go, root.go, disk.go         roots in S3, checks on a root, room on the disks
package takeover

import (
	"context"
	"errors"
	"fmt"
	"time"

	"holdall/archive"
	"holdall/fetch"
	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/fetch/master"
	"holdall/internal/diskspace"
	"holdall/query"
)

// Source is the first part of the ID of an export that a master CSV leads to.
const Source = "recruitly"

// Options are the settings of a takeover.
type Options struct {
	Root           string        // directory that archives live in; not used with Remote
	Remote         *Remote       // nil: the root is a directory
	Spool          string        // directory that received bytes wait in; "": with the run, in Root/.work
	Tenant         string        // account name for the ID; "": from the IDs in the data
	Fetch          fetch.Options // Receipt is set by the takeover
	KeepContainers bool          // keep the received containers in the archive
	New            bool          // do not resume, and do not look whether the export is archived already
	DateOrder      string        // dmy, mdy or ""
	Software       string        // "holdall v0.1.0", for the archive's record
	Now            func() time.Time
	Talk           func(format string, a ...any) // what a user should know meanwhile; may be nil
	Progress       func(Progress)                // called a few times a second; may be nil

	space func(dir string) (diskspace.Space, bool) // of tests; nil: what the system says
}

// A MasterCSV is where a takeover begins: raw bytes, or a link to them.
type MasterCSV struct {
	Raw  []byte
	Date time.Time // of Raw, as far as known; links that state no expiry are counted from it
	Link link.Link
}

// Take fetches, checks, archives and commits the export behind a master CSV. An export that is archived
// already is returned as it is. With an error that is a *failure.Error, the result, when not nil, says how
// far the takeover came; everything received so far is kept for the next try.
func Take(ctx context.Context, m MasterCSV, o Options) (*Result, error) {
	o.fill()
	began := o.Now()
	store, release, err := o.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer release()

	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	receipts := &receiptLog{failed: stop}
	o.Fetch.Receipt = receipts.add
	f, err := fetch.New(o.Fetch)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	probed := o.watchProbing(f)
	defer probed()
	master, err := readMaster(ctx, f, m)
	if err != nil {
		return nil, err
	}
	for _, note := range master.Notes {
		o.Talk("%s", note)
	}
	found, err := resolveRun(ctx, f, master, store, o)
	probed()
	if err != nil {
		return nil, err
	}
	if found.archived != nil {
		o.Talk("this export is archived already; nothing to do")
		done := *found.archived
		done.FetchedBytes, done.ReusedBytes = 0, done.FetchedBytes+done.ReusedBytes
		done.Seconds = o.Now().Sub(began).Seconds()
		return &done, nil
	}
	t := &takeover{
		Options: o, store: store, fetcher: f, master: master, plan: found.plan, run: found.run,
		receipts: receipts, began: began,
	}
	t.source = linkSource{t}
	if err := receipts.open(found.run.path("receipts.jsonl")); err != nil {
		return t.unfinished(err), err
	}
	return t.doIfRoom(ctx)
}

// doIfRoom does the takeover unless the disks lack room for it, and records why it ended.
func (t *takeover) doIfRoom(ctx context.Context) (r *Result, err error) {
	needs, unknown := diskNeeds(t.plan, t.run, t.Options)
	if unknown > 0 {
		t.Talk(
			"the size of %d of the links is unknown, so the disk may turn out to be too small for "+
				"them", unknown,
		)
	}
	if err = CheckDisk(needs); err != nil {
		r, err = t.unfinished(err), errors.Join(err, t.close())
	} else {
		r, err = t.do(ctx)
	}
	if err != nil && !t.committed {
		if r != nil {
			r.KeptBytes = t.run.keptBytes()
		}
		if serr := t.run.stopped(err, t.Now()); serr != nil {
			t.Talk("could not record why this run ended: %v", serr)
		}
	}
	return r, err
}

// takeover is one Take at work.
type takeover struct {
	Options
	store   archive.Store
	source  source
	fetcher *fetch.Fetcher
	master  *master.CSV
	plan    *fetch.Plan
	run     *run
	began   time.Time

	receipts  *receiptLog
	committed bool

	fetching    *fetch.Run
	before      *fetch.Progress // of what was fetched for a bag that was made in vain
	bag         *archive.Builder
	db          *query.Builder
	tables      *tables
	ownerTables *ownerTables
	strays      *strayParts
	findings    findings
	litter      litterCount
	entryLists  *entryLists
	counts      counts
}

func (t *takeover) do(ctx context.Context) (r *Result, err error) {
	defer func() { err = errors.Join(err, t.close()) }()
	if t.run.state.Sealed != nil {
		// the commit failed a moment ago, and was reported; now it is why this takeover cannot end
		if t.bag, err = archive.NewBuilder(t.run.path("bag")); err == nil {
			err = t.deliver()
		}
		if err != nil {
			return nil, err
		}
		return t.commit(ctx, t.run.state.Sealed)
	}
	r, done, err := t.receiveAndSeal(ctx)
	for try := 1; try <= maxRebuilds; try++ {
		why := rebuildReason(err)
		if why == "" || try > 1 && !needsRebuild(err) {
			break
		}
		t.Talk("%s: the archive in the making is rebuilt from what was received", why)
		if err = errors.Join(t.closeWork(), t.run.dropBag()); err != nil {
			break
		}
		t.reset()
		r, done, err = t.receiveAndSeal(ctx)
	}
	if errors.Is(err, errCameDifferent) {
		err = &failure.Error{
			Code: failure.Network, Err: err,
			Message: "the bytes in doubt come out different each time they are fetched",
			Hint:    "run the same command again; if that happens again, use another network",
		}
	}
	if err != nil {
		t.receiveRest(ctx, err)
		return t.unfinished(err), err
	}
	if done {
		return r, nil
	}
	return t.commit(ctx, r)
}

// receiveAndSeal receives the export and makes its bag, up to the commit. done says that an archive holds it
// already.
func (t *takeover) receiveAndSeal(ctx context.Context) (r *Result, done bool, err error) {
	if err = t.receipts.worse(t.receive(ctx)); err != nil {
		return nil, false, err
	}
	if !t.New {
		if r, err = t.alreadyArchived(ctx); r != nil || err != nil {
			return r, true, err
		}
	}
	r, err = t.seal(ctx)
	return r, false, t.receipts.worse(err)
}

// maxRebuilds is how often one process makes the bag again because other bytes come each time.
const maxRebuilds = 5

// needsRebuild reports whether what is received by now makes another bag than the one in the making.
func needsRebuild(err error) bool {
	return errors.Is(err, errCameDifferent) || errors.Is(err, errLate) || errors.Is(err, fetch.ErrCutOff)
}

// rebuildReason says why the bag in the making is useless though what it is made from is, or nothing.
func rebuildReason(err error) string {
	switch {
	case errors.Is(err, errOtherOrder):
		return "a listing names its files in another order than before"
	case needsRebuild(err):
		return err.Error()
	case errors.Is(err, archive.ErrDamaged):
		return fmt.Sprintf("the disk no longer holds what was written to it (%v)", err)
	}
	return ""
}

// alreadyArchived returns the archive that holds, byte for byte, what has now been received, or nil: then
// nothing is archived twice.
func (t *takeover) alreadyArchived(ctx context.Context) (*Result, error) {
	received, err := t.objects(ctx)
	if err != nil {
		return nil, err
	}
	done, err := findSameContent(ctx, t.store, received)
	if done == nil || err != nil {
		return nil, err
	}
	t.Talk("what was received is, byte for byte, what is archived already; nothing is archived twice")
	r := *done
	t.measureTransfer(&r)
	t.committed = true
	return &r, errors.Join(t.close(), t.run.remove())
}

// reset forgets what receive has made, so that it can begin again.
func (t *takeover) reset() {
	p := t.transferred()
	t.before = &p
	t.fetching, t.bag, t.db, t.tables, t.ownerTables, t.entryLists = nil, nil, nil, nil, nil, nil
	t.findings, t.litter, t.counts = findings{}, litterCount{}, counts{}
}

// unfinished describes what a takeover that failed leaves behind.
func (t *takeover) unfinished(err error) *Result {
	r := notFinished(t.run.dir)
	var fe *failure.Error
	if errors.As(err, &fe) && fe.NeedsNewLink() {
		r.State = StateExpired
	}
	if t.tables != nil {
		r.Tables = t.tables.counts()
	}
	t.measure(r)
	return r
}

// receive brings every object in and its contents into tables and packs.
func (t *takeover) receive(ctx context.Context) (err error) {
	if t.fetching, err = t.fetcher.Start(ctx, t.plan, t.run.spool()); err != nil {
		return err
	}
	if err := t.run.prepare(bagInputs(t.fetching.Objects, t.Options)); err != nil {
		return err
	}
	if t.bag, err = openBuilder(t.run, t.Talk); err != nil {
		return err
	}
	if err := t.deliver(); err != nil {
		return err
	}
	t.findings.path = t.run.path("tmp/found.jsonl")
	t.db, err = query.Create(ctx, t.run.path("tables.duckdb"), query.BuildOptions{
		TempDir:   t.run.path("tmp"),
		DateOrder: t.DateOrder,
		Snapshot:  t.run.state.Started,
		Meta:      meta(t.Software, t.source.name()),
		Threads:   1,
	})
	if err != nil {
		return err
	}
	t.entryLists = newEntryLists(t.run.path("entries"))
	stop := t.watch()
	defer stop()
	return t.unpackAll(ctx)
}

// openBuilder resumes the run's bag. Where the disk no longer holds what was recorded, the bag is made
// again: all that it is made from is in the spool.
func openBuilder(r *run, talk func(string, ...any)) (*archive.Builder, error) {
	b, err := archive.NewBuilder(r.path("bag"))
	if !errors.Is(err, archive.ErrDamaged) {
		return b, err
	}
	talk("the archive in the making is damaged, and is rebuilt from what was received: %v", err)
	if err := r.dropBag(); err != nil {
		return nil, err
	}
	return archive.NewBuilder(r.path("bag"))
}

// close releases what is open, last first. Nothing that was made durable is lost by it.
func (t *takeover) close() error {
	err := t.closeWork()
	if t.fetcher != nil {
		err = errors.Join(err, t.fetcher.Close()) // which hands in the last receipts
	}
	if t.receipts != nil {
		err = errors.Join(err, t.receipts.close())
	}
	return err
}

// closeWork releases what receive has opened.
func (t *takeover) closeWork() error {
	var errs []error
	if t.fetching != nil {
		errs = append(errs, t.fetching.Close())
	}
	if t.db != nil {
		errs = append(errs, t.db.Close())
	}
	if t.bag != nil {
		errs = append(errs, t.bag.Close())
	}
	return errors.Join(append(errs, t.findings.close())...)
}
