package fetch

import (
	"context"
	"errors"
	"hash/crc32"
	"io"
	"net/http"
	"os"
	"time"

	"holdall/fetch/failure"
	"holdall/internal/retry"
)

// errSameAgain means that bytes were fetched a second time and are the same.
var errSameAgain = errors.New("the bytes came out the same when they were fetched again")

// SameAgain reports whether err says that two separate fetches brought the same bytes: that, and no other
// error, proves that they are damaged at their source.
func SameAgain(err error) bool { return errors.Is(err, errSameAgain) }

// errUnprovable means that bytes could not be fetched a second time, by a link that had been asked again.
var errUnprovable = errors.New("the link did not give the bytes again")

// Unprovable reports whether err says that nothing can prove or heal the bytes in question. The object was
// here, whole, when the run began; its link answered once more, and then refused for good. Another link would
// do the same.
func Unprovable(err error) bool { return errors.Is(err, errUnprovable) }

// Refetch drops n bytes from off and fetches them again: a checksum inside the object says that they are
// wrong. Bytes that have rotted in the spool are replaced likewise. changed says that others came than were
// here; without it and without an error the same came again, and the next time that is SameAgain. It tries as
// often as any other fetch; an error that is not SameAgain says nothing about the bytes.
func (o *Object) Refetch(ctx context.Context, off, n int64) (changed bool, err error) {
	if o.encodings != nil { // where in the encoded bytes these lie is not known
		if err := o.until(ctx, func() bool { return o.outcome.complete }); err != nil {
			return false, err
		}
		off, n = 0, o.size
	}
	if _, err := o.awaitBytes(off, n); err != nil && err != io.EOF {
		return false, err
	}
	r := o.run
	done, err := o.refetch.takeTurn(ctx)
	if err != nil {
		return false, err
	}
	defer done()
	from, to, err := o.beginRefetch(off, n)
	if err != nil {
		return false, err
	}
	defer o.endRefetch()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(r.ctx, cancel)
	defer stop()
	changed, err = r.refetchWith(o, func() (bool, error) { return r.refetchSpan(ctx, o, from, to) })
	if err != nil {
		return changed, o.unprovable(o.Source.failure(err))
	}
	if changed {
		err = r.rehash(o)
	}
	return changed, err
}

// beginRefetch returns the pieces' bounds around a run of bytes, unless all of them are known to come out the
// same and lie on the disk as they came.
func (o *Object) beginRefetch(off, n int64) (from, to int64, err error) {
	r := o.run
	r.mu.Lock()
	defer r.mu.Unlock()
	if o.outcome.closed {
		return 0, 0, os.ErrClosed
	}
	ps := o.store.pieceSize
	from, to = off/ps*ps, min((off+n+ps-1)/ps*ps, o.size)
	fresh := false
	var buf []byte
	for i := from / ps; i*ps < to && !fresh; i++ {
		if fresh = !o.refetch.sameAgain[i]; !fresh {
			if buf == nil {
				buf = make([]byte, ps)
			}
			fresh = !o.store.holds(buf, pieceRecord{i, uint32(min(ps, o.size-i*ps)), o.spans.have.crcs[i]})
		}
	}
	if !fresh {
		return 0, 0, o.Source.failure(damagedAtSource())
	}
	o.refetch.running = true
	return from, to, nil
}

func damagedAtSource() *failure.Error {
	return &failure.Error{
		Code: failure.NotTheExport, Err: errSameAgain,
		Message: "the bytes are damaged at their source: they came out the same twice",
		Hint:    "ask for a new export; everything else of this one is kept",
	}
}

func (o *Object) endRefetch() {
	o.run.mu.Lock()
	defer o.run.mu.Unlock()
	o.refetch.running = false
	o.readers.arrived.Broadcast()
}

// unprovable marks a refusal that ends all hope for bytes that had been received when the run began. A link
// that has simply run out of time proves nothing: one that lasts longer gives the bytes again.
func (o *Object) unprovable(e *failure.Error) *failure.Error {
	fresh := o.refetch.before && o.Source.probed() && o.Source.answeredFrom == ""
	if expired := e.Code == failure.LinkExpired && !o.Source.Expiry.IsZero(); !fresh || expired ||
		!e.NeedsNewLink() {
		return e
	}
	c := *e
	c.Err = errors.Join(errUnprovable, e.Err)
	return &c
}

// refetchWith has bytes fetched a second time by again. Where the link may work only once, the answer to its
// probe is the second fetch; likewise where what again asks is refused for good. That answer is read from its
// beginning to its end, since it cannot be fetched twice.
func (r *Run) refetchWith(o *Object, again func() (changed bool, err error)) (changed bool, err error) {
	if x := r.takeOpenProbe(o, false); x != nil {
		if changed, err = r.compareWithProbe(o, x); err == nil || r.ctx.Err() != nil {
			return changed, err
		}
		r.logf("%s: the answer that was left open broke off (%v); asking again", o.Source.Link, err)
	}
	c, err := again()
	changed = changed || c
	var refused *failure.Error
	if errors.As(err, &refused) && refused.NeedsNewLink() {
		if x := r.takeOpenProbe(o, true); x != nil {
			if c, kerr := r.compareWithProbe(o, x); kerr == nil {
				return changed || c, nil
			}
		}
	}
	return changed, err
}

// takeOpenProbe takes the answer to the object's probe, if it is still open and all that it brings has been
// received already. One whose link works more than once is left alone unless refused says that it does not
// any more.
func (r *Run) takeOpenProbe(o *Object, refused bool) *exchange {
	r.mu.Lock()
	defer r.mu.Unlock()
	if o.access.probe == nil || o.repeatable() && !refused {
		return nil
	}
	x := r.f.gate.unpark(o.access.probe)
	o.access.probe = nil
	if x != nil && x.bounds.start != 0 {
		x.close(nil)
		return nil
	}
	return x
}

// compareWithProbe compares the whole object with an answer that is open.
func (r *Run) compareWithProbe(o *Object, x *exchange) (changed bool, err error) {
	stop := context.AfterFunc(r.ctx, x.cancel)
	defer stop()
	defer func() { x.close(err) }()
	_, changed, err = r.replaceBytes(r.ctx, o, x, 0, o.size, new(partialPiece))
	return changed, err
}

// A partialPiece is the beginning of a piece, brought by answers that ended within it.
type partialPiece struct {
	buf []byte
	n   int64
}

// refetchSpan fetches the pieces from from up to to and replaces those that come out different, over as many
// tries as it takes.
func (r *Run) refetchSpan(ctx context.Context, o *Object, from, to int64) (changed bool, err error) {
	var t tries
	var part partialPiece
	for {
		offset := from + part.n
		at, c, err := r.refetchOnce(ctx, o, &t, from, to, &part)
		changed = changed || c
		if err == nil {
			return changed, nil
		}
		if ctx.Err() != nil {
			return changed, failure.Stopped(ctx)
		}
		had := yieldNone
		if from = at; from+part.n > offset {
			had = yieldNew
		}
		v := t.failed(err, had, time.Now(), r.f.opts.retryBudget())
		if v.action == endTries || v.action == stopAll {
			return changed, v.err
		}
		r.logf("%s: %v; trying again", o.Source.Link, err)
		r.mu.Lock()
		r.retries++
		r.mu.Unlock()
		if retry.Sleep(ctx, v.after) != nil {
			return changed, failure.Stopped(ctx)
		}
	}
}

// refetchOnce is one request of refetchSpan. at is up to where the pieces have been compared.
func (r *Run) refetchOnce(
	ctx context.Context, o *Object, t *tries, from, to int64, part *partialPiece,
) (at int64, changed bool, err error) {
	offset := from + part.n
	q := request{
		object: o.Source.Number, part: o.Source.Part, link: o.Source.Link, from: offset, to: to,
		whole: t.whole, retries: t.wait.Tries() + 1,
	}
	x, err := r.f.get(ctx, q)
	if err != nil {
		return from, false, err
	}
	defer func() { x.close(err) }()
	if err = r.f.checkResponse(x, o.Source.Expiry); err != nil {
		return from, false, err
	}
	r.mu.Lock()
	what := o.id.changed(x.identity)
	other := x.identity.Encoding != o.id.Encoding
	r.mu.Unlock()
	if other {
		return from, false, unusable("it came in the encoding %q", x.identity.Encoding)
	}
	whole := t.whole && x.resp.StatusCode == http.StatusOK && x.bounds.start == 0
	if what != "" && (what == itsSize || !whole) {
		return from, false, errChanged{what}
	}
	if err = o.pageInstead(x, r.f.clock.server(r.f.now())); err != nil {
		return from, false, err
	}
	if what != "" { // as each server of a farm may make ETags of its own: all of it is taken from one answer
		_, changed, err = r.replaceBytes(ctx, o, x, 0, o.size, new(partialPiece))
		return from, changed, err
	}
	if x.bounds.start > offset {
		return from, false, unusable("asked for the bytes from %d, got those from %d", offset, x.bounds.start)
	}
	if _, err = io.CopyN(io.Discard, x, offset-x.bounds.start); err != nil {
		return from, false, cutShort(err)
	}
	return r.replaceBytes(ctx, o, x, from, to, part)
}

// replaceBytes reads the bytes from from up to to, part of which has been received already and the rest of
// which the answer brings, and puts them in place of those that have been received.
func (r *Run) replaceBytes(
	ctx context.Context, o *Object, x io.Reader, from, to int64, part *partialPiece,
) (at int64, changed bool, err error) {
	if part.buf == nil {
		part.buf = make([]byte, o.store.pieceSize)
	}
	for at = from; at < to; {
		p := part.buf[:min(o.store.pieceSize, to-at)]
		n, err := io.ReadFull(x, p[part.n:])
		part.n += int64(n)
		if err != nil {
			return at, changed, cutShort(err)
		}
		if err := r.f.limit.wait(ctx, n); err != nil {
			return at, changed, err
		}
		c, err := r.replacePiece(o, at/o.store.pieceSize, p)
		if err != nil {
			return at, changed, err
		}
		changed = changed || c
		at, part.n = at+int64(len(p)), 0
	}
	return at, changed, nil
}

// replacePiece puts p in place of a piece, unless it is the same.
func (r *Run) replacePiece(o *Object, index int64, p []byte) (bool, error) {
	crc := crc32.Checksum(p, castagnoli)
	r.mu.Lock()
	r.fetched += int64(len(p))
	same := o.spans.have.has(index) && o.spans.have.crcs[index] == crc
	if same {
		o.refetch.sameAgain[index] = true
	}
	r.mu.Unlock()
	if same && o.store.holds(make([]byte, len(p)), pieceRecord{index, uint32(len(p)), crc}) {
		return false, nil
	}
	if err := o.store.dropPiece(index); err != nil {
		return false, err
	}
	if err := o.store.write(p, index*o.store.pieceSize); err != nil {
		return false, err
	}
	if err := o.store.record(pieceRecord{index, uint32(len(p)), crc}); err != nil {
		return false, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	o.spans.have.add(index, crc)
	if !same {
		delete(o.refetch.sameAgain, index)
	}
	if o.hash.offset() > index*o.store.pieceSize {
		o.hash.restart()
	}
	return true, nil
}

// rehash makes an object complete again after a refetch, if it was. Otherwise its hasher will see to it.
func (r *Run) rehash(o *Object) error {
	r.mu.Lock()
	complete := o.outcome.complete
	r.mu.Unlock()
	if !complete {
		return nil
	}
	buf := make([]byte, o.store.pieceSize)
	for at := int64(0); at < o.size; at = o.hash.offset() {
		index := at / o.store.pieceSize
		n := min(o.store.pieceSize, o.size-at)
		r.mu.Lock()
		crc := o.spans.have.crcs[index]
		r.mu.Unlock()
		if err := o.hash.advance(o.store, buf, index, int(n), crc); err != nil {
			return o.Source.failure(failure.From(err, failure.Internal, "read the spool"))
		}
	}
	sum, all := o.hash.digests()
	check, wrong, err := o.compareClaims(all)
	if err != nil {
		return o.Source.failure(err)
	}
	if wrong != "" && wrong != o.outcome.verified.Contradicts {
		return o.Source.failure(mismatchError(wrong))
	}
	if wrong != "" {
		check = o.outcome.verified.Check
	}
	v := Verified{Size: o.size, SHA256: sum, Check: check, Contradicts: wrong}
	plain := v
	if o.encodings != nil {
		if plain, err = r.decode(o, v, false); err != nil {
			return o.Source.failure(failure.From(err, failure.Network, "decode what was fetched again"))
		}
	}
	if err := o.store.finish(v); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	o.outcome.verified = plain
	return nil
}
