package fetch

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/url"
	"os"
	"regexp"
	"slices"
	"sync"
	"time"

	"holdall/internal/unpack"
)

const maxPages = 1_000_000 // of one listing

// openListing prepares an object that is a listing: for its files, which begin to be fetched while it is still being read.
// A listing that an earlier run completed and that has not been asked for again needs nothing.
func (r *Run) openListing(src *Source, e *spoolEntry) (*Object, error) {
	o := &Object{Source: src, run: r, path: dataPath(r.spool.dir, e.Name), name: e.Name, id: src.Identity, size: -1, active: map[*span]*worker{}}
	o.arrived = sync.NewCond(&r.mu)
	if src.spooled != "" {
		return o, r.reopenListing(o, e)
	}
	var err error
	if o.files, err = newFilePool(r, o, e.Name); err != nil {
		return nil, err
	}
	o.probe = r.f.takeProbe(src)
	return o, nil
}

// reopenListing takes over a complete listing.
func (r *Run) reopenListing(o *Object, e *spoolEntry) error {
	set, err := openFileSet(r.spool.dir, e.Name)
	if err != nil {
		return err
	}
	o.files = &filePool{o: o, set: set, listed: true, cond: sync.NewCond(&r.mu)}
	index, err := os.ReadFile(indexPath(r.spool.dir, e.Name))
	if err != nil {
		return errors.Join(diskError(err, "read a listing back"), set.close())
	}
	for ; len(index) >= 4; index = index[4:] {
		o.files.at = append(o.files.at, binary.LittleEndian.Uint32(index))
	}
	o.files.done = len(o.files.at)
	v, err := listingDone(r.spool.dir, e.Name)
	if err != nil {
		return errors.Join(err, set.close())
	}
	o.size, o.complete, o.verified = v.Size, true, v
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
	if _, err := os.Stat(indexPath(dir, name)); err != nil {
		return Verified{}, err
	}
	return *mem.done, nil
}

// followListing is the goroutine that reads a listing, has its files fetched, and completes it.
func (r *Run) followListing(o *Object) {
	var wg sync.WaitGroup
	defer wg.Wait()
	if !r.dataFirst(o) {
		return
	}
	for range o.files.most {
		wg.Add(1)
		go func() { defer wg.Done(); o.files.work(r.ctx) }()
	}
	err := r.readPages(o)
	r.mu.Lock()
	o.files.listed = err == nil
	if err != nil {
		o.fail(o.Source.failure(err))
	}
	o.files.cond.Broadcast()
	o.arrived.Broadcast()
	r.mu.Unlock()
	wg.Wait()
	r.mu.Lock()
	failed := o.failed != nil
	r.mu.Unlock()
	if failed {
		return
	}
	if err := r.completeListing(o); err != nil {
		r.fatal(err)
	}
}

// dataFirst waits until no bytes of a data part are left to be claimed, since those come first. It is false when o has ended meanwhile.
func (r *Run) dataFirst(o *Object) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		if o.settled() {
			return false
		}
		busy := o.Source.Part != PartData && slices.ContainsFunc(r.Objects, func(d *Object) bool {
			return d.Source.Part == PartData && d.files == nil && !d.settled() && len(d.free) > 0
		})
		if !busy {
			return true
		}
		r.work.Wait()
	}
}

// completeListing writes down what came of a listing, durably.
func (r *Run) completeListing(o *Object) error {
	if err := o.files.set.sync(); err != nil {
		return err
	}
	v, err := o.files.save(r.spool.dir, o.name)
	if err != nil {
		return err
	}
	j, err := createJournal(journalPath(r.spool.dir, o.name), 1, 0)
	if err != nil {
		return diskError(err, "write the spool's journal")
	}
	defer j.f.Close()
	// With files missing the next run has something to do, so the listing is not done for good.
	if len(o.files.errs) == 0 {
		err = j.done(v)
	}
	if err == nil {
		err = datasync(j.f)
	}
	if err != nil {
		return diskError(err, "write the spool's journal")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	o.complete, o.verified, o.size = true, v, v.Size
	o.arrived.Broadcast()
	r.work.Broadcast()
	return nil
}

// readPages reads a listing page by page.
func (r *Run) readPages(o *Object) error {
	link, x := o.Source.Link, o.probe
	o.probe = nil
	seen := map[Link]bool{}
	for page := 0; page < maxPages; page++ {
		seen[link] = true
		s := &pageReader{r: r, o: o, link: link, x: x, first: page == 0}
		next, err := readListing(o.Source.Kind, s, s.base(), o.files.add)
		err = s.close(err)
		if err != nil {
			return err
		}
		if next == "" {
			next = s.next
		}
		if next == "" {
			return nil
		}
		n, err := NewLink(next)
		if err != nil || seen[n] {
			r.logf("%s: the listing's pages lead in a circle", o.Source.Link)
			return nil
		}
		link, x = n, nil
	}
	return &Error{Code: NotTheExport, Message: "the listing has no end", Hint: hintFor(NotTheExport)}
}

// A pageReader reads one page of a listing over as many responses as it takes. What it has yielded is hashed, so that a
// server that starts over is known to send the same.
type pageReader struct {
	r     *Run
	o     *Object
	link  Link
	x     *exchange
	first bool
	next  string // from the Link header
	at    int64
	sum   hash.Hash
	tries tries
	id    *Identity
}

// base is what relative links are relative to.
func (s *pageReader) base() *url.URL {
	if s.x != nil && !s.x.final.IsZero() {
		return s.x.final.parsed()
	}
	return s.link.parsed()
}

func (s *pageReader) Read(p []byte) (int, error) {
	if s.sum == nil {
		s.sum = sha256.New()
	}
	for {
		if s.x == nil {
			if err := s.open(); err != nil {
				if err := s.pause(err); err != nil {
					return 0, err
				}
				continue
			}
		}
		s.learn()
		n, err := s.x.Read(p)
		s.sum.Write(p[:n])
		s.at += int64(n)
		if n > 0 {
			s.tries.got(time.Now())
		}
		end := s.x.bounds.end
		switch {
		case n > 0:
			return n, nil
		case err == io.EOF && (end < 0 || s.at >= end):
			return 0, io.EOF
		case err != nil:
			s.x.close(err)
			s.x = nil
			if err := s.pause(cutShort(err)); err != nil {
				return 0, err
			}
		}
	}
}

// learn takes what the page's first response tells beside its body.
func (s *pageReader) learn() {
	if s.id == nil {
		s.id = &s.x.identity
		s.next = nextOf(s.x)
	}
}

var nextLink = regexp.MustCompile(`<([^>]*)>\s*;[^,]*\brel="?next"?`)

// nextOf reads the next page from a Link header (RFC 8288).
func nextOf(x *exchange) string {
	for _, v := range x.resp.Header.Values("Link") {
		if m := nextLink.FindStringSubmatch(v); m != nil {
			if u, err := x.resp.Request.URL.Parse(m[1]); err == nil {
				return u.String()
			}
		}
	}
	return ""
}

// open asks for the page from where reading is.
func (s *pageReader) open() error {
	x, err := s.r.f.get(s.r.ctx, want{object: s.o.Source.Number, part: s.o.Source.Part, link: s.link, from: s.at, to: -1, whole: s.tries.whole, retries: s.tries.wait.Tries()})
	if err != nil {
		return err
	}
	deadline, _ := expiry(s.link)
	if err := s.r.f.judge(x, deadline); err != nil {
		x.close(err)
		return err
	}
	if s.at > 0 && s.id != nil && s.id.changed(x.identity) != "" {
		err := errChanged{s.id.changed(x.identity)}
		x.close(err)
		return err
	}
	if err := s.skip(x); err != nil {
		x.close(err)
		return err
	}
	s.x = x
	return nil
}

// skip reads again what has been read already, when the server starts over, and compares it.
func (s *pageReader) skip(x *exchange) error {
	if x.bounds.start == s.at {
		return nil
	}
	if x.bounds.start != 0 {
		return fmt.Errorf("%w: asked for the bytes from %d, got those from %d", errAnswer, s.at, x.bounds.start)
	}
	h := sha256.New()
	if _, err := io.CopyN(h, x, s.at); err != nil {
		return cutShort(err)
	}
	if !bytes.Equal(h.Sum(nil), s.sum.Sum(nil)) {
		return errChanged{itsBytes}
	}
	return nil
}

// pause waits before the next try, or returns what no other try will change.
func (s *pageReader) pause(err error) error {
	v := s.tries.failed(err, nothing, time.Now(), s.r.f.opts.budget())
	switch {
	case v.action == giveUp && v.err.Code == ObjectChanged:
		return &Error{Code: ObjectChanged, Message: "the listing changed while it was being read", Hint: hintFor(ObjectChanged)}
	case v.action == giveUp || v.action == stopAll:
		return v.err
	}
	s.r.mu.Lock()
	s.r.retries++
	s.r.mu.Unlock()
	if !sleep(s.r.ctx, v.after) {
		return interrupted(s.r.ctx)
	}
	return nil
}

// close ends the page. err is that of its reader.
func (s *pageReader) close(err error) error {
	if s.x != nil {
		s.x.close(err)
	}
	if errors.Is(err, errListing) && !s.first {
		return &Error{Code: NotTheExport, Message: "a page of the listing is not one", Hint: hintFor(NotTheExport)}
	}
	return err
}

// beside fetches a large file of a listing as an object of its own. x is its first response.
func (r *Run) beside(src *Source, name string, x *exchange) (*Object, error) {
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
	if o.failed == nil && r.ctx.Err() != nil {
		o.fail(interrupted(r.ctx))
	}
	r.begin(o)
	return o, nil
}

// dismiss ends what beside began.
func (r *Run) dismiss(o *Object) {
	r.mu.Lock()
	r.order = slices.DeleteFunc(r.order, func(x *Object) bool { return x == o })
	o.closed = true
	x := o.probe
	o.probe = nil
	r.mu.Unlock()
	x.close(nil)
	_ = o.st.close()
}

// maxSample is how many files of a listing are enough to recognise it by.
const maxSample = 100

// fileSample returns the keys of the first files of a listing, by which a later listing is recognised as one of the same files.
func fileSample(k unpack.Kind, first []byte, base *url.URL) []fileKey {
	var keys []fileKey
	_, _ = readListing(k, bytes.NewReader(wholeLines(first)), base, func(l listed) error {
		keys = append(keys, keyOf(l.link))
		if len(keys) == maxSample {
			return io.EOF
		}
		return nil
	})
	return keys
}
