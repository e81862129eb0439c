package fetch

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"holdall/fetch/failure"
)

// complete verifies and finishes an object whose bytes have all been received and hashed. It is false when
// they have changed once more and are to be hashed again.
func (r *Run) complete(o *Object) bool {
	sum, all := o.hash.digests()
	check, wrong, err := o.compareClaims(all)
	if err == nil && o.cutOff.accepted {
		check = cmp.Or(o.selfCheck(), check) // of one that proves itself it is the length that is wrong
	} else if err == nil && wrong != "" {
		var changed bool
		if check, changed, err = r.refetchMismatch(o, wrong); changed {
			return false
		}
	}
	if err != nil {
		r.failWith(o, err)
		return true
	}
	v := Verified{Size: o.hash.offset(), SHA256: sum, Check: check, Contradicts: wrong}
	if before := o.outcome.verified; before.SHA256 == sum && before.Contradicts == brokenEncoding {
		v.Check, v.Contradicts = before.Check, before.Contradicts
	}
	plain, changed, err := r.decodeContent(o, &v)
	if changed {
		return false
	}
	if err == nil {
		err = o.store.finish(v)
	}
	if err != nil {
		r.failWith(o, err)
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	o.outcome.complete, o.outcome.verified = true, plain
	o.readers.arrived.Broadcast()
	r.work.Broadcast()
	return true
}

// brokenEncoding stands, in place of a checksum, for the checks of the encoding that an object came in.
const brokenEncoding = "content-encoding"

// decodeContent decodes an object that came encoded; v is what is known of what was received, and returned
// for any other object. What cannot be decoded is fetched once more; changed says that something else came.
// Where nothing else did, what can be decoded is the content, and v says so.
func (r *Run) decodeContent(o *Object, v *Verified) (plain Verified, changed bool, err error) {
	if o.encodings == nil {
		return *v, false, nil
	}
	if v.Contradicts != brokenEncoding {
		plain, err = r.decode(o, *v, false)
		if !errors.Is(err, errEncoding) {
			return plain, false, err
		}
		r.logf("%s: %v; fetching them once more", o.Source.Link, err)
		check := CheckDamaged
		changed, err = r.refetchWhole(o)
		if err != nil && r.ctx.Err() == nil {
			if err = o.unprovable(o.Source.failure(err)); Unprovable(err) {
				check, err = CheckUnproven, nil
			}
		}
		if changed || err != nil {
			return *v, changed, err
		}
		v.Check, v.Contradicts = check, brokenEncoding
	}
	plain, err = r.decode(o, *v, true)
	return plain, false, err
}

// failWith ends o, or the whole run where the trouble is this machine's.
func (r *Run) failWith(o *Object, err error) {
	e := failure.From(err, failure.Internal, "verify what was fetched")
	if e.Code.Local() {
		r.fatal(e)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	o.fail(e)
}

// maxWholeRefetches is how often an object is fetched once more whose bytes change each time and never fit.
const maxWholeRefetches = 3

// refetchMismatch fetches everything a second time because the bytes do not match what the server says of
// them: there is no telling which are wrong. What has been received stays, except where the second fetch
// brings something else; then changed is true. When it brings the same, or nothing, and the object proves
// itself by its own checksums, it is the server's word that is wrong, and proof names what proves it.
// Otherwise proof is one of the rungs that say that nothing does.
func (r *Run) refetchMismatch(o *Object, wrong string) (proof string, changed bool, err error) {
	r.logf(
		"%s: the bytes do not match the checksum that the server gives (%s); fetching them once more",
		o.Source.Link, wrong,
	)
	changed, err = r.refetchWhole(o)
	var e *failure.Error
	if changed || r.ctx.Err() != nil || errors.As(err, &e) && (e.Retryable() || e.Code.Local()) {
		return "", changed, err
	}
	if proof = o.selfCheck(); proof != "" {
		return proof, false, nil
	}
	if err == nil {
		return CheckDamaged, false, nil
	}
	if err = o.unprovable(o.Source.failure(err)); Unprovable(err) {
		return CheckUnproven, false, nil
	}
	return "", false, err
}

// refetchWhole fetches everything a second time. changed is true when something else came.
func (r *Run) refetchWhole(o *Object) (changed bool, err error) {
	if o.refetch.whole++; o.refetch.whole > maxWholeRefetches {
		return false, &failure.Error{
			Code: failure.Network, Hint: failure.HintFor(failure.Network),
			Message: "the bytes fit no checksum, and come out different each time they are fetched",
		}
	}
	done, err := o.refetch.takeTurn(r.ctx)
	if err != nil {
		return false, err
	}
	defer done()
	r.mu.Lock()
	o.refetch.running = true
	r.mu.Unlock()
	defer o.endRefetch()
	return r.refetchWith(o, func() (bool, error) { return r.refetchAll(o) })
}

// selfCheck names what in the object itself proves that every byte is right, or is empty.
func (o *Object) selfCheck() string {
	if o.encodings == nil {
		return proves(o.run.ctx, o.Source.Kind, o.store.data, o.size)
	}
	if o.encodings[0] != "gzip" || decodeInto(
		o.run.ctx, io.Discard, o.encodings, io.NewSectionReader(o.store.data, 0, o.size),
	) != nil {
		return ""
	}
	return "gzip-crc32"
}

// mismatchError is the failure of an object whose server says something else of it than what it serves, each
// time.
func mismatchError(wrong string) *failure.Error {
	return &failure.Error{
		Code: failure.NotTheExport, Err: errSameAgain,
		Message: fmt.Sprintf(
			"the bytes do not match the checksum that the server gives (%s), though they came out the "+
				"same twice",
			wrong,
		),
		Hint: "the platform holds a damaged file, or gives a wrong checksum for it: ask for a new export; " +
			"what was received is kept",
	}
}

// refetchAll fetches the whole object again, over several connections where the server takes them.
func (r *Run) refetchAll(o *Object) (changed bool, err error) {
	const least = 64 << 20 // for one connection
	part := o.size
	if n := min(startConns, o.size/least); n > 1 && !o.access.sequential {
		part = (o.size/n/o.store.pieceSize + 1) * o.store.pieceSize
	}
	g, ctx := errgroup.WithContext(r.ctx)
	var any atomic.Bool
	for from := int64(0); from < o.size; from += part {
		g.Go(func() error {
			changed, err := r.refetchSpan(ctx, o, from, min(from+part, o.size))
			if changed {
				any.Store(true)
			}
			return err
		})
	}
	err = g.Wait()
	return any.Load(), err
}

// compareClaims compares what is known of a complete object with what its server said of it. It names the
// check reached, or the claim that does not fit.
func (o *Object) compareClaims(all map[string][]byte) (check, wrong string, err error) {
	if o.cutOff.accepted {
		return CheckCutOff, contradictsLength, nil
	}
	for _, c := range o.id.claims() {
		got, ok := all[c.digest]
		if !ok {
			continue
		}
		if string(got) == string(c.sum) {
			return c.name, "", nil
		}
		if c.firm {
			return "", c.name, nil
		}
	}
	if m := multipartMD5.FindStringSubmatch(o.id.strong()); m != nil && !o.id.Transcoded {
		if ok, err := multipartMatches(o.path, o.size, m[1], m[2]); ok || err != nil {
			return "etag-multipart", "", err
		}
	}
	if o.access.oneEnd {
		return CheckOneEnd, "", nil
	}
	if o.id.Size < 0 {
		return "none", "", nil
	}
	return "size", "", nil
}

// dropPieces takes back pieces that are not what they should be, so that they are fetched again.
func (r *Run) dropPieces(o *Object, first, n int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := first; i < first+n; i++ {
		if !o.spans.have.has(i) {
			continue
		}
		if err := o.store.dropPiece(i); err != nil {
			return err
		}
		o.spans.have.drop(i)
		start := i * o.store.pieceSize
		end := o.pieceEnd(start)
		o.spans.received -= end - start
		o.spans.reused = min(o.spans.reused, o.spans.received)
		o.spans.free = insertSpan(o.spans.free, &span{pos: start, end: end}, o.store.pieceSize)
		if o.hash.offset() > start {
			o.hash.restart()
		}
	}
	r.work.Broadcast()
	return nil
}
