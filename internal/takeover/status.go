package takeover

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"holdall/archive"
	"holdall/fetch/failure"
	"holdall/internal/redact"
	"holdall/query"
)

// A Status is everything that is recorded of one export.
type Status struct {
	Result
	Created    time.Time            // when the takeover began
	Objects    []ObjectRecord       // one a link
	Records    []TableRecord        // one a table, in the order loaded
	PartCounts map[string]PartCount // by part
	Shown      []query.Finding      // the first findings of each code; EachFinding has all
	Parts      map[string]bool      // the document parts that were received
	DateOrder  string               // as the user decided it, or ""
	Software   string               // that made the archive
	Source     string               // what kind of system it is from
	Damage     string               // why the record cannot be read, in StateDamaged
	Unfinished *Unfinished          // of a takeover that is not archived yet
	Abandoned  bool                 // files without a bagit.txt, and no takeover here makes them: another may

	findingsFile StoredFile
	catalog      *query.Catalog  // nil for archives whose Parquet files do not give the received texts back
	external     []query.Finding // of archives without findingsFile
}

// A PartCount compares what a part should hold with what it holds.
type PartCount struct {
	Promised  int64 `json:"promised"` // rows that name a document
	Received  int64 `json:"received"`
	Missing   int   `json:"missing"`   // promised, not received
	Extra     int   `json:"extra"`     // received, not promised
	Duplicate int   `json:"duplicate"` // received more than once under different names
}

// completeness is custody/completeness.json.
type completeness struct {
	Export       string                `json:"export"`
	Created      time.Time             `json:"created"`
	State        string                `json:"state"`
	Tables       map[string]TableCount `json:"tables"`
	Documents    DocumentCount         `json:"documents"`
	FetchedBytes int64                 `json:"fetched_bytes"`
	ReusedBytes  int64                 `json:"reused_bytes"`
	Seconds      float64               `json:"seconds"`
	Findings     []FindingCount        `json:"findings"`
	Links        []ObjectRecord        `json:"links"`
	TableRecords []TableRecord         `json:"table_records"`
	Parts        map[string]PartCount  `json:"parts"`
	Catalog      *query.Catalog        `json:"catalog,omitempty"`
	FindingsFile *StoredFile           `json:"findings_file,omitempty"`
	Shown        []query.Finding       `json:"findings_shown"`
	// of archives without findings_file: every finding
	All []query.Finding `json:"all_findings,omitempty"`
	// and those that only the takeover could see
	External  []query.Finding      `json:"found_while_taking,omitempty"`
	DateOrder string               `json:"date_order,omitempty"`
	Software  string               `json:"software"`
	Source    string               `json:"source,omitempty"` // recruitly where there is none
	Types     map[string]TypeCount `json:"types,omitempty"`
	Requests  int                  `json:"requests,omitempty"`
}

const completenessFile = "custody/completeness.json"

func (t *takeover) writeCompleteness(
	w io.Writer, r *Result, catalog query.Catalog, objects []ObjectRecord, list StoredFile,
	shown []query.Finding,
) error {
	c := completeness{
		Export: r.Export, Created: t.run.state.Started, State: r.State, Tables: r.Tables,
		Documents:    r.Documents,
		FetchedBytes: r.FetchedBytes, ReusedBytes: r.ReusedBytes, Seconds: r.Seconds, Findings: r.Findings,
		Links: objects, TableRecords: t.tables.list(), Parts: t.source.counts(r, objects), Catalog: &catalog,
		FindingsFile: &list, Shown: shown,
		DateOrder: t.DateOrder, Software: t.Software, Source: t.source.name(), Types: r.Types,
		Requests: r.Requests,
	}
	return writeJSON(w, c)
}

func count(r *Result, code query.Code) int {
	for _, f := range r.Findings {
		if f.Code == code {
			return f.Count
		}
	}
	return 0
}

// ReadStatus returns what is recorded of an export.
func ReadStatus(ctx context.Context, bag *archive.Bag) (*Status, error) { return readStatus(ctx, bag) }

func readStatus(ctx context.Context, bag *archive.Bag) (*Status, error) {
	f, err := bag.FS(ctx).Open(completenessFile)
	if err != nil {
		return nil, fmt.Errorf("open %s of %s: %w", completenessFile, bag.ID(), err)
	}
	defer f.Close()
	b, err := io.ReadAll(f) // to the end, so that it has been verified
	if err != nil {
		return nil, fmt.Errorf("read %s of %s: %w", completenessFile, bag.ID(), err)
	}
	var c completeness
	if err := json.Unmarshal(b, &c); err != nil {
		return nil, fmt.Errorf("read %s of %s: %w", completenessFile, bag.ID(), err)
	}
	s := &Status{
		Result: Result{Export: c.Export, Location: bag.Location(), State: c.State, Tables: c.Tables,
			Documents:    c.Documents,
			FetchedBytes: c.FetchedBytes, ReusedBytes: c.ReusedBytes, Seconds: c.Seconds,
			Findings: c.Findings},
		Created: c.Created, Objects: c.Links, Records: c.TableRecords, PartCounts: c.Parts,
		Shown: append(c.Shown, c.All...), external: c.External,
		Parts: map[string]bool{}, DateOrder: c.DateOrder, Software: c.Software,
		Source: cmp.Or(c.Source, Source),
	}
	s.Types, s.Requests = c.Types, c.Requests
	if c.FindingsFile != nil {
		s.findingsFile = *c.FindingsFile
	}
	if s.catalog = c.Catalog; s.catalog != nil {
		s.catalog.Schema = schemaOf(s.Source)
		for _, t := range c.TableRecords {
			s.catalog.Tables = append(s.catalog.Tables, t.TableReport)
		}
	}
	for part := range c.Parts {
		s.Parts[part] = true
	}
	return s, nil
}

// List returns what is recorded of every export of a root that was committed, oldest first, and of the
// takeovers that are not finished. An archive whose record cannot be read is among them, in StateDamaged,
// with the reason.
func List(ctx context.Context, store archive.Store, work string) ([]*Status, error) {
	ids, incomplete, err := archive.Exports(ctx, store)
	if err != nil {
		return nil, err
	}
	all := make([]*Status, len(ids))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(statusAtOnce)
	for i, id := range ids {
		g.Go(func() error {
			s, err := statusOf(gctx, store, id)
			if errors.Is(err, archive.ErrCredentials) || errors.Is(err, archive.ErrUnavailable) {
				return err
			}
			if err != nil {
				s = statusFromName(store, id, StateDamaged)
				s.Damage = redact.Error(err).Error()
			}
			all[i] = s
			return gctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	unfinished, err := ListUnfinished(work)
	for _, id := range incomplete {
		ours := slices.ContainsFunc(unfinished, func(s *Status) bool { return s.Export == id })
		if !archive.StartOf(id).IsZero() && !ours {
			s := statusFromName(store, id, StateIncomplete)
			s.Abandoned = true
			all = append(all, s)
		}
	}
	for _, s := range unfinished {
		if !slices.ContainsFunc(all, func(x *Status) bool { return s.Export != "" && x.Export == s.Export }) {
			all = append(all, s)
		}
	}
	return all, err
}

// statusAtOnce is how many exports' records are read at once: each takes a handful of small requests.
const statusAtOnce = 8

// statusFromName is what the name of an export says.
func statusFromName(store archive.Store, id, state string) *Status {
	return &Status{Created: archive.StartOf(id), Result: Result{
		Export: id, Location: store.Location("exports/" + id), State: state,
		Tables: map[string]TableCount{}, Findings: []FindingCount{},
	}}
}

// ListUnfinished returns what is known of the takeovers into a root that are not archived yet, oldest first.
// A directory of one that cannot be read is among them, in StateDamaged.
func ListUnfinished(work string) ([]*Status, error) {
	var all []*Status
	empty := func(dir string) *Status {
		return &Status{Result: Result{
			Location: dir, State: StateIncomplete, Tables: map[string]TableCount{},
			Findings: []FindingCount{},
		}}
	}
	runs, err := openRuns(work, "", func(dir, damage string) {
		s := empty(dir)
		s.State, s.Damage = StateDamaged, damage
		all = append(all, s)
	})
	for _, r := range runs {
		s := empty(r.dir)
		s.Created, s.Unfinished = r.state.Started, r.unfinished()
		s.KeptBytes = s.Unfinished.Received
		s.Export = r.state.Export
		if r.state.Sealed != nil {
			s.Export = r.state.Sealed.Export
		}
		if stop := r.state.Stopped; stop != nil && (&failure.Error{Code: stop.Code}).NeedsNewLink() {
			s.State = StateExpired
		}
		all = append(all, s)
	}
	return all, err
}
