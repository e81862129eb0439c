package takeover

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"sync"

	"holdall/archive"
	"holdall/query"
)

// findings collects findings from any goroutine. A listing may have a million dead links:
// what is more than findingsHeld waits in a file.
type findings struct {
	path string // of that file

	mu   sync.Mutex
	held []query.Finding // guarded by mu
	file *os.File        // guarded by mu; nil until something is written
	err  error           // why something could not be written, guarded by mu
}

const findingsHeld = 4096

func (f *findings) add(x query.Finding) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held = append(f.held, x)
	if len(f.held) < findingsHeld || f.err != nil {
		return
	}
	if f.err = f.spill(); f.err == nil {
		f.held = nil
	}
}

// spill writes what is held behind what is in the file.
func (f *findings) spill() (err error) {
	if f.file == nil {
		if f.file, err = os.Create(f.path); err != nil {
			return fmt.Errorf("store the findings: %w", err)
		}
	}
	w := bufio.NewWriter(f.file)
	enc := newEncoder(w)
	for _, x := range f.held {
		if err := enc.Encode(x); err != nil {
			return fmt.Errorf("store the findings: %w", err)
		}
	}
	return w.Flush()
}

// all yields everything found so far. Nothing may be added meanwhile. Unless there is very much, the order
// does not depend on which part was quicker.
func (f *findings) all() iter.Seq2[query.Finding, error] {
	return func(yield func(query.Finding, error) bool) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.err != nil {
			yield(query.Finding{}, f.err)
			return
		}
		if f.file != nil {
			_, err := f.file.Seek(0, io.SeekStart)
			if err != nil {
				yield(query.Finding{}, err)
				return
			}
			for x, err := range decodeFindings(f.file) {
				if !yield(x, err) || err != nil {
					return
				}
			}
		}
		slices.SortFunc(f.held, func(a, b query.Finding) int {
			return cmp.Or(cmp.Compare(a.Severity.Rank(), b.Severity.Rank()), cmp.Compare(a.Code, b.Code),
				cmp.Compare(a.Table, b.Table), cmp.Compare(a.RecordID, b.RecordID),
				cmp.Compare(a.Detail, b.Detail))
		})
		for _, x := range f.held {
			if !yield(x, nil) {
				return
			}
		}
	}
}

// close drops the file.
func (f *findings) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		return nil
	}
	err := errors.Join(f.file.Close(), os.Remove(f.path))
	f.file, f.held = nil, nil
	return err
}

// decodeFindings reads findings that stand one a line.
func decodeFindings(r io.Reader) iter.Seq2[query.Finding, error] {
	return func(yield func(query.Finding, error) bool) {
		dec := json.NewDecoder(bufio.NewReader(r))
		for {
			var x query.Finding
			err := dec.Decode(&x)
			if err == io.EOF {
				return
			}
			if !yield(x, err) || err != nil {
				return
			}
		}
	}
}

// findingsFile has every finding of an export, a line of JSON each. completeness.json has their sums and the
// first ones.
const findingsFile = "custody/findings.jsonl.zst"

// findingsShown is how many findings of each code completeness.json shows.
const findingsShown = 100

// writeFindings writes every finding into the bag, and returns the first ones of each code.
func (t *takeover) writeFindings(ctx context.Context) (file StoredFile, shown []query.Finding, err error) {
	if err := t.bag.Discard(findingsFile); err != nil {
		return StoredFile{}, nil, err
	}
	tmp := t.run.path("tmp/findings.jsonl")
	defer os.Remove(tmp)
	if err := t.db.WriteFindings(ctx, tmp); err != nil {
		return StoredFile{}, nil, err
	}
	if shown, err = t.db.ShownFindings(ctx, findingsShown); err != nil {
		return StoredFile{}, nil, err
	}
	file, err = t.keepFile(findingsFile, tmp)
	return file, shown, err
}

// EachFinding yields every finding of an export, the gravest first. Memory does not grow with their number.
func (s *Status) EachFinding(ctx context.Context, bag *archive.Bag) iter.Seq2[query.Finding, error] {
	return func(yield func(query.Finding, error) bool) {
		if s.FindingsFile == nil {
			// an archive of before there was such a file: they are all in the record
			for _, f := range s.Shown {
				if !yield(f, nil) {
					return
				}
			}
			return
		}
		r, err := bag.OpenZstd(
			ctx, s.FindingsFile.Path, s.FindingsFile.ContentBytes, s.FindingsFile.ContentSHA256,
		)
		if err != nil {
			yield(query.Finding{}, fmt.Errorf("open %s of %s: %w", s.FindingsFile.Path, bag.ID(), err))
			return
		}
		defer r.Close()
		for f, err := range decodeFindings(r) {
			if err != nil {
				err = fmt.Errorf("read %s of %s: %w", s.FindingsFile.Path, bag.ID(), err)
			}
			if !yield(f, err) || err != nil {
				return
			}
		}
	}
}

// taking yields the findings that the tables and the index do not show.
func (s *Status) taking(ctx context.Context, bag *archive.Bag) iter.Seq2[query.Finding, error] {
	return func(yield func(query.Finding, error) bool) {
		for _, f := range s.External {
			if !yield(f, nil) {
				return
			}
		}
		if s.FindingsFile == nil {
			return
		}
		for f, err := range s.EachFinding(ctx, bag) {
			if (err != nil || f.FromTakeover) && !yield(f, err) {
				return
			}
		}
	}
}
