package fetch

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/fetch/listing"
	"holdall/internal/digest"
	"holdall/internal/filetype"
	"holdall/internal/retry"
)

// RefetchFile is Refetch for a file of a listing: it is fetched again whole. Files and OpenFile give the
// other bytes, if others came.
func (o *Object) RefetchFile(ctx context.Context, f File) (changed bool, err error) {
	return o.refetchListed(ctx, f, false)
}

// RestoreFile fetches a file of a listing again of which the spool does not hold any more what came (Rotted).
// changed says that other bytes came than the first time. When only a new link can bring it, the file is
// forgotten, so that the next Start does not count on it.
func (o *Object) RestoreFile(ctx context.Context, f File) (changed bool, err error) {
	return o.refetchListed(ctx, f, true)
}

func (o *Object) refetchListed(ctx context.Context, f File, restore bool) (changed bool, err error) {
	p := o.files
	if p == nil || f.Err != nil {
		return false, errors.New("the file has not been received")
	}
	done, err := o.refetch.takeTurn(ctx)
	if err != nil {
		return false, err
	}
	defer done()
	r := o.run
	r.mu.Lock()
	n, twice := p.results.records[f.Index]-1, p.results.sameAgain[f.Index]
	r.mu.Unlock()
	if twice && !restore {
		return false, o.Source.failure(damagedAtSource())
	}
	if changed, err = o.refetchRecord(ctx, f.Index, n); err != nil {
		e := p.fileError(f.Index, o.Source.failure(err))
		switch {
		case restore && e.NeedsNewLink():
			err = p.files.forget(n)
		case n < p.files.before && e.NeedsNewLink():
			e.Err = errors.Join(errUnprovable, e.Err)
		}
		return false, errors.Join(e, err)
	}
	r.mu.Lock()
	p.results.sameAgain[f.Index] = !changed
	complete := o.outcome.complete
	r.mu.Unlock()
	if changed && complete {
		err = r.completeListing(o)
	}
	return changed, err
}

func (o *Object) refetchRecord(ctx context.Context, i int, n uint32) (changed bool, err error) {
	if o.files.entries == nil {
		return false, &failure.Error{
			Code: failure.LinkExpired, Hint: failure.HintNewLink,
			Message: "the listing could not be asked for again, and the links in it are not kept",
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(o.run.ctx, cancel)()
	return o.files.refetchFile(ctx, i, n)
}

// refetchFile fetches file i, of which record n is, again until an answer is whole.
func (p *filePool) refetchFile(ctx context.Context, i int, n uint32) (changed bool, err error) {
	r := p.o.run
	l, err := p.entries.get(i)
	if err != nil {
		return false, err
	}
	rec, err := p.files.record(n)
	if err != nil {
		return false, err
	}
	var t tries
	for {
		changed, err := p.refetchFileOnce(ctx, l, &t, rec, n)
		if err == nil {
			return changed, nil
		}
		if ctx.Err() != nil {
			return false, failure.Stopped(ctx)
		}
		v := t.failed(err, yieldNone, time.Now(), r.f.opts.retryBudget())
		if v.action == endTries || v.action == stopAll {
			return false, v.err
		}
		r.retried()
		if retry.Sleep(ctx, v.after) != nil {
			return false, failure.Stopped(ctx)
		}
	}
}

// refetchFileOnce is one request of refetchFile.
func (p *filePool) refetchFileOnce(
	ctx context.Context, l listing.Entry, t *tries, rec fileRecord, n uint32,
) (changed bool, err error) {
	r := p.o.run
	x, err := r.f.get(ctx, request{
		object: p.o.Source.Number, part: p.o.Source.Part, link: l.Link,
		to: -1, whole: t.whole, retries: t.wait.Tries() + 1,
	})
	if err != nil {
		return false, err
	}
	defer func() { x.close(err) }()
	deadline, _ := link.Expiry(l.Link)
	if err = r.f.checkResponse(x, deadline); err != nil {
		return false, err
	}
	if x.bounds.start != 0 {
		return false, unusable("asked from the first byte, the server began at %d", x.bounds.start)
	}
	out, err := os.CreateTemp(r.spool.dir, "again-*")
	if err != nil {
		return false, failure.Disk(err, "write a fetched file to the spool")
	}
	defer os.Remove(out.Name())
	defer out.Close()
	got, err := r.copyWhole(ctx, out, x)
	if err != nil {
		return false, err
	}
	if got.Sum() == rec.sum && got.Size() == rec.size {
		if p.files.holds(rec) {
			return false, nil
		}
		return false, p.replaceRecord(n, rec, out)
	}
	rec.sum, rec.size = got.Sum(), got.Size()
	rec.tag, rec.modified = tagOf(x.identity.strong()), modifiedOf(x, l)
	return true, p.replaceRecord(n, rec, out)
}

// copyWhole writes what an answer carries, decoded, and sums it up. An answer that breaks off is an error.
func (r *Run) copyWhole(ctx context.Context, out io.Writer, x *exchange) (*digest.Writer, error) {
	x.peek(filetype.HeadLen)
	raw := &wholeBody{ctx: ctx, r: r, x: x}
	content, err := decoders(layers(x.identity.Encoding, x.prefix), raw)
	if err != nil {
		return nil, unusable("it came compressed (%s) and cannot be read: %w", x.identity.Encoding, err)
	}
	sum := digest.NewWriter()
	w := &diskWriter{w: out}
	_, err = io.Copy(io.MultiWriter(w, sum), content)
	switch {
	case w.err != nil:
		return nil, failure.Disk(w.err, "write a fetched file to the spool")
	case raw.err != nil:
		return nil, cutShort(raw.err)
	case err != nil:
		return nil, unusable("it came compressed (%s) and cannot be read: %w", x.identity.Encoding, err)
	case x.bounds.end >= 0 && raw.n < x.bounds.end:
		return nil, io.ErrUnexpectedEOF
	}
	return sum, nil
}

// A wholeBody reads a body within the rate, and keeps its errors apart from those of a decoder.
type wholeBody struct {
	ctx context.Context
	r   *Run
	x   *exchange
	n   int64
	err error
}

func (b *wholeBody) Read(p []byte) (int, error) {
	n, err := b.x.Read(p[:b.r.f.limit.most(len(p))])
	b.n += int64(n)
	b.r.mu.Lock()
	b.r.fetched += int64(n)
	b.r.mu.Unlock()
	if werr := b.r.f.limit.wait(b.ctx, n); werr != nil {
		err = werr
	}
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

type diskWriter struct {
	w   io.Writer
	err error
}

func (d *diskWriter) Write(p []byte) (int, error) {
	n, err := d.w.Write(p)
	if err != nil {
		d.err = err
	}
	return n, err
}

// replaceRecord puts the bytes in f in the place of record n, for every file that it is of.
func (p *filePool) replaceRecord(n uint32, rec fileRecord, f *os.File) error {
	var now uint32
	var err error
	if rec.size <= largeFile {
		body := make([]byte, rec.size)
		if _, err = f.ReadAt(body, 0); err != nil && err != io.EOF {
			return failure.Disk(err, "read a fetched file back")
		}
		now, err = p.files.put(rec, body)
	} else {
		now, err = p.files.putFile(rec, f)
	}
	if err != nil {
		return err
	}
	if err := p.files.sync(); err != nil {
		return err
	}
	p.o.run.mu.Lock()
	defer p.o.run.mu.Unlock()
	for i, at := range p.results.records {
		if at == n+1 {
			p.results.records[i] = now + 1
		}
	}
	return nil
}

// putFile keeps a large file whose bytes are in f, in a place of its own.
func (s *fileStore) putFile(rec fileRecord, f *os.File) (uint32, error) {
	if err := datasync(f); err != nil {
		return 0, failure.Disk(err, "sync a fetched file")
	}
	rec.segment = 0
	for {
		rec.offset++
		path := dataPath(s.dir, s.ownName(rec.offset))
		if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
			if err := os.Rename(f.Name(), path); err != nil {
				return 0, failure.Disk(err, "write a fetched file to the spool")
			}
			return s.append(rec)
		}
	}
}
