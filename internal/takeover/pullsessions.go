package takeover

import (
	"context"
	"path/filepath"

	"holdall/archive"
	"holdall/eploy"
)

// A PullSession is what some of the answers of a pull brought, for the ledger: those of one run of the
// command.
type PullSession struct {
	eploy.Session
	Pull    string // by which the runs of one pull are recognised
	Records *archive.RecordPack
}

// collectSessions returns a function that collects the sessions of a pull.
func collectSessions(r *run, to *[]PullSession) func(eploy.Session) error {
	return func(s eploy.Session) error {
		pack := archive.NewRecordPack()
		err := s.Records(func(x eploy.SessionRecord) error {
			record := archive.RunRecord{Type: x.Type, ID: x.ID, Action: x.Action, Status: "success",
				SHA256: x.SHA256, Error: x.Error}
			if x.Error != "" {
				record.Status = "failed"
			}
			return pack.Add(record)
		})
		if err == nil {
			*to = append(*to, PullSession{s, filepath.Base(r.dir), pack})
		}
		return err
	}
}

// accounted is how many answers of a pull the ledger has told of already. Where it cannot be read, what
// earlier processes received is not told of again.
func (o *Options) accounted(ctx context.Context, store archive.Store, r *run) int {
	runs, err := archive.Runs(ctx, store)
	if err != nil {
		return -1
	}
	n := int64(0)
	for _, x := range runs {
		if x.Pull == filepath.Base(r.dir) {
			n = max(n, x.Receipts)
		}
	}
	return int(n)
}
