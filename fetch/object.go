package fetch

import (
	"context"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"holdall/fetch/failure"
	"holdall/fetch/link"
)

// An Object is what one Source serves. It can be read while it arrives.
type Object struct {
	Source *Source

	run       *Run
	store     *store
	path      string
	name      string // of its files in the spool
	hash      *hasher
	encodings []string  // that its bytes come in, the outermost first
	files     *filePool // of a listing, which has no store and no hasher; nil for everything else

	// The run's mutex guards what follows, but for refetch.turn.
	id       Identity // as first received; its Size follows size
	size     int64    // -1 while unknown
	spans    spans
	readers  readers
	outcome  outcome
	access   access
	attempts attempts
	refetch  refetch
	cutOff   cutOff
	warned   bool // that the link will expire too early
}

// spans divides an object's bytes into those in the spool, those being fetched, and the rest.
type spans struct {
	have     pieces
	active   map[*span]*worker // being fetched
	free     []*span           // still to be fetched, in order
	received int64             // bytes in the spool
	reused   int64             // of these, from earlier runs
}

// readers is who waits for bytes of an object.
type readers struct {
	waits   []*interval
	arrived *sync.Cond

	// Where the last express span ended, and its length: a reader that continues there gets twice as much.
	expressEnd, expressLen int64
}

// An interval is a run of bytes, from up to to.
type interval struct{ from, to int64 }

// outcome is how the fetch of an object ended.
type outcome struct {
	complete   bool
	verified   Verified
	decoded    []*os.File // the content of an object that comes encoded; the last one counts
	failed     *failure.Error
	superseded bool // the server no longer serves what is in the spool
	hashing    bool // hashObject has not ended
	closed     bool
}

// access is what has been learned about how an object's link may be asked.
type access struct {
	probe    *exchange // the response that Plan left open, or nil; when the object is complete, for Refetch
	signed   bool      // by a storage service: the link works until it expires
	proved   bool      // a second request was answered like the first
	single   bool      // none was: the open response brings all that there will ever be
	limit    int       // most connections
	resolved link.Link // where redirects led, while that works
	resolves int       // times that resolved was given up since bytes last came
	endSeen  int64     // where a response of unknown length ended
	oneEnd   bool      // that is taken for the object's end, since its link works no more

	// one connection, in order: the server ignores ranges, or nothing would show that the object changed
	sequential bool
}

// attempts is the history of an object's requests, and when the next one is due.
type attempts struct {
	tries     tries
	notBefore time.Time
	pending   *failure.Error // a refusal that becomes the failure when the open responses have ended
	lastTry   bool           // refused while other responses were open: asked once more, alone
	ended     time.Time      // when a connection last ended: the server may take a moment to notice
}

// due reports whether the next request may be made.
func (a *attempts) due(now time.Time) bool {
	return !now.Before(a.notBefore) && !now.Before(a.tries.next)
}

// refetch is the state of fetching bytes a second time.
type refetch struct {
	turn      *semaphore.Weighted // of one: bytes are fetched again by one at a time
	running   bool                // the hasher waits meanwhile
	before    bool                // the object was whole when the run began
	sameAgain map[int64]bool      // pieces that came out the same
	whole     int                 // times that all was fetched again because of a digest; the hasher's own
}

func newRefetch() refetch {
	return refetch{turn: semaphore.NewWeighted(1), sameAgain: map[int64]bool{}}
}

// takeTurn waits until nobody else fetches bytes of the object again. done ends the turn.
func (f *refetch) takeTurn(ctx context.Context) (done func(), err error) {
	if err := f.turn.Acquire(ctx, 1); err != nil {
		return nil, failure.Stopped(ctx)
	}
	return func() { f.turn.Release(1) }, nil
}

// Size waits until the size is known and returns it.
func (o *Object) Size(ctx context.Context) (int64, error) {
	err := o.until(ctx, func() bool { return o.size >= 0 && (o.encodings == nil || o.outcome.complete) })
	if err != nil {
		return 0, err
	}
	if o.encodings != nil {
		return o.outcome.verified.Size, nil
	}
	return o.size, nil
}

// Wait waits until the object is complete and verified, and says how far verification went.
func (o *Object) Wait(ctx context.Context) (Verified, error) {
	if err := o.until(ctx, func() bool { return o.outcome.complete }); err != nil {
		return Verified{}, err
	}
	return o.outcome.verified, nil
}

// until waits for cond, which is asked with the run's mutex held.
func (o *Object) until(ctx context.Context, cond func() bool) error {
	r := o.run
	stop := context.AfterFunc(ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		o.readers.arrived.Broadcast()
	})
	defer stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	for !cond() {
		switch {
		case o.outcome.failed != nil:
			return o.outcome.failed
		case o.outcome.closed:
			return os.ErrClosed
		case ctx.Err() != nil:
			return failure.Stopped(ctx)
		}
		o.readers.arrived.Wait()
	}
	return nil
}

// Path is the object's file in the spool; whole and verified after Wait. For a listing it is what is kept of
// it: one JSON object a line and file, without the secrets of the links.
func (o *Object) Path() string {
	if o.encodings != nil {
		return plainPath(o.run.spool.dir, o.name)
	}
	return o.path
}

// ReceivedPath is the file with the bytes as received, where these are encoded; else Path.
func (o *Object) ReceivedPath() string { return o.path }

// fail ends the object; with the run's mutex held.
func (o *Object) fail(err *failure.Error) {
	if o.outcome.failed != nil || o.outcome.complete {
		return
	}
	e := *err
	if e.Part == "" {
		e.Part = o.Source.Part
	}
	if e.Link == "" {
		e.Link = o.Source.Link.String()
	}
	o.outcome.failed = &e
	o.readers.arrived.Broadcast()
	if o.files != nil {
		o.files.cond.Broadcast()
	}
	o.run.work.Broadcast()
}

// over reports whether nothing more will come; with the run's mutex held.
func (o *Object) over() bool { return o.outcome.complete || o.outcome.failed != nil }
