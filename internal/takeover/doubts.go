package takeover

import (
	"context"
	"errors"
	"fmt"
	"io"

	"holdall/fetch"
	"holdall/fetch/failure"
	"holdall/internal/digest"
	"holdall/internal/filetype"
	"holdall/internal/unpack"
)

// errCameDifferent says that the archive in the making was made from bytes of which others came when they
// were fetched a second time.
var errCameDifferent = errors.New("bytes that were in doubt came out different when they were fetched again")

// refetchDoubts fetches a second time what a container says against itself, before it is believed: a name, a
// place or an entry that no checksum covers may have changed in transit. It returns errCameDifferent when it
// had, and why the bytes could not be asked for again as unproven: then what they say is taken, and reported
// to be in doubt.
func (u *unpacker) refetchDoubts(
	ctx context.Context, s *origin, x *containerScan, doubts []unpack.Range,
) (unproven, err error) {
	if other, err := x.otherThanBefore(s); err != nil {
		return nil, err
	} else if other {
		err = fmt.Errorf("%s: %w", u.o.Source.Name, errCameDifferent)
		return nil, errors.Join(u.t.run.markSuspect(u.o, true), err)
	}
	if len(doubts) == 0 || s.refetch == nil || s.serverDigestFits != nil && s.serverDigestFits(ctx) {
		return nil, nil
	}
	if err := u.t.run.markSuspect(u.o, true); err != nil {
		return nil, err
	}
	mended := false
	for _, d := range doubts {
		var changed bool
		changed, err = s.refetch(ctx, d.From, d.To-d.From)
		mended = mended || changed
		if err != nil && !fetch.SameAgain(err) {
			break
		}
		err = nil
	}
	var fe *failure.Error
	lost := errors.As(err, &fe) && fe.NeedsNewLink()
	switch {
	case errors.Is(err, errCameDifferent):
		return nil, err
	case mended && (err == nil || lost):
		return nil, fmt.Errorf("%s: %w", u.o.Source.Name, errCameDifferent)
	case mended:
		return nil, err
	case lost:
		return err, u.t.run.markSuspect(u.o, false)
	}
	return nil, errors.Join(err, u.t.run.markSuspect(u.o, false))
}

// refetchEntries returns how entries are fetched again out of which something is extracted; nil where their
// container has checksums of its own. Other bytes than before are errCameDifferent: what was extracted is not
// what is there now.
func (u *unpacker) refetchEntries(s *origin, c container, entries []unpack.Entry) refetcher {
	l, listed := c.(*listingContainer)
	if !listed && (s.refetch == nil || s.kind != filetype.Tar) {
		return nil
	}
	again := func(ctx context.Context, e unpack.Entry) (bool, error) {
		if listed {
			return l.object.RefetchFile(ctx, l.files[e.Index])
		}
		return s.refetch(ctx, e.Offset, e.CompressedSize+entryHeader)
	}
	return func(ctx context.Context, _, _ int64) (bool, error) {
		if err := u.t.run.markSuspect(u.o, true); err != nil {
			return false, err
		}
		var same error
		fresh := 0
		for _, e := range entries {
			changed, err := again(ctx, e)
			switch {
			case changed:
				why := fmt.Errorf("%s in %s: %w", e.Name, displayName(s), errCameDifferent)
				return true, errors.Join(err, why)
			case fetch.SameAgain(err):
				same = err
			case err != nil:
				return false, errors.Join(err, u.t.run.markSuspect(u.o, false))
			default:
				fresh++
			}
		}
		if fresh > 0 {
			same = nil
		}
		return false, errors.Join(same, u.t.run.markSuspect(u.o, false))
	}
}

// refetchUntilProven fetches again what s was extracted from, and cannot be read, until the same came twice.
func (u *unpacker) refetchUntilProven(ctx context.Context, s *origin, damage error) error {
	for try := 1; ; try++ {
		if proven, err := u.t.refetchDamaged(ctx, s, damage, 0, s.size, try); proven || err != nil {
			return err
		}
	}
}

// markSuspect records, before an object's bytes are fetched again, that what was made of them may be wrong. A
// process that finds it recorded makes the bag again.
func (r *run) markSuspect(o *fetch.Object, is bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if is == r.state.Suspected[o.Source.Number] {
		return nil
	}
	if r.state.Suspected == nil {
		r.state.Suspected = map[int]bool{}
	}
	if r.state.Suspected[o.Source.Number] = true; !is {
		delete(r.state.Suspected, o.Source.Number)
	}
	return r.save()
}

// unprovenNote is for the end of a finding about what a container says against itself.
func unprovenNote(why error) string {
	if why == nil {
		return ""
	}
	return fmt.Sprintf(
		"; it could not be asked for a second time (%s), so that it may have changed in transit",
		refusalText(why),
	)
}

// entryLine writes what a container says of an entry, to be compared.
func entryLine(w io.Writer, e unpack.Entry) {
	fmt.Fprintf(w, "%d %q %d %d %d %d %s\n",
		e.Index, e.RawName, e.Offset, e.Size, e.Method, e.Modified.Unix(), e.Refused)
}

// otherThanBefore reports whether bytes that healed in transit have changed what the container says that it
// holds.
func (x *containerScan) otherThanBefore(s *origin) (bool, error) {
	if x.changes == s.changes.Load() {
		return false, nil
	}
	sum := digest.NewWriter()
	for e, err := range x.c.Entries() {
		if err != nil {
			return true, nil // a source that fails is met again when the bag is rebuilt
		}
		entryLine(sum, e)
	}
	return sum.Sum() != x.directory, nil
}
