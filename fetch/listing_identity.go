package fetch

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"

	"golang.org/x/sync/errgroup"

	"holdall/internal/atomicfile"
	"holdall/internal/digest"
)

// A ListingDigest is what is recorded of a listing, by which one of the same files is recognised though its links are signed
// anew and its order is another.
type ListingDigest struct {
	Files int `json:"files"`
	// Told is the sum of what the listing tells of its files, each file's name, size, ETag and date hashed, whatever their order.
	Told digest.Sum `json:"told"`
	// Vouched says that it tells an ETag of every file. Else equal names do not prove equal contents.
	Vouched bool `json:"vouched"`
	// Dated says that it tells a size and a date of every file: with samples of their contents, that is enough.
	Dated bool `json:"dated"`
	// Content is the sum of the files' names and contents; nothing when one of them is not here.
	Content digest.Sum `json:"content"`
	// Samples are small files, spread over the listing: all of its files where these are few and small.
	Samples []FileSample `json:"samples,omitempty"`
}

// A FileSample is one file of a listing: what the listing told of it, and what came.
type FileSample struct {
	Told   digest.Sum `json:"told"`
	Size   int64      `json:"size"`
	SHA256 digest.Sum `json:"sha256"`
}

// maxFileSamples bounds what it costs to recognise a listing that tells no ETags: so many small files are fetched once more.
const maxFileSamples = 64

// facts hashes what a listing tells of a file that stays when its link is signed anew.
func (l listed) facts() digest.Sum {
	var at int64
	if !l.modified.IsZero() {
		at = l.modified.Unix()
	}
	return digest.Of(fmt.Appendf(nil, "%q %d %q %d", l.label(), l.size, l.etag, at))
}

// add takes a file in. Sums of hashes do not depend on the order in which they are added.
func (d *ListingDigest) add(l listed) {
	d.Vouched = (d.Files == 0 || d.Vouched) && l.etag != ""
	d.Dated = (d.Files == 0 || d.Dated) && l.size >= 0 && !l.modified.IsZero()
	d.Files++
	addSum(&d.Told, l.facts())
}

// addSum adds two digests word by word.
func addSum(to *digest.Sum, sum digest.Sum) {
	for i := 0; i < len(to); i += 8 {
		word := binary.LittleEndian.Uint64(to[i:]) + binary.LittleEndian.Uint64(sum[i:])
		binary.LittleEndian.PutUint64(to[i:], word)
	}
}

// SameContent reports whether two listings led to files of the same names and contents, all of which came.
func (d *ListingDigest) SameContent(other *ListingDigest) bool {
	return d != nil && other != nil && d.Files == other.Files && d.Content == other.Content && (d.Files == 0 || !d.Content.IsZero())
}

// listingDigest is what can be recorded of the listing, or nil when that is not known: it was completed by an earlier run.
func (o *Object) listingDigest() (*ListingDigest, error) {
	p := o.files
	if p.shelf == nil {
		return p.digest, nil
	}
	d, whole := &ListingDigest{}, len(p.notes) == 0
	n := p.shelf.len()
	step := max(1, n/maxFileSamples)
	for i := range n {
		l, err := p.shelf.get(i)
		if err != nil {
			return nil, err
		}
		d.add(l)
		f, err := p.file(i)
		if err != nil {
			return nil, err
		}
		whole = whole && f.Err == nil
		addSum(&d.Content, digest.Of(fmt.Appendf(nil, "%q %s", f.Name, f.SHA256)))
		if i%step == 0 && len(d.Samples) < maxFileSamples && f.Err == nil && f.Size <= largeFile {
			d.Samples = append(d.Samples, FileSample{l.facts(), f.Size, f.SHA256})
		}
	}
	if !whole {
		d.Content = digest.Sum{}
	}
	slices.SortFunc(d.Samples, compareSamples)
	return d, nil
}

func compareSamples(a, b FileSample) int {
	return cmp.Or(bytes.Compare(a.Told[:], b.Told[:]), bytes.Compare(a.SHA256[:], b.SHA256[:]))
}

// recogniseListing reads the listing to its end and compares what it tells of its files with what is recorded. Where it tells
// no ETags, the recorded samples are fetched once more. They prove it the same if they are all of its files, if it tells sizes and
// dates of them, or if it came by the very link that led to the known one.
func (f *Fetcher) recogniseListing(ctx context.Context, s *Source, k Known) (Evidence, error) {
	if k.Listing == nil {
		return Unknown, nil
	}
	if s.told == nil {
		d := &ListingDigest{}
		err := f.readAgain(ctx, s, func(l listed) error { d.add(l); return nil })
		if ctx.Err() != nil {
			return Unknown, interrupted(ctx)
		}
		if err != nil {
			return Unknown, nil // the fetch will find out why
		}
		s.told = d
	}
	if s.told.Files != k.Listing.Files || s.told.Told != k.Listing.Told {
		return Another, nil
	}
	if k.Listing.Vouched {
		return Same, nil
	}
	sameLink := slices.ContainsFunc(s.Marks(), func(m string) bool { return slices.Contains(k.Links, m) })
	if len(k.Listing.Samples) < k.Listing.Files && !k.Listing.Dated && !sameLink {
		return Alike, nil
	}
	return f.compareFiles(ctx, s, k.Listing)
}

// compareFiles fetches the files that are recorded as samples and compares them. Of several files of which the listing tells the
// same, a part of them cannot be compared.
func (f *Fetcher) compareFiles(ctx context.Context, s *Source, d *ListingDigest) (Evidence, error) {
	recorded := map[digest.Sum]bool{}
	for _, x := range d.Samples {
		recorded[x.Told] = true
	}
	var files []listed
	err := f.readAgain(ctx, s, func(l listed) error {
		if recorded[l.facts()] {
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
	got := make([]FileSample, len(files))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	if n := f.opts.Connections; n > 0 {
		g.SetLimit(min(n, 8))
	}
	for i, l := range files {
		g.Go(func() (err error) {
			got[i], err = f.fileSample(gctx, s, l)
			return err
		})
	}
	err = g.Wait()
	if ctx.Err() != nil {
		return Unknown, interrupted(ctx)
	}
	if err != nil {
		return Alike, nil
	}
	slices.SortFunc(got, compareSamples)
	return sameIf(slices.Equal(got, samples)), nil
}

// onlyOnes leaves out the files, and the samples, of which the listing tells what it tells of another file, too.
func onlyOnes(files []listed, samples []FileSample) ([]listed, []FileSample) {
	times := map[digest.Sum]int{}
	for _, l := range files {
		times[l.facts()]++
	}
	return slices.DeleteFunc(files, func(l listed) bool { return times[l.facts()] > 1 }),
		slices.DeleteFunc(samples, func(x FileSample) bool { return times[x.Told] != 1 })
}

// fileSampleOnce is fileSample without another try.
func (f *Fetcher) fileSampleOnce(ctx context.Context, s *Source, l listed) (FileSample, error) {
	x := f.takeSample(s, l)
	if x == nil {
		var err error
		if x, err = f.get(ctx, want{object: s.Number, part: s.Part, link: l.link, to: -1}); err != nil {
			return FileSample{}, err
		}
	}
	deadline, _ := expiry(l.link)
	err := f.judge(x, deadline)
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
	if err == nil {
		f.keepSample(s, l, x, body)
	}
	return FileSample{l.facts(), n, sum}, err
}

// readAgain reads a listing from its first page, beside the probe that stays open for the fetch.
func (f *Fetcher) readAgain(ctx context.Context, s *Source, yield func(listed) error) error {
	return (&pages{f: f, ctx: ctx, src: s, yield: yield}).read(nil)
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

func readListingDigest(dir, name string) (*ListingDigest, error) {
	b, err := os.ReadFile(digestPath(dir, name))
	if err != nil {
		return nil, err
	}
	d := new(ListingDigest)
	return d, json.Unmarshal(b, d)
}
