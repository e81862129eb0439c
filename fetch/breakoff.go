package fetch

import (
	"errors"
	"fmt"
	"io"
	"syscall"

	"holdall/fetch/failure"
)

// An object may be cut off where it is stored: every answer breaks off at the same byte, though the server
// tells a greater length, or ends its chunks without an end. No number of runs brings the rest. It is taken
// as it is, and called cut off, when a later run has broken off at that very byte as well; a single byte more
// in between, and it is not.

const (
	contradictsLength = "length" // stands, in place of a checksum, for the length that the server claims
	enoughBreaks      = 4        // answers of one run that break off at the same byte
)

// ErrCutOff is what a reader gets that relied on the length the server gave: the object is shorter. The next
// Start knows the object's true size from its beginning.
var ErrCutOff = errors.New("the object is cut off at its source")

// A cutOff is where answers break off.
type cutOff struct {
	at          int64 // all bytes before it have been received, and none from there on
	times       int   // how often, in this run
	previous    int64 // at, in the last run that got no further; 0 when it did
	accepted    bool  // what has been received counts as the whole object
	acceptedNow bool  // by this run, so that readers may have counted on more
}

// noteBreak notes that a connection of w broke off by err. It reports whether what has been received is all
// that can be fetched. With the run's mutex held.
func (o *Object) noteBreak(w *worker, err error) bool {
	breaks := errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errAnswer) ||
		errors.Is(err, syscall.ECONNRESET)
	s := &o.spans
	noGap := len(s.active) == 0 && len(s.free) == 1 && s.free[0].pos == s.received && s.received > 0
	if !w.accepted || !breaks || !noGap {
		return false
	}
	if o.cutOff.at != o.spans.received {
		o.cutOff.at, o.cutOff.times = o.spans.received, 0
	}
	o.cutOff.times++
	return o.cutOff.previous == o.cutOff.at && o.cutOff.times >= enoughBreaks
}

// cutOffHint says what the next run does when the answers break off at the same byte again.
func (o *Object) cutOffHint(e *failure.Error) *failure.Error {
	if o.cutOff.times < leastTries || o.cutOff.at != o.spans.received {
		return e
	}
	c := *e
	c.Hint = fmt.Sprintf("run the same command again: if the responses break off after %d bytes once more, "+
		"those bytes are accepted as they are, and only a new export can bring the rest", o.spans.received)
	return &c
}

// acceptCutOff makes what has been received the whole object. With the run's mutex held.
func (r *Run) acceptCutOff(o *Object) error {
	s := o.spans.free[0]
	if err := o.recordRest(s); err != nil {
		return err
	}
	if err := o.store.data.Truncate(s.pos); err != nil {
		return failure.Disk(err, "set the size of the fetched object")
	}
	r.logf("%s: every answer breaks off after %d bytes, as in the run before", o.Source.Link, s.pos)
	o.cutOff.accepted, o.cutOff.acceptedNow, o.spans.free = true, true, nil
	o.setSize(s.pos)
	return nil
}

// endedOnce reports whether a refusal leaves the end of an answer that gave no length as the only one there
// will be, with all bytes before it here. With the run's mutex held.
func (o *Object) endedOnce(ref *refusal) bool {
	return o.size < 0 && o.access.endSeen > 0 && len(o.spans.active) == 0 && len(o.spans.free) == 1 &&
		o.spans.free[0].pos == o.access.endSeen && o.spans.received == o.access.endSeen &&
		(ref.err.Code == failure.LinkGone || ref.err.Code == failure.LinkDenied)
}

// acceptEnd makes what is here the whole object: its link has given all it had. With the run's mutex held.
func (r *Run) acceptEnd(o *Object) error {
	s := o.spans.free[0]
	if err := o.store.setSize(s.pos); err != nil {
		return err
	}
	if err := o.recordRest(s); err != nil {
		return err
	}
	r.logf("%s: it worked once, and its answer ended after %d bytes", o.Source.Link, s.pos)
	o.access.oneEnd, o.spans.free = true, nil
	o.setSize(s.pos)
	return nil
}

// recordRest records the piece that s ends in, which is the last one. With the run's mutex held.
func (o *Object) recordRest(s *span) error {
	index, rest := s.pos/o.store.pieceSize, s.pos%o.store.pieceSize
	if rest == 0 {
		return nil
	}
	if err := o.store.record(pieceRecord{index, uint32(rest), s.crc}); err != nil {
		return err
	}
	o.spans.have.add(index, s.crc)
	return nil
}

// recordCutOffs writes down where incomplete objects broke off, for the next run.
func (r *Run) recordCutOffs() {
	r.adding.Lock()
	defer r.adding.Unlock()
	r.mu.Lock()
	changed := false
	for _, e := range r.spool.list.Objects {
		for _, o := range r.all() {
			if o.name != e.Name || o.files != nil {
				continue
			}
			at := int64(0)
			if o.cutOff.times >= leastTries || o.cutOff.accepted {
				at = o.cutOff.at
			} else if o.cutOff.previous == o.spans.received { // this run ended before it could say
				at = o.cutOff.previous
			}
			changed = changed || e.CutAt != at
			e.CutAt = at
		}
	}
	r.mu.Unlock()
	if changed {
		if err := r.spool.save(); err != nil {
			r.logf("could not record where an object breaks off: %v", err)
		}
	}
}
