package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// Newest returns the folder of the newest complete export, by the time in its ID. A root without any is an
// error matching fs.ErrNotExist.
func Newest(ctx context.Context, s Store) (string, error) {
	folders, err := exportFolders(ctx, s)
	if err != nil {
		return "", err
	}
	for _, id := range slices.Backward(folders) {
		complete, err := isComplete(ctx, s, id)
		if complete || err != nil {
			return id, err
		}
	}
	return "", missing("no complete export in " + s.Location(""))
}

// isComplete reports whether an export has its bagit.txt. One that cannot be read counts as complete: opening
// it reports why.
func isComplete(ctx context.Context, s Store, id string) (bool, error) {
	if checkID(id) != nil {
		return false, nil
	}
	_, err := s.Stat(ctx, exportsDir+id+"/"+bagitName)
	if errors.Is(err, ErrCredentials) || errors.Is(err, ErrUnavailable) {
		return false, fmt.Errorf("list the exports of %s: %w", s.Location(""), err)
	}
	return !errors.Is(err, fs.ErrNotExist), ctx.Err()
}

// IDs lists the complete exports of a root, oldest first, by the names of their folders: those are their IDs
// unless a folder was renamed. A folder that cannot be read is included; opening it reports why.
func IDs(ctx context.Context, s Store) ([]string, error) {
	complete, _, err := Exports(ctx, s)
	return complete, err
}

// Exports lists what IDs does, and the folders without a bagit.txt: exports in the making, or abandoned.
func Exports(ctx context.Context, s Store) (complete, incomplete []string, err error) {
	folders, err := exportFolders(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	is := make([]bool, len(folders))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(requests)
	for i, id := range folders {
		g.Go(func() (err error) {
			is[i], err = isComplete(ctx, s, id)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	for i, id := range folders {
		if is[i] {
			complete = append(complete, id)
		} else {
			incomplete = append(incomplete, id)
		}
	}
	return complete, incomplete, nil
}

// requests is how many small requests are made of a store at once.
const requests = 16

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
