package sending

import (
	"context"

	"holdall/archive"
	"holdall/orgvue"
)

// sentRecords is what the ledger says of each record that was sent to a destination.
type sentRecords struct {
	of      map[string]*orgvue.Known
	unknown map[string]bool // whether they were imported is not known
}

// readSent reads it.
func readSent(ctx context.Context, o Options) (*sentRecords, error) {
	m := &sentRecords{of: map[string]*orgvue.Known{}, unknown: map[string]bool{}}
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
				m.add(record)
			}
		}
	}
	return m, nil
}

func (m *sentRecords) add(r archive.RunRecord) {
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

// resolveUnknown decides about records of which it is not known whether they were imported, by what the
// dataset holds: those that it has are sent whole.
func (m *sentRecords) resolveUnknown(items []string) {
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
