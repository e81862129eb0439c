package takeover

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"holdall/archive"
	"holdall/fetch"
	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/fetch/master"
)

// A resolution is what a takeover does with a master CSV: nothing, because the export is archived already, or
// resume run.
type resolution struct {
	archived *Result
	plan     *fetch.Plan
	run      *run
}

// resolveRun probes the links and finds the archive or the run that already holds what they serve.
func resolveRun(ctx context.Context, f *fetch.Fetcher, m *master.CSV, store archive.Store,
	o Options) (*resolution, error) {
	work := o.work()
	if err := removeFinished(ctx, store, work); err != nil {
		return nil, err
	}
	plan, runs, err := probe(ctx, f, m, work, o)
	if err != nil {
		return nil, err
	}
	if !o.New {
		if done, err := findArchived(ctx, f, store, plan, o.Talk); done != nil || err != nil {
			return &resolution{archived: done}, err
		}
	}
	r, different := bestRun(runs, plan)
	if r == nil {
		if err := checkSpools(runs, plan); err != nil {
			return nil, err
		}
		if err := checkReachable(plan); err != nil {
			reportKept(runs, o.Talk)
			return nil, err
		}
		if different {
			o.Talk(
				"these links serve another export than the one begun before: starting a new archive; the "+
					"earlier one waits in %s",
				work,
			)
		}
		if err := removeEmptyRuns(work, runs); err != nil {
			return nil, err
		}
		if r, err = newRun(work, o.Spool, o.Now()); err != nil {
			return nil, err
		}
	} else {
		o.announceResume(r)
	}
	if len(plan.Missing) > 0 && r.state.Sealed == nil {
		o.Talk("the master CSV has no link for: %s", joinParts(plan.Missing))
	}
	r.state.Promised, r.state.Stopped = promised(plan), nil
	return &resolution{plan: plan, run: r}, r.save()
}

func (o Options) announceResume(r *run) {
	where := ""
	if r.state.Spool != "" {
		where = ", whose received bytes are in " + r.state.Spool
	}
	o.Talk("resuming the takeover begun at %s%s", r.state.Started.Format(time.DateTime+" MST"), where)
	if o.Spool == "" {
		return
	}
	if abs, err := filepath.Abs(o.Spool); err == nil && filepath.Dir(r.spool()) != abs {
		o.Talk("%s is for new takeovers: this one continues where it began", o.Spool)
	}
}

// probe plans over the network. What the network no longer answers, a run that has it completely
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
			o.Talk("the received bytes in %s cannot be used: %v", r.spool(), err)
		}
	}
	return plan, runs, nil
}

// openRuns opens the runs below work, and finds their spools, also where they are below spools now. What is
// no run that can be resumed is reported, and left alone.
func openRuns(work, spools string, damaged func(dir, why string)) ([]*run, error) {
	dirs, err := os.ReadDir(work)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var runs []*run
	for _, d := range dirs {
		dir := filepath.Join(work, d.Name())
		if isUnrecorded(dir) {
			continue
		}
		r, err := openRun(dir, damaged)
		if err != nil {
			damaged(
				dir,
				fmt.Sprintf("this takeover cannot be resumed (%v), and is left alone", err),
			)
			continue
		}
		r.findSpool(spools)
		runs = append(runs, r)
	}
	return runs, err
}

// checkSpools is an error when a run began with one of the plan's very links, and its spool is not where it
// was.
func checkSpools(runs []*run, p *fetch.Plan) error {
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

// reportKept says what takeovers that cannot continue now have received.
func reportKept(runs []*run, talk func(string, ...any)) {
	for _, r := range runs {
		if n := r.keptBytes(); n > 0 {
			talk(
				"%d bytes of the takeover begun at %s are kept in %s", n,
				r.state.Started.Format(time.DateTime+" MST"), r.spool(),
			)
		}
	}
}

// bestRun returns the run that holds most of what the plan serves, and nothing else at the same places.
// different reports that a run holds other objects at these places.
func bestRun(runs []*run, plan *fetch.Plan) (best *run, different bool) {
	var most fetch.Match
	for _, r := range runs {
		m, err := fetch.MatchSpool(r.spool(), plan)
		switch {
		case err != nil:
			continue
		case m.Different > 0:
			different = true
		case m.Same+m.Alike > most.Same+most.Alike ||
			m.Same+m.Alike == most.Same+most.Alike && m.Bytes > most.Bytes:
			best, most = r, m
		}
	}
	return best, different
}

// checkReachable is nil when at least one source of the plan can be fetched; else the first failure.
func checkReachable(p *fetch.Plan) error {
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

func joinParts(parts []link.Part) string {
	var names []string
	for _, p := range parts {
		names = append(names, string(p))
	}
	return strings.Join(names, ", ")
}
