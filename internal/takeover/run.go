package takeover

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"holdall/fetch"
	"holdall/fetch/failure"
	"holdall/internal/atomicfile"
)

// A run is one takeover's directory below Root/.work:
//
//	run.json        state (below)
//	spool/          received bytes, unless they wait elsewhere; belongs to package fetch
//	bag/            the bag in the making; belongs to archive.Builder
//	receipts.jsonl  HTTP exchanges so far
//	entries/        what the containers hold; rebuilt by each process
//	tables.duckdb   the database in the making; rebuilt by each process
//	tmp/            rebuilt by each process
type run struct {
	dir   string
	state runState

	mu sync.Mutex // held while objects that are unpacked side by side change state
}

// runState is what a later process must know. It holds no links.
type runState struct {
	Started time.Time `json:"started"`
	// Spool is where the received bytes wait, when that is not in the run's directory.
	Spool string `json:"spool,omitempty"`
	// BagInputs is what the bag in the making depends on besides the received bytes. A process that would
	// make it differently drops the bag and makes it from the spool again.
	BagInputs string `json:"shape"`
	// Promised are the links, and Stopped says why the last process ended: what "status" says about an
	// unfinished takeover.
	Promised []PromisedLink `json:"promised,omitempty"`
	Stopped  *Stop          `json:"stopped,omitempty"`
	// Doubted says, by an object's number, why its bytes could not be asked for again though they fit no
	// checksum. They went into the bag in the making as they are.
	Unproven map[int]string `json:"doubted,omitempty"`
	// Suspected are the numbers of the objects of which bytes are, or were, fetched again that the bag in the
	// making was made from already: it is useless unless they came the same.
	Suspected map[int]bool `json:"suspected,omitempty"`
	// Export is the ID of the export, where files of it go into the root before the commit.
	Export string `json:"export,omitempty"`
	// Sealed is set before the commit begins.
	Sealed *Result `json:"sealed,omitempty"`
}

func (r *run) path(name string) string { return filepath.Join(r.dir, name) }

func (r *run) spool() string {
	if r.state.Spool != "" {
		return r.state.Spool
	}
	return r.path("spool")
}

func (r *run) save() error {
	b, err := json.MarshalIndent(r.state, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(r.path(runFile), append(b, '\n'))
}

// runFile is a run's record.
const runFile = "run.json"

const runTime = "20060102T150405Z"

// openRun opens a run directory that an earlier process made. A record that cannot be read costs the bag in
// the making, not what was received: that is in the spool.
func openRun(dir string, damaged func(dir, why string)) (*run, error) {
	r := &run{dir: dir}
	b, err := os.ReadFile(r.path(runFile))
	if err == nil {
		err = json.Unmarshal(b, &r.state)
	}
	if err == nil {
		return r, nil
	}
	begun, _, _ := strings.Cut(filepath.Base(dir), "-")
	started, terr := time.Parse(runTime, begun)
	if _, serr := os.Stat(r.path("spool")); terr != nil || serr != nil {
		return nil, err
	}
	damaged(
		dir,
		fmt.Sprintf("run.json cannot be read (%v): what was received is used, the rest is rebuilt", err),
	)
	r.state = runState{Started: started}
	return r, nil
}

// isUnrecorded reports whether the process that made a run's directory ended before its record was there, or
// the one that removed it before all of it was gone.
func isUnrecorded(dir string) bool {
	if strings.HasSuffix(dir, removedSuffix) {
		return true // it is not recorded any more
	}
	entries, err := os.ReadDir(dir)
	return err == nil && !slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		return e.Name() != runFile+atomicfile.Suffix
	})
}

// holdsNothing reports whether a run, which no process works on, has nothing that it could resume from: no
// object is recorded in its spool, and no bag was begun.
func (r *run) holdsNothing() bool {
	missing := func(path string) bool {
		_, err := os.Stat(path)
		return errors.Is(err, os.ErrNotExist)
	}
	return r.state.Sealed == nil && r.state.Spool == "" && missing(filepath.Join(r.spool(), "spool.json")) &&
		missing(r.path("bag"))
}

// removeEmptyRuns removes what processes left that ended before they had received anything.
func removeEmptyRuns(work string, runs []*run) error {
	for _, r := range runs {
		if r.holdsNothing() {
			if err := r.remove(); err != nil {
				return err
			}
		}
	}
	entries, err := os.ReadDir(work)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if dir := filepath.Join(work, e.Name()); e.IsDir() && isUnrecorded(dir) {
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// newRun makes a run whose bytes are to wait in a directory of its own below spools, or with the run where
// that is empty.
func newRun(work, spools string, started time.Time) (*run, error) {
	var random [5]byte
	rand.Read(random[:]) // never fails
	name := started.UTC().Format(runTime) + "-" +
		strings.ToLower(base32.StdEncoding.EncodeToString(random[:]))[:4]
	dir := filepath.Join(work, name)
	r := &run{dir: dir, state: runState{Started: started.UTC().Truncate(time.Second)}}
	if spools != "" {
		abs, err := filepath.Abs(spools)
		if err != nil {
			return nil, err
		}
		r.state.Spool = filepath.Join(abs, name)
	}
	if err := atomicfile.MkdirAll(dir); err != nil {
		return nil, err
	}
	return r, r.save()
}

// findSpool finds the run's spool, which may have been moved below spools: the directory that the user names
// now. It is false when the spool is gone.
func (r *run) findSpool(spools string) bool {
	if _, err := os.Stat(r.spool()); err == nil {
		return true
	}
	if spools != "" {
		if abs, err := filepath.Abs(filepath.Join(spools, filepath.Base(r.dir))); err == nil {
			if _, err := os.Stat(abs); err == nil {
				r.state.Spool = abs
				return true
			}
		}
	}
	return r.state.Spool == "" // nothing was received yet
}

// prepare makes the run ready for this process: what each process makes again is dropped, and so is a bag
// made from other inputs (see bagInputs).
func (r *run) prepare(inputs string) error {
	for _, name := range []string{"entries", "tmp"} {
		if err := os.RemoveAll(r.path(name)); err != nil {
			return err
		}
		if err := os.MkdirAll(r.path(name), 0o700); err != nil {
			return err
		}
	}
	if r.state.BagInputs == inputs && len(r.state.Suspected) == 0 {
		return nil
	}
	return errors.Join(r.dropBag(), r.setBagInputs(inputs))
}

// dropBag removes the bag in the making, and what is recorded of it. It is rebuilt from the spool.
func (r *run) dropBag() error {
	r.state.Unproven, r.state.Suspected, r.state.Export = nil, nil, ""
	return errors.Join(os.RemoveAll(r.path("bag")), os.RemoveAll(r.path("orders")))
}

// recordUnproven records that an object's bytes are taken though they do not fit, and cannot be asked for
// again because of why.
func (r *run) recordUnproven(o *fetch.Object, why error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state.Unproven[o.Source.Number] != "" {
		return nil
	}
	if r.state.Unproven == nil {
		r.state.Unproven = map[int]string{}
	}
	r.state.Unproven[o.Source.Number] = refusalText(why)
	return r.save()
}

// refusalText is what the server said, for a sentence that says the rest.
func refusalText(err error) string {
	var e *failure.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return "the link was refused"
}

// isUnproven reports whether an object's bytes were taken so.
func (r *run) isUnproven(o *fetch.Object) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.Unproven[o.Source.Number] != ""
}

func (r *run) setBagInputs(inputs string) error {
	r.state.BagInputs = inputs
	return r.save()
}

// remove drops the run and its spool.
func (r *run) remove() error {
	if err := os.RemoveAll(r.spool()); err != nil {
		return err
	}
	gone := r.dir + removedSuffix // so that no part of it is ever taken for a run
	if err := os.Rename(r.dir, gone); err != nil {
		return err
	}
	return os.RemoveAll(gone)
}

// removedSuffix ends the name of a run's directory that is being removed.
const removedSuffix = ".removed"

// bagInputs says what the bag in the making depends on besides the received bytes: the numbers that document
// IDs are made of, the objects of the spool that they number, and the options that change its content.
func bagInputs(objects []*fetch.Object, o Options) string {
	var b strings.Builder
	fmt.Fprintf(&b, "layout=2 dates=%s containers=%t", o.DateOrder, o.KeepContainers)
	for _, x := range objects {
		fmt.Fprintf(&b, " %d:%s:%s", x.Source.Number, x.Source.Part, filepath.Base(x.Path()))
	}
	return b.String()
}
