package fetch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/internal/atomicfile"
	"holdall/internal/filetype"
	"holdall/internal/flock"
)

// A spool is a directory of objects as received. spool.json says which objects there are; each one's journal
// says what of it has been received. Neither holds a link.
//
//	spool.json           the objects: identity, part, fingerprints of the places they came from
//	object-01.data       the bytes as they came, sparse until complete
//	object-01.data.plain the content of those that came in a Content-Encoding
//	object-01.journal    see journal
//	object-01.files ...  the files of a listing, see files
//	used-up              hashes of the places of files whose links were used up in vain
//	lock                 flock of the process that fetches, and who that is
type spool struct {
	dir  string
	lock *os.File
	list spoolList
}

type spoolList struct {
	dir     string
	Format  int           `json:"format"`
	Objects []*spoolEntry `json:"objects"`
	// marks of links whose only answer had no bytes, by the place they led to
	Empty map[string][]string `json:"empty,omitempty"`
}

// A spoolEntry is one object of a spool. Objects are never removed: one that changed at its source stays
// alongside its successor.
type spoolEntry struct {
	Name         string        `json:"name"` // of its files, without suffix
	Part         link.Part     `json:"part"`
	FileName     string        `json:"file_name,omitempty"`
	Kind         filetype.Type `json:"kind"`
	Listing      bool          `json:"listing,omitempty"`
	Fingerprints []string      `json:"fingerprints"` // of the places that served it
	Address      string        `json:"address"`      // of the last one, redacted
	Links        []string      `json:"links"`        // marks of the links that led to it
	Identity     Identity      `json:"identity"`
	// the source no longer serves what has been received: the next run starts over
	Superseded bool  `json:"superseded,omitempty"`
	CutAt      int64 `json:"cut_at,omitempty"` // the byte at which all answers of the last run broke off

	// Marks of the links of listings that named it, and how many objects each of these named.
	ListedBy map[string]int `json:"listed_by,omitempty"`
}

const spoolFormat = 1

// openSpool opens or makes the spool in dir and locks it.
func openSpool(dir string) (*spool, error) {
	if err := atomicfile.MkdirAll(dir); err != nil {
		return nil, failure.Disk(err, "make the spool")
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, failure.Disk(err, "lock the spool")
	}
	if err := flock.TryLock(lock); errors.Is(err, flock.ErrLocked) {
		defer lock.Close()
		return nil, &failure.Error{
			Code:    failure.Busy,
			Message: "another run is fetching into the same spool: " + flock.DescribeOwner(lock),
			Hint:    "wait until it has ended, or stop it",
		}
	} else if err != nil {
		return nil, errors.Join(failure.Disk(err, "lock the spool"), lock.Close())
	}
	if err := flock.RecordOwner(lock); err != nil {
		return nil, errors.Join(failure.Disk(err, "lock the spool"), lock.Close())
	}
	s := &spool{dir: dir, lock: lock}
	if s.list, err = readSpool(dir); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return s, nil
}

// readSpool reads what a directory says of its objects. No directory, and one without spool.json, hold none.
func readSpool(dir string) (spoolList, error) {
	list := spoolList{dir: dir, Format: spoolFormat}
	b, err := os.ReadFile(filepath.Join(dir, "spool.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return list, nil
	}
	if err != nil {
		return list, failure.Disk(err, "read the spool's list")
	}
	if err := json.Unmarshal(b, &list); err != nil {
		return list, &failure.Error{
			Code: failure.Internal, Reason: failure.ReasonSpoolUnusable,
			Message: "the spool's list (spool.json) is damaged",
			Hint:    "move the spool away, or choose another directory for it", Err: err,
		}
	}
	if list.Format != spoolFormat {
		return list, &failure.Error{
			Code: failure.Usage, Reason: failure.ReasonSpoolUnusable, Hint: failure.HintSpool,
			Message: fmt.Sprintf("the spool has format %d, which this version does not know", list.Format),
		}
	}
	for _, e := range list.Objects {
		if e == nil || e.Name != filepath.Base(e.Name) || e.Name == "." || e.Name == "" {
			return list, &failure.Error{
				Code: failure.Internal, Message: "the spool's list (spool.json) is damaged",
			}
		}
	}
	return list, nil
}

// save writes the list, whole or not at all.
func (s *spool) save() error {
	b, err := json.MarshalIndent(s.list, "", "  ")
	if err == nil {
		err = atomicfile.WriteFile(filepath.Join(s.dir, "spool.json"), append(b, '\n'))
	}
	if err != nil {
		return failure.Disk(err, "write the spool's list")
	}
	return nil
}

func (s *spool) close() error { return errors.Join(flock.Unlock(s.lock), s.lock.Close()) }

// entryFor finds the object that src serves, or adds a new one. taken are entries that belong to other
// sources.
func (s *spool) entryFor(src *Source, taken map[*spoolEntry]bool) (e *spoolEntry, known bool) {
	if e = s.list.find(src, taken); e != nil {
		e.record(src)
		return e, true
	}
	return s.add(src), false
}

// add makes a new object for src.
func (s *spool) add(src *Source) *spoolEntry {
	e := &spoolEntry{
		Name: fmt.Sprintf("object-%02d", len(s.list.Objects)+1), Part: src.Part, FileName: src.Name,
		Kind:    src.Kind,
		Listing: src.Listing, Identity: src.Identity,
	}
	e.record(src)
	s.list.Objects = append(s.list.Objects, e)
	return e
}

// supersede leaves what has been received of an object where it is, and has the next run start over.
func (s *spool) supersede(name string) error {
	for _, e := range s.list.Objects {
		if e.Name == name {
			e.Superseded = true
		}
	}
	return s.save()
}

// record remembers by which link src, which serves the object, was found.
func (e *spoolEntry) record(src *Source) {
	if src.answeredFrom != "" {
		return
	}
	if !slices.Contains(e.Fingerprints, src.Fingerprint) {
		e.Fingerprints = append(e.Fingerprints, src.Fingerprint)
	}
	e.Address = src.Link.String()
	marks := []string{src.Link.Mark()}
	if src.ListedIn == "" {
		marks = append(marks, src.origin)
	} else {
		if e.ListedBy == nil {
			e.ListedBy = map[string]int{}
		}
		e.ListedBy[src.origin] = src.siblings
	}
	for _, m := range marks {
		if m != "" && !slices.Contains(e.Links, m) {
			e.Links = append(e.Links, m)
		}
	}
}

// peekStore says how many bytes of an object have been received, without opening it for work.
func peekStore(dir string, e *spoolEntry) (n int64, complete bool) {
	f, err := os.Open(journalPath(dir, e.Name))
	if err != nil {
		return 0, false
	}
	defer f.Close()
	mem, err := readJournal(f)
	if err != nil || mem.mark != e.Identity.mark() {
		return 0, false
	}
	for _, rec := range mem.pieces {
		n += int64(rec.length)
	}
	info, err := os.Stat(dataPath(dir, e.Name))
	if err != nil {
		return 0, false
	}
	return n, mem.done != nil && mem.done.Size == n && info.Size() == n
}

// completeIn reports whether the spool in dir holds the object whole and verified.
func (e *spoolEntry) completeIn(dir string) bool {
	_, complete := e.peek(dir)
	return complete
}

// peek says how many bytes of the object have been received, and whether these are all.
func (e *spoolEntry) peek(dir string) (n int64, complete bool) {
	if !e.Listing {
		return peekStore(dir, e)
	}
	n = peekFiles(dir, e.Name)
	_, err := listingDone(dir, e.Name)
	return n, err == nil
}

// A SpoolObject is what a spool has of one object.
type SpoolObject struct {
	Part     link.Part
	Name     string
	Listing  bool
	Size     int64 // -1 when not known
	Received int64
	Files    int // of a listing, received
	Complete bool
	Links    []string // marks of the links that led to it: see Source.Marks
}

// SpoolObjects says what the spool in dir holds, without opening it for work. No directory holds nothing.
func SpoolObjects(dir string) ([]SpoolObject, error) {
	list, err := readSpool(dir)
	if err != nil {
		return nil, err
	}
	var all []SpoolObject
	for _, e := range list.Objects {
		o := SpoolObject{
			Part: e.Part, Name: e.FileName, Listing: e.Listing, Size: e.Identity.Size,
			Links: slices.Clone(e.Links),
		}
		for mark := range e.ListedBy {
			o.Links = append(o.Links, mark)
		}
		o.Received, o.Complete = e.peek(dir)
		if e.Listing {
			o.Size = -1
			_ = scanFiles(dir, e.Name, func(fileRecord) bool { o.Files++; return true })
		}
		all = append(all, o)
	}
	return all, nil
}
