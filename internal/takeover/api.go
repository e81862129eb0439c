package takeover

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"holdall/archive"
	"holdall/eploy"
	"holdall/fetch"
	"holdall/query"
	"holdall/schemas"
)

// eployName begins the IDs of exports that were pulled from Eploy.
const eployName = "eploy"

// ndjson ends the names of tables that were received record by record.
const ndjson = ".ndjson"

// TakeAPI pulls everything that a key may read out of an Eploy system, goes on where the last call stopped,
// and archives it when all is here; Options.Progress hears of that last part only. With a *eploy.Paused the
// result says how far it is; the same call goes on. A system that is archived already is not pulled again
// unless Options.New asks for it.
func TakeAPI(ctx context.Context, system string, p eploy.Options, o Options) (*Result, error) {
	o.fill()
	began := o.Now()
	if err := o.checkRoot(); err != nil {
		return nil, err
	}
	store, release, err := o.openRoot()
	if err != nil {
		return nil, err
	}
	defer release()
	commitSealed(ctx, store, o)
	if o.Tenant == "" {
		o.Tenant = system
	}
	r, err := apiRun(o, p.URL)
	if err != nil {
		return nil, err
	}
	if r == nil {
		if done, err := o.archivedAPI(ctx, store); done != nil || err != nil {
			return done, err
		}
		if r, err = newRun(o.work(), "", o.Now()); err != nil {
			return nil, err
		}
	}
	t := &takeover{Options: o, store: store, run: r, began: began}
	result, err := t.pullAndArchive(ctx, p)
	if err != nil && !t.committed {
		if serr := r.stopped(err, o.Now()); serr != nil {
			o.Talk("why this run ended could not be written down: %v", serr)
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

// apiRun finds the pull of a system that is not archived yet. With New it is none, and what was begun waits.
func apiRun(o Options, url string) (*run, error) {
	if o.New {
		return nil, nil
	}
	runs, err := openRuns(o.work(), "", func(dir, why string) { o.Talk("%s: %s", dir, why) })
	if err != nil {
		return nil, err
	}
	for _, r := range slices.Backward(runs) {
		b, err := os.ReadFile(filepath.Join(r.path("pull"), "pull.json"))
		var h struct{ URL string }
		if err == nil && json.Unmarshal(b, &h) == nil && h.URL == strings.TrimSuffix(url, "/") {
			o.Talk("going on with the pull begun at %s", r.state.Started.Format(time.DateTime+" MST"))
			return r, nil
		}
	}
	return nil, nil
}

// archivedAPI is the newest archive of this system, unless another one is asked for.
func (o *Options) archivedAPI(ctx context.Context, store archive.Store) (*Result, error) {
	if o.New {
		return nil, nil
	}
	ids, err := archive.IDs(ctx, store)
	if err != nil {
		return nil, err
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
		t.found.add(query.Finding{Code: query.Code(f.Code), Severity: query.Severity(f.Severity),
			Table: f.Type, RecordID: f.ID,
			Detail: f.Detail})
	}
	defer func() {
		if s, ok := t.source.(*api); ok {
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
	t.source.(*api).result = pulled
	return t.seal(ctx)
}

// pullUnfinished describes a pull that has not ended.
func (t *takeover) pullUnfinished(pulled *eploy.Result, err error) *Result {
	r := &Result{Location: t.run.dir, State: StateIncomplete, Tables: map[string]TableCount{},
		Findings: []FindingCount{}}
	var paused *eploy.Paused
	if errors.As(err, &paused) {
		r.State = StatePaused
	}
	r.Seconds = t.Now().Sub(t.began).Seconds()
	if pulled != nil {
		r.tell(pulled)
		r.KeptBytes = pulled.Bytes
		r.Documents.Attachments, r.Documents.Bytes = int64(pulled.Files), pulled.Bytes
	}
	return r
}

func (r *Result) tell(pulled *eploy.Result) {
	r.Requests, r.Budget, r.Types = pulled.Requests, &pulled.Budget, pulled.Types
}

// assemble makes the bag and the database of what was pulled.
func (t *takeover) assemble(ctx context.Context) error {
	x, err := eploy.Open(t.run.path("pull"))
	if err != nil {
		return err
	}
	s := &api{t: t, pulled: x}
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
	t.found.path = t.run.path("tmp/found.jsonl")
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

// api is a source that was pulled through an API. Its records make tables; files have explicit IDs and say
// whose they are.
type api struct {
	t      *takeover
	pulled *eploy.Pulled
	result *eploy.Result
}

func (s *api) name() string            { return eployName }
func (s *api) schema() []schemas.Table { return schemas.Eploy() }
func (s *api) plan() fetch.Progress    { return fetch.Progress{} }
func (s *api) parts() map[string]bool {
	return map[string]bool{"attachments": true,
		"cvs": true}
}
func (s *api) tenant(context.Context) string                   { return s.t.Tenant }
func (s *api) objects(context.Context) ([]ObjectRecord, error) { return []ObjectRecord{}, nil }

func (s *api) describe(tenant string) archive.BagInfo {
	return archive.BagInfo{
		Organization: "Eploy, system " + tenant,
		Description: "Everything that one API key may read: answers as received, tables, files, " +
			"and the receipt of each answer",
	}
}

// counts: that a file's content is missing is a finding of the pull.
func (s *api) counts(r *Result, _ []ObjectRecord) map[string]PartCount {
	r.tell(s.result)
	return map[string]PartCount{
		"attachments": {Promised: r.Documents.Attachments + int64(s.result.Refused),
			Received: r.Documents.Attachments,
			Missing:  s.result.Refused},
		"cvs": {Promised: r.Documents.CVs, Received: r.Documents.CVs},
	}
}

func (s *api) records([]ObjectRecord) []record {
	return []record{{"custody/receipts.jsonl", func(w io.Writer) error {
		f, err := os.Open(s.pulled.Receipts())
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(w, f)
		return err
	}}}
}

// leftovers keeps the answers as they were received.
func (s *api) leftovers(context.Context) error {
	answers, err := s.pulled.Answers()
	if err != nil {
		return err
	}
	for _, path := range answers {
		if err := s.keepAnswers(path); err != nil {
			return err
		}
	}
	return nil
}

func (s *api) keepAnswers(path string) error {
	name := "data/received/answers/" + filepath.Base(path)
	if _, ok := s.t.bag.HasZstd(name); ok {
		return nil
	}
	in, err := eploy.OpenAnswers(path)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := s.t.bag.CreateZstd(name)
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := io.Copy(out, in); err != nil {
		return fmt.Errorf("keep %s: %w", filepath.Base(path), err)
	}
	_, err = out.Commit()
	return err
}

// optionsTable is the table that the values of all lists are in.
const optionsTable = "options"

// loadTables makes a file of records, one a line, and a table of each type: each record as the system had it
// last.
func (s *api) loadTables(ctx context.Context) error {
	var lists []string
	for _, name := range s.pulled.Tables() {
		if strings.HasPrefix(name, optionsTable+"-") {
			lists = append(lists, name)
			continue
		}
		if err := s.loadTable(ctx, name, []string{name}); err != nil {
			return err
		}
	}
	return s.loadTable(ctx, optionsTable, lists)
}

func (s *api) loadTable(ctx context.Context, table string, listings []string) error {
	t := s.t
	plain := filepath.Join(t.run.path("tmp"), table+ndjson)
	defer os.Remove(plain)
	n, err := s.writeLines(plain, listings)
	if err != nil || n == 0 {
		return err
	}
	report, err := t.db.LoadNDJSON(ctx, table+ndjson, plain)
	if err != nil {
		return err
	}
	record := TableRecord{TableReport: *report}
	if record.Received, err = t.keepFile("data/received/tables/"+table+ndjson+".zst", plain); err != nil {
		return err
	}
	parquet := "data/tables/" + safeName(report.Table) + "/part-00000.parquet"
	if record.Parquet, err = t.keepTable(report.Table, parquet); err != nil {
		return err
	}
	t.tables.add(record)
	return nil
}

// writeLines writes the records of some listings, one a line. A value of a list also says which one it is of.
func (s *api) writeLines(to string, listings []string) (n int, err error) {
	f, err := os.Create(to)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var line bytes.Buffer
	for _, name := range listings {
		err := s.pulled.Records(name, func(_ string, record json.RawMessage) error {
			n++
			line.Reset()
			if err := json.Compact(&line, record); err != nil {
				return err
			}
			b := line.Bytes()
			if list, ok := strings.CutPrefix(name, optionsTable+"-"); ok {
				b = append([]byte(`{"List":"`+list+`",`), b[1:]...)
			}
			_, err := f.Write(append(b, '\n'))
			return err
		})
		if err != nil {
			return n, fmt.Errorf("read the records of %s: %w", name, err)
		}
	}
	return n, nil
}

// recordKinds are the kinds of records by the numbers that the API has for them.
var recordKinds = map[int]string{1: "COMPANY", 2: "CONTACT", 3: "CANDIDATE", 4: "VACANCY", 11: "PLACEMENT",
	18: "APPLICATION"}

// pack brings the files into packs.
func (s *api) pack(ctx context.Context) error {
	return s.pulled.Documents(func(d eploy.Document) error {
		part := "attachments"
		if d.CV {
			part = "cvs"
		}
		p, err := s.t.bag.Packer(part)
		if err != nil {
			return err
		}
		info, err := os.Stat(d.Path)
		if err != nil {
			return err
		}
		id := "file-" + strings.ToLower(d.ID)
		if !p.Has(id) {
			if err := s.add(ctx, p, d, id, part); err != nil {
				return fmt.Errorf("store file %s: %w", d.ID, err)
			}
		}
		s.t.counts.add(part, info.Size())
		return nil
	})
}

func (s *api) add(ctx context.Context, p *archive.Packer, d eploy.Document, id, part string) error {
	f, err := os.Open(d.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	kind := recordKinds[d.OwnerType]
	if kind == "" && d.OwnerType != 0 {
		kind = fmt.Sprintf("TYPE-%d", d.OwnerType)
	}
	modified, _ := time.Parse("2006-01-02T15:04:05", strings.SplitN(d.Created, ".",
		2)[0]) // none, if it is no date
	_, err = p.Add(ctx, archive.Document{ID: id, Part: part, OwnerType: kind, OwnerID: d.OwnerID,
		AttachmentID: d.ID, MatchedBy: "id",
		OriginalName: d.Name, ReceivedIn: "files/" + d.ID, Modified: modified}, f)
	return err
}
