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

// Start fetches everything in the plan into the spool directory dir, going on from what is there. It returns
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
	if err := r.spool.save(); err != nil {
		return err
	}
	return r.preflight()
}

// add finds, or begins, what the spool has of a source's object.
func (r *Run) add(src *Source) (*Object, error) {
	e, known := r.spool.entryFor(src, r.taken)
	path := dataPath(r.spool.dir, e.Name)
	if known && src.spooled == "" && src.taken != path && !src.Listing &&
		!r.f.beginsLike(r.spool.dir, src, e) {
		e, known = r.spool.add(src), false
		path = dataPath(r.spool.dir, e.Name)
	}
	r.taken[e] = true
	src.taken, src.retaken = path, src.taken == path
	o, err := r.openObject(src, e, known)
	if err == nil && o.files == nil {
		o.cut.last = e.CutAt
	}
	return o, err
}

// beginsLike compares what a source serves first with what is here: a date may be that of another export, and
// so may an ETag that the server gives to whatever it serves. Where the probe is not open any more, the
// server's word has to do.
func (f *Fetcher) beginsLike(dir string, src *Source, e *spoolEntry) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	x := f.probes[src]
	if x == nil {
		return src.Identity.versioned()
	}
	return e.beginsLike(dir, x.prefix)
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

// openObject goes on with what the spool has of an object, or starts it anew.
func (r *Run) openObject(src *Source, e *spoolEntry, known bool) (*Object, error) {
	if src.Listing {
		return r.openListing(src, e)
	}
	o := &Object{
		Source: src, run: r, path: dataPath(r.spool.dir, e.Name), name: e.Name, id: src.Identity,
		size:   src.Identity.Size,
		active: map[*span]*worker{}, limit: maxConns, endSeen: -1, tries: tries{since: time.Now()},
		twice: map[int64]bool{},
	}
	o.arrived = sync.NewCond(&r.mu)
	mem := (*memory)(nil)
	if known {
		var err error
		o.st, mem, err = openStore(r.spool.dir, e.Name, e.Identity)
		if err != nil && !errors.Is(err, errNoStore) {
			return nil, failure.Disk(err, "go on with the spool")
		}
	}
	if o.st == nil {
		var err error
		if o.st, err = createStore(r.spool.dir, e.Name, src.Identity); err != nil {
			return nil, failure.Disk(err, "start an object in the spool")
		}
		mem = nil
	}
	o.probe = r.f.takeProbe(src)
	_, signed := link.Expiry(src.Link)
	o.signed = signed != ""
	if o.coded = src.coded; src.spooled != "" {
		o.coded = layers(o.id.Encoding, o.st.begins())
	}
	o.restore(mem)
	o.before = o.size >= 0 && o.here == o.size
	if o.coded != nil {
		o.complete = false // until it has been decoded again
	}
	if !src.Ranges || !o.id.versioned() {
		o.sequential, o.limit = true, 1
	}
	return o, nil
}

// restore takes over what the journal knows.
func (o *Object) restore(mem *memory) {
	o.hash = newHasher(o.id.digestNames(), 0, nil)
	if mem != nil {
		if mem.size >= 0 {
			o.size = mem.size
		}
		if mem.done != nil && mem.done.isCut() && (o.Source.spooled != "" || o.Source.retaken) {
			o.cut.taken, o.size = true, mem.done.Size // there is nobody to ask for more, or somebody just did
		}
		for i, rec := range mem.pieces {
			o.here += int64(rec.length)
			if o.wholePiece(rec) {
				o.have.add(i, rec.crc)
			}
		}
		o.reused = o.here
		o.hash = newHasher(o.id.digestNames(), mem.hashAt, mem.hashState)
		if mem.done != nil && mem.done.Size == o.here && o.size == o.here {
			o.complete, o.verified = true, *mem.done
		}
	}
	end := o.size
	if end < 0 {
		end = forever
	}
	if end == forever {
		o.free = []*span{{pos: o.have.n * o.st.pieceSize, end: end}}
	} else {
		o.free = o.have.gaps(o.st.pieceSize, end)
	}
	if mem == nil {
		return
	}
	for _, rec := range mem.pieces {
		if !o.wholePiece(rec) {
			o.free = beginSpan(o.free, rec, o.st.pieceSize)
		}
	}
}

// wholePiece reports whether a record is of a whole piece, and not of the beginning of one.
func (o *Object) wholePiece(rec pieceRecord) bool {
	start := rec.index * o.st.pieceSize
	return start+int64(rec.length) == o.pieceEnd(start)
}

// keepBeginnings records the pieces that were begun, so that nothing is fetched again. A kill loses them.
func (r *Run) keepBeginnings() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range r.order {
		if o.st == nil || o.complete {
			continue
		}
		for _, s := range o.free {
			index, begun := s.pos/o.st.pieceSize, s.pos%o.st.pieceSize
			if begun == 0 || s.pos >= s.end {
				continue
			}
			if err := o.st.record(pieceRecord{index, uint32(begun), s.crc}); err != nil {
				r.logf("%s: %v; a little will be fetched again", o.Source.Link, err)
				return
			}
		}
	}
}

// preflight compares what is still to come with the space that is left.
func (r *Run) preflight() error {
	var need int64
	for _, o := range r.Objects {
		if o.size >= 0 {
			need += o.size - o.here
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
		if !o.complete {
			r.begin(o)
		}
	}
	r.mu.Unlock()
	for _, src := range p.Sources {
		if src.chaseable(r.f.opts.budget()) {
			r.moving.Go(func() { r.chase(src) })
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
		r.noteCuts()
		r.disk.stop()
		<-flushed
		r.closeAnswers()
		close(r.ended)
	}()
}

// begin starts what one object needs; with the run's mutex held.
func (r *Run) begin(o *Object) {
	if o.files != nil {
		r.moving.Go(func() { r.followListing(o) })
		return
	}
	r.moving.Go(func() { r.follow(o) })
	h := r.host(o.Source.Link.Host())
	if o.Source.Kind == filetype.ZIP {
		h.keptUntil = time.Now().Add(kept) // a ZIP is read from its end
	}
	for ; h.running < h.most; h.running++ {
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

// closeAnswers leaves nothing open but what readers need: the answers that Refetch may have to read included.
func (r *Run) closeAnswers() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range r.all() {
		if !o.before {
			o.probe.close(nil)
			o.probe = nil
		}
	}
}

// closeKept closes the answers at a host that are left open for Refetch alone: it allows no further
// connection beside them. With the run's mutex held.
func (r *Run) closeKept(host string) {
	for _, o := range r.all() {
		if o.complete && o.Source.Link.Host() == host {
			o.probe.close(nil)
			o.probe = nil
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
		if o.failed != nil && (worst == nil || o.failed.Code.Rank() < worst.Code.Rank()) {
			worst = o.failed
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
		if o.closed {
			continue
		}
		o.closed = true
		o.probe.close(nil)
		o.arrived.Broadcast()
		errs = append(errs, o.close())
		if o.superseded {
			errs = append(errs, r.spool.supersede(o.name))
		}
	}
	errs = append(errs, r.spool.close())
	if err := errors.Join(errs...); err != nil && !errors.Is(err, os.ErrClosed) {
		return failure.Disk(err, "close the spool")
	}
	return nil
}

// close releases the object's files; with the run's mutex held, or before the run.
func (o *Object) close() error {
	if o.files != nil {
		return o.files.close()
	}
	errs := []error{o.st.close()}
	for _, f := range o.plain {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

func (r *Run) logf(format string, a ...any) { r.f.logf(format, a...) }

// Progress is a snapshot of a Run.
type Progress struct {
	Done, Total int64 // bytes here, and in all; Total is -1 while a size is unknown
	Reused      int64 // of Done, bytes that were here before this run
	Fetched     int64 // bytes taken from the network, retries included
	Files       int   // files of listings done
	TotalFiles  int
	Connections int
	Retries     int
	Waiting     []Wait // the links that do not get on, and why
	ByPart      map[link.Part]PartProgress
}

// PartProgress is the progress of one part.
type PartProgress struct {
	Done, Total int64
	Files       int
}

// Progress may be called at any time.
func (r *Run) Progress() Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := Progress{
		Fetched: r.fetched, Retries: r.retries, ByPart: map[link.Part]PartProgress{},
		Waiting: r.waiting(time.Now()),
	}
	for _, o := range r.all() {
		part := p.ByPart[o.Source.Part]
		here, size, reused := o.here, o.size, o.reused
		if fp := o.files; fp != nil {
			here, size, reused = fp.progress()
			part.Files += fp.done
			p.Files += fp.done
			p.TotalFiles += len(fp.at)
			p.Connections += fp.busy
		}
		part.Done += here
		part.Total = addSize(part.Total, size)
		p.ByPart[o.Source.Part] = part
		p.Done += here
		p.Total = addSize(p.Total, size)
		p.Reused += reused
		p.Connections += len(o.active)
	}
	return p
}

// addSize adds sizes of which one may be unknown.
func addSize(a, b int64) int64 {
	if a < 0 || b < 0 {
		return -1
	}
	return a + b
}
