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
	"strings"
	"sync"
	"time"

	"holdall/archive"
	"holdall/fetch"
	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/fetch/master"
	"holdall/internal/atomicfile"
)

// A run is one takeover's directory below Root/.work:
//
//	run.json        state (below)
//	spool/          received bytes, unless they wait elsewhere; belongs to package fetch
//	bag/            the bag in the making; belongs to archive.Builder
//	receipts.jsonl  HTTP exchanges so far
//	entries/        what the containers hold; made again by each process
//	tables.duckdb   the database in the making; made again by each process
//	tmp/            made again by each process
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
	// Shape is what the bag in the making depends on beside the received bytes. A process that would make it
	// differently drops the bag and makes it from the spool again.
	Shape string `json:"shape"`
	// Promised are the links, and Stopped says why the last process ended: what "status" tells of an
	// unfinished takeover.
	Promised []PromisedLink `json:"promised,omitempty"`
	Stopped  *Stop          `json:"stopped,omitempty"`
	// Doubted says, by an object's number, why its bytes could not be asked for again though they fit no
	// checksum. They went into the bag in the making as they are.
	Doubted map[int]string `json:"doubted,omitempty"`
	// Suspected are the numbers of the objects of which bytes are, or were, fetched again that the bag in the
	// making was made from already: it is of no use unless they came the same.
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
	return atomicfile.WriteFile(r.path("run.json"), append(b, '\n'))
}

const runTime = "20060102T150405Z"

// openRun opens a run directory that an earlier process made. A record that cannot be read costs the bag in
// the making, not what was received: that is in the spool.
func openRun(dir string, damaged func(dir, why string)) (*run, error) {
	r := &run{dir: dir}
	b, err := os.ReadFile(r.path("run.json"))
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
		fmt.Sprintf("run.json cannot be read (%v): what was received is used, the rest is made again", err),
	)
	r.state = runState{Started: started}
	return r, nil
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
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return r, r.save()
}

// locate finds the run's spool, which may have been moved below spools: the directory that the user names
// now. It is false when the spool is gone.
func (r *run) locate(spools string) bool {
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

// prepare makes the run ready for this process: what is made again is dropped, and so is a bag of another
// shape.
func (r *run) prepare(shape string) error {
	for _, name := range []string{"entries", "tmp"} {
		if err := os.RemoveAll(r.path(name)); err != nil {
			return err
		}
		if err := os.MkdirAll(r.path(name), 0o700); err != nil {
			return err
		}
	}
	if r.state.Shape == shape && len(r.state.Suspected) == 0 {
		return nil
	}
	return errors.Join(r.dropBag(), r.reshape(shape))
}

// dropBag removes the bag in the making, and what is recorded of it. It is made again from the spool.
func (r *run) dropBag() error {
	r.state.Doubted, r.state.Suspected, r.state.Export = nil, nil, ""
	return errors.Join(os.RemoveAll(r.path("bag")), os.RemoveAll(r.path("orders")))
}

// doubt records that an object's bytes are taken though they do not fit, and cannot be asked for again
// because of why.
func (r *run) doubt(o *fetch.Object, why error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state.Doubted[o.Source.Number] != "" {
		return nil
	}
	if r.state.Doubted == nil {
		r.state.Doubted = map[int]string{}
	}
	r.state.Doubted[o.Source.Number] = refusal(why)
	return r.save()
}

// refusal is what the server said, for a sentence that says the rest.
func refusal(err error) string {
	var e *failure.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return "the link was refused"
}

// doubted reports whether an object's bytes were taken so.
func (r *run) doubted(o *fetch.Object) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.Doubted[o.Source.Number] != ""
}

func (r *run) reshape(shape string) error {
	r.state.Shape = shape
	return r.save()
}

// remove drops the run and its spool.
func (r *run) remove() error { return errors.Join(os.RemoveAll(r.spool()), os.RemoveAll(r.dir)) }

// A choice is what a takeover does with a master CSV: nothing, because the export is archived already, or go
// on in run.
type choice struct {
	done *Result
	plan *fetch.Plan
	run  *run
}

// choose probes the links and finds the archive or the run that already holds what they serve.
func choose(ctx context.Context, f *fetch.Fetcher, m *master.CSV, store archive.Store,
	o Options) (*choice, error) {
	work := o.work()
	plan, runs, err := probe(ctx, f, m, work, o)
	if err != nil {
		return nil, err
	}
	if !o.New {
		if done, err := archived(ctx, f, store, plan, o.Talk); done != nil || err != nil {
			return &choice{done: done}, err
		}
	}
	r, different := matching(runs, plan)
	if r == nil {
		if err := lostSpool(runs, plan); err != nil {
			return nil, err
		}
		if err := reachable(plan); err != nil {
			tellKept(runs, o.Talk)
			return nil, err
		}
		if different {
			o.Talk(
				"these links serve another export than the one begun before: starting a new archive; the "+
					"earlier one waits in %s",
				work,
			)
		}
		if r, err = newRun(work, o.Spool, o.Now()); err != nil {
			return nil, err
		}
	} else {
		o.goingOn(r)
	}
	if len(plan.Missing) > 0 && r.state.Sealed == nil {
		o.Talk("the master CSV has no link for: %s", joinParts(plan.Missing))
	}
	r.state.Promised, r.state.Stopped = promised(plan), nil
	return &choice{plan: plan, run: r}, r.save()
}

func (o Options) goingOn(r *run) {
	where := ""
	if r.state.Spool != "" {
		where = ", whose bytes wait in " + r.state.Spool
	}
	o.Talk("going on with the takeover begun at %s%s", r.state.Started.Format(time.DateTime+" MST"), where)
	if o.Spool == "" {
		return
	}
	if abs, err := filepath.Abs(o.Spool); err == nil && filepath.Dir(r.spool()) != abs {
		o.Talk("%s is for new takeovers: this one goes on where it began", o.Spool)
	}
}

// probe plans over the network. What the network cannot answer any more, a run that has it completely
// answers.
func probe(
	ctx context.Context, f *fetch.Fetcher, m *master.CSV, work string, o Options,
) (*fetch.Plan, []*run, error) {
	var runs []*run
	if !o.New {
		var err error
		if runs, err = openRuns(
			work, o.Spool, func(dir, why string) { o.Talk("%s: %s", dir, why) },
		); err != nil {
			return nil, nil, err
		}
	}
	plan, err := f.Plan(ctx, m)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range runs {
		if err := f.AnswerFrom(r.spool(), plan); err != nil {
			o.Talk("what waits in %s cannot be used: %v", r.spool(), err)
		}
	}
	return plan, runs, nil
}

// openRuns opens the runs below work, and finds their spools, also where they are below spools now. What is
// no run that can be gone on with is told, and left as it is.
func openRuns(work, spools string, damaged func(dir, why string)) ([]*run, error) {
	dirs, err := os.ReadDir(work)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var runs []*run
	for _, d := range dirs {
		dir := filepath.Join(work, d.Name())
		if in, err := os.ReadDir(dir); err == nil && len(in) == 0 {
			continue // killed when it was just made
		}
		r, err := openRun(dir, damaged)
		if err != nil {
			damaged(
				dir,
				fmt.Sprintf("it is no takeover that can be gone on with (%v), and is left as it is", err),
			)
			continue
		}
		r.locate(spools)
		runs = append(runs, r)
	}
	return runs, err
}

// lostSpool is an error when a run began with one of the plan's very links, and its spool is not where it
// was.
func lostSpool(runs []*run, p *fetch.Plan) error {
	for _, r := range runs {
		if _, err := os.Stat(r.spool()); err == nil || r.state.Spool == "" || !r.promisedAny(p) {
			continue
		}
		return &failure.Error{
			Code: failure.Usage, Reason: failure.ReasonSpoolLost,
			Message: fmt.Sprintf("what the takeover begun at %s received waits in %s, and that is not "+
				"there now",
				r.state.Started.Format(time.DateTime+" MST"), r.state.Spool),
			Hint: "connect that disk, or bring the directory back",
		}
	}
	return nil
}

// tellKept says what waits of takeovers that cannot go on now.
func tellKept(runs []*run, talk func(string, ...any)) {
	for _, r := range runs {
		if n := r.kept(); n > 0 {
			talk(
				"%d bytes of the takeover begun at %s are kept in %s", n,
				r.state.Started.Format(time.DateTime+" MST"), r.spool(),
			)
		}
	}
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

// reachable is nil when at least one source of the plan can be fetched; else the first failure.
func reachable(p *fetch.Plan) error {
	var first *failure.Error
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

// shape says what the bag in the making depends on beside the received bytes: the numbers that document IDs
// are made of, the objects of the spool that they number, and the options that change its content.
func shape(objects []*fetch.Object, o Options) string {
	var b strings.Builder
	fmt.Fprintf(&b, "layout=2 dates=%s containers=%t", o.DateOrder, o.KeepContainers)
	for _, x := range objects {
		fmt.Fprintf(&b, " %d:%s:%s", x.Source.Number, x.Source.Part, filepath.Base(x.Path()))
	}
	return b.String()
}

func joinParts(parts []link.Part) string {
	var names []string
	for _, p := range parts {
		names = append(names, string(p))
	}
	return strings.Join(names, ", ")
}
