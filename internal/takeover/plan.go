package takeover

import (
	"context"
	"errors"

	"holdall/fetch"
	"holdall/fetch/failure"
	"holdall/fetch/master"
)

// A Forecast is what a takeover would begin with.
type Forecast struct {
	*fetch.Plan
	Notes []string // on the master CSV
	// bytes a second, measured over one connection a link; 0 when the export is too small to tell
	Pace float64

	Disk    []DiskNeed // what is still to be written, by file system
	Unknown int        // links whose size is not known, and that Disk leaves out
}

// Plan reads the master CSV, probes its links and measures the pace at which they serve. It writes nothing.
func Plan(ctx context.Context, m MasterCSV, o Options) (*Forecast, error) {
	if err := o.checkRoot(); err != nil {
		return nil, err
	}
	f, err := fetch.New(o.Fetch)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	defer o.watchProbing(f)()
	master, err := readMaster(ctx, f, m)
	if err != nil {
		return nil, err
	}
	p, err := f.Plan(ctx, master)
	if err != nil {
		return nil, err
	}
	forecast := &Forecast{Plan: p, Notes: master.Notes}
	var going *run
	if !o.New {
		// what cannot be read is reported by the takeover
		runs, _ := openRuns(o.work(), o.Spool, func(string, string) {})
		going, _ = bestRun(runs, p)
	}
	forecast.Disk, forecast.Unknown = diskNeeds(p, going, o)
	forecast.Pace = f.Pace(ctx, p)
	return forecast, nil
}

func readMaster(ctx context.Context, f *fetch.Fetcher, m MasterCSV) (*master.CSV, error) {
	if m.Raw != nil {
		file, err := master.Read(m.Raw)
		if err != nil {
			return nil, err
		}
		file.Date = m.Date
		return followOnlyLink(ctx, f, file)
	}
	return f.Master(ctx, m.Link)
}

// followOnlyLink follows the link of a file that holds nothing else: people save the link that they were
// mailed. What it leads to is the master CSV, or else a part of the export.
func followOnlyLink(ctx context.Context, f *fetch.Fetcher, file *master.CSV) (*master.CSV, error) {
	link, only := file.OnlyLink()
	if !only {
		return file, nil
	}
	master, err := f.Master(ctx, link)
	var fe *failure.Error
	if errors.As(err, &fe) && fe.Code == failure.NotTheExport {
		return file, nil
	}
	if err == nil {
		master.Notes = append(
			[]string{"the file holds nothing but a link; what it leads to was read as the master CSV"},
			master.Notes...,
		)
	}
	return master, err
}
