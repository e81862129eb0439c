package takeover

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"holdall/archive"
	"holdall/archive/dirstore"
	"holdall/fetch"
	"holdall/internal/atomicfile"
)

// A run is one takeover's directory below Root/.work:
//
//	run.json        state (below)
//	spool/          received bytes; belongs to package fetch
//	bag/            the bag in the making; belongs to archive.Builder
//	receipts.jsonl  HTTP exchanges so far
//	entries/        what the containers hold; made again by each process
//	tables.duckdb   the database in the making; made again by each process
//	tmp/            made again by each process
type run struct {
	dir      string
	spoolDir string
	state    runState
}

// runState is what a later process must know. It holds no links.
type runState struct {
	Started time.Time `json:"started"`
	// Shape is what the bag in the making depends on beside the received bytes. A process that would make it
	// differently drops the bag and makes it from the spool again.
	Shape string `json:"shape"`
	// Sealed is set before the commit begins.
	Sealed *Result `json:"sealed,omitempty"`
}

func (r *run) path(name string) string { return filepath.Join(r.dir, name) }
func (r *run) spool() string           { return r.spoolDir }

func (r *run) save() error {
	b, err := json.MarshalIndent(r.state, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(r.path("run.json"), append(b, '\n'))
}

// openRun opens a run directory that an earlier process made.
func openRun(dir, spools string) (*run, error) {
	r := &run{dir: dir, spoolDir: spoolDir(dir, spools)}
	b, err := os.ReadFile(r.path("run.json"))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &r.state); err != nil {
		return nil, fmt.Errorf("read %s: %w", r.path("run.json"), err)
	}
	return r, nil
}

func newRun(work, spools string, started time.Time) (*run, error) {
	var random [5]byte
	rand.Read(random[:]) // never fails
	name := started.UTC().Format("20060102T150405Z") + "-" + strings.ToLower(base32.StdEncoding.EncodeToString(random[:]))[:4]
	dir := filepath.Join(work, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	r := &run{dir: dir, spoolDir: spoolDir(dir, spools), state: runState{Started: started.UTC().Truncate(time.Second)}}
	return r, r.save()
}

func spoolDir(run, spools string) string {
	if spools == "" {
		return filepath.Join(run, "spool")
	}
	return filepath.Join(spools, filepath.Base(run))
}

// prepare makes the run ready for this process: what is made again is dropped, and so is a bag of another shape.
func (r *run) prepare(shape string) error {
	for _, name := range []string{"entries", "tmp"} {
		if err := os.RemoveAll(r.path(name)); err != nil {
			return err
		}
		if err := os.MkdirAll(r.path(name), 0o700); err != nil {
			return err
		}
	}
	if r.state.Sealed != nil || r.state.Shape == shape {
		return nil
	}
	if err := os.RemoveAll(r.path("bag")); err != nil {
		return err
	}
	r.state.Shape = shape
	return r.save()
}

// remove drops the run and its spool.
func (r *run) remove() error { return errors.Join(os.RemoveAll(r.spoolDir), os.RemoveAll(r.dir)) }

// A choice is what a takeover does with a master CSV: nothing, because the export is archived already, or go on in run.
type choice struct {
	done *Result
	plan *fetch.Plan
	run  *run
}

// choose probes the links and finds the archive or the run that already holds what they serve.
func choose(ctx context.Context, f *fetch.Fetcher, m *fetch.Master, store *dirstore.Store, o Options) (*choice, error) {
	work := o.work()
	plan, runs, err := probe(ctx, f, m, work, o)
	if err != nil {
		return nil, err
	}
	if !o.New {
		if done, err := archived(ctx, store, plan); done != nil || err != nil {
			return &choice{done: done}, errors.Join(err, dropSealed(runs, done))
		}
	}
	r, different := matching(runs, plan)
	if r == nil {
		if err := reachable(plan); err != nil {
			return nil, err
		}
		if different {
			o.Talk("these links serve another export than the one begun before: starting a new archive; the earlier one waits in %s", work)
		}
		if r, err = newRun(work, o.Spool, o.Now()); err != nil {
			return nil, err
		}
	} else {
		o.Talk("going on with the takeover begun at %s", r.state.Started.Format(time.DateTime+" MST"))
	}
	if len(plan.Missing) > 0 && r.state.Sealed == nil {
		o.Talk("the master CSV has no link for: %s", joinParts(plan.Missing))
	}
	return &choice{plan: plan, run: r}, r.prepare(shape(plan, o))
}

func (o Options) work() string { return filepath.Join(o.Root, ".work") }

// probe plans over the network. What the network cannot answer any more, a run that has it completely answers.
func probe(ctx context.Context, f *fetch.Fetcher, m *fetch.Master, work string, o Options) (*fetch.Plan, []*run, error) {
	var runs []*run
	if !o.New {
		var err error
		if runs, err = openRuns(work, o.Spool); err != nil {
			return nil, nil, err
		}
	}
	plan, err := f.Plan(ctx, m)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range runs {
		if err := f.AnswerFrom(r.spool(), plan); err != nil {
			continue // not a spool
		}
	}
	return plan, runs, nil
}

func openRuns(work, spools string) ([]*run, error) {
	dirs, err := os.ReadDir(work)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var runs []*run
	for _, d := range dirs {
		r, err := openRun(filepath.Join(work, d.Name()), spools)
		if err != nil {
			continue // a run that never came so far as to be worth going on with
		}
		runs = append(runs, r)
	}
	return runs, err
}

// matching returns the run that holds most of what the plan serves, and nothing else at the same places.
// different reports that a run holds other objects at these places.
func matching(runs []*run, plan *fetch.Plan) (best *run, different bool) {
	var most fetch.Match
	for _, r := range runs {
		m, err := fetch.MatchSpool(r.spool(), plan)
		switch {
		case err != nil:
			continue
		case m.Different > 0:
			different = true
		case m.Same > most.Same || m.Same == most.Same && m.Same > 0 && m.Bytes > most.Bytes:
			best, most = r, m
		}
	}
	return best, different
}

// dropSealed removes what a process that died right after its commit left of the run.
func dropSealed(runs []*run, done *Result) error {
	var errs []error
	for _, r := range runs {
		if done != nil && r.state.Sealed != nil && r.state.Sealed.Export == done.Export {
			errs = append(errs, r.remove())
		}
	}
	return errors.Join(errs...)
}

// reachable is nil when at least one source of the plan can be fetched; else the first failure.
func reachable(p *fetch.Plan) error {
	var first *fetch.Error
	for _, s := range p.Sources {
		if s.Err == nil {
			return nil
		}
		if first == nil {
			first = s.Err
		}
	}
	if first == nil {
		return nil
	}
	return first
}

// shape says what the bag in the making depends on beside the received bytes: the numbers that document IDs are made
// of, and the options that change its content.
func shape(p *fetch.Plan, o Options) string {
	var b strings.Builder
	fmt.Fprintf(&b, "dates=%s containers=%t", o.DateOrder, o.KeepContainers)
	for _, s := range p.Sources {
		fmt.Fprintf(&b, " %d:%s:%d:%s", s.Number, s.Part, s.Identity.Size, s.Identity.ETag)
	}
	return b.String()
}

// archived returns the result of a complete export that holds exactly what the plan serves, or nil.
func archived(ctx context.Context, store *dirstore.Store, p *fetch.Plan) (*Result, error) {
	ids, err := archive.IDs(ctx, store)
	if err != nil {
		return nil, err
	}
	slices.Reverse(ids)
	for _, id := range ids {
		bag, err := archive.Open(ctx, store, id)
		if err != nil {
			return nil, err
		}
		s, err := readStatus(ctx, bag)
		if err != nil {
			return nil, err
		}
		if s.holds(p) {
			return &s.Result, nil
		}
	}
	return nil, nil
}

// holds reports whether the export has every source of the plan. A link that does not answer any more counts as
// the object that came from the same place, or as those that the listing at that place named.
func (s *Status) holds(p *fetch.Plan) bool {
	for _, src := range p.Sources {
		if !slices.ContainsFunc(s.Objects, func(o ObjectRecord) bool {
			if o.Error != "" {
				return false
			}
			if src.Err != nil {
				return o.Fingerprint == src.Fingerprint || o.ListedIn == src.Fingerprint
			}
			return o.Part == string(src.Part) && o.Size == src.Identity.Size && o.ETag == src.Identity.ETag &&
				o.LastModified == src.Identity.LastModified && (o.ETag != "" || o.LastModified != "")
		}) {
			return false
		}
	}
	return len(p.Sources) > 0
}

func joinParts(parts []fetch.Part) string {
	var names []string
	for _, p := range parts {
		names = append(names, string(p))
	}
	return strings.Join(names, ", ")
}
