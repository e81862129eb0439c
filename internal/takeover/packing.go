package takeover

import (
	"context"
	"fmt"
	"io"
	"runtime"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"holdall/archive"
	"holdall/internal/filetype"
	"holdall/internal/unpack"
)

const (
	packAhead  = 16       // documents that may be ready before their turn
	packMemory = 32 << 20 // bytes that these may take
	largeInMem = 16 << 20 // what a longer document takes, which package archive spills to the disk
)

// A packJob is one document on its way into a pack. Until done is closed, it belongs to the goroutine that
// reads it.
type packJob struct {
	doc      archive.Document
	entry    unpack.Entry
	weight   int64
	done     chan struct{}
	packed   bool // in a pack that an earlier process closed
	prepared *archive.Prepared
	err      error
}

// pack brings documents of a container into packs in the order of the container. Several are read, checked
// and compressed side by side.
func (u *unpacker) pack(ctx context.Context, s *origin, c container, known *entryTable) error {
	if len(known.entries) == 0 {
		return nil
	}
	p := u.packer
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	budget := semaphore.NewWeighted(packMemory)
	jobs := make(chan *packJob, packAhead)
	fed := make(chan error, 1)
	go func() {
		defer close(jobs)
		fed <- u.startJobs(ctx, s, c, known, budget, jobs)
	}()
	var first error
	for j := range jobs {
		<-j.done
		if first == nil {
			first = u.addToPack(ctx, s, c, j)
		}
		if first != nil {
			cancel()
			if j.prepared != nil {
				p.Discard(j.prepared)
			}
		}
		budget.Release(j.weight)
	}
	if err := <-fed; first == nil {
		first = err
	}
	return first
}

// startJobs finds the documents' owners and has the documents read, in the container's order.
func (u *unpacker) startJobs(ctx context.Context, s *origin, c container, known *entryTable,
	budget *semaphore.Weighted, jobs chan<- *packJob) error {
	var readers errgroup.Group
	readers.SetLimit(sideBySide(s))
	defer readers.Wait() // it has no error of its own
	for m, err := range u.t.db.Match(ctx, known.toMatch(s, false)) {
		if err != nil {
			return fmt.Errorf("find the owners of the documents in %s: %w", s.name, err)
		}
		e := known.entry(m)
		j := &packJob{entry: e, done: make(chan struct{}), weight: 2*min(max(e.Size, 0), largeInMem-1) + 1,
			doc: archive.Document{
				ID: m.DocID, Part: string(s.object.Source.Part),
				OwnerType: m.OwnerType, OwnerID: m.OwnerID, AttachmentID: m.AttachmentID, MatchedBy: m.By,
				OriginalName: e.Name, OriginalNameRaw: e.RawName,
				ReceivedIn: s.name, Modified: e.Modified,
			}}
		if err := budget.Acquire(ctx, j.weight); err != nil {
			return context.Cause(ctx)
		}
		readers.Go(func() error {
			defer close(j.done)
			u.prepare(ctx, s, c, j)
			return nil
		})
		jobs <- j
	}
	return nil
}

// sideBySide is how many entries of a container can be read at once. A tar is read from front to back.
func sideBySide(s *origin) int {
	switch s.kind {
	case filetype.Tar, filetype.TarGzip, filetype.TarZstd:
		return 1
	}
	return min(runtime.GOMAXPROCS(0), 4)
}

// prepare reads a document unless a closed pack has it already.
func (u *unpacker) prepare(ctx context.Context, s *origin, c container, j *packJob) {
	p := u.packer
	if j.packed = p.Has(j.doc.ID); j.packed {
		return
	}
	j.err = u.t.read(ctx, s, c, j.entry, func(r io.Reader, damaged bool) (err error) {
		if j.prepared != nil { // its reader failed when it was closed
			if err := p.Discard(j.prepared); err != nil {
				return err
			}
		}
		j.doc.Damaged = damaged
		j.prepared, err = p.Prepare(ctx, j.doc, r)
		return err
	})
}

// addToPack brings a document that is ready into a pack. One of which not even the beginning could be read is
// refused.
func (u *unpacker) addToPack(ctx context.Context, s *origin, c container, j *packJob) error {
	switch {
	case isCorrupt(j.err):
		j.entry.Refused = unpack.RefusedBroken
		return u.refused.add(s, c, j.entry)
	case j.err != nil:
		return fmt.Errorf("read document %s: %w", j.doc.ID, j.err)
	case j.packed:
		u.t.counts.add(j.doc.Part, j.entry.Size)
		return nil
	}
	row, err := u.packer.Put(ctx, j.prepared)
	j.prepared = nil
	if err != nil {
		return fmt.Errorf("store document %s: %w", j.doc.ID, err)
	}
	u.t.counts.add(j.doc.Part, row.Size)
	return nil
}
