package fetch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"sync"

	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/fetch/listing"
	"holdall/internal/filetype"
)

// openListing prepares an object that is a listing: for its files, which begin to be fetched while it is
// still being read. A listing that an earlier run completed and that has not been asked for again needs
// nothing.
func (r *Run) openListing(src *Source, e *spoolEntry) (*Object, error) {
	o := &Object{
		Source: src, run: r, path: dataPath(r.spool.dir, e.Name), name: e.Name, id: src.Identity, size: -1,
		refetch: newRefetch(),
	}
	o.spans.active = map[*span]*worker{}
	o.readers.arrived = sync.NewCond(&r.mu)
	if src.answeredFrom != "" {
		return o, r.reopenListing(o, e)
	}
	var err error
	if o.files, err = newFilePool(r, o, e.Name); err != nil {
		return nil, err
	}
	o.access.probe = r.f.takeProbe(src)
	return o, nil
}

// reopenListing takes over a complete listing.
func (r *Run) reopenListing(o *Object, e *spoolEntry) error {
	set, err := openFileStore(r.spool.dir, e.Name)
	if err != nil {
		return err
	}
	o.files = &filePool{o: o, files: set, queue: fileQueue{listed: true}, cond: sync.NewCond(&r.mu)}
	index, err := os.ReadFile(indexPath(r.spool.dir, e.Name))
	if err != nil {
		return errors.Join(failure.Disk(err, "read a listing back"), set.close())
	}
	for ; len(index) >= 4; index = index[4:] {
		o.files.results.records = append(o.files.results.records, binary.LittleEndian.Uint32(index))
	}
	o.files.results.done = len(o.files.results.records)
	v, err := listingDone(r.spool.dir, e.Name)
	if err != nil {
		return errors.Join(err, set.close())
	}
	if o.files.digest, err = readListingDigest(r.spool.dir, e.Name); err != nil {
		return errors.Join(failure.Disk(err, "read a listing back"), set.close())
	}
	o.size, o.outcome.complete, o.outcome.verified = v.Size, true, v
	return nil
}

// listingDone says what a complete listing in a spool is, or fails when it is not complete.
func listingDone(dir, name string) (Verified, error) {
	f, err := os.Open(journalPath(dir, name))
	if err != nil {
		return Verified{}, err
	}
	defer f.Close()
	mem, err := readJournal(f)
	if err != nil {
		return Verified{}, err
	}
	if mem.done == nil {
		return Verified{}, errNoStore
	}
	return *mem.done, checkIndex(dir, name)
}

// checkIndex returns errNoStore unless each record that the index of a complete listing names is there.
func checkIndex(dir, name string) error {
	index, err := os.ReadFile(indexPath(dir, name))
	if err != nil {
		return err
	}
	f, err := os.Open((&fileStore{dir: dir, name: name}).journalPath())
	if err != nil {
		return err
	}
	defer f.Close()
	var good []bool
	if err := readRecords(f, func(n uint32, kind byte, _ fileRecord) bool {
		good = append(good, make([]bool, int(n)+1-len(good))...)
		good[n] = kind == recFile
		return true
	}); err != nil {
		return err
	}
	for ; len(index) >= 4; index = index[4:] {
		if n := int(binary.LittleEndian.Uint32(index)); n > 0 && (n > len(good) || !good[n-1]) {
			return errNoStore
		}
	}
	return nil
}

// followListing is the goroutine that reads a listing, has its files fetched, and completes it.
func (r *Run) followListing(o *Object) {
	var wg sync.WaitGroup
	defer wg.Wait()
	if !r.dataFirst(o) {
		return
	}
	for range o.files.conns.limit {
		wg.Add(1)
		go func() { defer wg.Done(); o.files.work(r.ctx) }()
	}
	r.mu.Lock()
	probe := o.access.probe
	o.access.probe = nil
	r.mu.Unlock()
	x := r.f.gate.unpark(probe)
	p := &listingReader{f: r.f, ctx: r.ctx, src: o.Source, yield: o.files.add, retried: r.retried}
	err := p.read(x)
	r.mu.Lock()
	o.files.notes = p.notes
	o.files.queue.listed = err == nil
	if err != nil {
		o.fail(o.Source.failure(err))
	}
	o.files.cond.Broadcast()
	o.readers.arrived.Broadcast()
	r.mu.Unlock()
	wg.Wait()
	r.mu.Lock()
	failed := o.outcome.failed != nil
	r.mu.Unlock()
	if failed {
		return
	}
	if e := o.files.unresolved(); e != nil {
		r.mu.Lock()
		o.fail(e)
		o.readers.arrived.Broadcast()
		r.mu.Unlock()
		return
	}
	if err := r.completeListing(o); err != nil {
		r.fatal(err)
	}
}

// retried counts a try that had to be repeated.
func (r *Run) retried() {
	r.mu.Lock()
	r.retries++
	r.mu.Unlock()
}

// dataFirst waits until no bytes of a data part are left to be claimed, since those come first. It is false
// when o has ended meanwhile.
func (r *Run) dataFirst(o *Object) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		if o.over() {
			return false
		}
		busy := o.Source.Part != link.PartData && slices.ContainsFunc(r.Objects, func(d *Object) bool {
			return d.Source.Part == link.PartData && d.files == nil && !d.over() && len(d.spans.free) > 0
		})
		if !busy {
			return true
		}
		r.work.Wait()
	}
}

// completeListing writes down what came of a listing, durably.
func (r *Run) completeListing(o *Object) error {
	if err := o.files.files.sync(); err != nil {
		return err
	}
	v, err := o.files.save(r.spool.dir, o.name)
	if err != nil {
		return err
	}
	j, err := createJournal(journalPath(r.spool.dir, o.name), 1, 0)
	if err != nil {
		return failure.Disk(err, "write the spool's journal")
	}
	defer j.f.Close()
	// With files or pages missing the next run has something to do, so the listing is not done for good.
	if len(o.files.results.errs) == 0 && len(o.files.notes) == 0 {
		err = j.done(v)
	}
	if err == nil {
		err = datasync(j.f)
	}
	if err != nil {
		return failure.Disk(err, "write the spool's journal")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	o.outcome.complete, o.outcome.verified, o.size = true, v, v.Size
	o.readers.arrived.Broadcast()
	r.work.Broadcast()
	return nil
}

// fetchLargeFile fetches a large file of a listing as an object of its own. x is its first response.
func (r *Run) fetchLargeFile(src *Source, name string, x *exchange) (*Object, error) {
	e := &spoolEntry{Name: name, Identity: src.Identity}
	r.f.keepProbe(src, x)
	_, err := os.Stat(journalPath(r.spool.dir, name))
	o, err := r.openObject(src, e, err == nil)
	if err != nil {
		r.f.takeProbe(src).close(err)
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.order = append(r.order, o)
	if o.outcome.failed == nil && r.ctx.Err() != nil {
		o.fail(failure.Stopped(r.ctx))
	}
	r.begin(o)
	return o, nil
}

// releaseLargeFile ends what fetchLargeFile began, and returns when nothing works on o any more. What has
// been received of a file that is not complete is there for the next run.
func (r *Run) releaseLargeFile(o *Object) {
	r.mu.Lock()
	if r.ctx.Err() != nil { // o is about to leave r.order, where interrupt would find it
		o.fail(failure.Stopped(r.ctx))
	}
	for len(o.spans.active) > 0 || o.outcome.hashing {
		r.work.Wait()
	}
	complete := o.outcome.complete
	r.mu.Unlock()
	if !complete {
		at, state := o.hash.state()
		if err := o.store.sync(at, state); err != nil {
			r.fatal(err)
		}
	}
	r.mu.Lock()
	r.order = slices.DeleteFunc(r.order, func(x *Object) bool { return x == o })
	o.outcome.closed = true
	x := o.access.probe
	o.access.probe = nil
	r.mu.Unlock()
	x.close(nil)
	_ = o.close()
	if o.outcome.superseded { // the next try starts over
		if err := os.Remove(journalPath(r.spool.dir, o.name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			r.fatal(failure.Disk(err, "remove what is no longer served from the spool"))
		}
	}
}

// maxSample is how many files of a listing are enough to recognise it by.
const maxSample = 100

// fileSample returns the keys of the first files of a listing, by which a later listing is recognised as one
// of the same files.
func fileSample(k filetype.Type, first []byte, base *url.URL) []fileKey {
	var keys []fileKey
	_, _ = listing.Read(k, bytes.NewReader(listing.WholeLines(first)), base, func(l listing.Entry) error {
		keys = append(keys, keyOf(l.Link))
		if len(keys) == maxSample {
			return io.EOF
		}
		return nil
	})
	return keys
}
