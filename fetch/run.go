package fetch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/internal/diskspace"
	"holdall/internal/filetype"
)

// A Run is a fetch under way.
type Run struct {
	Objects []*Object // one for each Source without Err, in their order

	f      *Fetcher
	ctx    context.Context
	cancel context.CancelFunc
	spool  *spool
	moving sync.WaitGroup // goroutines that fetch and hash
	ended  chan struct{}  // closed when all is done
	disk   *flusher

	adding sync.Mutex           // guards taken, and the spool's list
	taken  map[*spoolEntry]bool // entries of the spool that belong to sources

	mu       sync.Mutex // guards what follows, and the objects
	work     *sync.Cond // there may be something to do
	order    []*Object  // all objects as they are fetched: data first, large files of listings last
	hosts    map[string]*host
	fatalErr *failure.Error
	started  time.Time
	fetched  int64 // bytes taken from the network
	retries  int
	closed   bool

	late        []late
	lateObjects []*Object
}

// Start fetches everything in the plan into the spool directory dir, resuming from what is there. It returns
// at once. Data parts come first, then attachments and CVs side by side.
func (f *Fetcher) Start(ctx context.Context, p *Plan, dir string) (*Run, error) {
	sp, err := openSpool(dir)
	if err != nil {
		return nil, err
	}
	r := &Run{
		f: f, spool: sp, hosts: map[string]*host{}, ended: make(chan struct{}), started: time.Now(),
		taken: map[*spoolEntry]bool{},
	}
	r.ctx, r.cancel = context.WithCancel(ctx)
	r.work = sync.NewCond(&r.mu)
	r.disk = newFlusher(r)
	if err := r.open(p); err != nil {
		r.cancel()
		return nil, errors.Join(err, r.release())
	}
	r.launch(p)
	return r, nil
}

// open prepares the objects, and the spool for them.
func (r *Run) open(p *Plan) error {
	for _, src := range p.Sources {
		if src.Err == nil && !src.probed() {
			r.f.probe(r.ctx, src)
		}
		if src.Err != nil {
			continue
		}
		o, err := r.add(src)
		if err != nil {
			return err
		}
		r.Objects = append(r.Objects, o)
	}
	r.order = byPriority(r.Objects)
	r.spool.list.recordEmpty(p.Sources...)
	if err := r.spool.save(); err != nil {
		return err
	}
	return r.preflight()
}

// byPriority puts data parts first; the rest keeps its order.
func byPriority(objects []*Object) []*Object {
	var first, rest []*Object
	for _, o := range objects {
		if o.Source.Part == link.PartData {
			first = append(first, o)
		} else {
			rest = append(rest, o)
		}
	}
	return append(first, rest...)
}

// preflight compares what is still to come with the space that is left.
func (r *Run) preflight() error {
	var need int64
	for _, o := range r.Objects {
		if o.size >= 0 {
			need += o.size - o.spans.received
		}
	}
	space, ok := diskspace.Of(r.spool.dir)
	if ok && need > space.Free {
		return &failure.Error{
			Code: failure.DiskFull, Reason: failure.ReasonSpoolFull, Hint: failure.HintSpace,
			Message: fmt.Sprintf(
				"%d bytes are still to be fetched, but only %d are free for the spool", need, space.Free,
			),
		}
	}
	return nil
}

// launch starts the goroutines: for each object one that hashes, for each host its workers, one that syncs,
// and one that watches over all of them.
func (r *Run) launch(p *Plan) {
	r.mu.Lock()
	for _, o := range r.Objects {
		if !o.outcome.complete {
			r.begin(o)
		}
	}
	r.mu.Unlock()
	for _, src := range p.Sources {
		if src.worthProbingLater(r.f.opts.retryBudget()) {
			r.moving.Go(func() { r.probeLater(src) })
		}
	}
	stop := context.AfterFunc(r.ctx, r.interrupt)
	watched, flushed := make(chan struct{}), make(chan struct{})
	go func() { defer close(flushed); r.disk.loop() }()
	quit := make(chan struct{})
	go func() { defer close(watched); r.monitor(quit) }()
	go func() {
		r.moving.Wait()
		stop()
		close(quit)
		<-watched
		r.keepBeginnings()
		r.recordCutOffs()
		r.disk.stop()
		<-flushed
		r.closeProbes()
		close(r.ended)
	}()
}

// begin starts what one object needs; with the run's mutex held.
func (r *Run) begin(o *Object) {
	if o.files != nil {
		r.moving.Go(func() { r.followListing(o) })
		return
	}
	o.outcome.hashing = true
	r.moving.Go(func() { r.hashObject(o) })
	h := r.host(o.Source.Link.Host())
	if o.Source.Kind == filetype.ZIP {
		h.reservedUntil = time.Now().Add(reserveFor) // a ZIP is read from its end
	}
	for ; h.running < h.limit; h.running++ {
		w := &worker{host: h}
		h.workers = append(h.workers, w)
		r.moving.Go(func() { r.runWorker(w) })
	}
}

// interrupt fails what is unfinished because the context ended.
func (r *Run) interrupt() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range r.order {
		o.fail(failure.Stopped(r.ctx))
	}
	r.work.Broadcast()
}

// fatal stops everything, because of something that is not one link's fault.
func (r *Run) fatal(err error) {
	e := failure.From(err, failure.Internal, "fetch")
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fatalErr == nil {
		r.fatalErr = e
	}
	for _, o := range r.order {
		o.fail(e)
	}
	r.work.Broadcast()
	r.cancel()
}

// closeProbes leaves nothing open but what readers need: the answers that Refetch may have to read included.
func (r *Run) closeProbes() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range r.all() {
		if !o.refetch.before {
			o.access.probe.close(nil)
			o.access.probe = nil
		}
	}
}

// closeProbesAt closes the answers at a host that are left open for Refetch alone: it allows no further
// connection next to them. With the run's mutex held.
func (r *Run) closeProbesAt(host string) {
	for _, o := range r.all() {
		if o.outcome.complete && o.Source.Link.Host() == host {
			o.access.probe.close(nil)
			o.access.probe = nil
		}
	}
}

// Wait returns when nothing is under way any more: nil when every object is complete, else the first failure
// that is not the consequence of another one; it is an *Error. The spool is then consistent and closed for
// writing. Objects can still be read until Close.
func (r *Run) Wait() error {
	<-r.ended
	r.mu.Lock()
	defer r.mu.Unlock()
	worst := r.fatalErr
	for _, o := range r.all() {
		if o.outcome.failed != nil && (worst == nil || o.outcome.failed.Code.Rank() < worst.Code.Rank()) {
			worst = o.outcome.failed
		}
	}
	if worst == nil {
		return nil
	}
	return worst
}

// Close stops what is under way and releases the spool.
func (r *Run) Close() error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil
	}
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	<-r.ended
	return r.release()
}

// release closes the objects and gives up the spool.
func (r *Run) release() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, o := range r.all() {
		if o.outcome.closed {
			continue
		}
		o.outcome.closed = true
		o.access.probe.close(nil)
		o.readers.arrived.Broadcast()
		errs = append(errs, o.close())
		if o.outcome.superseded {
			errs = append(errs, r.spool.supersede(o.name))
		}
	}
	errs = append(errs, r.spool.close())
	if err := errors.Join(errs...); err != nil && !errors.Is(err, os.ErrClosed) {
		return failure.Disk(err, "close the spool")
	}
	return nil
}

func (r *Run) logf(format string, a ...any) { r.f.logf(format, a...) }
