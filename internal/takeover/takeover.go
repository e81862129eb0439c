// Package takeover carries one export from its master CSV to a committed archive, and goes on wherever an
// earlier process stopped.
//
// What it keeps between processes lies in one run directory (see run.go): the spool of received bytes, the
// bag in the making, the receipts. Everything else, the database included, is derived and made again. Nothing
// in the run directory is removed before the archive that holds it has been read back, verified and
// committed.
package takeover

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"holdall/archive"
	"holdall/archive/dirstore"
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
	Talk           func(format string, a ...any) // what a user should know on the way; may be nil
	Progress       func(Progress)                // called a few times a second; may be nil

	space func(dir string) (diskspace.Space, bool) // of tests; nil: what the system says
}

// Progress is a snapshot of a takeover.
type Progress struct {
	fetch.Progress
	Phase     string // "probing", "fetching", "archiving", "verifying"
	Documents int64  // in packs so far
}

// A MasterCSV is where a takeover begins: raw bytes, or a link to them.
type MasterCSV struct {
	Raw  []byte
	Date time.Time // of Raw, as far as known: links that do not tell their expiry live so many days from it
	Link link.Link
}

// ErrRunning says that another process works on the same root.
var ErrRunning = dirstore.ErrLocked

// A Forecast is what a takeover would begin with.
type Forecast struct {
	*fetch.Plan
	Notes []string // on the master CSV
	// bytes a second, measured over one connection a link; 0 when the export is too small to tell
	Pace float64

	Disk    []DiskNeed // what is still to be written, by file system
	Unknown int        // links whose size is not known, and that Disk leaves out
}

// Plan reads the master CSV, probes its links and measures the pace at which they serve. It writes nothing.
func Plan(ctx context.Context, m MasterCSV, o Options) (*Forecast, error) {
	if err := o.checkRoot(); err != nil {
		return nil, err
	}
	f, err := fetch.New(o.Fetch)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	defer o.watchProbing(f)()
	master, err := readMaster(ctx, f, m)
	if err != nil {
		return nil, err
	}
	p, err := f.Plan(ctx, master)
	if err != nil {
		return nil, err
	}
	forecast := &Forecast{Plan: p, Notes: master.Notes}
	var going *run
	if !o.New {
		// what cannot be read is told by the takeover
		runs, _ := openRuns(o.work(), o.Spool, func(string, string) {})
		going, _ = matching(runs, p)
	}
	forecast.Disk, forecast.Unknown = diskNeeds(p, going, o)
	forecast.Pace = f.Pace(ctx, p)
	return forecast, nil
}

func readMaster(ctx context.Context, f *fetch.Fetcher, m MasterCSV) (*master.CSV, error) {
	if m.Raw != nil {
		file, err := master.Read(m.Raw)
		if err != nil {
			return nil, err
		}
		file.Date = m.Date
		return behindOnlyLink(ctx, f, file)
	}
	return f.Master(ctx, m.Link)
}

// behindOnlyLink follows the link of a file that holds nothing else: people save the link that they were
// mailed. What it leads to is the master CSV, or, when it is none, a part of the export.
func behindOnlyLink(ctx context.Context, f *fetch.Fetcher, file *master.CSV) (*master.CSV, error) {
	link, only := file.OnlyLink()
	if !only {
		return file, nil
	}
	master, err := f.Master(ctx, link)
	var fe *failure.Error
	if errors.As(err, &fe) && fe.Code == failure.NotTheExport {
		return file, nil
	}
	if err == nil {
		master.Notes = append(
			[]string{"the file holds nothing but a link; what it leads to was read as the master CSV"},
			master.Notes...,
		)
	}
	return master, err
}

// Take fetches, checks, archives and commits the export behind a master CSV. An export that is archived
// already is returned as it is. With an error that is a *fetch.Error, the result, when not nil, says how far
// the takeover came; everything received so far is kept for the next try.
func Take(ctx context.Context, m MasterCSV, o Options) (*Result, error) {
	o.fill()
	began := o.Now()
	if err := o.checkRoot(); err != nil {
		return nil, err
	}
	store, release, err := o.openRoot()
	if err != nil {
		return nil, err
	}
	defer release()
	commitSealed(ctx, store, o)

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
	choice, err := choose(ctx, f, master, store, o)
	probed()
	if err != nil {
		return nil, err
	}
	if choice.done != nil {
		o.Talk("this export is archived already; nothing to do")
		done := *choice.done
		done.FetchedBytes, done.ReusedBytes = 0, done.FetchedBytes+done.ReusedBytes
		done.Seconds = o.Now().Sub(began).Seconds()
		return &done, nil
	}
	t := &takeover{
		Options: o, store: store, fetcher: f, master: master, plan: choice.plan, run: choice.run,
		receipts: receipts, began: began,
	}
	t.source = links{t}
	if err := receipts.open(choice.run.path("receipts.jsonl")); err != nil {
		return t.unfinished(err), err
	}
	needs, unknown := diskNeeds(t.plan, t.run, t.Options)
	if unknown > 0 {
		o.Talk(
			"the size of %d of the links is not known: whether the disk has room for them will show", unknown,
		)
	}
	var r *Result
	if err = CheckDisk(needs); err != nil {
		r, err = t.unfinished(err), errors.Join(err, t.close())
	} else {
		r, err = t.do(ctx)
	}
	if err != nil && !t.committed {
		if r != nil {
			r.KeptBytes = t.run.kept()
		}
		if serr := t.run.stopped(err, o.Now()); serr != nil {
			o.Talk("why this run ended could not be written down: %v", serr)
		}
	}
	return r, err
}

func (o Options) report(p Progress) {
	if o.Progress != nil {
		o.Progress(p)
	}
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

	fetching *fetch.Run
	before   *fetch.Progress // of what was fetched for a bag that was made in vain
	bag      *archive.Builder
	db       *query.Builder
	tables   *tables
	owners   *owners
	found    findings
	litter   litterCount
	custody  *custody
	counts   counts
}

func (t *takeover) do(ctx context.Context) (r *Result, err error) {
	defer func() { err = errors.Join(err, t.close()) }()
	if t.run.state.Sealed != nil {
		// the commit failed a moment ago, and was told; now it is why this takeover cannot end
		if t.bag, err = archive.NewBuilder(t.run.path("bag")); err == nil {
			err = t.deliver()
		}
		if err != nil {
			return nil, err
		}
		return t.commit(ctx, t.run.state.Sealed)
	}
	r, done, err := t.make(ctx)
	for try := 1; try <= mostRemakings; try++ {
		why := madeInVain(err)
		if why == "" || try > 1 && !makesAgain(err) {
			break
		}
		t.Talk("%s: the archive in the making is made again from what was received", why)
		if err = errors.Join(t.closeWork(), t.run.dropBag()); err != nil {
			break
		}
		t.reset()
		r, done, err = t.make(ctx)
	}
	if errors.Is(err, errMended) {
		err = &failure.Error{
			Code: failure.Network, Err: err,
			Message: "what is in doubt comes out different each time that it is fetched",
			Hint:    "run the same command again, over another network when it happens again",
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

// make receives the export and makes its bag, up to the commit. done says that an archive holds it already.
func (t *takeover) make(ctx context.Context) (r *Result, done bool, err error) {
	if err = t.receipts.worse(t.receive(ctx)); err != nil {
		return nil, false, err
	}
	if !t.New {
		if r, err = t.alike(ctx); r != nil || err != nil {
			return r, true, err
		}
	}
	r, err = t.seal(ctx)
	return r, false, t.receipts.worse(err)
}

// mostRemakings is how often one process makes the bag again because other bytes come each time.
const mostRemakings = 5

// makesAgain reports whether what is received by now makes another bag than the one in the making.
func makesAgain(err error) bool {
	return errors.Is(err, errMended) || errors.Is(err, errLate) || errors.Is(err, fetch.ErrCutOff)
}

// madeInVain says why the bag in the making is of no use though what it is made from is, or nothing.
func madeInVain(err error) string {
	switch {
	case errors.Is(err, errOtherOrder):
		return "a listing names its files in another order than before"
	case makesAgain(err):
		return err.Error()
	case errors.Is(err, archive.ErrDamaged):
		return fmt.Sprintf("the disk no longer holds what was written to it (%v)", err)
	}
	return ""
}

// alike returns the archive that holds, byte for byte, what has now been received, or nil: then nothing is
// archived twice.
func (t *takeover) alike(ctx context.Context) (*Result, error) {
	received, err := t.objects(ctx)
	if err != nil {
		return nil, err
	}
	done, err := sameContent(ctx, t.store, received)
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
	t.fetching, t.bag, t.db, t.tables, t.owners, t.custody = nil, nil, nil, nil, nil, nil
	t.found, t.litter, t.counts = findings{}, litterCount{}, counts{}
}

// unfinished describes what a takeover that failed leaves behind.
func (t *takeover) unfinished(err error) *Result {
	r := &Result{
		Location: t.run.dir, State: StateIncomplete, Tables: map[string]TableCount{},
		Findings: []FindingCount{},
	}
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

// measure fills in what can be said at any time.
func (t *takeover) measure(r *Result) {
	t.measureTransfer(r)
	r.Documents = t.counts.documents()
}

func (t *takeover) measureTransfer(r *Result) {
	p := t.transferred()
	r.FetchedBytes, r.ReusedBytes = p.Fetched, p.Reused
	r.Seconds = t.Now().Sub(t.began).Seconds()
}

// transferred is what this process has fetched, over all of its bags, and what it found.
func (t *takeover) transferred() (p fetch.Progress) {
	if t.fetching != nil {
		p = t.fetching.Progress()
	}
	if t.before != nil {
		p.Fetched, p.Reused = p.Fetched+t.before.Fetched, t.before.Reused
	}
	return p
}

// receive brings every object in and its contents into tables and packs.
func (t *takeover) receive(ctx context.Context) (err error) {
	if t.fetching, err = t.fetcher.Start(ctx, t.plan, t.run.spool()); err != nil {
		return err
	}
	if err := t.run.prepare(shape(t.fetching.Objects, t.Options)); err != nil {
		return err
	}
	if t.bag, err = openBuilder(t.run, t.Talk); err != nil {
		return err
	}
	if err := t.deliver(); err != nil {
		return err
	}
	t.found.path = t.run.path("tmp/found.jsonl")
	t.db, err = query.Create(ctx, t.run.path("tables.duckdb"), query.BuildOptions{
		TempDir:   t.run.path("tmp"),
		DateOrder: t.DateOrder,
		Snapshot:  t.run.state.Started,
		Meta:      meta(t.Software, t.source.name()),
		Threads:   1,
		Hurry:     runtime.NumCPU(), // packing waits, and leaves the cores alone
	})
	if err != nil {
		return err
	}
	t.custody = newCustody(t.run.path("entries"))
	stop := t.watch()
	defer stop()
	return t.unpackAll(ctx)
}

// openBuilder goes on with the run's bag. Where the disk no longer holds what was recorded, the bag is made
// anew: all that it is made from is in the spool.
func openBuilder(r *run, talk func(string, ...any)) (*archive.Builder, error) {
	b, err := archive.NewBuilder(r.path("bag"))
	if !errors.Is(err, archive.ErrDamaged) {
		return b, err
	}
	talk("the archive in the making is damaged, and is made again from what was received: %v", err)
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
	return errors.Join(append(errs, t.found.close())...)
}

// watch reports progress until stop is called.
func (t *takeover) watch() (stop func()) {
	return t.reporting(func() Progress {
		p := t.fetching.Progress()
		phase := "fetching"
		if p.Total >= 0 && p.Done == p.Total {
			phase = "archiving"
		}
		return Progress{Progress: p, Phase: phase, Documents: t.counts.total()}
	})
}

// watchProbing reports which links do not say what they serve, until stop is called.
func (o Options) watchProbing(f *fetch.Fetcher) (stop func()) {
	o.report(Progress{Phase: "probing"})
	return o.reporting(func() Progress {
		return Progress{Phase: "probing", Progress: fetch.Progress{Waiting: f.Waiting()}}
	})
}

// reporting reports what now returns, several times a second, until stop is called, which may be more than
// once.
func (o Options) reporting(now func() Progress) (stop func()) {
	if o.Progress == nil {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				o.report(now())
			}
		}
	}()
	return sync.OnceFunc(func() { close(done); <-ended })
}
