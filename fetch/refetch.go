package fetch

import (
	"context"
	"errors"
	"hash/crc32"
	"io"
	"os"
)

// errSameAgain means that bytes were fetched a second time and are the same.
var errSameAgain = errors.New("the bytes came out the same when they were fetched again")

// SameAgain reports whether Refetch failed because the bytes came out the same: that, and no other error, proves that they
// are damaged at their source.
func SameAgain(err error) bool { return errors.Is(err, errSameAgain) }

// Refetch drops n bytes from off and fetches them again: a checksum inside the object says that they are wrong.
// It fails at once where the bytes have already been fetched twice and came out the same.
func (o *Object) Refetch(ctx context.Context, off, n int64) error {
	if _, err := o.await(off, n); err != nil && err != io.EOF {
		return err
	}
	r := o.run
	o.mend.Lock() // one at a time
	defer o.mend.Unlock()
	from, to, err := o.beginMending(off, n)
	if err != nil {
		return err
	}
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		o.mending = false
		o.arrived.Broadcast()
	}()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(r.ctx, cancel)
	defer stop()
	changed, err := r.mendSpan(ctx, o, from, to)
	if err != nil {
		var e *Error
		if errors.As(err, &e) {
			return o.Source.failure(e)
		}
		if ctx.Err() != nil {
			return interrupted(ctx)
		}
		return o.Source.failure(err)
	}
	if changed {
		return r.rehash(o)
	}
	return nil
}

// beginMending returns the pieces' bounds around a run of bytes, unless all of them are known to come out the same.
func (o *Object) beginMending(off, n int64) (from, to int64, err error) {
	r := o.run
	r.mu.Lock()
	defer r.mu.Unlock()
	if o.closed {
		return 0, 0, os.ErrClosed
	}
	ps := o.st.pieceSize
	from, to = off/ps*ps, min((off+n+ps-1)/ps*ps, o.size)
	fresh := false
	for i := from / ps; i*ps < to; i++ {
		fresh = fresh || !o.twice[i]
	}
	if !fresh {
		return 0, 0, o.Source.failure(&Error{
			Code: NotTheExport, Message: "the bytes are damaged at their source: they came out the same twice", Err: errSameAgain,
			Hint: "ask for a new export; everything else of this one is kept",
		})
	}
	o.mending = true
	return from, to, nil
}

// mendSpan fetches the pieces from from up to to and replaces those that come out different.
func (r *Run) mendSpan(ctx context.Context, o *Object, from, to int64) (changed bool, err error) {
	r.mu.Lock()
	q := want{object: o.Source.Number, part: o.Source.Part, link: o.Source.Link, from: from, to: to, retries: 1}
	r.mu.Unlock()
	x, err := r.f.get(ctx, q)
	if err != nil {
		return false, err
	}
	defer func() { x.close(err) }()
	if err = r.f.judge(x, o.Source.Expiry); err != nil {
		return false, err
	}
	if what := o.id.changed(x.identity); what != "" || x.bounds.start > from {
		return false, &Error{Code: ObjectChanged, Message: errChanged{what}.Error(), Hint: hintFor(ObjectChanged)}
	}
	if _, err = io.CopyN(io.Discard, x, from-x.bounds.start); err != nil {
		return false, err
	}
	buf := make([]byte, o.st.pieceSize)
	for at := from; at < to; {
		end := min(at+o.st.pieceSize, to)
		p := buf[:end-at]
		if _, err = io.ReadFull(x, p); err != nil {
			return changed, err
		}
		c, err := r.replacePiece(o, at/o.st.pieceSize, p)
		if err != nil {
			return changed, err
		}
		changed = changed || c
		at = end
	}
	return changed, nil
}

// replacePiece puts p in place of a piece, unless it is the same.
func (r *Run) replacePiece(o *Object, index int64, p []byte) (bool, error) {
	crc := crc32.Checksum(p, castagnoli)
	r.mu.Lock()
	r.fetched += int64(len(p))
	same := o.have.has(index) && o.have.crcs[index] == crc
	if same {
		o.twice[index] = true
	}
	r.mu.Unlock()
	if same {
		return false, nil
	}
	if err := o.st.dropPiece(index); err != nil {
		return false, err
	}
	if err := o.st.write(p, index*o.st.pieceSize); err != nil {
		return false, err
	}
	if err := o.st.record(pieceRecord{index, uint32(len(p)), crc}); err != nil {
		return false, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	o.have.add(index, crc)
	if o.hash.offset() > index*o.st.pieceSize {
		o.hash.restart()
	}
	return true, nil
}

// rehash makes a mended object complete again, if it was. Otherwise its hasher will see to it.
func (r *Run) rehash(o *Object) error {
	r.mu.Lock()
	complete := o.complete
	r.mu.Unlock()
	if !complete {
		return nil
	}
	buf := make([]byte, o.st.pieceSize)
	for at := int64(0); at < o.size; at = o.hash.offset() {
		index := at / o.st.pieceSize
		n := min(o.st.pieceSize, o.size-at)
		r.mu.Lock()
		crc := o.have.crcs[index]
		r.mu.Unlock()
		if err := o.hash.advance(o.st, buf, index, int(n), crc); err != nil {
			return o.Source.failure(asError(err, Internal, "read the spool"))
		}
	}
	sum, all := o.hash.digests()
	rung, err := o.climb(all)
	if err != nil {
		return o.Source.failure(&Error{Code: Network, Message: err.Error(), Hint: hintFor(Network)})
	}
	v := Verified{Size: o.size, SHA256: sum, Rung: rung}
	if err := o.st.finish(v); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	o.verified = v
	return nil
}
