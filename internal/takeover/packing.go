package takeover

import (
	"context"
	"fmt"
	"io"
	"runtime"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"holdall/archive"
	"holdall/fetch"
	"holdall/internal/unpack"
)

const (
	packAhead  = 16       // documents that may be ready before their turn
	packMemory = 32 << 20 // bytes that these may take
	largeInMem = 16 << 20 // what a longer document takes, which package archive spills to the disk
)

// A packJob is one document on its way into a pack. Until done is closed, it belongs to the goroutine that reads it.
type packJob struct {
	doc      archive.Document
	entry    unpack.Entry
	weight   int64
	done     chan struct{}
	there    bool // in a pack that an earlier process closed
	prepared *archive.Prepared
	err      error
}

// packAll brings the documents of a container into packs in the order of the container. Several are read, checked and
// compressed side by side.
func (t *takeover) packAll(ctx context.Context, o *fetch.Object, c container, p *archive.Packer, known *entryTable) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	budget := semaphore.NewWeighted(packMemory)
	jobs := make(chan *packJob, packAhead)
	fed := make(chan error, 1)
	go func() {
		defer close(jobs)
		fed <- t.feed(ctx, o, c, p, known, budget, jobs)
	}()
	var first error
	for j := range jobs {
		<-j.done
		if first == nil {
			first = t.put(ctx, o, c, p, j)
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

// feed finds the documents' owners and has the documents read, in the container's order.
func (t *takeover) feed(ctx context.Context, o *fetch.Object, c container, p *archive.Packer, known *entryTable,
	budget *semaphore.Weighted, jobs chan<- *packJob) error {
	var readers errgroup.Group
	readers.SetLimit(sideBySide(o))
	defer readers.Wait() // it has no error of its own
	for m, err := range t.db.Match(ctx, known.toMatch(o)) {
		if err != nil {
			return fmt.Errorf("find the owners of the documents in %s: %w", o.Source.Name, err)
		}
		e := known.entry(m)
		j := &packJob{entry: e, done: make(chan struct{}), weight: 2*min(max(e.Size, 0), largeInMem-1) + 1, doc: archive.Document{
			ID: m.DocID, Part: string(o.Source.Part),
			OwnerType: m.OwnerType, OwnerID: m.OwnerID, AttachmentID: m.AttachmentID, MatchedBy: m.By,
			OriginalName: e.Name, OriginalNameRaw: e.RawName,
			ReceivedIn: containerName(o), Modified: e.Modified,
		}}
		if err := budget.Acquire(ctx, j.weight); err != nil {
			return context.Cause(ctx)
		}
		readers.Go(func() error {
			defer close(j.done)
			t.ready(ctx, o, c, p, j)
			return nil
		})
		jobs <- j
	}
	return nil
}

// sideBySide is how many entries of a container can be read at once. A tar is read from front to back.
func sideBySide(o *fetch.Object) int {
	switch o.Source.Kind {
	case unpack.KindTar, unpack.KindTarGzip, unpack.KindTarZstd:
		return 1
	}
	return min(runtime.GOMAXPROCS(0), 4)
}

// ready reads a document unless a closed pack has it already.
func (t *takeover) ready(ctx context.Context, o *fetch.Object, c container, p *archive.Packer, j *packJob) {
	if j.there = p.Has(j.doc.ID); j.there {
		return
	}
	j.err = t.read(ctx, o, c, j.entry, func(r io.Reader, damaged bool) (err error) {
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

// put brings a document that is ready into a pack. One of which not even the beginning could be read is refused.
func (t *takeover) put(ctx context.Context, o *fetch.Object, c container, p *archive.Packer, j *packJob) error {
	switch {
	case isCorrupt(j.err):
		j.entry.Refused = unpack.RefusedBroken
		return t.refuse(ctx, o, c, j.entry, j.doc.ID)
	case j.err != nil:
		return fmt.Errorf("read document %s: %w", j.doc.ID, j.err)
	case j.there:
		t.counts.add(j.doc.Part, j.entry.Size)
		return nil
	}
	row, err := p.Put(ctx, j.prepared)
	j.prepared = nil
	if err != nil {
		return fmt.Errorf("store document %s: %w", j.doc.ID, err)
	}
	t.counts.add(j.doc.Part, row.Size)
	return nil
}
