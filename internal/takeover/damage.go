package takeover

import (
	"context"
	"errors"
	"fmt"
	"io"

	"holdall/fetch"
	"holdall/fetch/failure"
	"holdall/internal/unpack"
)

// maxRefetches is how often bytes are fetched again that come out different each time, and wrong.
const maxRefetches = 5

// entryHeader is room for a header with the longest name; fetching a little more does no harm.
const entryHeader = 64 << 10

// refetchDamaged is origin.refetchDamaged. Bytes that nothing can prove or heal any more are as if proven,
// and reported of: no takeover may need one new link after the other.
func (t *takeover) refetchDamaged(
	ctx context.Context, s *origin, damage error, from, n int64, try int,
) (proven bool, err error) {
	proven, err = s.refetchDamaged(ctx, damage, from, n, try)
	if !fetch.Unprovable(err) {
		return proven, err
	}
	return true, t.run.recordUnproven(s.object, err)
}

// refetchDamaged fetches again what a checksum or a structure inside a container says is wrong. proven says
// that the same bytes came again: they are damaged at their source. Without it and without an error, reading
// again may help. What keeps the bytes from being fetched proves nothing, and is returned, unless a digest of
// the server's has proved the bytes already.
func (s *origin) refetchDamaged(
	ctx context.Context, damage error, from, n int64, try int,
) (proven bool, err error) {
	if s.refetch == nil {
		return true, nil
	}
	var d *unpack.Damage
	if errors.As(damage, &d) {
		from, n = d.From, d.To-d.From
	}
	from = min(max(from, 0), s.size)
	n = min(n, s.size-from)
	if n <= 0 {
		from, n = 0, s.size
	}
	changed, err := s.refetch(ctx, from, n)
	if changed {
		s.changes.Add(1)
	}
	if fetch.SameAgain(err) {
		return true, nil
	}
	if err == nil && try >= maxRefetches {
		err = &failure.Error{Code: failure.Network, Part: s.object.Source.Part,
			Link: s.object.Source.Link.String(),
			Message: fmt.Sprintf(
				"%s came out different, and wrong, each of %d times: %v", s.name, try, damage,
			)}
	}
	if err != nil && s.serverDigestFits != nil && s.serverDigestFits(ctx) {
		return true, nil
	}
	return false, err
}

// read hands an entry's content to use. Content that does not fit its container's checksum is fetched again;
// if it stays as it was, that is how the vendor made it, and use gets what can be read of it, with damaged
// set.
func (t *takeover) read(
	ctx context.Context, s *origin, c container, e unpack.Entry, use func(r io.Reader, damaged bool) error,
) error {
	for try := 1; ; try++ {
		err := readOnce(c, e, func(r io.Reader) error { return use(r, s.unproven) })
		if l, ok := c.(*listingContainer); ok && fetch.Rotted(err) && try < maxRefetches {
			if err = t.restore(ctx, s, l, e); err != nil {
				return err
			}
			continue
		}
		if !isCorrupt(err) {
			return err
		}
		proven, rerr := t.refetchDamaged(ctx, s, err, e.Offset, e.CompressedSize+entryHeader, try)
		if rerr != nil {
			// What cannot be asked for again may have been repaired meanwhile, for another reader.
			if again := readOnce(
				c, e, func(r io.Reader) error { return use(r, s.unproven) },
			); !isCorrupt(again) {
				return again
			}
			return rerr
		}
		if proven {
			return readOnce(c, e, func(r io.Reader) error { return use(&lenient{r}, true) })
		}
	}
}

// restore fetches a file of a listing again that has rotted in the spool.
func (t *takeover) restore(ctx context.Context, s *origin, l *listingContainer, e unpack.Entry) error {
	changed, err := l.object.RestoreFile(ctx, l.files[e.Index])
	if changed {
		why := fmt.Errorf("%s in %s: %w", e.Name, displayName(s), errCameDifferent)
		return errors.Join(err, t.run.markSuspect(s.object, true), why)
	}
	return err
}

func readOnce(c container, e unpack.Entry, use func(io.Reader) error) error {
	r, err := c.Open(e)
	if err != nil {
		return err
	}
	return errors.Join(use(r), r.Close())
}

func isCorrupt(err error) bool {
	return errors.Is(err, unpack.ErrChecksum) || errors.Is(err, unpack.ErrFormat)
}

// lenient ends content where it becomes unreadable.
type lenient struct{ r io.Reader }

func (l *lenient) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if isCorrupt(err) {
		err = io.EOF
	}
	return n, err
}
