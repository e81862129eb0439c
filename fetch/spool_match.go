package fetch

import (
	"bytes"
	"io"
	"os"
	"slices"

	"holdall/internal/digest"
)

// find returns the object that src certainly serves, rather one of the same part, or nil. A source that has
// not been probed is found by its place, when what came from there last is complete.
func (l *spoolList) find(src *Source, taken map[*spoolEntry]bool) *spoolEntry {
	var found *spoolEntry
	for _, e := range slices.Backward(l.Objects) {
		if taken[e] || e.Superseded {
			continue
		}
		path := dataPath(l.dir, e.Name)
		if src.fetchedTo == path && !e.Superseded {
			return e
		}
		same := e.sameListing(l.dir, src) || e.Identity.same(src.Identity, e.from(src.Fingerprint)) ||
			src.answeredFrom == path || e.sameContent(l.dir, src)
		if same && (found == nil || found.Part != src.Part && e.Part == src.Part) {
			found = e
		}
	}
	return found
}

// from reports whether the object came from the place with that fingerprint.
func (e *spoolEntry) from(fingerprint string) bool {
	return slices.Contains(e.Fingerprints, fingerprint)
}

// A Match says how a plan relates to the objects of a spool, matched by identity (size and validators; else
// fingerprint), not by URL.
type Match struct {
	Same     int // sources that the spool has begun or finished
	Complete int // of these, finished ones
	// Alike are sources whose very links led to objects of the spool, and that begin as these do, but with
	// another ETag or date: servers of a farm may give each their own. They are fetched again.
	Alike     int
	Different int   // other sources at the same place as an object of the spool, but with another identity
	Bytes     int64 // of the sources' bytes already here
}

// MatchSpool compares a plan with a spool directory; a directory that is not a spool matches nothing.
func MatchSpool(dir string, p *Plan) (Match, error) {
	list, err := readSpool(dir)
	if err != nil {
		return Match{}, err
	}
	var m Match
	taken := map[*spoolEntry]bool{}
	for _, src := range p.Sources {
		if src.Err != nil {
			continue
		}
		e := list.find(src, taken)
		if e == nil {
			switch here := func(e *spoolEntry) bool { return !e.Superseded && e.from(src.Fingerprint) }; {
			case slices.ContainsFunc(list.Objects, func(e *spoolEntry) bool { return e.alike(dir, src) }):
				m.Alike++
			case slices.ContainsFunc(list.Objects, here):
				m.Different++
			}
			continue
		}
		taken[e] = true
		m.Same++
		n, complete := e.peek(dir)
		m.Bytes += n
		if complete {
			m.Complete++
		}
	}
	return m, nil
}

// sameListing reports whether src lists files of which some have been received: a listing changes each time
// its links are signed, so it is recognised by its files.
func (e *spoolEntry) sameListing(dir string, src *Source) bool {
	return e.Listing && src.Listing && e.Part == src.Part && knowsFiles(dir, e.Name, src.sample)
}

// alike reports whether the very link of src led to the object, and nothing but an ETag or a date speaks
// against its still doing so: it is no longer, and begins with the same bytes.
func (e *spoolEntry) alike(dir string, src *Source) bool {
	size, other := e.Identity.Size, src.Identity.Size
	return !e.Listing && !src.Listing && (size < 0 || other < 0 || size == other) &&
		slices.Contains(e.Links, src.Link.Mark()) && e.hasHead(dir, src)
}

// sameContent reports whether src serves the object by what the probe saw of it: all of it, or its beginning,
// with the same size and date, and no other ETag, at a place that differs at most in the secrets of its
// path.
func (e *spoolEntry) sameContent(dir string, src *Source) bool {
	size := src.Identity.Size
	if e.Listing || src.Listing || e.Part != src.Part || src.rawLen == 0 {
		return false
	}
	if size < 0 && src.rawOnly {
		size = src.rawLen
	}
	if size == src.rawLen {
		n, complete := e.peek(dir)
		return complete && n == size && e.hasHead(dir, src)
	}
	date, a, b := e.Identity.LastModified, e.Identity.strong(), src.Identity.strong()
	return date != "" && date == src.Identity.LastModified && (a == "" || b == "" || a == b) &&
		e.Identity.Size == size && src.Link.FileName() != "" && e.Address == src.Link.String() &&
		e.hasHead(dir, src)
}

// hasHead reports whether what the probe saw of src has been received as the beginning of the object.
func (e *spoolEntry) hasHead(dir string, src *Source) bool {
	if n, _ := e.peek(dir); src.rawLen == 0 || n < src.rawLen {
		return false
	}
	f, err := os.Open(dataPath(dir, e.Name))
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, src.rawLen)
	_, err = io.ReadFull(f, head)
	return err == nil && digest.Of(head) == src.raw
}

// beginsLike reports whether the bytes received, as far as they go, begin like those given.
func (e *spoolEntry) beginsLike(dir string, first []byte) bool {
	j, err := os.Open(journalPath(dir, e.Name))
	if err != nil {
		return true // nothing has been received
	}
	defer j.Close()
	mem, err := readJournal(j)
	if err != nil {
		return true
	}
	// Where the first piece has not been received, the file holds zeros, which say nothing.
	n := min(int64(len(first)), int64(mem.pieces[0].length))
	f, err := os.Open(dataPath(dir, e.Name))
	if err != nil {
		return true
	}
	defer f.Close()
	ours := make([]byte, n)
	_, err = io.ReadFull(f, ours)
	return err == nil && bytes.Equal(ours, first[:n])
}
