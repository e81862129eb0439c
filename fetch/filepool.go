package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"sync"
	"syscall"
	"time"

	"holdall/internal/digest"
	"holdall/internal/retry"
	"holdall/internal/unpack"
)

const (
	startFileConns = 32      // small files wait for the server more than for the line,
	maxFileConns   = 64      // so there are more connections than for large objects
	largeFile      = 1 << 20 // beyond, a file is fetched in pieces, as an object of its own
	fileTries      = 10
	enoughPages    = 5 // web pages in place of files, with nothing else, until it is clear what they mean
)

// A filePool fetches the files of a listing. The run's mutex guards its fields from next on.
type filePool struct {
	o     *Object
	shelf *shelf
	set   *fileSet
	cond  *sync.Cond // something to do, or nothing more

	next      int   // first file not handed out
	listed    bool  // the listing has been read to its end
	bytes     int64 // of files that are here
	reused    int64
	done      int            // files that are here or have failed for good
	good      int            // files fetched
	pages     int            // web pages that came instead of files
	refused   int            // refusals in a row
	at        []uint32       // for each file its record's number and one; 0 while there is none
	errs      map[int]*Error // files that have failed for good
	seen      map[uint64]int32
	same      map[int][]int // files with the very link of an earlier one
	alias     map[int]bool  // these
	again     []fileRetry   // in the order of their times
	tries     map[int]int
	busy      int
	target    int
	most      int
	halved    time.Time
	lastBytes time.Time
	backoff   retry.Backoff
}

type fileRetry struct {
	index int
	at    time.Time
}

func newFilePool(r *Run, o *Object, name string) (*filePool, error) {
	set, err := openFileSet(r.spool.dir, name)
	if err != nil {
		return nil, err
	}
	sh, err := newShelf(r.spool.dir)
	if err != nil {
		return nil, errors.Join(err, set.close())
	}
	p := &filePool{
		o: o, shelf: sh, set: set, cond: sync.NewCond(&r.mu), errs: map[int]*Error{}, seen: map[uint64]int32{},
		same: map[int][]int{}, alias: map[int]bool{}, tries: map[int]int{}, target: startFileConns, most: maxFileConns, lastBytes: time.Now(),
	}
	if n := r.f.opts.Connections; n > 0 {
		p.target, p.most = n, n
	}
	return p, nil
}

// add takes in the next file of the listing.
func (p *filePool) add(l listed) error {
	if err := p.shelf.add(l); err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(l.link.Secret()))
	h := binary.LittleEndian.Uint64(sum[:])
	r := p.o.run
	r.mu.Lock()
	defer r.mu.Unlock()
	i := len(p.at)
	p.at = append(p.at, 0)
	if first, ok := p.seen[h]; ok {
		if p.settled(int(first)) {
			p.copySettled(int(first), i)
		} else {
			p.same[int(first)] = append(p.same[int(first)], i)
		}
		p.alias[i] = true
	} else {
		p.seen[h] = int32(i)
	}
	p.cond.Signal()
	return p.failure()
}

func (p *filePool) failure() error {
	if p.o.failed != nil {
		return p.o.failed
	}
	return nil
}

func (p *filePool) settled(i int) bool { return p.at[i] != 0 || p.errs[i] != nil }

func (p *filePool) copySettled(from, to int) {
	p.at[to] = p.at[from]
	if e := p.errs[from]; e != nil {
		p.errs[to] = e
	}
	p.done++
}

// settle says what became of file i; with the run's mutex held.
func (p *filePool) settle(i int, record uint32, err *Error) {
	if err != nil {
		p.errs[i] = err
	} else {
		p.at[i] = record + 1
	}
	p.done++
	for _, j := range p.same[i] {
		p.copySettled(i, j)
	}
	delete(p.same, i)
	delete(p.tries, i)
	p.o.arrived.Broadcast()
}

// take waits for a file to fetch. It is false when there will be none.
func (p *filePool) take() (int, bool) {
	r := p.o.run
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		if p.o.settled() || p.listed && p.done == len(p.at) {
			p.cond.Broadcast()
			return 0, false
		}
		if p.busy < p.target {
			if i, ok := p.pop(time.Now()); ok {
				p.busy++
				return i, true
			}
		}
		p.cond.Wait()
	}
}

// pop returns a file whose time has come.
func (p *filePool) pop(now time.Time) (int, bool) {
	for k, a := range p.again {
		if !now.Before(a.at) {
			p.again = append(p.again[:k:k], p.again[k+1:]...)
			return a.index, true
		}
	}
	for p.next < len(p.at) {
		i := p.next
		p.next++
		if !p.alias[i] && !p.settled(i) {
			return i, true
		}
	}
	return 0, false
}

// work is one connection's worth of fetching files.
func (p *filePool) work(ctx context.Context) {
	var buf []byte
	for {
		i, ok := p.take()
		if !ok {
			return
		}
		n, err := p.obtain(ctx, i, &buf)
		p.put(i, n, err)
	}
}

// obtain finds file i among those that are here, or fetches it.
func (p *filePool) obtain(ctx context.Context, i int, buf *[]byte) (record uint32, err error) {
	l, err := p.shelf.get(i)
	if err != nil {
		return 0, err
	}
	key := keyOf(l.link)
	if n, r, ok := p.set.find(key, l); ok {
		p.o.run.mu.Lock()
		p.reused += r.size
		p.bytes += r.size
		p.o.run.mu.Unlock()
		return n, nil
	}
	return p.fetch(ctx, i, l, key, buf)
}

func (p *filePool) fetch(ctx context.Context, i int, l listed, key fileKey, buf *[]byte) (record uint32, err error) {
	r := p.o.run
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	x, err := r.f.get(ctx, want{object: p.o.Source.Number, part: p.o.Source.Part, link: l.link, to: -1, retries: p.triesOf(i)})
	if err != nil {
		return 0, err
	}
	handed := false
	defer func() {
		if !handed {
			x.close(err)
		}
	}()
	deadline, _ := expiry(l.link)
	if err = r.f.judge(x, deadline); err != nil {
		return 0, err
	}
	if x.resp.StatusCode == 416 {
		return p.keep(i, l, key, x, nil)
	}
	if x.bounds.start != 0 {
		return 0, fmt.Errorf("%w: asked from the first byte, the server began at %d", errAnswer, x.bounds.start)
	}
	n := 0
	if x.bounds.total <= largeFile {
		if n, err = p.read(ctx, x, roomFor(buf, x.bounds.total)); err != nil {
			return 0, err
		}
	}
	if n > largeFile || x.bounds.total > int64(n) {
		handed = true
		x.prefix = append([]byte(nil), (*buf)[:n]...)
		return p.large(l, key, x)
	}
	return p.keep(i, l, key, x, (*buf)[:n])
}

// roomFor returns a buffer for a small file of n bytes, or for any small file and one byte more where that is not known.
func roomFor(buf *[]byte, n int64) []byte {
	if n < 0 {
		n = largeFile + 1
	}
	if int64(len(*buf)) < n {
		*buf = make([]byte, (n+8191)/8192*8192)
	}
	return (*buf)[:n]
}

func (p *filePool) triesOf(i int) int {
	p.o.run.mu.Lock()
	defer p.o.run.mu.Unlock()
	return p.tries[i]
}

// read reads a small body whole, and of a large one enough to see that it is.
func (p *filePool) read(ctx context.Context, x *exchange, buf []byte) (int, error) {
	r := p.o.run
	want := int64(len(buf))
	if x.bounds.end >= 0 {
		want = min(want, x.bounds.end)
	}
	total := 0
	for int64(total) < want {
		n, err := x.Read(buf[total : total+r.f.limit.most(int(want)-total)])
		total += n
		if werr := r.f.limit.wait(ctx, n); werr != nil {
			return total, werr
		}
		if err == io.EOF && (x.bounds.end < 0 || int64(total) == want) {
			break
		}
		if err != nil {
			return total, cutShort(err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fetched += int64(total)
	return total, nil
}

// errWebPage means that a web page came where a file should be, and nothing else has come yet.
var errWebPage = errors.New("a web page came instead of a file")

// keep checks a small file and puts it with the others.
func (p *filePool) keep(i int, l listed, key fileKey, x *exchange, body []byte) (uint32, error) {
	if p.isPage(l, body) {
		return 0, errWebPage
	}
	for _, c := range x.identity.claims() {
		h := newHash(c.digest)
		h.Write(body)
		if string(h.Sum(nil)) == string(c.sum) {
			break
		}
		if c.firm {
			return 0, fmt.Errorf("%w: the bytes do not match the checksum that the server gives (%s)", errAnswer, c.rung)
		}
	}
	rec := fileRecord{key: key, told: l.told(), sum: digest.Of(body), modified: modifiedOf(x, l)}
	x.receipt.SHA256 = rec.sum
	n, err := p.set.put(rec, body)
	if err != nil {
		return 0, err
	}
	p.o.run.disk.wrote(int64(len(body)))
	p.o.run.mu.Lock()
	defer p.o.run.mu.Unlock()
	p.good++
	p.bytes += int64(len(body))
	return n, nil
}

func modifiedOf(x *exchange, l listed) time.Time {
	if t := anyTime(x.identity.LastModified); !t.IsZero() {
		return t
	}
	return l.modified
}

// isPage reports whether body is a web page that stands for a refusal: one under the name of something else, before
// anything else has come. Later such pages are kept as received.
func (p *filePool) isPage(l listed, body []byte) bool {
	ext := strings.ToLower(path.Ext(l.name))
	if ext == ".html" || ext == ".htm" || ext == ".xhtml" || unpack.Detect(body[:min(len(body), 4096)]) != unpack.KindHTML {
		return false
	}
	p.o.run.mu.Lock()
	defer p.o.run.mu.Unlock()
	return p.good == 0
}

// large fetches a file in pieces, as an object beside the listing. x is its first response.
func (p *filePool) large(l listed, key fileKey, x *exchange) (uint32, error) {
	r := p.o.run
	src := &Source{
		Number: p.o.Source.Number, Part: p.o.Source.Part, Link: l.link, Name: l.name, Kind: unpack.KindUnknown, Identity: x.identity,
		Ranges: x.resp.StatusCode == 206, Fingerprint: l.link.fingerprint(),
	}
	src.Expiry, src.ExpiryFrom = expiry(l.link)
	sub, err := r.beside(src, p.set.ownName(key), x)
	if err != nil {
		return 0, err
	}
	v, err := sub.Wait(r.ctx)
	r.dismiss(sub)
	if err != nil {
		return 0, err
	}
	r.mu.Lock()
	p.good++
	p.bytes += v.Size
	p.reused += sub.reused
	r.mu.Unlock()
	return p.set.append(fileRecord{key: key, told: l.told(), size: v.Size, sum: v.SHA256, modified: modifiedOf(x, l)})
}

// put takes in what became of an attempt at file i.
func (p *filePool) put(i int, record uint32, err error) {
	r := p.o.run
	r.mu.Lock()
	defer r.mu.Unlock()
	defer p.cond.Broadcast()
	p.busy--
	now := time.Now()
	if err == nil {
		p.refused, p.lastBytes = 0, now
		if p.backoff.Tries() > 0 {
			p.backoff.Reset()
		}
		p.settle(i, record, nil)
		if p.good >= 2*startFileConns && p.halved.IsZero() {
			p.target = p.most
		}
		return
	}
	if r.ctx.Err() != nil || p.o.settled() {
		return
	}
	p.failedTry(i, err, now)
}

// failedTry decides what an error means for file i, or for all of them.
func (p *filePool) failedTry(i int, err error, now time.Time) {
	var ref *refusal
	var e *Error
	after := time.Duration(0)
	switch {
	case errors.As(err, &ref) && !ref.transient:
		p.refuse(i, ref)
		return
	case ref != nil:
		after = ref.after
		if ref.throttled {
			p.halve(now)
		}
	case errors.As(err, &e) && (e.Code == DiskFull || e.Code == Internal || e.Code == Usage):
		go p.o.run.fatal(e)
		return
	case e != nil && !e.Retryable():
		p.refuse(i, &refusal{err: e})
		return
	case hopeless(err):
		p.settle(i, 0, p.fileError(i, netError(err)))
		return
	case errors.Is(err, errWebPage):
		if p.pages++; p.pages >= enoughPages || p.listed && p.pages >= len(p.at)-p.done {
			p.o.fail(notTheExport(unpack.KindHTML, Link{}))
			return
		}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.ECONNREFUSED):
		p.halve(now)
	}
	p.later(i, err, after, now)
}

// later puts file i back, unless it has been tried often enough, or nothing at all has come for too long.
func (p *filePool) later(i int, err error, after time.Duration, now time.Time) {
	r := p.o.run
	r.retries++
	if now.Sub(p.lastBytes) > r.f.opts.budget() {
		e := netError(err)
		e.Message = fmt.Sprintf("nothing arrived for %s", r.f.opts.budget())
		p.o.fail(e)
		return
	}
	p.tries[i]++
	if p.tries[i] >= fileTries && p.good > 0 {
		p.settle(i, 0, p.fileError(i, netError(err)))
		return
	}
	b := retry.Backoff{}
	wait := b.Next()
	for range p.tries[i] - 1 {
		wait = b.Next()
	}
	p.again = append(p.again, fileRetry{i, now.Add(max(min(after, r.f.opts.budget()/2), wait))})
	r.logf("file %d of the listing: %v; trying again", i, err)
}

// refuse takes in a refusal that another try will not change: of one file, or, when it is so for all, of the listing's links.
func (p *filePool) refuse(i int, ref *refusal) {
	p.refused++
	e := ref.err
	all := e.Code == LinkExpired || p.good == 0 && p.refused >= min(enoughPages, len(p.at)) || p.refused >= 4*maxFileConns
	if all && e.Code != LinkGone || e.Code == LinkGone && p.good == 0 && p.refused >= 4*maxFileConns {
		c := *e
		c.Message = "the listing's links: " + e.Message
		p.o.fail(&c)
		return
	}
	p.settle(i, 0, p.fileError(i, e))
}

// fileError makes an error of file i.
func (p *filePool) fileError(i int, e *Error) *Error {
	c := *e
	c.Part = p.o.Source.Part
	if l, err := p.shelf.get(i); err == nil {
		c.Link = l.link.String()
	}
	return &c
}

// halve reacts to a server that has had enough.
func (p *filePool) halve(now time.Time) {
	if now.Sub(p.halved) < time.Second {
		return
	}
	p.halved = now
	p.target = max(1, p.target/2)
}

// progress returns the bytes here, the bytes in all, which are known only at the end, and those here before.
func (p *filePool) progress() (here, total, reused int64) {
	total = -1
	if p.listed && p.done == len(p.at) {
		total = p.bytes
	}
	return p.bytes, total, p.reused
}

func (p *filePool) close() error {
	err := p.set.close()
	if p.shelf != nil {
		err = errors.Join(err, p.shelf.close())
	}
	return err
}
