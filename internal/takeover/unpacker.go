package takeover

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"holdall/archive"
	"holdall/fetch"
	"holdall/internal/digest"
	"holdall/internal/filetype"
	"holdall/internal/unpack"
	"holdall/query"
)

// An unpacker takes over what one received object holds, the containers inside it included.
type unpacker struct {
	t       *takeover
	o       *fetch.Object
	all     []*fetch.Object // with the others of a split container
	list    *entryList
	refused *refusedFile
	packer  *archive.Packer // of documents; nil for data
	whole   bool            // something of the object is nowhere else in the archive: it is kept whole
}

func (t *takeover) newUnpacker(o *fetch.Object, all []*fetch.Object) (*unpacker, error) {
	list, err := t.entryLists.list(o.Source.Number)
	if err != nil {
		return nil, err
	}
	refused, err := t.newRefused(o)
	if err != nil {
		list.close()
		return nil, err
	}
	return &unpacker{t: t, o: o, all: all, list: list, refused: refused}, nil
}

// unpackObject takes over an object with read, which is called again with its content where it turns out to
// be compressed. What read says is not a container is kept as it was received.
func (t *takeover) unpackObject(
	ctx context.Context, g objectGroup, read func(*unpacker, *origin) error,
) error {
	s, err := g.origin(ctx)
	if err != nil {
		return err
	}
	in, err := t.newUnpacker(g.head(), g.objects)
	if err != nil {
		return err
	}
	err = read(in, s)
	if errors.Is(err, errNotContainer) {
		err = in.useDecompressed(ctx, s, func(inside *origin) error { return read(in, inside) })
	}
	if errors.Is(err, errNotContainer) {
		err = t.keepUnknown(ctx, g.head())
	}
	if err == nil {
		err = s.waitWhole(ctx)
	}
	return in.close(ctx, err)
}

// close ends the object's records; with an error they are dropped.
func (u *unpacker) close(ctx context.Context, err error) error {
	if err != nil {
		u.refused.abandon()
		u.list.close()
		return err
	}
	u.whole = u.whole || u.refused.lost > 0 || u.t.run.isUnproven(u.o)
	for _, o := range u.all {
		v, err := o.Wait(ctx)
		u.whole = u.whole || err == nil && unverified(v)
	}
	if u.whole {
		for _, o := range u.all {
			if _, err := o.Wait(ctx); err != nil {
				return u.close(ctx, err)
			}
			if err := u.t.keepObject(ctx, o, "data/received/containers/"); err != nil {
				return u.close(ctx, err)
			}
		}
	}
	return errors.Join(u.refused.close(), u.list.close())
}

// A containerScan is what the entries of a container are for.
type containerScan struct {
	c       container
	damaged error // why the container was opened by what is left of it; nil for a sound one
	odd     int   // entries that the second look is for: refused ones, and what may be litter
	entries int

	directory digest.Sum // what the entries were when they were handed on
	changes   int64      // of the origin, when they were
}

// scanOrKeep is scanContainer for a container that is kept as it was received if it cannot be read: there is
// no scan then.
func (u *unpacker) scanOrKeep(
	ctx context.Context, s *origin, reset func(), use func(unpack.Entry) error,
) (*containerScan, error) {
	x, err := u.scanContainer(ctx, s, reset, use)
	if errors.Is(err, errNotContainer) {
		return nil, err
	}
	if err != nil {
		return nil, u.keepUnreadable(s, err)
	}
	if l, ok := x.c.(*listingContainer); ok {
		if err := u.t.checkListing(ctx, u.o, l); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// scanContainer opens a container and hands on what are documents by all that its directory says, having
// fetched its structure again where it is damaged. A tar that runs into a limit, a bomb, is read as far as
// that. use may be called again from the start, after reset.
func (u *unpacker) scanContainer(
	ctx context.Context, s *origin, reset func(), use func(unpack.Entry) error,
) (*containerScan, error) {
	x := &containerScan{}
	mark, err := u.list.mark()
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		x.changes = s.changes.Load()
		err := u.scanOnce(ctx, s, x, use)
		limited := errors.Is(err, unpack.ErrLimit)
		if limited && s.kind == filetype.ZIP {
			return nil, errors.Join(err, u.list.rewind(mark)) // nothing of it is taken over
		}
		if !isCorrupt(err) && !limited || x.damaged != nil {
			return x, err
		}
		proven, herr := true, error(nil)
		if !limited && !errors.Is(err, unpack.ErrVolume) { // which are not damage, but what was sent
			proven, herr = u.t.refetchDamaged(ctx, s, err, 0, s.size, try)
		}
		if herr != nil {
			return nil, herr
		}
		if proven {
			x.damaged = err
			if err := s.waitWhole(ctx); err != nil {
				return nil, err
			}
		}
		if err := u.list.rewind(mark); err != nil {
			return nil, err
		}
		reset()
		x.odd, x.entries = 0, 0
	}
}

func (u *unpacker) scanOnce(
	ctx context.Context, s *origin, x *containerScan, use func(unpack.Entry) error,
) (err error) {
	if x.c, err = u.t.open(ctx, s, x.damaged != nil); err != nil {
		return err
	}
	sum := digest.NewWriter()
	for e, err := range x.c.Entries() {
		if err != nil {
			return err
		}
		x.entries++
		entryLine(sum, e)
		if e.Refused == "" && !mayBeLitter(e.Name) {
			if err := use(e); err != nil {
				return err
			}
			continue
		}
		if e.Refused == unpack.RefusedDirectory {
			if err := u.list.add(s.record(e, "")); err != nil {
				return err
			}
			continue
		}
		x.odd++
	}
	x.directory = sum.Sum()
	if x.damaged != nil && s.kind != filetype.ZIP {
		acc, err := x.c.Rest(nil)
		s.unproven = acc.Unproven
		return err
	}
	return nil
}

// takeRest deals with what is left when the documents that the directory names are taken: refused entries,
// litter, and what no directory accounts for. late gets what turns out to be a document after all. All bytes
// of the container have been received.
func (u *unpacker) takeRest(
	ctx context.Context, s *origin, x *containerScan, late func(unpack.Entry) error,
) error {
	if x.odd > 0 {
		for e, err := range x.c.Entries() {
			if err != nil {
				return err
			}
			if e.Refused == unpack.RefusedDirectory || e.Refused == "" && !mayBeLitter(e.Name) {
				continue
			}
			if err := u.sortEntry(ctx, s, x.c, e, late); err != nil {
				return err
			}
		}
	}
	var unlisted []string
	acc, err := x.c.Rest(func(e unpack.Entry) error {
		if e.Refused != unpack.RefusedDirectory && len(unlisted) < 5 {
			unlisted = append(unlisted, e.Name)
		}
		return u.sortEntry(ctx, s, x.c, e, late)
	})
	if err != nil {
		return err
	}
	unproven, err := u.refetchDoubts(ctx, s, x, acc.Doubts)
	if err != nil {
		return err
	}
	for _, r := range acc.Renames {
		if err := u.list.addLine(nameRecord{
			Container: u.o.Source.Number, Inside: s.inside, Index: r.Index, OwnName: r.Local,
		}); err != nil {
			return err
		}
	}
	u.reportContainer(s, x, acc, unlisted, unprovenNote(unproven))
	return nil
}

// sortEntry decides about an entry that is not plainly a document.
func (u *unpacker) sortEntry(
	ctx context.Context, s *origin, c container, e unpack.Entry, late func(unpack.Entry) error,
) error {
	if e.Refused == "" && mayBeLitter(e.Name) {
		first, err := u.t.readHead(ctx, s, c, e)
		if err != nil {
			return err
		}
		if isLitter(e.Name, first, e.Size) {
			e.Refused = refusedLitter
			u.t.litter.add(e.Name)
		}
	}
	if e.Refused == "" {
		return late(e)
	}
	if err := u.list.add(s.record(e, "")); err != nil {
		return err
	}
	return u.refused.add(s, c, e)
}

// readHead returns the first bytes of an entry; none where they cannot be read.
func (t *takeover) readHead(ctx context.Context, s *origin, c container, e unpack.Entry) ([]byte, error) {
	var first bytes.Buffer
	err := t.read(ctx, s, c, e, func(r io.Reader, _ bool) error {
		first.Reset()
		_, err := io.CopyN(&first, r, 4096)
		if err == io.EOF {
			err = nil
		}
		return err
	})
	if isCorrupt(err) {
		err = nil
	}
	return first.Bytes(), err
}

// reportContainer turns what a container leaves over into findings, and decides whether it is kept whole.
func (u *unpacker) reportContainer(
	s *origin, x *containerScan, acc unpack.Account, unlisted []string, note string,
) {
	where := fmt.Sprintf("%s (%s)", displayName(s), u.o.Source.Part)
	add := func(code query.Code, severity query.Severity, format string, args ...any) {
		u.t.findings.add(query.Finding{Code: code, Severity: severity, Detail: fmt.Sprintf(format, args...)})
	}
	kept := ""
	if x.damaged != nil || len(acc.Contradictions) > 0 || acc.Unaccounted > 0 {
		u.whole = true
		kept = "; it is kept whole in " + s.keptPath() + note
	}
	if x.damaged != nil { // whatever else is odd follows from it
		severity, lost := query.SeverityWarning, ""
		if !acc.Complete || acc.Unproven {
			severity, lost = query.SeverityError, "; documents may be lost: ask the vendor for this part "+
				"again while you can"
		}
		add(query.ContainerDamaged, severity,
			"the structure of %s is damaged (%v); what can be read of it is archived, %d entries by their "+
				"own headers; "+
				"%d bytes belong to nothing known%s%s", where, reason(x.damaged), acc.Unlisted,
			acc.Unaccounted, lost, kept)
		return
	}
	if acc.Unlisted > 0 {
		add(query.EntriesUnlisted, query.SeverityWarning,
			"%s holds %d entries that its directory does not name, "+
				"such as of a second ZIP in the same file; they are taken over: %s%s%s", where, acc.Unlisted,
			strings.Join(unlisted, ", "), ellipsis(acc.Unlisted, len(unlisted)), note)
	}
	if len(acc.Contradictions) > 0 {
		add(
			query.ContainerContradictory, query.SeverityWarning, "%s contradicts itself: %s%s", where,
			strings.Join(acc.Contradictions, "; "), kept,
		)
	}
	if acc.Unaccounted > 0 {
		r := acc.Regions[0]
		add(
			query.BytesUnaccounted, query.SeverityWarning,
			"%d bytes of %s belong to none of its entries, the first at byte %d: %s%s", acc.Unaccounted,
			where, r.From, r.What, kept,
		)
	}
	if acc.Renamed > 0 {
		severity := query.SeverityInfo
		if note != "" {
			severity = query.SeverityWarning
		}
		add(query.NamesDiffer, severity,
			"%d entries of %s have another name in their own headers than in its directory; "+
				"the directory's is used, both are in custody/containers.jsonl%s", acc.Renamed, where, note)
	}
}

// displayName is a container's name without its number.
func displayName(s *origin) string {
	_, name, _ := strings.Cut(s.name, " ")
	return name
}

func ellipsis(all, shown int) string {
	if all > shown {
		return ", …"
	}
	return ""
}

// reason is the innermost part of an error about a container, for a sentence that says the rest.
func reason(err error) error {
	var d *unpack.Damage
	if errors.As(err, &d) {
		return d.Err
	}
	return err
}

// keepUnreadable deals with an object of which nothing can be read as a container: what keeps it from being
// fetched is returned; anything else is how the vendor made it, so it is kept whole and reported.
func (u *unpacker) keepUnreadable(s *origin, err error) error {
	if isFetchError(err) || !isCorrupt(err) && !errors.Is(err, unpack.ErrLimit) {
		return err
	}
	u.whole = true
	u.t.findings.add(unopened(u.o.Source.Part, query.Finding{
		Code: query.ContainerUnopened, Severity: query.SeverityError,
		Detail: fmt.Sprintf("%s (%s) cannot be opened: %v; it is kept whole in %s: ask the vendor for "+
			"this part again",
			displayName(s), u.o.Source.Part, err, s.keptPath()),
	}))
	return nil
}
