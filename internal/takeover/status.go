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
	Details
	Parts      map[string]bool // the document parts that were received
	Damage     string          // why the record cannot be read, in StateDamaged
	Unfinished *Unfinished     // of a takeover that is not archived yet
	Abandoned  bool            // files without a bagit.txt, and no takeover here makes them: another may
}

// completeness is custody/completeness.json: what a takeover records of its outcome, and the details.
type completeness struct {
	Outcome
	Details
}

// Details are what an archive records of an export besides its outcome.
type Details struct {
	Created    time.Time            `json:"created"`       // when the takeover began
	Objects    []ObjectRecord       `json:"links"`         // one a link
	Records    []TableRecord        `json:"table_records"` // one a table, in the order loaded
	PartCounts map[string]PartCount `json:"parts"`         // by part
	// the first findings of each code; EachFinding has all
	Shown     []query.Finding `json:"findings_shown"`
	DateOrder string          `json:"date_order,omitempty"` // as the user decided it, or ""
	Software  string          `json:"software"`             // that made the archive
	Rules     int             `json:"rules,omitempty"`      // query.Rules when it was made
	// what kind of system it is from; the record of archives from before there were two has none
	Source string `json:"source,omitempty"`

	// nil for archives whose Parquet files do not give the received texts back
	Catalog      *query.Catalog `json:"catalog,omitempty"`
	FindingsFile *StoredFile    `json:"findings_file,omitempty"`

	// Of archives without FindingsFile: every finding, and those that only the takeover could see.
	All      []query.Finding `json:"all_findings,omitempty"`
	External []query.Finding `json:"found_while_taking,omitempty"`
}

// A PartCount compares what a part should hold with what it holds.
type PartCount struct {
	Promised  int64 `json:"promised"` // rows that name a document
	Received  int64 `json:"received"`
	Missing   int   `json:"missing"`   // promised, not received
	Extra     int   `json:"extra"`     // received, not promised
	Duplicate int   `json:"duplicate"` // received more than once under different names
}

const completenessFile = "custody/completeness.json"

func (t *takeover) writeCompleteness(
	w io.Writer, r *Result, catalog query.Catalog, objects []ObjectRecord, list StoredFile,
	shown []query.Finding,
) error {
	c := completeness{
		Outcome: r.Outcome,
		Details: Details{
			Created: t.run.state.Started, Objects: objects, Records: t.tables.list(),
			PartCounts: t.source.counts(r, objects), Shown: shown, DateOrder: t.DateOrder,
			Software: t.Software, Rules: query.Rules, Source: t.source.name(), Catalog: &catalog,
			FindingsFile: &list,
		},
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
		Result:  Result{Outcome: c.Outcome, Location: bag.Location()},
		Details: c.Details, Parts: map[string]bool{},
	}
	s.Shown, s.Source = append(c.Shown, c.All...), cmp.Or(c.Source, Source)
	if s.Catalog != nil {
		s.Catalog.Schema = schemaOf(s.Source)
		for _, t := range s.Records {
			s.Catalog.Tables = append(s.Catalog.Tables, t.TableReport)
		}
	}
	for part := range c.PartCounts {
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
	return &Status{Details: Details{Created: archive.StartOf(id)}, Result: Result{
		Outcome: Outcome{
			Export: id, State: state, Tables: map[string]TableCount{}, Findings: []FindingCount{},
		},
		Location: store.Location("exports/" + id),
	}}
}

// ListUnfinished returns what is known of the takeovers into a root that are not archived yet, oldest first.
// A directory of one that cannot be read is among them, in StateDamaged.
func ListUnfinished(work string) ([]*Status, error) {
	var all []*Status
	empty := func(dir string) *Status { return &Status{Result: *notFinished(dir)} }
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
