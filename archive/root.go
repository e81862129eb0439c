package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// A RootReport is what a root holds, held against its ledger.
type RootReport struct {
	Folders []string // what lies in exports/, complete or not, oldest first, by name
	Faults  []Fault
	Notes   []string // what is odd and not wrong, for people
}

// CheckRoot holds what lies in a root against its ledger: an export that was taken and is not there, or a
// ledger that is broken or gone, is a fault. An export that the ledger does not know is only noted: it may
// have been copied here. The exports themselves are Verify's to check.
func CheckRoot(ctx context.Context, s Store) (*RootReport, error) {
	folders, err := exportFolders(ctx, s)
	if err != nil {
		return nil, err
	}
	r := &RootReport{Folders: folders, Faults: []Fault{}}
	l, err := readLedger(ctx, s)
	if err != nil {
		return nil, err
	}
	if l.broken != nil {
		r.add(FaultLedger, ledgerDir, l.broken.Error())
	}
	if err := r.checkLedgerIsThere(ctx, s, l); err != nil {
		return nil, err
	}
	here, err := r.identify(ctx, s, l)
	if err != nil {
		return nil, err
	}
	for _, e := range l.order {
		if here[e.Export] == "" {
			const format = "the ledger says that it was %s on %s, with %s documents; it is not here"
			r.add(FaultGone, exportsDir+e.Export,
				fmt.Sprintf(format, e.Kind, e.Time.Format(time.DateOnly), e.Facts["documents"]))
		}
	}
	return r, nil
}

func (r *RootReport) add(code, path, detail string) {
	r.Faults = append(r.Faults, Fault{Code: code, Path: path, Documents: []string{}, Detail: detail})
}

// checkLedgerIsThere: the first commit writes the root's README.txt and then the first event.
func (r *RootReport) checkLedgerIsThere(ctx context.Context, s Store, l *ledger) error {
	if len(r.Folders) == 0 || len(l.order) > 0 || l.broken != nil {
		return nil
	}
	_, err := s.Stat(ctx, readmeName)
	if errors.Is(err, fs.ErrNotExist) {
		r.Notes = append(
			r.Notes, "there is no ledger here, so that nobody can tell whether an export is missing",
		)
		return nil
	}
	if err == nil {
		r.add(
			FaultLedger, ledgerDir,
			"there is no ledger any more, so that nobody can tell whether an export is missing",
		)
	}
	return err
}

// identify returns the folder of each export, by ID, and notes what the ledger does not know.
func (r *RootReport) identify(ctx context.Context, s Store, l *ledger) (map[string]string, error) {
	here := map[string]string{}
	for _, folder := range r.Folders {
		id := folder
		if _, ok := l.taken[folder]; !ok && CheckStoreName(exportsDir+folder) == nil {
			b, err := OpenFolder(ctx, s, exportsDir+folder)
			switch {
			case ctx.Err() != nil:
				return nil, ctx.Err()
			case err != nil:
				r.Notes = append(r.Notes, fmt.Sprintf("exports/%s cannot be opened: %v", folder, err))
			default:
				id = b.ID()
			}
		}
		if other := here[id]; other != "" {
			r.Notes = append(
				r.Notes, fmt.Sprintf("exports/%s and exports/%s are the same export", other, folder),
			)
			continue
		}
		here[id] = folder
		if _, ok := l.taken[id]; !ok && len(l.order) > 0 {
			r.Notes = append(
				r.Notes,
				fmt.Sprintf("the ledger does not know exports/%s: it was copied or renamed by hand", folder),
			)
		}
	}
	return here, nil
}

// exportFolders returns the names of what lies in exports/, oldest first.
func exportFolders(ctx context.Context, s Store) ([]string, error) {
	var names []string
	for name, err := range s.Folders(ctx, strings.TrimSuffix(exportsDir, "/")) {
		if err != nil {
			return nil, fmt.Errorf("list the exports of %s: %w", s.Location(""), err)
		}
		names = append(names, name)
	}
	slices.SortFunc(names, compareIDs)
	return slices.Compact(names), nil
}

// A ledger is all events that can be read, whether their chain holds or not.
type ledger struct {
	taken  map[string]Event // those that brought an export here, by export
	order  []Event          // those of taken, in the order of the ledger
	broken error            // where the chain does not hold
}

func readLedger(ctx context.Context, s Store) (*ledger, error) {
	l := &ledger{taken: map[string]Event{}}
	files, err := readEvents(ctx, s)
	if err != nil {
		return l, fmt.Errorf("ledger: %w", err)
	}
	for _, err := range chain(s, files) {
		l.broken = err
	}
	// The event of a writer that died before it gave it its name; whoever writes next will.
	claim := claimPath(len(files) + 1)
	content, err := readAll(ctx, s, claim, maxEvent)
	for _, f := range append(files, eventFile{claim, content, err}) {
		var e Event
		if f.err != nil || json.Unmarshal(f.content, &e) != nil || !brings(e.Kind) {
			continue // what is wrong with it shows in the chain
		}
		if _, ok := l.taken[e.Export]; !ok {
			l.order = append(l.order, e)
		}
		l.taken[e.Export] = e
	}
	return l, ctx.Err()
}
