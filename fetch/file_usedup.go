package fetch

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/fetch/listing"
)

// A link that works once is used up by a try that failed in transit, and a refusal after that does not prove
// that the file is gone: a new link may still give it. So such a file is not missing, but needs a new master
// CSV; when its next link is refused in the same way, it is missing.

// usedUp reports whether a refusal of file i, after t, may come from a link that an earlier try used up, and
// no run before has seen that. It writes down that this one has. With the run's mutex held.
func (p *filePool) usedUp(i int, e *failure.Error, t *tries) (bool, error) {
	if e.Code != failure.LinkGone && e.Code != failure.LinkDenied {
		return false, nil
	}
	l, err := p.entries.get(i)
	if err != nil || !t.arrived && !p.o.run.f.spoiled(p.o.Source, l) {
		return false, err
	}
	if _, signed := link.Expiry(l.Link); signed != "" {
		return false, nil // such links work until they expire
	}
	return p.files.seeUsedUp(p.o.Source.Part, l)
}

// usedUpError is what a file's error becomes while a new link may bring it.
func usedUpError(e *failure.Error) *failure.Error {
	c := *e
	c.Code = failure.LinkExpired
	c.Message = e.Message + "; an answer before that had failed, and a link that works once is used up by it"
	c.Hint = failure.HintNewLink
	return &c
}

// usedUpPath is one for all listings of a spool: where the secrets of links are in their paths, nothing may
// tie the listing of the next master CSV to what has been received.
func (s *fileStore) usedUpPath() string { return filepath.Join(s.dir, "used-up") }

// seeUsedUp writes down that the link of l may have been used up. It is false when an earlier run wrote that
// down: of this run, several files may look alike without the secrets of their links. A line that is lost
// costs one more new link. With the run's mutex held.
func (s *fileStore) seeUsedUp(part link.Part, l listing.Entry) (bool, error) {
	if s.usedUp == nil {
		known, err := os.ReadFile(s.usedUpPath())
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return false, failure.Disk(err, "read which links were used up")
		}
		s.usedUp = map[string]bool{}
		for line := range strings.Lines(string(known)) {
			s.usedUp[strings.TrimSpace(line)] = true
		}
	}
	line := stablePlace(l.Link, string(part), l.Name)
	if s.usedUp[line] {
		return false, nil
	}
	f, err := os.OpenFile(s.usedUpPath(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return false, failure.Disk(err, "record that a link was used up")
	}
	_, err = f.WriteString(line + "\n")
	if err = errors.Join(err, f.Close()); err != nil {
		return false, failure.Disk(err, "record that a link was used up")
	}
	return true, nil
}
