package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// A RootReport is what a root holds, compared with its ledger.
type RootReport struct {
	Folders []string // what lies in exports/, complete or not, oldest first, by name
	Faults  []Fault
	Notes   []string // what is unusual but not wrong, for people
}

// CheckRoot compares a root with its ledger: an export that was taken and is missing, or a ledger that is
// broken or gone, is a fault. An export that the ledger does not know is only noted: it may have been copied
// here. It does not check the exports themselves: Verify does.
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
	if err := r.checkLedgerFiles(ctx, s, l.files); err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	if err := r.checkLedgerIsThere(ctx, s, l); err != nil {
		return nil, err
	}
	byID, err := r.identify(ctx, s, l)
	if err != nil {
		return nil, err
	}
	for _, e := range l.order {
		if byID[e.Export] == "" {
			const format = "the ledger says that it was %s on %s, with %s documents; it is not here"
			r.add(FaultGone, exportsDir+e.Export,
				fmt.Sprintf(format, e.Kind, e.Time.Format(time.DateOnly), e.Facts["documents"]))
		}
	}
	return r, nil
}

func (r *RootReport) add(code FaultCode, path, detail string) {
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
			r.Notes, "no ledger here: whether an export is missing cannot be known",
		)
		return nil
	}
	if err == nil {
		r.add(
			FaultLedger, ledgerDir,
			"the ledger is gone: whether an export is missing cannot be known",
		)
	}
	return err
}

// identify returns the folder of each export, by ID, and notes what the ledger does not know.
func (r *RootReport) identify(ctx context.Context, s Store, l *ledger) (map[string]string, error) {
	folders := map[string]string{}
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
		if other := folders[id]; other != "" {
			r.Notes = append(
				r.Notes, fmt.Sprintf("exports/%s and exports/%s are the same export", other, folder),
			)
			continue
		}
		folders[id] = folder
		if _, ok := l.taken[id]; !ok && len(l.order) > 0 {
			r.Notes = append(
				r.Notes,
				fmt.Sprintf("exports/%s is not in the ledger: it was copied or renamed by hand", folder),
			)
		}
	}
	return folders, nil
}
