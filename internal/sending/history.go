package sending

import (
	"context"

	"holdall/archive"
	"holdall/orgvue"
)

// memory is what the ledger says of each record that was sent to a destination.
type memory struct {
	of      map[string]*orgvue.Known
	unknown map[string]bool // nobody can tell whether they went in
}

// history reads it.
func history(ctx context.Context, o Options) (*memory, error) {
	m := &memory{of: map[string]*orgvue.Known{}, unknown: map[string]bool{}}
	runs, err := archive.Runs(ctx, o.Store)
	if err != nil {
		return nil, err
	}
	to := Destination(&o.Orgvue)
	for _, run := range runs {
		if run.Destination != to {
			continue
		}
		for record, err := range archive.RunRecords(ctx, o.Store, run) {
			if err != nil {
				return nil, err
			}
			if record.Type == o.RecordType {
				m.learn(record)
			}
		}
	}
	return m, nil
}

func (m *memory) learn(r archive.RunRecord) {
	k := m.of[r.ID]
	if k == nil {
		k = &orgvue.Known{}
		m.of[r.ID] = k
	}
	if r.Status == statusRequeued {
		k.Requeued = true
		return
	}
	k.Requeued, k.Failed, k.Tried = false, r.Status == statusFailed, r.SHA256
	delete(m.unknown, r.ID)
	switch {
	case r.Status == orgvue.Unknown:
		m.unknown[r.ID] = true
	case r.Status != statusSuccess:
	case orgvue.Action(r.Action) == orgvue.Delete:
		k.There, k.Fields = false, nil
	default:
		k.There, k.Fields = true, r.Fields
	}
}

// look settles what became of records that nobody could tell of, by what the dataset holds: those are sent
// whole.
func (m *memory) look(items []string) {
	there := map[string]bool{}
	for _, id := range items {
		there[id] = true
	}
	for id := range m.unknown {
		m.of[id].There, m.of[id].Fields, m.of[id].Requeued = there[id], nil, true
	}
}

const (
	statusSuccess  = "success"
	statusFailed   = "failed"
	statusRequeued = "requeued"
)
