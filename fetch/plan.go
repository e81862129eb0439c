package fetch

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/fetch/listing"
	"holdall/fetch/master"
	"holdall/internal/digest"
	"holdall/internal/filetype"
)

// A Plan says what the links of a master CSV serve.
type Plan struct {
	// in the order data, attachments, cvs, unknown, and then of the master CSV; the same link twice is one
	Sources []*Source
	Missing []link.Part // parts for which there is no link
}

// A Source is one link, probed.
type Source struct {
	Number int // from 1, in the order of Plan.Sources
	Part   link.Part
	Label  string
	Link   link.Link
	// of host and path, without secrets: tells whether two masters mean the same place
	Fingerprint string
	// file name, from Content-Disposition or the path; never a path; "" when unknown
	Name       string
	Kind       filetype.Type // by the first bytes
	Listing    bool          // a page of further links, one a file
	Identity   Identity
	Ranges     bool           // the server answers ranges
	Expiry     time.Time      // upper bound; zero when unknown
	ExpiryFrom string         // how it is known: "X-Amz-Expires", "vendor: 7 days from the master CSV", …
	Repair     string         // how a damaged link was repaired
	Err        *failure.Error // why it cannot be fetched; such a source is not fetched

	ListedIn string // fingerprint of the listing that named it; "" when the master CSV did

	encodings    []string   // the encodings that it comes in, the outermost first
	origin       string     // mark of the master CSV's link that led here
	siblings     int        // that the listing named, itself included
	fetchedTo    string     // path of its data in the spool that this process fetches it into
	resumed      bool       // it was there already
	answeredFrom string     // path of its data in the spool that answered for it, when it was not probed
	sample       []fileKey  // of a listing, its first files
	head         digest.Sum // of its first headLen bytes, as far as the probe looked
	headLen      int64
	raw          digest.Sum // the same of the bytes as they came, encoded or not
	rawLen       int64
	rawOnly      bool            // there were no more, so it seems
	listed       *listing.Digest // of a listing, once it has been read to be recognised
	// of a listing, answers by link that are kept for the fetch; the Fetcher's mutex guards it
	sampled map[string]*exchange
	spoiled map[string]bool // by link: asked for, and an answer failed in transit
	empty   *Source         // with Err: what it is when the only answer, which had no bytes, is believed
}

// Plan probes every link of m with one GET each. A link that fails is a Source with Err; only cancellation,
// or a master in which no link at all can be tried, is an error. Bodies of the probes stay open, to be read
// on by Start; call Close on the Fetcher when there is no Start.
func (f *Fetcher) Plan(ctx context.Context, m *master.CSV) (*Plan, error) {
	p, err := f.outline(m)
	if err != nil {
		return nil, err
	}
	var g errgroup.Group
	g.SetLimit(8)
	for _, s := range p.Sources {
		g.Go(func() error {
			f.probe(ctx, s)
			return nil
		})
	}
	_ = g.Wait()
	f.expand(ctx, p)
	if ctx.Err() != nil {
		return nil, failure.Stopped(ctx)
	}
	return p, nil
}

// outline is a plan before anything has been asked.
func (f *Fetcher) outline(m *master.CSV) (*Plan, error) {
	if m == nil || len(m.Links) == 0 {
		return nil, &failure.Error{
			Code: failure.NotTheExport, Message: "the master CSV has no link",
			Hint: failure.HintFor(failure.NotTheExport),
		}
	}
	p := &Plan{}
	seen := map[link.Link]bool{}
	for _, part := range []link.Part{link.PartData, link.PartAttachments, link.PartCVs, link.PartUnknown} {
		n := len(p.Sources)
		for _, l := range m.Links {
			if l.Part != part || seen[l.Link] {
				continue
			}
			seen[l.Link] = true
			s := &Source{
				Number: len(p.Sources) + 1, Part: part, Label: l.Label, Link: l.Link,
				Fingerprint: l.Link.Fingerprint(),
				Name:        l.Link.FileName(), Identity: Identity{Size: -1}, Repair: l.Repair,
				origin: l.Link.Mark(),
			}
			s.Expiry, s.ExpiryFrom = link.Expiry(l.Link)
			if s.Expiry.IsZero() && !m.Date.IsZero() {
				s.Expiry, s.ExpiryFrom = m.Date.Add(link.VendorLife), "vendor: 7 days from the master CSV"
			}
			p.Sources = append(p.Sources, s)
		}
		if len(p.Sources) == n && part != link.PartUnknown {
			p.Missing = append(p.Missing, part)
		}
	}
	return p, nil
}

// AnswerFrom lets a spool answer for those sources that failed or were not probed: those whose very links the
// spool knows and holds the objects of completely. So a run whose links have died since can still end. (The
// fingerprint of a place is not enough: a vendor may serve the next export at the same path.) And an object
// is empty whose link gave no bytes and was used up by that, when the spool knows that of the link before.
func (f *Fetcher) AnswerFrom(spool string, p *Plan) error {
	list, err := readSpool(spool)
	if err != nil {
		return err
	}
	f.replaceSources(p, func(s *Source, _ int) []*Source {
		if s.probed() && s.Err == nil {
			return nil
		}
		if t := list.provenEmpty(s); t != nil {
			return []*Source{t}
		}
		return list.answer(s)
	})
	return nil
}

// answer returns what the spool holds completely of s: one source, those of a listing of containers, or none.
func (l *spoolList) answer(s *Source) []*Source {
	for _, e := range slices.Backward(l.Objects) {
		if slices.Contains(e.Links, s.Link.Mark()) || s.ListedIn == "" && slices.Contains(e.Links, s.origin) {
			if !e.completeIn(l.dir) {
				return nil
			}
			t := e.source(l.dir, s)
			t.Link, t.Fingerprint, t.Repair = s.Link, s.Fingerprint, s.Repair
			return []*Source{t}
		}
	}
	if s.ListedIn != "" {
		return nil
	}
	var found []*Source
	for _, e := range l.Objects {
		n, ok := e.ListedBy[s.origin]
		if !ok {
			continue
		}
		if !e.completeIn(l.dir) {
			return nil
		}
		t := e.source(l.dir, s)
		t.ListedIn, t.siblings = s.Fingerprint, n
		found = append(found, t)
	}
	for _, t := range found {
		if t.siblings != len(found) { // one was never begun, or they are of two exports
			return nil
		}
	}
	return found
}

// source is a source for which the entry answers instead of s.
func (e *spoolEntry) source(dir string, s *Source) *Source {
	t := &Source{
		Part: s.Part, Label: s.Label, Link: s.Link, Name: e.FileName, Kind: e.Kind, Listing: e.Listing,
		Identity:    e.Identity,
		Fingerprint: s.Fingerprint, origin: s.origin, answeredFrom: dataPath(dir, e.Name),
	}
	if n := len(e.Fingerprints); n > 0 {
		t.Fingerprint = e.Fingerprints[n-1]
	}
	if href, err := link.New(e.Address); err == nil {
		t.Link = href
	}
	return t
}

// probed reports whether s has been looked at, or is known from a spool.
func (s *Source) probed() bool { return s.Kind != "" }
