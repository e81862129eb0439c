package fetch

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"

	"holdall/fetch/failure"
)

// pieceEnd returns the end of the piece that off is in.
func (o *Object) pieceEnd(off int64) int64 {
	end := (off/o.store.pieceSize + 1) * o.store.pieceSize
	if o.size >= 0 {
		end = min(end, o.size)
	}
	return end
}

// missing returns the first byte from off up to end that has not been received, or end.
func (o *Object) missing(off, end int64) int64 {
	for off < end {
		i := off / o.store.pieceSize
		if !o.spans.have.has(i) {
			return off
		}
		off = (i + 1) * o.store.pieceSize
	}
	return end
}

// ReadAt waits until the bytes have been received. Bytes that somebody waits for are fetched before others.
// When the fetch fails or ends before they came, ReadAt returns that failure. Safe for concurrent use.
func (o *Object) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("read at a negative offset")
	}
	if o.files != nil {
		return o.readListing(p, off)
	}
	if o.encodings != nil {
		return o.readPlain(p, off)
	}
	n, err := o.awaitBytes(off, int64(len(p)))
	if n == 0 {
		return 0, err
	}
	got, readErr := o.store.data.ReadAt(p[:n], off)
	if readErr != nil && got < int(n) {
		return got, failure.Disk(readErr, "read back fetched bytes from the spool")
	}
	return got, err
}

// awaitBytes waits for n bytes from off. It returns how many can be read, and why these are fewer than asked
// for.
func (o *Object) awaitBytes(off, n int64) (int64, error) {
	r := o.run
	r.mu.Lock()
	defer r.mu.Unlock()
	var w *interval
	defer func() {
		if w != nil {
			o.readers.waits = slices.DeleteFunc(o.readers.waits, func(x *interval) bool { return x == w })
		}
	}()
	for {
		end := off + n
		if o.size >= 0 {
			end = min(end, o.size)
		}
		if o.outcome.closed {
			return 0, os.ErrClosed
		}
		if o.cutOff.acceptedNow && off+n > end {
			return 0, ErrCutOff
		}
		if off >= end && (o.size >= 0 || n == 0) {
			return 0, eofUnless(n == 0)
		}
		first := o.missing(off, end)
		if first >= end && (o.size >= 0 || end == off+n) {
			return end - off, eofUnless(end == off+n)
		}
		if o.outcome.failed != nil {
			return max(first-off, 0), o.outcome.failed
		}
		if w == nil {
			w = &interval{}
			o.readers.waits = append(o.readers.waits, w)
		}
		if *w != (interval{first, end}) {
			*w = interval{first, end}
			if !o.over() && !o.access.sequential && !o.arrivesSoon(first) {
				r.work.Broadcast()
				r.preempt(r.host(o.Source.Link.Host()))
			}
		}
		o.readers.arrived.Wait()
	}
}

func eofUnless(whole bool) error {
	if whole {
		return nil
	}
	return io.EOF
}

// readPlain reads the content of an object that came encoded, once all of it has been received.
func (o *Object) readPlain(p []byte, off int64) (int, error) {
	if err := o.until(context.Background(), func() bool { return o.outcome.complete }); err != nil {
		return 0, err
	}
	o.run.mu.Lock()
	end := o.outcome
	o.run.mu.Unlock()
	if end.closed {
		return 0, os.ErrClosed
	}
	f := end.decoded[len(end.decoded)-1]
	return io.NewSectionReader(f, 0, end.verified.Size).ReadAt(p, off)
}
