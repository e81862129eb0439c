package takeover

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"holdall/archive"
	"holdall/eploy"
	"holdall/query"
)

// eployName begins the IDs of exports that were pulled from Eploy.
const eployName = "eploy"

// ndjson ends the names of tables that were received record by record.
const ndjson = ".ndjson"

// TakeAPI pulls everything that a key may read out of an Eploy system, resumes where the last call stopped,
// and archives it when all has been received; Options.Progress hears of that last part only. With a
// *eploy.Paused the result says how far it is; the same call resumes it. A system that is archived already is
// not pulled again unless Options.New asks for it.
func TakeAPI(ctx context.Context, system string, p eploy.Options, o Options) (*Result, error) {
	o.fill()
	began := o.Now()
	store, release, err := o.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if o.Tenant == "" {
		o.Tenant = system
	}
	r, err := apiRun(o, p)
	if err != nil {
		return nil, err
	}
	if r == nil {
		if done, err := o.archivedAPI(ctx, store, p.Types); done != nil || err != nil {
			return done, err
		}
		if r, err = newRun(o.work(), "", o.Now()); err != nil {
			return nil, err
		}
	}
	t := &takeover{Options: o, store: store, run: r, began: began}
	var sessions []PullSession
	p.Accounted, p.OnSession = o.accounted(ctx, store, r), collectSessions(r, &sessions)
	result, err := t.pullAndArchive(ctx, p)
	if err != nil && !t.committed {
		if serr := r.stopped(err, o.Now()); serr != nil {
			o.Talk("could not record why this run ended: %v", serr)
		}
	}
	if result == nil && len(sessions) > 0 {
		result = notFinished(r.dir)
	}
	if result != nil {
		result.PullSessions = sessions
		for _, part := range sessions {
			if part.Killed {
				result.ReusedBytes += part.Bytes
			} else {
				result.FetchedBytes += part.Bytes
			}
		}
	}
	return result, err
}

func (o *Options) fill() {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Talk == nil {
		o.Talk = func(string, ...any) {}
	}
}

// apiRun finds the pull of a system that is not archived yet, of the same types. With New there is none, and
// what was begun waits.
func apiRun(o Options, p eploy.Options) (*run, error) {
	if o.New {
		return nil, nil
	}
	runs, err := openRuns(o.work(), "", func(dir, why string) { o.Talk("%s: %s", dir, why) })
	if err != nil {
		return nil, err
	}
	for _, r := range slices.Backward(runs) {
		b, err := os.ReadFile(filepath.Join(r.path("pull"), "pull.json"))
		var h struct {
			URL   string
			Types []string
		}
		if err != nil || json.Unmarshal(b, &h) != nil || h.URL != strings.TrimSuffix(p.URL, "/") {
			continue
		}
		began := r.state.Started.Format(time.DateTime + " MST")
		if !eploy.SameTypes(h.Types, p.Types) {
			o.Talk("the pull of %s begun at %s waits: it is of other types than were asked for now",
				typesText(h.Types), began)
			continue
		}
		o.Talk("resuming the pull begun at %s", began)
		return r, nil
	}
	return nil, nil
}

func typesText(types []string) string {
	if len(types) == 0 {
		return "all types"
	}
	return strings.Join(types, ", ")
}

// archivedAPI is the newest archive of this system that has the types, unless another one is asked for.
func (o *Options) archivedAPI(ctx context.Context, store archive.Store, types []string) (*Result, error) {
	if o.New {
		return nil, nil
	}
	ids, err := archive.IDs(ctx, store)
	if err != nil {
		return nil, err
	}
	if len(types) == 0 {
		types = eploy.TypeNames()
	}
	like := archive.NewID(eployName, o.Tenant, o.Now())
	like = like[:len(like)-len("20060102T150405Z-aaaa")]
	for _, id := range slices.Backward(ids) {
		if !strings.HasPrefix(id, like) || len(id) != len(like)+len("20060102T150405Z-aaaa") {
			continue
		}
		s, err := statusOf(ctx, store, id)
		if err != nil {
			return nil, err
		}
		has := func(name string) bool { _, ok := s.Types[strings.ToLower(name)]; return ok }
		if slices.ContainsFunc(types, func(name string) bool { return !has(name) }) {
			continue
		}
		o.Talk("this system was archived on %s; --new pulls it again", s.Created.Format(time.DateOnly))
		s.Requests = 0
		return &s.Result, nil
	}
	return nil, nil
}

// pullAndArchive does what is left to do.
func (t *takeover) pullAndArchive(ctx context.Context, p eploy.Options) (r *Result, err error) {
	p.Dir, p.Talk = t.run.path("pull"), t.Talk
	pulled, err := eploy.Pull(ctx, p)
	if err != nil {
		return t.pullUnfinished(pulled, err), err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	for _, f := range pulled.Findings {
		t.findings.add(query.Finding{Code: query.Code(f.Code), Severity: query.Severity(f.Severity),
			Table: f.Type, RecordID: f.ID,
			Detail: f.Detail})
	}
	defer func() {
		if s, ok := t.source.(*apiSource); ok {
			err = errors.Join(err, s.pulled.Close())
		}
	}()
	if err := t.assemble(ctx); err != nil {
		return t.pullUnfinished(pulled, err), err
	}
	if r, err = t.sealPulled(ctx, pulled); err != nil {
		return t.pullUnfinished(pulled, err), err
	}
	return t.commit(ctx, r)
}

// sealPulled is seal with what only a pull can say.
func (t *takeover) sealPulled(ctx context.Context, pulled *eploy.Result) (*Result, error) {
	t.source.(*apiSource).result = pulled
	return t.seal(ctx)
}

// pullUnfinished describes a pull that has not ended.
func (t *takeover) pullUnfinished(pulled *eploy.Result, err error) *Result {
	r := notFinished(t.run.dir)
	var paused *eploy.Paused
	if errors.As(err, &paused) {
		r.State = StatePaused
	}
	r.Seconds = t.Now().Sub(t.began).Seconds()
	if pulled != nil {
		r.setPull(pulled)
		r.KeptBytes = pulled.Bytes
		r.Documents.Attachments, r.Documents.Bytes = int64(pulled.Files), pulled.Bytes
	}
	return r
}

func (r *Result) setPull(pulled *eploy.Result) {
	r.Requests, r.Budget, r.Types = pulled.Requests, &pulled.Budget, pulled.Types
}

// assemble makes the bag and the database of what was pulled.
func (t *takeover) assemble(ctx context.Context) error {
	x, err := eploy.Open(t.run.path("pull"))
	if err != nil {
		return err
	}
	s := &apiSource{t: t, pulled: x}
	t.source, t.tables = s, newTables()
	if err := t.run.prepare("layout=1 source=" + eployName); err != nil {
		return err
	}
	if t.bag, err = openBuilder(t.run, t.Talk); err != nil {
		return err
	}
	if err := t.deliver(); err != nil {
		return err
	}
	t.findings.path = t.run.path("tmp/found.jsonl")
	t.db, err = query.Create(ctx, t.run.path("tables.duckdb"), query.BuildOptions{
		TempDir: t.run.path("tmp"), DateOrder: t.DateOrder, Snapshot: t.run.state.Started,
		Meta:    meta(t.Software, eployName),
		Threads: 1, Schema: s.schema(),
	})
	if err != nil {
		return err
	}
	t.report(Progress{Phase: "archiving"})
	if err := s.loadTables(ctx); err != nil {
		return err
	}
	return s.pack(ctx)
}

// optionsTable is the table that the values of all lists are in.
const optionsTable = "options"

// recordKinds are the kinds of records by the numbers that the API has for them.
var recordKinds = map[int]string{1: "COMPANY", 2: "CONTACT", 3: "CANDIDATE", 4: "VACANCY", 11: "PLACEMENT",
	18: "APPLICATION"}
