package fetch

import (
	"errors"
	"sync"
	"time"

	"holdall/fetch/failure"
	"holdall/fetch/link"
)

// add finds, or begins, what the spool has of a source's object.
func (r *Run) add(src *Source) (*Object, error) {
	e, known := r.spool.entryFor(src, r.taken)
	path := dataPath(r.spool.dir, e.Name)
	if known && src.answeredFrom == "" && src.fetchedTo != path && !src.Listing &&
		!r.f.beginsLike(r.spool.dir, src, e) {
		e, known = r.spool.add(src), false
		path = dataPath(r.spool.dir, e.Name)
	}
	r.taken[e] = true
	src.fetchedTo, src.resumed = path, src.fetchedTo == path
	o, err := r.openObject(src, e, known)
	if err == nil && o.files == nil {
		o.cutOff.previous = e.CutAt
	}
	return o, err
}

// beginsLike compares what a source serves first with what has been received: a date may be that of another
// export, and so may an ETag that the server gives to whatever it serves. Where the probe is not open any
// more, the server's word has to do.
func (f *Fetcher) beginsLike(dir string, src *Source, e *spoolEntry) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	x := f.probes[src]
	if x == nil {
		return src.Identity.versioned()
	}
	return e.beginsLike(dir, x.prefix)
}

// openObject resumes what the spool has of an object, or starts over.
func (r *Run) openObject(src *Source, e *spoolEntry, known bool) (*Object, error) {
	if src.Listing {
		return r.openListing(src, e)
	}
	o := &Object{
		Source: src, run: r, path: dataPath(r.spool.dir, e.Name), name: e.Name, id: src.Identity,
		size:     src.Identity.Size,
		spans:    spans{active: map[*span]*worker{}},
		access:   access{limit: maxConns, endSeen: -1},
		attempts: attempts{tries: tries{since: time.Now()}},
		refetch:  newRefetch(),
	}
	o.readers.arrived = sync.NewCond(&r.mu)
	mem := (*journalState)(nil)
	if known {
		var err error
		o.store, mem, err = openStore(r.spool.dir, e.Name, e.Identity)
		if err != nil && !errors.Is(err, errNoStore) {
			return nil, failure.Disk(err, "resume from the spool")
		}
	}
	if o.store == nil {
		var err error
		if o.store, err = createStore(r.spool.dir, e.Name, src.Identity); err != nil {
			return nil, failure.Disk(err, "start an object in the spool")
		}
		mem = nil
	}
	o.access.probe = r.f.takeProbe(src)
	_, signed := link.Expiry(src.Link)
	o.access.signed = signed != ""
	if o.encodings = src.encodings; src.answeredFrom != "" {
		o.encodings = layers(o.id.Encoding, o.store.begins())
	}
	o.restore(mem)
	o.refetch.before = o.size >= 0 && o.spans.received == o.size
	if o.encodings != nil {
		o.outcome.complete = false // until it has been decoded again
	}
	if !src.Ranges || !o.id.versioned() {
		o.access.sequential, o.access.limit = true, 1
	}
	return o, nil
}

// restore takes over what the journal knows.
func (o *Object) restore(mem *journalState) {
	o.hash = newHasher(o.id.digestNames(), 0, nil)
	if mem != nil {
		if mem.size >= 0 {
			o.size = mem.size
		}
		if mem.done != nil && mem.done.isCutOff() && (o.Source.answeredFrom != "" || o.Source.resumed) {
			// there is nobody to ask for more, or somebody has just done so
			o.cutOff.accepted, o.size = true, mem.done.Size
		}
		for i, rec := range mem.pieces {
			o.spans.received += int64(rec.length)
			if o.wholePiece(rec) {
				o.spans.have.add(i, rec.crc)
			}
		}
		o.spans.reused = o.spans.received
		o.hash = newHasher(o.id.digestNames(), mem.hashAt, mem.hashState)
		if mem.done != nil && mem.done.Size == o.spans.received && o.size == o.spans.received {
			o.outcome.complete, o.outcome.verified = true, *mem.done
		}
	}
	end := o.size
	if end < 0 {
		end = forever
	}
	if end == forever {
		o.spans.free = []*span{{pos: o.spans.have.n * o.store.pieceSize, end: end}}
	} else {
		o.spans.free = o.spans.have.gaps(o.store.pieceSize, end)
	}
	if mem == nil {
		return
	}
	for _, rec := range mem.pieces {
		if !o.wholePiece(rec) {
			o.spans.free = beginSpan(o.spans.free, rec, o.store.pieceSize)
		}
	}
}

// wholePiece reports whether a record is of a whole piece, and not of the beginning of one.
func (o *Object) wholePiece(rec pieceRecord) bool {
	start := rec.index * o.store.pieceSize
	return start+int64(rec.length) == o.pieceEnd(start)
}

// keepBeginnings records the pieces that were begun, so that nothing is fetched again. A kill loses them.
func (r *Run) keepBeginnings() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range r.order {
		if o.store == nil || o.outcome.complete {
			continue
		}
		for _, s := range o.spans.free {
			index, begun := s.pos/o.store.pieceSize, s.pos%o.store.pieceSize
			if begun == 0 || s.pos >= s.end {
				continue
			}
			if err := o.store.record(pieceRecord{index, uint32(begun), s.crc}); err != nil {
				r.logf("%s: %v; a little will be fetched again", o.Source.Link, err)
				return
			}
		}
	}
}

// close releases the object's files; with the run's mutex held, or before the run.
func (o *Object) close() error {
	if o.files != nil {
		return o.files.close()
	}
	errs := []error{o.store.close()}
	for _, f := range o.outcome.decoded {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}
