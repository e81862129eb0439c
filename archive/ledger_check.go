package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"

	"golang.org/x/sync/errgroup"

	"holdall/internal/digest"
)

// checkLedgerFiles compares what stands alongside the events with them: the copy of each under its number,
// which is what vouches for the last one, and the files of records. An event whose copy is missing is no
// fault: it may be of before there were copies.
func (r *RootReport) checkLedgerFiles(ctx context.Context, s Store, events []eventFile) error {
	details := make([][2]string, len(events)) // of each event's copy and records: "" is as it should be
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(requests)
	for i, f := range events {
		var e Event
		if f.err != nil || json.Unmarshal(f.content, &e) != nil {
			continue // what is wrong with it shows in the chain
		}
		g.Go(func() (err error) {
			if details[i][0], err = checkClaim(ctx, s, e.Number, f.content); err != nil {
				return err
			}
			details[i][1], err = checkRecords(ctx, s, runOf(e))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, f := range events {
		for _, detail := range details[i] {
			if detail != "" {
				r.add(FaultLedger, f.name, detail)
			}
		}
	}
	return nil
}

// checkClaim says what is wrong with the copy of an event under its number.
func checkClaim(ctx context.Context, s Store, number int, event []byte) (string, error) {
	content, err := readAll(ctx, s, claimPath(number), maxEvent)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return unreadableInLedger(ctx, err)
	case !bytes.Equal(content, event):
		return "it differs from " + claimPath(number) + ", its copy: one of them was changed", nil
	}
	return "", nil
}

// checkRecords says what is wrong with the file of a run's records.
func checkRecords(ctx context.Context, s Store, run Run) (string, error) {
	if run.recordsFile == "" {
		return "", nil
	}
	if !run.namesRecords() {
		return "it names no file of records", nil
	}
	f, err := s.Open(ctx, run.recordsFile, 0, -1)
	if errors.Is(err, fs.ErrNotExist) {
		return run.recordsFile + ", the records of this run, is gone", nil
	}
	if err != nil {
		return unreadableInLedger(ctx, err)
	}
	defer f.Close()
	w := digest.NewWriter()
	if _, err := io.Copy(w, f); err != nil {
		return unreadableInLedger(ctx, err)
	}
	if w.Sum() != run.recordsSum {
		return run.recordsFile + ", the records of this run, was changed", nil
	}
	return "", nil
}

// unreadableInLedger makes a fault of a failure to read, unless it says nothing about the file.
func unreadableInLedger(ctx context.Context, err error) (string, error) {
	if ctx.Err() != nil || errors.Is(err, ErrCredentials) || errors.Is(err, ErrUnavailable) {
		return "", errors.Join(ctx.Err(), err)
	}
	return err.Error(), nil
}
