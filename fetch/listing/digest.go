package listing

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"

	"holdall/internal/digest"
)

// A Digest is what is recorded of a listing, by which one of the same files is recognised though its links
// are signed again and its order differs.
type Digest struct {
	Files int `json:"files"`
	// Facts is the sum of what the listing says about its files, each file's name, size, ETag and date
	// hashed, whatever their order.
	Facts digest.Sum `json:"told"`
	// Identified says that it gives an ETag for every file. Else equal names do not prove equal contents.
	Identified bool `json:"vouched"`
	// Dated says that it gives a size and a date for every file: with samples of their contents, that is
	// enough.
	Dated bool `json:"dated"`
	// Content is the sum of the files' names and contents; nothing when one of them has not been received.
	Content digest.Sum `json:"content"`
	// Samples are small files, spread over the listing: all of its files where these are few and small.
	Samples []FileSample `json:"samples,omitempty"`
}

// A FileSample is one file of a listing: what the listing says about it, and what came.
type FileSample struct {
	Facts  digest.Sum `json:"told"`
	Size   int64      `json:"size"`
	SHA256 digest.Sum `json:"sha256"`
}

// Facts hashes what a listing says about a file that stays when its link is signed again.
func (l Entry) Facts() digest.Sum {
	var at int64
	if !l.Modified.IsZero() {
		at = l.Modified.Unix()
	}
	return digest.Of(fmt.Appendf(nil, "%q %d %q %d", l.Label(), l.Size, l.ETag, at))
}

// Add takes a file in. Sums of hashes do not depend on the order in which they are added.
func (d *Digest) Add(l Entry) {
	d.Identified = (d.Files == 0 || d.Identified) && l.ETag != ""
	d.Dated = (d.Files == 0 || d.Dated) && l.Size >= 0 && !l.Modified.IsZero()
	d.Files++
	AddSum(&d.Facts, l.Facts())
}

// AddSum adds two digests word by word.
func AddSum(to *digest.Sum, sum digest.Sum) {
	for i := 0; i < len(to); i += 8 {
		word := binary.LittleEndian.Uint64(to[i:]) + binary.LittleEndian.Uint64(sum[i:])
		binary.LittleEndian.PutUint64(to[i:], word)
	}
}

// SameContent reports whether two listings led to files of the same names and contents, all of which came.
func (d *Digest) SameContent(other *Digest) bool {
	return d != nil && other != nil && d.Files == other.Files && d.Content == other.Content &&
		(d.Files == 0 || !d.Content.IsZero())
}

func CompareSamples(a, b FileSample) int {
	return cmp.Or(bytes.Compare(a.Facts[:], b.Facts[:]), bytes.Compare(a.SHA256[:], b.SHA256[:]))
}
