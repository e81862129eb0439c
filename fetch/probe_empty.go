package fetch

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"holdall/fetch/failure"
	"holdall/fetch/link"
)

// An answer without a byte is what an empty object looks like, and a server in trouble as well. It is
// believed when the server goes on giving it. A link that works once cannot say it again: there it is
// believed when the next link to the same place gives nothing either.

// enoughEmpty is how many answers without a byte prove, after a while (believedAfter), that an object is
// empty.
const enoughEmpty = 4

// An emptiness counts the answers of one probe that had no bytes.
type emptiness struct {
	times int
	since time.Time
	as    *Source // what the source is when they are believed
}

// seemsEmpty reports whether the object, as far as this answer goes, has no bytes.
func (x *exchange) seemsEmpty() bool {
	return len(x.prefix) == 0 && x.receipt.Error == "" && x.bounds.total <= 0
}

// note counts an answer of s that seems empty. It reports whether that is proven now. budget is how long a
// busy server is waited for.
func (n *emptiness) note(s *Source, x *exchange, budget time.Duration) bool {
	if n.times++; n.times == 1 {
		n.since = time.Now()
		as := *s
		if as.describeFrom(x) == nil {
			as.Identity.Size = 0
			n.as = &as
		}
	}
	return n.times >= enoughEmpty && time.Since(n.since) >= believedAfter(budget)
}

// emptyOnce is what a refusal becomes of a link whose only answer had no bytes.
func (s *Source) emptyOnce(e *failure.Error, as *Source) *failure.Error {
	if as == nil || e.Code != failure.LinkGone && e.Code != failure.LinkDenied {
		return e
	}
	s.empty = as
	c := *e
	c.Message += "; the only answer before that had no bytes: when that of the next link has none either, " +
		"the object is empty"
	return &c
}

// recordEmpty writes down that the links of these sources gave nothing, and are used up, so that the next
// links can prove it. The list is saved by the caller.
func (l *spoolList) recordEmpty(sources ...*Source) {
	for _, s := range sources {
		if s.Err == nil || s.empty == nil || slices.Contains(l.Empty[s.stablePlace()], s.Link.Mark()) {
			continue
		}
		if l.Empty == nil {
			l.Empty = map[string][]string{}
		}
		place := s.stablePlace()
		l.Empty[place] = append(l.Empty[place], s.Link.Mark())
	}
}

// provenEmpty returns what s is when another link to its place gave nothing before, or nil.
func (l *spoolList) provenEmpty(s *Source) *Source {
	another := func(mark string) bool { return mark != s.Link.Mark() }
	if s.empty == nil || !slices.ContainsFunc(l.Empty[s.stablePlace()], another) {
		return nil
	}
	return s.empty
}

// stablePlace names what the next master CSV calls by the same label and leads to the same place.
func (s *Source) stablePlace() string { return stablePlace(s.Link, string(s.Part), s.Label) }

// stablePlace names a place for as long as only the secrets of the link to it change, those in its path
// included, where what is left still has the name of a file; else until the link changes at all.
func stablePlace(l link.Link, names ...string) string {
	place := l.Fingerprint()
	if l.FileName() != "" {
		place = l.String()
	}
	sum := sha256.Sum256([]byte(place + "\x00" + strings.Join(names, "\x00")))
	return hex.EncodeToString(sum[:])
}
