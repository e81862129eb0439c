package fetch

import (
	"bytes"
	"context"
	"path"
	"strings"

	"golang.org/x/sync/errgroup"

	"holdall/fetch/link"
	"holdall/fetch/listing"
	"holdall/internal/filetype"
)

// expand puts the objects of p that are listings of ZIPs or tars (attachments-1.zip, attachments-2.zip, …) in
// their place: each of these is a source of its own, with all that a large object gets. Other listings stay:
// their files are documents.
func (f *Fetcher) expand(ctx context.Context, p *Plan) {
	f.replaceSources(p, func(s *Source, before int) []*Source { return f.containers(ctx, s, before) })
}

// replaceSources puts others in the place of each source of p for which with returns some, and numbers all of
// them. with gets the number of sources that come before.
func (f *Fetcher) replaceSources(p *Plan, with func(s *Source, before int) []*Source) {
	var all []*Source
	for _, s := range p.Sources {
		others := with(s, len(all))
		if others == nil {
			others = []*Source{s}
		}
		for _, t := range others {
			t.Number = len(all) + 1
			f.renumber(t)
			all = append(all, t)
		}
	}
	p.Sources = all
}

// renumber makes the receipt of a source's open probe say its number.
func (f *Fetcher) renumber(s *Source) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if x := f.probes[s]; x != nil {
		x.receipt.Object = s.Number
	}
}

// maxContainers is how many a listing may have whose entries are asked for one by one while planning.
const maxContainers = 1000

// containers probes what a listing lists, when that is nothing but ZIPs and tars by name, and returns them
// when they are that by their bytes too. Dead links among them stay, with their errors. before is how many
// sources come before them.
func (f *Fetcher) containers(ctx context.Context, s *Source, before int) []*Source {
	if !s.Listing || s.Err != nil {
		return nil
	}
	var found []*Source
	for _, l := range f.listedContainers(s) {
		t := &Source{
			Number: before + len(found) + 1, Part: s.Part, Label: s.Label, Link: l.Link,
			Fingerprint: l.Link.Fingerprint(), Name: l.Link.FileName(), Identity: Identity{Size: -1},
			ListedIn: s.Fingerprint, origin: s.origin,
		}
		if t.Expiry, t.ExpiryFrom = link.Expiry(l.Link); t.Expiry.IsZero() {
			t.Expiry, t.ExpiryFrom = s.Expiry, s.ExpiryFrom
		}
		found = append(found, t)
	}
	var g errgroup.Group
	g.SetLimit(8)
	for i, t := range found {
		g.Go(func() error {
			f.probe(ctx, t)
			if i >= startConns { // a fetch does not begin with more
				f.takeProbe(t).close(nil)
			}
			return nil
		})
	}
	_ = g.Wait() // a failure is in its source
	good := 0
	for _, t := range found {
		switch {
		case t.Err != nil:
		case !t.Kind.IsContainer():
			good = -len(found)
		default:
			good++
		}
	}
	if good <= 0 {
		for _, t := range found {
			f.takeProbe(t).close(nil)
		}
		return nil
	}
	f.takeProbe(s).close(nil)
	for _, t := range found {
		t.siblings = len(found)
	}
	return found
}

// listedContainers returns a listing's entries when it is short, and all of them are ZIPs or tars by their
// names.
func (f *Fetcher) listedContainers(s *Source) []listing.Entry {
	f.mu.Lock()
	x := f.probes[s]
	f.mu.Unlock()
	if x == nil || len(x.prefix) == filetype.HeadLen || x.receipt.Error != "" || nextOf(x) != "" {
		return nil
	}
	first, _, err := x.content()
	if err != nil {
		return nil
	}
	base := s.Link
	if !x.final.IsZero() {
		base = x.final
	}
	var all []listing.Entry
	seen := map[link.Link]bool{}
	others := false
	end, err := listing.Read(s.Kind, bytes.NewReader(first), base.URL(), func(l listing.Entry) error {
		others = others || !containerName(l.Name) && !containerName(l.Link.URL().Path)
		if !seen[l.Link] {
			all = append(all, l)
		}
		seen[l.Link] = true
		return nil
	})
	if err != nil || end.Next != "" || end.More || others || len(all) > maxContainers {
		return nil
	}
	return all
}

func containerName(name string) bool {
	switch name = strings.ToLower(name); path.Ext(name) {
	case ".zip", ".tar", ".tgz", ".tzst":
		return true
	case ".gz", ".zst":
		return strings.HasSuffix(strings.TrimSuffix(name, path.Ext(name)), ".tar")
	}
	return false
}
