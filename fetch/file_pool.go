package fetch

import (
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"time"

	"holdall/fetch/failure"
	"holdall/fetch/listing"
	"holdall/internal/digest"
)

const (
	startFileConns = 32      // small files wait for the server more than for the line,
	maxFileConns   = 64      // so there are more connections than for large objects
	largeFile      = 1 << 20 // beyond, a file is fetched in pieces, as an object of its own
)

// A filePool fetches the files of a listing. The run's mutex guards its fields from next on.
type filePool struct {
	o       *Object
	entries *entryStore
	files   *fileStore
	cond    *sync.Cond // something to do, or nothing more

	next      int   // first file not handed out
	listed    bool  // the listing has been read to its end
	bytes     int64 // of files that have been received
	reused    int64
	done      int  // files that have been received or have failed for good
	fetched   int  // files fetched
	expired   int  // links that have expired since one asked for alone was served
	alone     bool // one file is asked for alone, to see whether all links have expired
	sightings map[int]sighting
	only      map[int]onlyAnswer          // what came for files whose link may have worked once
	onlyBytes int                         // of their bodies
	pages     map[digest.Sum]map[int]bool // files in whose place a page came, by the page
	claimed   map[uint64]int              // which file has which object in the spool
	// files with something received from their place, by another link: they wait until all places are known
	deferred    []int
	places      map[uint64]int         // links of the listing to places from which something was received
	largeActive int                    // large files being fetched
	refused     int                    // refusals in a row
	notes       []string               // why the listing may name more files than were read
	digest      *listing.Digest        // of a listing that an earlier run completed
	records     []uint32               // for each file its record's number and one; 0 while there is none
	errs        map[int]*failure.Error // files that have failed for good
	seen        map[uint64]int32
	duplicates  map[int][]int  // files with the very link of an earlier one
	alias       map[int]bool   // these
	retries     []fileRetry    // in the order of their times
	sameAgain   map[int]bool   // files that came out the same when fetched again
	tries       map[int]*tries // of files that failed and are to be tried again
	busy        int
	target      int
	most        int
	halved      time.Time
	lastBytes   time.Time
}

type fileRetry struct {
	index int
	at    time.Time
}

func newFilePool(r *Run, o *Object, name string) (*filePool, error) {
	set, err := openFileStore(r.spool.dir, name)
	if err != nil {
		return nil, err
	}
	sh, err := newEntryStore(r.spool.dir)
	if err != nil {
		return nil, errors.Join(err, set.close())
	}
	p := &filePool{
		o: o, entries: sh, files: set, cond: sync.NewCond(&r.mu), errs: map[int]*failure.Error{},
		seen:       map[uint64]int32{},
		duplicates: map[int][]int{}, alias: map[int]bool{}, sameAgain: map[int]bool{},
		tries:     map[int]*tries{},
		sightings: map[int]sighting{}, only: map[int]onlyAnswer{}, pages: map[digest.Sum]map[int]bool{},
		claimed: map[uint64]int{},
		places:  map[uint64]int{}, target: startFileConns, most: maxFileConns, lastBytes: time.Now(),
	}
	if n := r.f.opts.Connections; n > 0 {
		p.target, p.most = n, n
	}
	return p, nil
}

// add records the next file of the listing.
func (p *filePool) add(l listing.Entry) error {
	if err := p.entries.add(l); err != nil {
		return err
	}
	h := markOf(l.Link)
	key := keyOf(l.Link)
	known, ok := p.files.match(key, l)
	r := p.o.run
	r.mu.Lock()
	defer r.mu.Unlock()
	i := len(p.records)
	p.records = append(p.records, 0)
	first, twice := p.seen[h]
	if ok && !twice {
		p.places[placeOf(key)]++
		if known.record.mark != h {
			p.deferred = append(p.deferred, i)
		}
	}
	if twice {
		if p.resolved(int(first)) {
			p.copyOutcome(int(first), i)
		} else {
			p.duplicates[int(first)] = append(p.duplicates[int(first)], i)
		}
		p.alias[i] = true
	} else {
		p.seen[h] = int32(i)
	}
	p.cond.Signal()
	return p.failure()
}

func placeOf(k fileKey) uint64 { return binary.LittleEndian.Uint64(k[:]) }

// crowded reports whether the listing has several links to a place from which something has been received.
func (p *filePool) crowded(k fileKey) bool {
	p.o.run.mu.Lock()
	defer p.o.run.mu.Unlock()
	return p.places[placeOf(k)] > 1
}

func (p *filePool) failure() error {
	if p.o.outcome.failed != nil {
		return p.o.outcome.failed
	}
	return nil
}

func (p *filePool) resolved(i int) bool { return p.records[i] != 0 || p.errs[i] != nil }

func (p *filePool) copyOutcome(from, to int) {
	p.records[to] = p.records[from]
	if e := p.errs[from]; e != nil {
		p.errs[to] = e
	}
	p.done++
}

// resolve says what became of file i; with the run's mutex held.
func (p *filePool) resolve(i int, record uint32, err *failure.Error) {
	if err != nil {
		p.errs[i] = err
	} else {
		p.records[i] = record + 1
	}
	p.done++
	for _, j := range p.duplicates[i] {
		p.copyOutcome(i, j)
	}
	delete(p.duplicates, i)
	delete(p.tries, i)
	delete(p.sightings, i)
	p.dropOnly(i)
	p.o.readers.arrived.Broadcast()
}

// nextFile waits for a file to fetch. It is false when there will be none.
func (p *filePool) nextFile() (int, bool) {
	r := p.o.run
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		if p.o.over() || p.listed && p.done == len(p.records) {
			p.cond.Broadcast()
			return 0, false
		}
		// After a link that has expired, one at a time until something is served again: the others may have,
		// too.
		if p.busy < p.target && (p.expired == 0 || p.busy == 0) {
			if i, ok := p.pop(time.Now()); ok {
				p.busy++
				p.alone = p.expired > 0
				return i, true
			}
		}
		p.cond.Wait()
	}
}

// pop returns a file whose time has come.
func (p *filePool) pop(now time.Time) (int, bool) {
	for k, a := range p.retries {
		if !now.Before(a.at) {
			p.retries = append(p.retries[:k:k], p.retries[k+1:]...)
			return a.index, true
		}
	}
	for p.next < len(p.records) {
		i := p.next
		p.next++
		if _, waits := slices.BinarySearch(p.deferred, i); waits {
			continue
		}
		if !p.alias[i] && !p.resolved(i) {
			return i, true
		}
	}
	if p.listed && len(p.deferred) > 0 {
		i := p.deferred[0]
		p.deferred = p.deferred[1:]
		return i, true
	}
	return 0, false
}

// progress returns the bytes received, the bytes in all, which are known only at the end, and those received
// by earlier runs.
func (p *filePool) progress() (here, total, reused int64) {
	total = -1
	if p.listed && p.done == len(p.records) {
		total = p.bytes
	}
	return p.bytes, total, p.reused
}

func (p *filePool) close() error {
	err := p.files.close()
	if p.entries != nil {
		err = errors.Join(err, p.entries.close())
	}
	return err
}
