package takeover

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"holdall/archive"
	"holdall/internal/atomicfile"
	"holdall/internal/scratch"
	"holdall/query"
)

// The kinds of leftovers.
const (
	LeftDatabase = "database" // made from an archive, and rebuilt when it is needed
	LeftRun      = "run"      // of a takeover
	LeftScratch  = "scratch"  // of a process that was killed
	LeftHistory  = "history"  // of what was typed
	LeftFaults   = "faults"   // a list that verify made
	LeftCache    = "cache"    // of files fetched from a remote root, and fetched again when they are needed
)

// A Leftover is something outside of the archives that holds data of theirs.
type Leftover struct {
	Kind       string   `json:"kind"`
	Name       string   `json:"name"` // of a run, as the user names it
	Path       string   `json:"path"`
	More       []string `json:"more,omitempty"` // other paths that belong to it, such as a spool elsewhere
	Bytes      int64    `json:"bytes"`
	Export     string   `json:"export,omitempty"` // of a database or a finished run
	Gone       bool     `json:"gone"`             // of a database: the root does not hold its export any more
	Unfinished bool     `json:"unfinished"`       // of a run: it can be resumed
}

// Remove removes it.
func (l *Leftover) Remove() error {
	var errs []error
	for _, path := range append([]string{l.Path}, l.More...) {
		errs = append(errs, os.RemoveAll(path))
	}
	return errors.Join(errs...)
}

func newLeftover(kind, path string, more ...string) Leftover {
	l := Leftover{Kind: kind, Name: filepath.Base(path), Path: path}
	l.Bytes = sizeBelow(path)
	for _, m := range more {
		if m != path && !strings.HasPrefix(m, path+string(filepath.Separator)) {
			l.More = append(l.More, m)
			l.Bytes += sizeBelow(m)
		}
	}
	return l
}

// Cached returns the cache in a directory, if there is one.
func Cached(dir string) []Leftover {
	if entries, err := os.ReadDir(dir); err != nil || len(entries) == 0 {
		return nil
	}
	return []Leftover{newLeftover(LeftCache, dir)}
}

func dirExists(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func sizeBelow(path string) (n int64) {
	filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				n += info.Size()
			}
		}
		return nil // what cannot be seen is not counted
	})
	return n
}

// Databases returns the databases in a directory, and what processes that were killed left alongside them. Of
// a root's own, store tells which exports are gone; it may be nil. While another process makes one there,
// none is returned.
func Databases(ctx context.Context, store archive.Store, dir string) ([]Leftover, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	exports := map[string]bool{}
	if store != nil {
		ids, err := archive.IDs(ctx, store)
		if err != nil {
			return nil, err
		}
		for _, folder := range ids {
			exports[folder] = true
			if bag, err := archive.Open(ctx, store, folder); err == nil {
				exports[bag.ID()] = true
			}
		}
	}
	var all []Leftover
	dead := scratch.Dead(dir, query.BuildPrefix)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), query.BuildPrefix) && e.IsDir() {
			if !slices.Contains(dead, filepath.Join(dir, e.Name())) {
				return nil, nil
			}
			all = append(all, newLeftover(LeftScratch, filepath.Join(dir, e.Name())))
			continue
		}
		if id, ok := strings.CutSuffix(e.Name(), ".tables"); ok && e.IsDir() {
			if _, err := os.Stat(filepath.Join(dir, id+".duckdb")); errors.Is(err, fs.ErrNotExist) {
				// of a process that was killed
				all = append(all, newLeftover(LeftScratch, filepath.Join(dir, e.Name())))
			}
			continue
		}
		id, rest, ok := strings.Cut(e.Name(), ".duckdb")
		ours := rest == "" || rest == ".wal" || strings.HasPrefix(rest, atomicfile.Suffix)
		if ok && ours && e.Type().IsRegular() {
			path := filepath.Join(dir, e.Name())
			var more []string
			if files := query.Files(path); dirExists(files) {
				more = append(more, files)
			}
			l := newLeftover(LeftDatabase, path, more...)
			l.Export, l.Gone = id, store != nil && !exports[id]
			all = append(all, l)
		}
	}
	return all, nil
}

// Runs returns what takeovers into a root left in work. The caller holds the root's lock: none is running.
func Runs(ctx context.Context, store archive.Store, work string) ([]Leftover, error) {
	taken := map[string]bool{}
	for e, err := range archive.Events(ctx, store) {
		if err != nil {
			break // without a ledger that vouches for it no run counts as finished
		}
		if e.Kind == archive.KindTaken {
			taken[e.Export] = true
		}
	}
	entries, err := os.ReadDir(work)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var all []Leftover
	for _, e := range entries {
		all = append(all, leftRun(ctx, store, filepath.Join(work, e.Name()), taken))
	}
	return all, err
}

// removeFinished removes what is left of runs whose exports are archived: their processes ended before they
// had removed it.
func removeFinished(ctx context.Context, store archive.Store, work string) error {
	if entries, err := os.ReadDir(work); err != nil || len(entries) == 0 {
		return nil // newRun says what is wrong with the directory
	}
	runs, err := Runs(ctx, store, work)
	if err != nil {
		return err
	}
	for _, l := range runs {
		if !l.Unfinished {
			if err := l.Remove(); err != nil {
				return err
			}
		}
	}
	return nil
}

func leftRun(ctx context.Context, store archive.Store, dir string, taken map[string]bool) Leftover {
	if isUnrecorded(dir) {
		return newLeftover(LeftRun, dir)
	}
	r, err := openRun(dir, func(string, string) {})
	if err != nil {
		l := newLeftover(LeftRun, dir)
		l.Unfinished = true // nobody knows what it is
		return l
	}
	l := newLeftover(LeftRun, dir)
	if filepath.Base(r.spool()) == l.Name {
		// elsewhere, in a directory of its own; nothing else is ever removed there
		l = newLeftover(LeftRun, dir, r.spool())
	}
	l.Unfinished = true
	if s := r.state.Sealed; s != nil && taken[s.Export] {
		_, err := archive.Open(ctx, store, s.Export)
		l.Export, l.Unfinished = s.Export, err != nil
	}
	return l
}

// Scratch returns what killed processes of this user left in the system's directory for temporary files.
func Scratch() []Leftover {
	var all []Leftover
	for _, prefix := range []string{query.ScratchPrefix, verifyPrefix} {
		for _, path := range scratch.Dead("", prefix) {
			all = append(all, newLeftover(LeftScratch, path))
		}
	}
	return all
}
