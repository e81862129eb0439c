package sending

import (
	"context"
	"fmt"
	"time"

	"holdall/archive"
	"holdall/orgvue"
)

// sentRecords is what the ledger says of each record that was sent to a destination.
type sentRecords struct {
	of      map[string]*orgvue.Known
	unknown map[string]time.Time // whether they were imported is not known; when that was tried
}

// readSent reads it.
func readSent(ctx context.Context, o Options) (*sentRecords, error) {
	m := &sentRecords{of: map[string]*orgvue.Known{}, unknown: map[string]time.Time{}}
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
				m.add(record, run)
			}
		}
	}
	return m, nil
}

func (m *sentRecords) add(r archive.RunRecord, run archive.Run) {
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
		m.unknown[r.ID] = run.Ended
		if run.Status == orgvue.Failed { // the system has said that it ended
			m.unknown[r.ID] = time.Time{}
		}
	case r.Status != statusSuccess:
	case orgvue.Action(r.Action) == orgvue.Delete:
		k.There, k.Fields = false, nil
	default:
		k.There, k.Fields = true, r.Fields
	}
}

// resolveUnknown decides about records of which it is not known whether they were imported, by what the
// dataset holds: those that it has are sent whole, those that it lacks too, but not while the import may
// still be running. Where the system makes the identifiers, the dataset cannot tell: they wait until somebody
// who has looked requeues them, since sent again they might be there twice. It returns how many these are.
func (m *sentRecords) resolveUnknown(items []string, o *Options) (waiting int, err error) {
	if o.Orgvue.AutoID {
		for id := range m.unknown {
			if !m.of[id].Requeued {
				m.of[id].Failed = true
				waiting++
			}
		}
		return waiting, nil
	}
	there := map[string]bool{}
	for _, id := range items {
		there[id] = true
	}
	for id, at := range m.unknown {
		if ends := at.Add(o.ImportTime); !there[id] && !m.of[id].Requeued && time.Now().Before(ends) {
			return 0, &orgvue.Error{Code: orgvue.CodeBusy, Retryable: true,
				Message: fmt.Sprintf("an import begun before %s, of which nothing was heard again, may still "+
					"be running", at.UTC().Format(time.DateTime+" MST")),
				Hint: "run the same command again after " + ends.UTC().Format(time.DateTime+" MST") +
					", or with a shorter --import-time"}
		}
		m.of[id].There, m.of[id].Fields, m.of[id].Requeued = there[id], nil, true
	}
	return 0, nil
}

const (
	statusSuccess  = "success"
	statusFailed   = "failed"
	statusRequeued = "requeued"
)
