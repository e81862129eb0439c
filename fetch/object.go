package fetch

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/internal/digest"
)

// An Object is what one Source serves. It can be read while it arrives.
type Object struct {
	Source *Source

	run   *Run
	st    *store
	path  string
	name  string // of its files in the spool
	hash  *hasher
	coded []string  // the encodings that its bytes come in, the outermost first
	files *filePool // of a listing, which has no store and no hasher; nil for everything else

	// The run's mutex guards what follows.
	id       Identity // as met first; its Size follows o.size
	size     int64    // -1 while unknown
	have     pieces
	free     []*span           // to be fetched, in order
	active   map[*span]*worker // being fetched
	waits    []*interval       // what readers wait for
	arrived  *sync.Cond
	here     int64 // bytes here
	reused   int64 // of these, before this run
	complete bool
	verified Verified
	plain    []*os.File // the content of one that comes encoded, the last one counts
	failed   *failure.Error
	closed   bool

	probe  *exchange // the body that Plan left open, or nil; of a complete object for Refetch
	before bool      // all of it was here when the run began
	proved bool      // a second request for it was answered like the first
	single bool      // none was: what the open answer brings is all that can be had
	signed bool      // its link is of a storage service, and works until it expires
	// one connection, in order: the server ignores ranges, or nothing would show a change
	sequential bool
	endSeen    int64          // where a body without a length ended
	limit      int            // most connections
	resolved   link.Link      // where redirects led, while that works
	resolves   int            // times that resolved was given up since bytes last came
	pending    *failure.Error // a refusal; it becomes the failure when the open responses have ended
	superseded bool           // what is served is not what is here
	lastTry    bool           // refused with others open: asked once more, alone
	ended      time.Time      // when a connection's work last ended: the server may take a moment to notice
	tries      tries
	notBefore  time.Time      // no request before
	ahead      int64          // where the last express span ended, and how long it was:
	aheadLen   int64          // a reader that goes on there gets twice as much
	twice      map[int64]bool // pieces that came out the same when fetched again
	mending    bool           // Refetch is at work, so the hasher waits
	warned     bool           // that the link will expire too early
	doubts     int            // times that everything was fetched again because of a digest; its hasher's

	cut cutting

	mend sync.Mutex // held by Refetch
}

// An interval is a run of bytes, from up to to.
type interval struct{ from, to int64 }

// pieceEnd returns the end of the piece that off is in.
func (o *Object) pieceEnd(off int64) int64 {
	end := (off/o.st.pieceSize + 1) * o.st.pieceSize
	if o.size >= 0 {
		end = min(end, o.size)
	}
	return end
}

// missing returns the first byte from off up to end that is not here, or end.
func (o *Object) missing(off, end int64) int64 {
	for off < end {
		i := off / o.st.pieceSize
		if !o.have.has(i) {
			return off
		}
		off = (i + 1) * o.st.pieceSize
	}
	return end
}

// ReadAt waits until the bytes are here. Bytes that somebody waits for are fetched before others. When the
// fetch fails or ends before they came, ReadAt returns that failure. Safe for concurrent use.
func (o *Object) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("read at a negative offset")
	}
	if o.files != nil {
		return o.readListing(p, off)
	}
	if o.coded != nil {
		return o.readPlain(p, off)
	}
	n, err := o.await(off, int64(len(p)))
	if n == 0 {
		return 0, err
	}
	got, readErr := o.st.data.ReadAt(p[:n], off)
	if readErr != nil && got < int(n) {
		return got, failure.Disk(readErr, "read back fetched bytes from the spool")
	}
	return got, err
}

// await waits for n bytes from off. It returns how many can be read, and why these are fewer than asked for.
func (o *Object) await(off, n int64) (int64, error) {
	r := o.run
	r.mu.Lock()
	defer r.mu.Unlock()
	var w *interval
	defer func() {
		if w != nil {
			o.waits = slices.DeleteFunc(o.waits, func(x *interval) bool { return x == w })
		}
	}()
	for {
		end := off + n
		if o.size >= 0 {
			end = min(end, o.size)
		}
		if o.closed {
			return 0, os.ErrClosed
		}
		if o.cut.now && off+n > end {
			return 0, ErrCutOff
		}
		if off >= end && (o.size >= 0 || n == 0) {
			return 0, eofUnless(n == 0)
		}
		first := o.missing(off, end)
		if first >= end && (o.size >= 0 || end == off+n) {
			return end - off, eofUnless(end == off+n)
		}
		if o.failed != nil {
			return max(first-off, 0), o.failed
		}
		if w == nil {
			w = &interval{}
			o.waits = append(o.waits, w)
		}
		if *w != (interval{first, end}) {
			*w = interval{first, end}
			if !o.over() && !o.sequential && !o.soon(first) {
				r.work.Broadcast()
				r.preempt(r.host(o.Source.Link.Host()))
			}
		}
		o.arrived.Wait()
	}
}

func eofUnless(whole bool) error {
	if whole {
		return nil
	}
	return io.EOF
}

// Size waits until the size is known and returns it.
func (o *Object) Size(ctx context.Context) (int64, error) {
	err := o.until(ctx, func() bool { return o.size >= 0 && (o.coded == nil || o.complete) })
	if err != nil {
		return 0, err
	}
	if o.coded != nil {
		return o.verified.Size, nil
	}
	return o.size, nil
}

// Wait waits until the object is complete and verified, and says how far verification went.
func (o *Object) Wait(ctx context.Context) (Verified, error) {
	if err := o.until(ctx, func() bool { return o.complete }); err != nil {
		return Verified{}, err
	}
	return o.verified, nil
}

// until waits for cond, which is asked with the run's mutex held.
func (o *Object) until(ctx context.Context, cond func() bool) error {
	r := o.run
	stop := context.AfterFunc(ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		o.arrived.Broadcast()
	})
	defer stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	for !cond() {
		switch {
		case o.failed != nil:
			return o.failed
		case o.closed:
			return os.ErrClosed
		case ctx.Err() != nil:
			return failure.Stopped(ctx)
		}
		o.arrived.Wait()
	}
	return nil
}

// Path is the object's file in the spool; whole and verified after Wait. For a listing it is what is kept of
// it: one JSON object a line and file, without the secrets of the links.
func (o *Object) Path() string {
	if o.coded != nil {
		return plainPath(o.run.spool.dir, o.name)
	}
	return o.path
}

// Verified says what is known about a complete object.
type Verified struct {
	Size   int64      `json:"size"`
	SHA256 digest.Sum `json:"sha256"`
	// what was compared: "repr-digest", "x-amz-checksum-sha256", "etag-md5", "etag-multipart", "size", …
	Rung string `json:"rung"`

	// Contradicts is a checksum of the server's that the bytes do not match, or "content-encoding" for the
	// checks of that, though Rung proves them, or is RungDamaged, RungUnproven or RungCut; or empty.
	Contradicts string `json:"contradicts,omitempty"`

	// Of an object that came in a Content-Encoding, Size and SHA256 are those of its content, and these of
	// what was received.
	Encoding       string     `json:"encoding,omitempty"`
	Received       int64      `json:"received,omitempty"`
	ReceivedSHA256 digest.Sum `json:"received_sha256,omitzero"`
}

// The rungs of an object whose bytes nothing proves, and that Contradicts speaks against.
const (
	RungDamaged  = "damaged"  // they came the same from two separate fetches
	RungUnproven = "unproven" // they could not be asked for twice
	RungCut      = "cut"      // every answer broke off there, in two runs: Contradicts is the length
)

// ReceivedPath is the file with the bytes as received, where these are encoded; else Path.
func (o *Object) ReceivedPath() string { return o.path }

// fail ends the object; with the run's mutex held.
func (o *Object) fail(err *failure.Error) {
	if o.failed != nil || o.complete {
		return
	}
	e := *err
	if e.Part == "" {
		e.Part = o.Source.Part
	}
	if e.Link == "" {
		e.Link = o.Source.Link.String()
	}
	o.failed = &e
	o.arrived.Broadcast()
	if o.files != nil {
		o.files.cond.Broadcast()
	}
	o.run.work.Broadcast()
}

// over reports whether nothing more will come; with the run's mutex held.
func (o *Object) over() bool { return o.complete || o.failed != nil }
