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

// A filePool fetches the files of a listing. The run's mutex guards its fields from queue on.
type filePool struct {
	o       *Object
	entries *entryStore
	files   *fileStore
	cond    *sync.Cond // something to do, or nothing more

	queue    fileQueue
	results  fileResults
	conns    fileConns
	refusals fileRefusals
	doubts   fileDoubts
	notes    []string        // why the listing may name more files than were read
	digest   *listing.Digest // of a listing that an earlier run completed
}

// fileQueue is which files are to be fetched, and when.
type fileQueue struct {
	next    int            // first file not handed out
	listed  bool           // the listing has been read to its end
	retries []fileRetry    // in the order of their times
	tries   map[int]*tries // of files that failed and are to be tried again

	// files with something received from their place, by another link: they wait until all places are known
	deferred []int
	places   map[uint64]int // links of the listing to places from which something was received

	seen       map[uint64]int32 // the first file of each link
	duplicates map[int][]int    // files with the very link of an earlier one
	alias      map[int]bool     // these
}

// fileResults is what became of each file.
type fileResults struct {
	records   []uint32               // for each file its record's number and one; 0 while there is none
	errs      map[int]*failure.Error // files without which this run has ended: see mayStillCome
	claimed   map[uint64]int         // which file has which object in the spool
	sameAgain map[int]bool           // files that came out the same when fetched again
	done      int                    // files that have been received, or that this run has ended without
	fetched   int                    // files received by this run
	bytes     int64                  // of files that have been received
	reused    int64                  // of these, from earlier runs
}

// fileConns is how many files are fetched at once.
type fileConns struct {
	busy      int
	target    int
	limit     int
	large     int // large files being fetched, as objects of their own
	halved    time.Time
	lastBytes time.Time
}

// fileRefusals is whether refusals are about single files or about all links.
type fileRefusals struct {
	inRow   int
	expired int  // links that have expired since one asked for alone was served
	alone   bool // one file is asked for alone, to see whether all links have expired
}

// fileDoubts is what came in place of files and is not believed yet.
type fileDoubts struct {
	sightings map[int]sighting
	only      map[int]onlyAnswer          // what came for files whose link may have worked once
	onlyBytes int                         // of their bodies
	pages     map[digest.Sum]map[int]bool // files in whose place a page came, by the page
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
		o: o, entries: sh, files: set, cond: sync.NewCond(&r.mu),
		queue: fileQueue{
			tries: map[int]*tries{}, places: map[uint64]int{}, seen: map[uint64]int32{},
			duplicates: map[int][]int{}, alias: map[int]bool{},
		},
		results: fileResults{
			errs: map[int]*failure.Error{}, claimed: map[uint64]int{}, sameAgain: map[int]bool{},
		},
		conns: fileConns{target: startFileConns, limit: maxFileConns, lastBytes: time.Now()},
		doubts: fileDoubts{
			sightings: map[int]sighting{}, only: map[int]onlyAnswer{}, pages: map[digest.Sum]map[int]bool{},
		},
	}
	if n := r.f.opts.Connections; n > 0 {
		p.conns.target, p.conns.limit = n, n
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
	i := len(p.results.records)
	p.results.records = append(p.results.records, 0)
	first, twice := p.queue.seen[h]
	if ok && !twice {
		p.queue.places[placeOf(key)]++
		if known.record.mark != h {
			p.queue.deferred = append(p.queue.deferred, i)
		}
	}
	if twice {
		if p.resolved(int(first)) {
			p.copyOutcome(int(first), i)
		} else {
			p.queue.duplicates[int(first)] = append(p.queue.duplicates[int(first)], i)
		}
		p.queue.alias[i] = true
	} else {
		p.queue.seen[h] = int32(i)
	}
	p.cond.Signal()
	return p.failure()
}

func placeOf(k fileKey) uint64 { return binary.LittleEndian.Uint64(k[:]) }

// crowded reports whether the listing has several links to a place from which something has been received.
func (p *filePool) crowded(k fileKey) bool {
	p.o.run.mu.Lock()
	defer p.o.run.mu.Unlock()
	return p.queue.places[placeOf(k)] > 1
}

func (p *filePool) failure() error {
	if p.o.outcome.failed != nil {
		return p.o.outcome.failed
	}
	return nil
}

func (p *filePool) resolved(i int) bool { return p.results.records[i] != 0 || p.results.errs[i] != nil }

func (p *filePool) copyOutcome(from, to int) {
	p.results.records[to] = p.results.records[from]
	if e := p.results.errs[from]; e != nil {
		p.results.errs[to] = e
	}
	p.results.done++
}

// resolve records what became of file i, and of those that are the same, and wakes their readers. With the
// run's mutex held.
func (p *filePool) resolve(i int, record uint32, err *failure.Error) {
	if err != nil {
		p.results.errs[i] = err
	} else {
		p.results.records[i] = record + 1
	}
	p.results.done++
	for _, j := range p.queue.duplicates[i] {
		p.copyOutcome(i, j)
	}
	delete(p.queue.duplicates, i)
	delete(p.queue.tries, i)
	delete(p.doubts.sightings, i)
	p.dropOnly(i)
	p.o.readers.arrived.Broadcast()
}

// nextFile waits for a file to fetch. It is false when there will be none.
func (p *filePool) nextFile() (int, bool) {
	r := p.o.run
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		if p.o.over() || p.queue.listed && p.results.done == len(p.results.records) {
			p.cond.Broadcast()
			return 0, false
		}
		// After a link that has expired, one at a time until something is served again: the others may have,
		// too.
		if p.conns.busy < p.conns.target && (p.refusals.expired == 0 || p.conns.busy == 0) {
			if i, ok := p.pop(time.Now()); ok {
				p.conns.busy++
				p.refusals.alone = p.refusals.expired > 0
				return i, true
			}
		}
		p.cond.Wait()
	}
}

// pop returns a file whose time has come.
func (p *filePool) pop(now time.Time) (int, bool) {
	for k, a := range p.queue.retries {
		if !now.Before(a.at) {
			p.queue.retries = append(p.queue.retries[:k:k], p.queue.retries[k+1:]...)
			return a.index, true
		}
	}
	for p.queue.next < len(p.results.records) {
		i := p.queue.next
		p.queue.next++
		if _, waits := slices.BinarySearch(p.queue.deferred, i); waits {
			continue
		}
		if !p.queue.alias[i] && !p.resolved(i) {
			return i, true
		}
	}
	if p.queue.listed && len(p.queue.deferred) > 0 {
		i := p.queue.deferred[0]
		p.queue.deferred = p.queue.deferred[1:]
		return i, true
	}
	return 0, false
}

// progress returns the bytes received, the bytes in all, which are known only at the end, and those received
// by earlier runs.
func (p *filePool) progress() (received, total, reused int64) {
	total = -1
	if p.queue.listed && p.results.done == len(p.results.records) {
		total = p.results.bytes
	}
	return p.results.bytes, total, p.results.reused
}

func (p *filePool) close() error {
	err := p.files.close()
	if p.entries != nil {
		err = errors.Join(err, p.entries.close())
	}
	return err
}
