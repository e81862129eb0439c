package fetch

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"sync"
	"time"
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
	notes     []string       // why the listing may name more files than were read
	digest    *ListingDigest // of a listing that an earlier run completed
	at        []uint32       // for each file its record's number and one; 0 while there is none
	errs      map[int]*Error // files that have failed for good
	seen      map[uint64]int32
	same      map[int][]int  // files with the very link of an earlier one
	alias     map[int]bool   // these
	again     []fileRetry    // in the order of their times
	tries     map[int]*tries // of files that failed and are to be tried again
	busy      int
	target    int
	most      int
	halved    time.Time
	lastBytes time.Time
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
		same: map[int][]int{}, alias: map[int]bool{}, tries: map[int]*tries{}, target: startFileConns, most: maxFileConns, lastBytes: time.Now(),
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
