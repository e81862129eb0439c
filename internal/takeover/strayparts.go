package takeover

import (
	"context"
	"os"
	"path"
	"sync"

	"holdall/fetch"
	"holdall/fetch/link"
	"holdall/internal/unpack"
)

// strayParts are files that look like parts of a table, by a number in their names, and whose other parts are
// not in the same container: one link may lead to Candidates_1.csv and the next to Candidates_2.csv, and so
// may the ZIPs within a ZIP. They wait, unwrapped, until every data object has been unpacked, and are then
// put together as those of one container are.
type strayParts struct {
	names []string // of the data sources, as the plan has them

	mu      sync.Mutex
	pending int         // data objects that are not unpacked yet, guarded by mu
	files   []strayPart // guarded by mu
}

// A strayPart is a file that waits, with where it came from.
type strayPart struct {
	*dataFile
	from *dataFiles
}

func newStrayParts(p *fetch.Plan, groups []objectGroup) *strayParts {
	s := &strayParts{}
	for _, g := range groups {
		if g.head().Source.Part == link.PartData {
			s.pending++
		}
	}
	for _, source := range p.Sources {
		if source.Part == link.PartData {
			s.names = append(s.names, source.Name)
		}
	}
	return s
}

// wants reports whether a file of that name, which is alone of its kind in its container, is to wait for
// those of others.
func (s *strayParts) wants(name string) bool {
	base := path.Base(name)
	if _, known := tableOf(base); known && s.isNumberedLink(base) {
		return true
	}
	for _, way := range readPartName(base) {
		if _, known := tableOf(way.table); known && way.number > 0 {
			return true
		}
	}
	return false
}

// isNumberedLink reports whether the name of another link is this one's with a number.
func (s *strayParts) isNumberedLink(base string) bool {
	ways := readPartName(base)
	for _, name := range s.names {
		for _, way := range readPartName(name) {
			if len(ways) > 0 && way.number > 0 && way.table == ways[0].table {
				return true
			}
		}
	}
	return false
}

// add has a file wait.
func (s *strayParts) add(from *dataFiles, f *dataFile) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files = append(s.files, strayPart{f, from})
}

// waitsFor reports whether a file of that data source waits.
func (s *strayParts) waitsFor(number int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.files {
		if f.from.s.object.Source.Number == number {
			return true
		}
	}
	return false
}

// done records that a data object has been unpacked. After the last one it returns all that waited.
func (s *strayParts) done() []strayPart {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending--; s.pending > 0 {
		return nil
	}
	all := s.files
	s.files = nil
	return all
}

// loadData brings the files of a data object into the bag, and the CSVs among them into the database. The
// last object does so for the parts of tables that waited for it.
func (t *takeover) loadData(ctx context.Context, g objectGroup) error {
	err := t.unpackObject(ctx, g, func(in *unpacker, s *origin) error { return in.data(ctx, s) })
	waiting := map[int]bool{}
	for _, o := range g.objects {
		waiting[o.Source.Number] = err != nil || !t.strays.waitsFor(o.Source.Number)
	}
	t.tellOwners(waiting, err)
	strays := t.strays.done()
	waiting = map[int]bool{}
	for _, f := range strays {
		waiting[f.from.s.object.Source.Number] = true
	}
	if err == nil {
		err = loadStrays(ctx, strays)
	}
	t.tellOwners(waiting, err) // packing waits for them, whatever came of it
	return err
}

// tellOwners says which sources have been loaded, or could not be.
func (t *takeover) tellOwners(loaded map[int]bool, err error) {
	for number, ok := range loaded {
		if ok && err != nil {
			t.ownerTables.failed(number)
		} else if ok {
			t.ownerTables.loaded(number)
		}
	}
}

// loadStrays loads what waited, as one table what proves to be that.
func loadStrays(ctx context.Context, strays []strayPart) error {
	var entries []unpack.Entry
	for i, f := range strays {
		entries = append(entries, unpack.Entry{Name: path.Base(f.name), Index: i})
		defer os.Remove(f.plain) // the directory is removed in any case
	}
	for _, parts := range groupTableParts(entries) {
		var files []*dataFile
		for _, e := range parts {
			files = append(files, strays[e.Index].dataFile)
		}
		if err := strays[parts[0].Index].from.loadExtracted(ctx, files, true); err != nil {
			return err
		}
	}
	return nil
}
