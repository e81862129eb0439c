package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"holdall/internal/unpack"
)

// A worker is one connection's worth of fetching.
type worker struct {
	host  *host
	buf   []byte
	bytes atomic.Int64 // taken from the network

	// The run's mutex guards what follows.
	busy    bool
	span    *span // what it works on; only this worker changes which one
	began   time.Time
	cancel  context.CancelFunc
	atBegin int64     // bytes when it began
	seen    int64     // bytes at the last look
	rate    float64   // bytes a second, lately
	slow    time.Time // since when it is much slower than the others
	tooSlow bool      // cancelled for that
}

// begin is called with the run's mutex held.
func (w *worker) begin(t task, cancel context.CancelFunc) {
	w.busy, w.span, w.began, w.cancel = true, t.s, time.Now(), cancel
	w.atBegin = w.bytes.Load()
	w.seen, w.rate, w.slow, w.tooSlow = w.atBegin, 0, time.Time{}, false
}

// runWorker fetches until there is nothing more from the host.
func (r *Run) runWorker(w *worker) {
	for {
		ctx, cancel := context.WithCancel(r.ctx)
		t, ok := r.take(w, cancel)
		if !ok {
			cancel()
			return
		}
		if len(w.buf) < int(t.o.st.pieceSize) {
			w.buf = make([]byte, t.o.st.pieceSize)
		}
		err := r.serve(ctx, w, t)
		cancel()
		r.put(w, t.o, err)
	}
}

// serve fetches a task's span, and goes on with what follows it where the same response brings that too.
func (r *Run) serve(ctx context.Context, w *worker, t task) error {
	x, err := t.probe, error(nil)
	if x == nil {
		if x, err = r.request(ctx, w, t.o, t.s); err != nil {
			return err
		}
	} else {
		stop := context.AfterFunc(ctx, x.cancel)
		defer stop()
	}
	if err = r.accept(w, t.o, x); err == nil {
		err = r.receive(ctx, w, t.o, x)
	}
	x.close(err)
	return err
}

const aloneAfter = 500 * time.Millisecond

const overlap = 64 << 10 // compared with what is here, where nothing else would show that the object changed

func (r *Run) request(ctx context.Context, w *worker, o *Object, s *span) (*exchange, error) {
	r.mu.Lock()
	q := want{object: o.Source.Number, part: o.Source.Part, link: o.Source.Link, from: s.pos, to: s.end, retries: o.backoff.Tries()}
	if !o.resolved.IsZero() {
		q.link = o.resolved
	}
	if o.sequential || s.end == forever {
		q.to = -1
	}
	if !o.id.vouched() {
		q.from = max(0, q.from-overlap)
	}
	r.mu.Unlock()
	asked := time.Now()
	x, err := r.f.get(ctx, q)
	r.mu.Lock()
	defer r.mu.Unlock()
	if took := time.Since(asked).Seconds(); err == nil && (w.host.latency == 0 || took < 4*w.host.latency) {
		w.host.latency = took/2 + w.host.latency/2
	}
	return x, err
}

// errChanged says that a response is of another object than the one begun.
type errChanged struct{ what string }

func (e errChanged) Error() string {
	return fmt.Sprintf("the object changed at its source (%s) while it was being fetched", e.what)
}

func (e errChanged) explain() *Error {
	return &Error{Code: ObjectChanged, Message: e.Error(), Hint: "run the same command again to fetch the new one; the old part is kept beside it"}
}

// errIgnored says that the server sent the object from its first byte, though a later part was asked for.
var errIgnored = errors.New("the server ignored the range asked for")

// accept decides whether a response is of use for the worker's span.
func (r *Run) accept(w *worker, o *Object, x *exchange) error {
	if err := r.f.judge(x, o.Source.Expiry); err != nil && !(errors.Is(err, errUnsatisfied) && r.endsHere(o, x)) {
		return r.unsatisfied(o, x, err)
	}
	if err := o.pageInstead(x, r.f.clock.server(r.f.now())); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if what := o.id.changed(x.identity); what != "" {
		return errChanged{what}
	}
	o.changes = 0
	if o.lastTry {
		o.pending = nil // alone it works
	}
	if o.size < 0 && x.bounds.total >= 0 {
		if err := r.ends(w, o, x.bounds.total); err != nil {
			return err
		}
	}
	if !x.final.IsZero() {
		o.resolved = x.final
	}
	s := w.span
	if x.bounds.start > s.pos {
		return fmt.Errorf("%w: asked for the bytes from %d, got those from %d", errAnswer, s.pos, x.bounds.start)
	}
	if s.pos > 0 && x.bounds.start+soonBytes < s.pos && !o.sequential {
		return errIgnored
	}
	if s.pos > 0 && x.bounds.start > 0 {
		o.rangesSeen, o.ignored = true, 0
	}
	return nil
}

// errMaybeEnd is the end of a body that has no length and is not chunked: the end of the object, or a broken connection. It
// counts when it comes twice at the same place.
var errMaybeEnd = errors.New("the connection ended, and the server had not told the length")

// pageInstead recognises a page of a server or proxy that came with status 200 where bytes of the object should be.
func (o *Object) pageInstead(x *exchange, now time.Time) error {
	if x.resp.StatusCode != http.StatusOK || x.bounds.start > 0 || len(x.prefix) > 0 || o.Source.Kind == "" {
		return nil
	}
	first := x.peek(1024)
	switch k := unpack.Detect(first); k {
	case o.Source.Kind:
	case unpack.KindHTML, unpack.KindXML, unpack.KindJSON:
		e := notTheExport(k, x.final)
		if !o.Source.Expiry.IsZero() && now.After(o.Source.Expiry) {
			e.Code, e.Message, e.Hint = LinkExpired, e.Message+": the link has expired", hintNewLink
		}
		return &refusal{err: e}
	}
	return nil
}

// endsHere takes a 416 for the end of an object whose size was not known.
func (r *Run) endsHere(o *Object, x *exchange) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return o.size < 0 && x.bounds.total >= 0
}

// unsatisfied says what a 416 means that tells of an object of another size: another object, or, where redirects led to it, a
// page instead of the object. Other errors are returned as they are.
func (r *Run) unsatisfied(o *Object, x *exchange, err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !errors.Is(err, errUnsatisfied) || o.size < 0 || x.bounds.total < 0 || x.bounds.total == o.size {
		return err
	}
	if !x.final.IsZero() {
		return &refusal{err: notTheExport(unpack.KindHTML, x.final)}
	}
	return errChanged{"its size"}
}

// setSize takes in a size that was not known; with the run's mutex held.
func (o *Object) setSize(n int64) {
	o.size = n
	for s := range o.active {
		s.end = min(s.end, n)
	}
	for _, s := range o.free {
		s.end = min(s.end, n)
	}
	o.arrived.Broadcast()
}

// receive reads a response into the worker's span.
func (r *Run) receive(ctx context.Context, w *worker, o *Object, x *exchange) error {
	at := x.bounds.start
	for {
		if err := r.skip(ctx, w, o, x, at); err != nil {
			return err
		}
		if err := r.fill(ctx, w, o, x); err != nil {
			return err
		}
		at = w.span.pos
		if !r.extend(w, o, x, at) {
			return nil
		}
	}
}

// skip reads the bytes from at up to the worker's span, which are here already, and compares them.
func (r *Run) skip(ctx context.Context, w *worker, o *Object, x *exchange, at int64) error {
	var ours []byte
	for at < w.span.pos {
		n := min(int64(len(w.buf)), w.span.pos-at)
		got, err := r.read(ctx, w, x, w.buf[:n])
		if ours == nil {
			ours = make([]byte, len(w.buf))
		}
		if m, err := o.st.data.ReadAt(ours[:got], at); m < got {
			return diskError(err, "read back fetched bytes from the spool")
		}
		if !bytes.Equal(ours[:got], w.buf[:got]) {
			return errChanged{"its bytes"}
		}
		at += int64(got)
		if at < w.span.pos && err != nil {
			return cutShort(err)
		}
	}
	return nil
}

func cutShort(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// fill reads the worker's span, a piece at a time. It returns nil when the span, or what the response promised of it, is here.
func (r *Run) fill(ctx context.Context, w *worker, o *Object, x *exchange) error {
	for {
		r.mu.Lock()
		s := w.span
		pos, crc := s.pos, s.crc
		end := min(s.end, o.pieceEnd(pos))
		stop := o.failed != nil
		r.mu.Unlock()
		if x.bounds.end >= 0 {
			end = min(end, x.bounds.end)
		}
		if pos >= end || stop {
			return nil
		}
		n, err := r.read(ctx, w, x, w.buf[:end-pos])
		if n > 0 {
			if err := r.keep(w, o, pos, crc, w.buf[:n]); err != nil {
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
			if len(x.resp.TransferEncoding) == 0 && o.endSeen != pos {
				o.endSeen = pos
				return errMaybeEnd
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

// keep puts bytes of one piece into the spool, and records the piece when it is whole.
func (r *Run) keep(w *worker, o *Object, pos int64, crc uint32, p []byte) error {
	if err := o.st.write(p, pos); err != nil {
		return err
	}
	crc = crc32.Update(crc, castagnoli, p)
	next := pos + int64(len(p))
	whole := next == o.endOf(pos)
	index := pos / o.st.pieceSize
	if whole {
		if err := o.st.record(pieceRecord{index, uint32(next - index*o.st.pieceSize), crc}); err != nil {
			return err
		}
	}
	r.disk.wrote(int64(len(p)))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fetched += int64(len(p))
	o.here += int64(len(p))
	o.lastBytes = time.Now()
	o.resolves = 0
	if o.backoff.Tries() > 0 {
		o.backoff.Reset()
	}
	s := w.span
	s.pos, s.crc = next, crc
	if whole {
		s.crc = 0
		o.have.add(index, crc)
		o.arrived.Broadcast()
	}
	return nil
}

// endOf is pieceEnd for callers without the run's mutex.
func (o *Object) endOf(pos int64) int64 {
	o.run.mu.Lock()
	defer o.run.mu.Unlock()
	return o.pieceEnd(pos)
}

// ends takes in an object's size when it becomes known only now. With the run's mutex held.
func (r *Run) ends(w *worker, o *Object, size int64) error {
	if err := o.st.setSize(size); err != nil {
		return err
	}
	s := w.span
	index := size / o.st.pieceSize
	if rest := size % o.st.pieceSize; rest > 0 && s.pos == size {
		if err := o.st.record(pieceRecord{index, uint32(rest), s.crc}); err != nil {
			return err
		}
		o.have.add(index, s.crc)
	}
	o.setSize(size)
	return nil
}

// extend goes on with the next free bytes when the response brings them: right after the span, or, where the server knows no
// ranges, after what is here already.
func (r *Run) extend(w *worker, o *Object, x *exchange, at int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if o.settled() || len(o.free) == 0 || x.bounds.end >= 0 && at >= x.bounds.end || at < w.span.end {
		return false
	}
	next := o.free[0]
	if next.pos < at || next.pos > at && !o.sequential || x.bounds.end >= 0 && next.pos >= x.bounds.end {
		return false
	}
	s := o.claimNext(w.host)
	delete(o.active, w.span)
	w.span = s
	o.active[s] = w
	return true
}

// put gives back what is left of the worker's span and decides what an error means.
func (r *Run) put(w *worker, o *Object, err error) {
	r.mu.Lock()
	s := w.span
	w.host.busy--
	w.busy, w.cancel = false, nil
	delete(o.active, s)
	o.free = insertSpan(o.free, s, o.st.pieceSize)
	fatal := error(nil)
	if err != nil && !o.settled() {
		fatal = r.failedTry(w, o, err)
	}
	if o.pending != nil && len(o.active) == 0 {
		if !o.lastTry {
			o.fail(o.pending)
		}
		// The server may take a moment to notice that the other connections have ended.
		o.notBefore = time.Now().Add(aloneAfter)
	}
	r.work.Broadcast()
	r.mu.Unlock()
	if fatal != nil {
		r.fatal(fatal)
	}
}

// failedTry decides what to do about an error: nothing but wait and ask again, fail the object, or return it because it ends
// the whole run. With the run's mutex held.
func (r *Run) failedTry(w *worker, o *Object, err error) error {
	var e *Error
	var ref *refusal
	var changed errChanged
	switch {
	case r.ctx.Err() != nil:
		return nil
	case w.tooSlow:
		r.retries++
		r.logf("%s: one connection was much slower than the others; another one goes on with its work", o.Source.Link)
		return nil
	case errors.As(err, &ref):
		r.refused(w.host, o, ref)
		return nil
	case errors.As(err, &e):
		return e // of the disk
	case hopeless(err):
		o.fail(netError(err))
		return nil
	case errors.As(err, &changed):
		if o.changes++; o.changes >= 3 || changed.what == "its bytes" {
			o.fail(changed.explain())
			return nil
		}
	case errors.Is(err, errIgnored):
		if o.ignored++; o.ignored >= 3 || !o.rangesSeen {
			o.sequential, o.limit = true, 1
		}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.ECONNREFUSED):
		w.host.halve(time.Now())
	}
	// A connection that brought something before it broke is simply followed by the next one.
	if w.bytes.Load()-w.atBegin >= overlap && !errors.As(err, &changed) {
		r.retries++
		o.lastErr = err
		return nil
	}
	r.again(o, err, 0)
	return nil
}

// again lets o wait before the next try, or fails it when nothing has come for too long.
func (r *Run) again(o *Object, err error, after time.Duration) {
	r.retries++
	o.lastErr = err
	if time.Since(o.lastBytes) > r.f.opts.budget() {
		if changed := (errChanged{}); errors.As(err, &changed) {
			o.fail(changed.explain())
			return
		}
		e := netError(err)
		e.Message = fmt.Sprintf("nothing arrived for %s, over %d tries", r.f.opts.budget(), o.backoff.Tries()+1)
		o.fail(e)
		return
	}
	// However long the server asks to wait, there must be time for another try.
	o.notBefore = time.Now().Add(max(min(after, r.f.opts.budget()/2), o.backoff.Next()))
	r.logf("%s: %v; trying again", o.Source.Link, err)
}

// refused decides about an answer with a status other than success.
func (r *Run) refused(h *host, o *Object, ref *refusal) {
	switch {
	case ref.throttled:
		h.halve(time.Now())
		r.again(o, ref, ref.after)
	case ref.transient:
		r.again(o, ref, ref.after)
	case !o.resolved.IsZero() && o.resolves == 0:
		o.resolved, o.resolves = Link{}, 1
		r.again(o, ref, 0)
	case !o.lastTry && (!ref.certain && len(o.active) > 0 && ref.err.Code == LinkDenied || ref.err.Code == NotTheExport):
		// Some servers refuse more than one connection in this way, and some proxies have a bad moment.
		o.pending, o.lastTry, o.limit = ref.err, true, 1
	case o.lastTry && len(o.active) > 0:
	default:
		o.pending, o.lastTry = ref.err, false
	}
}
