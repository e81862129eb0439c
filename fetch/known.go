package fetch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"

	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/fetch/listing"
	"holdall/internal/digest"
)

// A Known is what is recorded of an object that was received, by which it is recognised when links lead to it
// again. It is the one rule for "archived already": what only looks alike (the same place, the same size) is
// never taken for the same.
type Known struct {
	Part     link.Part
	Identity Identity
	SHA256   digest.Sum
	Samples  []Sample        // of its content
	Links    []string        // marks of the links that led to it
	Listing  *listing.Digest // of an object that is a listing
}

// A Sample is a stretch of an object's content.
type Sample struct {
	Offset int64      `json:"offset"`
	Length int64      `json:"length"`
	SHA256 digest.Sum `json:"sha256"`
}

// Evidence is how certain it is that a source serves a known object.
type Evidence int

const (
	// Unknown means that nothing ties the source to the object.
	Unknown Evidence = iota
	// Another means that the source certainly serves something else.
	Another
	// Alike means that nothing tells them apart, and nothing proves them the same: see Fetcher.Recognise.
	Alike
	// Promised means that the source does not answer, and its very link served the object. Whether it still
	// would, nobody can ask.
	Promised
	// Same means that a digest, a strong ETag or samples of the content prove it.
	Same
)

// Marks returns what the source's links are recognised by later: hashes that give nothing of them away.
func (s *Source) Marks() []string {
	marks := []string{s.Link.Mark()}
	if s.origin != "" && s.origin != marks[0] {
		marks = append(marks, s.origin)
	}
	return marks
}

// Compare says what a probed source, without asking it further, has to do with a known object.
func (k Known) Compare(s *Source) Evidence {
	switch {
	case s.Err != nil && slices.ContainsFunc(
		s.Marks(), func(m string) bool { return slices.Contains(k.Links, m) },
	):
		return Promised
	case s.Err != nil, k.Part != s.Part:
		return Unknown
	case s.Listing:
		return Unknown // its files are what counts: see Recognise
	case s.Identity.Size < 0 || k.Identity.Size < 0:
		return Unknown
	case s.Identity.Size != k.Identity.Size, !k.beginsLike(s):
		return Another
	}
	for _, c := range s.Identity.claims() {
		if c.firm && c.digest == "sha-256" {
			return sameIf(bytes.Equal(c.sum, k.SHA256[:]))
		}
	}
	for name, sum := range s.Identity.Checksums {
		if theirs, ok := k.Identity.Checksums[name]; ok {
			return sameIf(theirs == sum)
		}
	}
	if tag := s.Identity.strong(); tag != "" && tag == k.Identity.strong() {
		return Same
	}
	return Alike
}

func sameIf(equal bool) Evidence {
	if equal {
		return Same
	}
	return Another
}

// beginsLike compares the first bytes that a probe brought with the first sample.
func (k Known) beginsLike(s *Source) bool {
	return len(k.Samples) == 0 || k.Samples[0].Offset != 0 || k.Samples[0].Length != s.headLen ||
		k.Samples[0].SHA256 == s.head
}

// Recognise compares as Compare does, and where that leaves it open asks for the samples that are recorded:
// at most ten short ranges. So an object is known again whose ETag or date has changed with its place, and
// not its content.
func (f *Fetcher) Recognise(ctx context.Context, s *Source, k Known) (Evidence, error) {
	if s.Err == nil && s.Listing && s.Part == k.Part {
		return f.recogniseListing(ctx, s, k)
	}
	e := k.Compare(s)
	if e != Alike || len(k.Samples) == 0 || !s.Ranges && s.Identity.Size > s.headLen {
		return e, nil
	}
	for _, sample := range k.Samples {
		sum, err := f.sample(ctx, s, sample)
		if ctx.Err() != nil {
			return Unknown, failure.Stopped(ctx)
		}
		if err != nil {
			return Alike, nil // it is fetched again, and compared whole
		}
		if sum != sample.SHA256 {
			return Another, nil
		}
	}
	return Same, nil
}

var errSample = errors.New("the server does not serve the sample asked for")

func (f *Fetcher) sample(ctx context.Context, s *Source, at Sample) (digest.Sum, error) {
	if at.Offset == 0 && at.Length == s.headLen {
		return s.head, nil
	}
	x, err := f.get(
		ctx,
		request{object: s.Number, part: s.Part, link: s.Link, from: at.Offset, to: at.Offset + at.Length},
	)
	if err != nil {
		return digest.Sum{}, err
	}
	err = f.checkResponse(x, s.Expiry)
	if err == nil && x.bounds.start != at.Offset {
		err = errSample
	}
	w := digest.NewWriter()
	if err == nil {
		_, err = io.CopyN(w, x, at.Length)
	}
	x.close(err)
	return w.Sum(), err
}

const (
	sampleBlock = 64 << 10
	sampleTail  = 1 << 20 // a ZIP's directory, which holds a checksum of every entry, or its end
	sampleInner = 8
)

// samplesOf says where an object of that size is sampled: its beginning, its end, and places between them. A
// small object is one sample.
func samplesOf(size int64) []Sample {
	if size <= sampleBlock {
		return []Sample{{0, size, digest.Sum{}}}
	}
	all := []Sample{{Offset: 0, Length: sampleBlock}}
	tail := min(sampleTail, size-sampleBlock)
	inner := size - sampleBlock - tail
	if inner <= sampleInner*sampleBlock {
		if inner > 0 {
			all = append(all, Sample{Offset: sampleBlock, Length: inner})
		}
	} else {
		for i := range int64(sampleInner) {
			all = append(
				all, Sample{Offset: sampleBlock + (inner-sampleBlock)*i/(sampleInner-1), Length: sampleBlock},
			)
		}
	}
	return append(all, Sample{Offset: size - tail, Length: tail})
}

// Samples returns digests of stretches of a complete object, by which it can be recognised later. A listing
// has none.
func (o *Object) Samples() ([]Sample, error) {
	if o.files != nil {
		return nil, nil
	}
	all := samplesOf(o.outcome.verified.Size)
	for i, s := range all {
		w := digest.NewWriter()
		if _, err := io.Copy(w, io.NewSectionReader(o, s.Offset, s.Length)); err != nil {
			return nil, err
		}
		all[i].SHA256 = w.Sum()
	}
	return all, nil
}

// Known returns what is recorded of a complete object.
func (o *Object) Known(v Verified) (Known, error) {
	samples, err := o.Samples()
	if err != nil {
		return Known{}, err
	}
	k := Known{
		Part: o.Source.Part, Identity: o.Source.Identity, SHA256: v.SHA256, Samples: samples,
		Links: o.Source.Marks(),
	}
	if o.files != nil {
		k.Listing, err = o.listingDigest()
		return k, err
	}
	k.Identity.Size = v.Size
	return k, nil
}
