package fetch

import (
	"bytes"
	"context"
	"errors"
	"hash/crc32"
	"io"
	"time"

	"holdall/fetch/failure"
	"holdall/internal/filetype"
)

// errUncertainEnd is the end of a body that has no length, where nothing proves that it is the end of the
// object and not of a connection. It counts when it comes twice at the same place.
var errUncertainEnd = errors.New("the answer ended, and the server had not given the length")

// endsAt reports whether a body without a length that ended at pos has proven to be whole: a ZIP by its own
// end record, and anything else by the end that chunks have. With the run's mutex held.
func (o *Object) endsAt(x *exchange, pos int64) bool {
	if o.Source.Kind == filetype.ZIP && o.encodings == nil {
		return endsAsZIP(o.store.data, pos)
	}
	return pos > 0 && len(x.resp.TransferEncoding) > 0
}

// receive reads a response into the worker's span.
func (r *Run) receive(ctx context.Context, w *worker, o *Object, x *exchange) error {
	at := x.bounds.start
	for {
		if err := r.skip(ctx, w, o, x, at); err != nil {
			return err
		}
		if err := r.receiveBody(ctx, w, o, x); err != nil {
			return err
		}
		at = w.span.pos
		if !r.extend(w, o, x, at) {
			return nil
		}
	}
}

// skip reads the bytes from at up to the worker's span, and compares those already received.
func (r *Run) skip(ctx context.Context, w *worker, o *Object, x *exchange, at int64) error {
	var ours []byte
	for at < w.span.pos {
		received, end := r.receivedUpTo(w, o, at)
		got, err := r.read(ctx, w, x, w.buf[:min(int64(len(w.buf)), end-at)])
		if received {
			if ours == nil {
				ours = make([]byte, len(w.buf))
			}
			if m, err := o.store.data.ReadAt(ours[:got], at); m < got {
				return failure.Disk(err, "read back fetched bytes from the spool")
			}
			if !bytes.Equal(ours[:got], w.buf[:got]) {
				return errChanged{itsBytes}
			}
		}
		at += int64(got)
		if at < w.span.pos && err != nil {
			return cutShort(err)
		}
	}
	return nil
}

// hereUpTo says whether the byte at off, which lies before the worker's span, has been received, and up to
// where that holds: to the end of its piece, or to the span, whose own piece has begun.
func (r *Run) receivedUpTo(w *worker, o *Object, off int64) (received bool, end int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	end = min(o.pieceEnd(off), w.span.pos)
	return end == w.span.pos && end%o.store.pieceSize != 0 || o.spans.have.has(off/o.store.pieceSize), end
}

func cutShort(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// receiveBody reads the worker's span, a piece at a time. It returns nil when the span, or what the response
// promised of it, has been received.
func (r *Run) receiveBody(ctx context.Context, w *worker, o *Object, x *exchange) error {
	for {
		r.mu.Lock()
		s := w.span
		pos, crc := s.pos, s.crc
		end := min(s.end, o.pieceEnd(pos))
		stop := o.outcome.failed != nil
		r.mu.Unlock()
		if x.bounds.end >= 0 {
			end = min(end, x.bounds.end)
		}
		if pos >= end || stop {
			return nil
		}
		n, err := r.read(ctx, w, x, w.buf[:end-pos])
		if n > 0 {
			if err := r.writeBytes(w, o, pos, crc, w.buf[:n]); err != nil {
				return err
			}
		}
		if err == nil {
			continue
		}
		pos += int64(n)
		if err == io.EOF && x.bounds.end < 0 {
			r.mu.Lock()
			defer r.mu.Unlock()
			if o.size >= 0 { // an earlier answer gave it, so this one broke off
				return cutShort(err)
			}
			if o.access.endSeen != pos && !o.endsAt(x, pos) {
				o.access.endSeen = pos
				return errUncertainEnd
			}
			return r.ends(w, o, pos)
		}
		if x.bounds.end < 0 || pos < x.bounds.end {
			return cutShort(err)
		}
	}
}

// read fills p unless the body ends first, within the rate.
func (r *Run) read(ctx context.Context, w *worker, x *exchange, p []byte) (int, error) {
	total := 0
	for total < len(p) {
		n, err := x.Read(p[total : total+r.f.limit.most(len(p)-total)])
		total += n
		w.bytes.Add(int64(n))
		if err != nil {
			return total, err
		}
		if err := r.f.limit.wait(ctx, n); err != nil {
			return total, err
		}
	}
	return total, nil
}

// writeBytes puts bytes of one piece into the spool, and records the piece when it is whole.
func (r *Run) writeBytes(w *worker, o *Object, pos int64, crc uint32, p []byte) error {
	if err := o.store.write(p, pos); err != nil {
		return err
	}
	crc = crc32.Update(crc, castagnoli, p)
	next := pos + int64(len(p))
	whole := next == o.endOf(pos)
	index := pos / o.store.pieceSize
	if whole {
		rec := pieceRecord{index, uint32(next - index*o.store.pieceSize), crc}
		if err := o.store.record(rec); err != nil {
			return err
		}
	}
	r.disk.wrote(int64(len(p)))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fetched += int64(len(p))
	o.spans.received += int64(len(p))
	o.access.resolves = 0
	now := time.Now()
	o.attempts.tries.since = now
	if w.saved += int64(len(p)); w.saved >= overlap && o.attempts.tries.err != nil {
		o.attempts.tries.reset(now)
	}
	s := w.span
	s.pos, s.crc = next, crc
	if whole {
		s.crc = 0
		o.spans.have.add(index, crc)
		o.readers.arrived.Broadcast()
	}
	return nil
}

// endOf is pieceEnd for callers without the run's mutex.
func (o *Object) endOf(pos int64) int64 {
	o.run.mu.Lock()
	defer o.run.mu.Unlock()
	return o.pieceEnd(pos)
}

// ends records an object's size that becomes known only now. With the run's mutex held.
func (r *Run) ends(w *worker, o *Object, size int64) error {
	if err := o.store.setSize(size); err != nil {
		return err
	}
	s := w.span
	index := size / o.store.pieceSize
	if rest := size % o.store.pieceSize; rest > 0 && s.pos == size {
		if err := o.store.record(pieceRecord{index, uint32(rest), s.crc}); err != nil {
			return err
		}
		o.spans.have.add(index, s.crc)
	}
	o.setSize(size)
	return nil
}

// extend continues with the next free bytes when the response brings them: right after the span, or, where
// the server knows no ranges, after what has been received already. It does not when a reader waits for other
// bytes and this connection is needed for them.
func (r *Run) extend(w *worker, o *Object, x *exchange, at int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	o.awaitVerdict(w, x, at)
	if o.over() || len(o.spans.free) == 0 || x.bounds.end >= 0 && at >= x.bounds.end || at < w.span.end {
		return false
	}
	next := o.spans.free[0]
	ordered := o.access.sequential
	if next.pos < at || next.pos > at && !ordered || x.bounds.end >= 0 && next.pos >= x.bounds.end {
		return false
	}
	idle := max(w.host.target-w.host.busy, 0)
	if !ordered && o.repeatable() && r.wanted(w.host) > idle && !o.awaited(at) {
		return false
	}
	s := o.claimNext(w.host)
	delete(o.spans.active, w.span)
	w.span = s
	o.spans.active[s] = w
	return true
}

// awaitVerdict keeps w's answer open while another request for o, which would continue where this answer
// does, has not been answered yet: it may be refused, and then this answer is the only one. With the run's
// mutex held.
func (o *Object) awaitVerdict(w *worker, x *exchange, at int64) {
	for !o.repeatable() && !o.over() && o.run.ctx.Err() == nil && (x.bounds.end < 0 || at < x.bounds.end) {
		other := false
		for s := range o.spans.active {
			other = other || s != w.span && s.pos >= at
		}
		if !other {
			return
		}
		o.run.work.Wait()
	}
}
