package takeover

import (
	"context"
	"fmt"
	"slices"
	"time"

	"holdall/archive"
	"holdall/fetch"
	"holdall/fetch/link"
	"holdall/query"
)

// known is what an archive's record says of an object, to recognise it by.
func (o ObjectRecord) known() fetch.Known {
	k := fetch.Known{
		Part: link.Part(o.Part),
		Identity: fetch.Identity{
			Size: o.Size, ETag: o.ETag, LastModified: o.LastModified, Checksums: o.Checksums,
		},
		Samples: o.Samples, Links: o.Links, Listing: o.Listing,
	}
	if o.Encoding != "" {
		k.Identity.Size = o.ReceivedSize // as servers tell it
	}
	_ = k.SHA256.UnmarshalText([]byte(o.SHA256)) // one that cannot be read is not known
	return k
}

// findArchived returns the result of the newest complete export that holds what the plan serves, or nil. An
// archive whose record cannot be read answers for nothing, and is no reason not to take this export.
func findArchived(ctx context.Context, f *fetch.Fetcher, store archive.Store, p *fetch.Plan,
	talk func(string, ...any)) (*Result, error) {
	ids, err := archive.IDs(ctx, store)
	if err != nil {
		return nil, err
	}
	slices.Reverse(ids)
	for _, id := range ids {
		s, err := statusOf(ctx, store, id)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			talk(
				"the archive %s is damaged, so it is unknown whether it holds this export: %v", id,
				err,
			)
			continue
		}
		held, silent, err := s.matchesPlan(ctx, f, p)
		if err != nil {
			return nil, err
		}
		if !held {
			continue
		}
		if s.hasUnproven() && len(silent) == 0 {
			talk(
				"this export is archived as %s, but some of its bytes were damaged and could not be asked "+
					"for again: they are fetched now",
				id,
			)
			continue
		}
		if fault, err := quickFault(ctx, store, id); err != nil {
			return nil, err
		} else if fault != "" {
			talk(
				"this export is archived as %s, but that archive is damaged (%s): the export is taken again",
				id, fault,
			)
			continue
		}
		if len(silent) > 0 {
			talk(
				"%s no longer answers; what the very same link served on %s is archived",
				describeSilent(silent),
				s.receivedAt().Format(time.DateOnly),
			)
		}
		return &s.Result, nil
	}
	return nil, nil
}

// hasUnproven reports whether bytes of the export fit no checksum, and were never fetched a second time. Its
// finding asks the user to come back with a link that gives them again, so the export is no answer to such a
// link: what it serves is compared whole.
func (s *Status) hasUnproven() bool {
	return slices.ContainsFunc(
		s.Findings, func(f FindingCount) bool { return f.Code == query.DamagedUnproven },
	)
}

func describeSilent(silent []*fetch.Source) string {
	if len(silent) == 1 {
		return fmt.Sprintf("the link for %s", silent[0].Part)
	}
	return fmt.Sprintf("each of %d links", len(silent))
}

// statusOf reads the record of one export.
func statusOf(ctx context.Context, store archive.Store, id string) (*Status, error) {
	bag, err := archive.Open(ctx, store, id)
	if err != nil {
		return nil, err
	}
	return readStatus(ctx, bag)
}

// quickFault says what is missing of an archive at first sight, or nothing. Whoever is told that an export is
// archived may delete the source.
func quickFault(ctx context.Context, store archive.Store, id string) (string, error) {
	bag, err := archive.Open(ctx, store, id)
	if err != nil {
		return err.Error(), ctx.Err()
	}
	r, err := bag.Verify(ctx, archive.Quick, nil)
	if err != nil || r.Valid {
		return "", err
	}
	return string(r.Faults[0].Code) + " " + r.Faults[0].Path, nil
}

// receivedAt is when the last of the export's objects had been received, as far as that is recorded.
func (s *Status) receivedAt() time.Time {
	at := s.Created
	for _, o := range s.Objects {
		if o.Received.After(at) {
			at = o.Received
		}
	}
	return at
}

// matchesPlan reports whether the export has every source of the plan, and by which of them that had to be
// taken on the word of a link that does not answer any more. Nothing else stands for such a source: another
// export may come at the same place.
func (s *Status) matchesPlan(
	ctx context.Context, f *fetch.Fetcher, p *fetch.Plan,
) (held bool, silent []*fetch.Source, err error) {
	if len(p.Sources) == 0 {
		return false, nil, nil
	}
	for _, src := range p.Sources {
		best := fetch.Unknown
		for _, o := range s.Objects {
			if o.Error != "" {
				continue
			}
			e, err := f.Recognise(ctx, src, o.known())
			if err != nil {
				return false, nil, err
			}
			if best = max(best, e); best == fetch.Same {
				break
			}
		}
		switch best {
		case fetch.Same:
		case fetch.Promised:
			silent = append(silent, src)
		default:
			return false, nil, nil
		}
	}
	return true, silent, nil
}

// findSameContent returns the result of a complete export that holds, part by part and byte for byte, what
// has been received, or nil. It settles what a server's headers leave open.
func findSameContent(ctx context.Context, store archive.Store, received []ObjectRecord) (*Result, error) {
	ids, err := archive.IDs(ctx, store)
	if err != nil {
		return nil, err
	}
	for _, id := range slices.Backward(ids) {
		s, err := statusOf(ctx, store, id)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			continue // reported when the takeover began
		}
		if len(received) == 0 || slices.ContainsFunc(
			received, func(o ObjectRecord) bool { return !s.hasContent(o) },
		) {
			continue
		}
		if fault, err := quickFault(ctx, store, id); fault == "" && err == nil {
			return &s.Result, nil
		}
	}
	return nil, nil
}

// hasContent reports whether the export holds an object of the same part and content.
func (s *Status) hasContent(o ObjectRecord) bool {
	return slices.ContainsFunc(s.Objects, func(mine ObjectRecord) bool {
		if mine.Error != "" || mine.Part != o.Part {
			return false
		}
		if o.Listing != nil {
			return o.Listing.SameContent(mine.Listing)
		}
		return o.SHA256 != "" && o.SHA256 == mine.SHA256
	})
}
