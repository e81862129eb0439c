package fetch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"

	"golang.org/x/sync/errgroup"

	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/fetch/listing"
	"holdall/internal/atomicfile"
	"holdall/internal/digest"
)

// maxFileSamples bounds what it costs to recognise a listing that gives no ETags: so many small files are
// fetched once more.
const maxFileSamples = 64

// listingDigest is what can be recorded of the listing, or nil when that is not known: it was completed by an
// earlier run.
func (o *Object) listingDigest() (*listing.Digest, error) {
	p := o.files
	if p.entries == nil {
		return p.digest, nil
	}
	d, whole := &listing.Digest{}, len(p.notes) == 0
	n := p.entries.len()
	step := max(1, n/maxFileSamples)
	for i := range n {
		l, err := p.entries.get(i)
		if err != nil {
			return nil, err
		}
		d.Add(l)
		f, err := p.file(i)
		if err != nil {
			return nil, err
		}
		whole = whole && f.Err == nil
		listing.AddSum(&d.Content, digest.Of(fmt.Appendf(nil, "%q %s", f.Name, f.SHA256)))
		if i%step == 0 && len(d.Samples) < maxFileSamples && f.Err == nil && f.Size <= largeFile {
			sample := listing.FileSample{Facts: l.Facts(), Size: f.Size, SHA256: f.SHA256}
			d.Samples = append(d.Samples, sample)
		}
	}
	if !whole {
		d.Content = digest.Sum{}
	}
	slices.SortFunc(d.Samples, listing.CompareSamples)
	return d, nil
}

// recogniseListing reads the listing to its end and compares what it says about its files with what is
// recorded. Where it gives no ETags, the recorded samples are fetched once more. They prove it the same if
// they are all of its files, if it gives their sizes and dates, or if it came by the very link that led to
// the known one.
func (f *Fetcher) recogniseListing(ctx context.Context, s *Source, k Known) (Evidence, error) {
	if k.Listing == nil {
		return Unknown, nil
	}
	if s.listed == nil {
		d := &listing.Digest{}
		err := f.readAgain(ctx, s, func(l listing.Entry) error { d.Add(l); return nil })
		if ctx.Err() != nil {
			return Unknown, failure.Stopped(ctx)
		}
		if err != nil {
			return Unknown, nil // the fetch will find out why
		}
		s.listed = d
	}
	if s.listed.Files != k.Listing.Files || s.listed.Facts != k.Listing.Facts {
		return Another, nil
	}
	if k.Listing.Identified {
		return Same, nil
	}
	sameLink := slices.ContainsFunc(s.Marks(), func(m string) bool { return slices.Contains(k.Links, m) })
	if len(k.Listing.Samples) < k.Listing.Files && !k.Listing.Dated && !sameLink {
		return Alike, nil
	}
	return f.compareFiles(ctx, s, k.Listing)
}

// compareFiles fetches the files that are recorded as samples and compares them. Of several files of which
// the listing says the same, a part of them cannot be compared.
func (f *Fetcher) compareFiles(ctx context.Context, s *Source, d *listing.Digest) (Evidence, error) {
	recorded := map[digest.Sum]bool{}
	for _, x := range d.Samples {
		recorded[x.Facts] = true
	}
	var files []listing.Entry
	err := f.readAgain(ctx, s, func(l listing.Entry) error {
		if recorded[l.Facts()] {
			files = append(files, l)
		}
		if len(files) > 2*maxFileSamples {
			return errSample
		}
		return nil
	})
	samples := slices.Clone(d.Samples)
	if len(samples) < d.Files {
		files, samples = onlyOnes(files, samples)
	}
	if err != nil || len(files) != len(samples) || len(files) == 0 && d.Files > 0 {
		return Alike, nil
	}
	got := make([]listing.FileSample, len(files))
	var g errgroup.Group // the first failure ends no other request: a link that works once would be used up
	g.SetLimit(8)
	if n := f.opts.Connections; n > 0 {
		g.SetLimit(min(n, 8))
	}
	for i, l := range files {
		g.Go(func() (err error) {
			got[i], err = f.fileSample(ctx, s, l)
			return err
		})
	}
	err = g.Wait()
	if ctx.Err() != nil {
		return Unknown, failure.Stopped(ctx)
	}
	if err != nil {
		return Alike, nil
	}
	slices.SortFunc(got, listing.CompareSamples)
	return sameIf(slices.Equal(got, samples)), nil
}

// onlyOnes leaves out the files, and the samples, about which the listing says what it says about another
// file, too.
func onlyOnes(files []listing.Entry, samples []listing.FileSample) ([]listing.Entry, []listing.FileSample) {
	times := map[digest.Sum]int{}
	for _, l := range files {
		times[l.Facts()]++
	}
	return slices.DeleteFunc(files, func(l listing.Entry) bool { return times[l.Facts()] > 1 }),
		slices.DeleteFunc(samples, func(x listing.FileSample) bool { return times[x.Facts] != 1 })
}

// fileSampleOnce is fileSample without another try.
func (f *Fetcher) fileSampleOnce(
	ctx context.Context, s *Source, l listing.Entry,
) (listing.FileSample, error) {
	x := f.takeSample(s, l)
	if x == nil {
		var err error
		if x, err = f.get(ctx, request{object: s.Number, part: s.Part, link: l.Link, to: -1}); err != nil {
			return listing.FileSample{}, err
		}
	}
	deadline, _ := link.Expiry(l.Link)
	err := f.checkResponse(x, deadline)
	if err == nil && x.bounds.start != 0 {
		err = errSample
	}
	var body []byte
	if err == nil && x.resp.StatusCode != http.StatusRequestedRangeNotSatisfiable { // else the file is empty
		body, err = io.ReadAll(io.LimitReader(x, largeFile+1))
	}
	n, sum := int64(len(body)), digest.Of(body)
	switch {
	case err != nil:
	case n > largeFile:
		err = errSample
	case x.bounds.total >= 0 && n != x.bounds.total:
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		x.receipt.SHA256 = sum
	}
	x.close(err)
	var r *refusal
	switch {
	case err == nil:
		f.keepSample(s, l, x, body)
	case !errors.As(err, &r) || r.transient:
		f.spoilSample(s, l)
	}
	return listing.FileSample{Facts: l.Facts(), Size: n, SHA256: sum}, err
}

// readAgain reads a listing from its first page, alongside the probe that stays open for the fetch.
func (f *Fetcher) readAgain(ctx context.Context, s *Source, yield func(listing.Entry) error) error {
	return (&listingReader{f: f, ctx: ctx, src: s, yield: yield}).read(nil)
}

// digestPath is where a complete listing keeps what it is recognised by.
func digestPath(dir, name string) string { return dir + "/" + name + ".digest" }

func (p *filePool) saveDigest(dir, name string) error {
	d, err := p.o.listingDigest()
	if err != nil {
		return err
	}
	b, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(digestPath(dir, name), b)
}

func readListingDigest(dir, name string) (*listing.Digest, error) {
	b, err := os.ReadFile(digestPath(dir, name))
	if err != nil {
		return nil, err
	}
	d := new(listing.Digest)
	return d, json.Unmarshal(b, d)
}
