package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// Packer returns the packer of a part, one for all callers. Packs that an earlier process closed are kept.
func (b *Builder) Packer(part string) (*Packer, error) {
	if !partName.MatchString(part) {
		return nil, fmt.Errorf("part %q: want a lower-case word of at most 20 characters", part)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, os.ErrClosed
	}
	p, ok := b.packers[part]
	if !ok {
		p = &Packer{b: b, part: part, number: b.lastPack(part)}
		b.packers[part] = p
	}
	return p, nil
}

// lastPack returns the highest number of the part's packs. It needs b.mu.
func (b *Builder) lastPack(part string) int {
	last := 0
	for _, rec := range b.files {
		if rec.Pack != nil && rec.Pack.Part == part {
			last = max(last, rec.Pack.Number)
		}
	}
	return last
}

// A Packer writes the documents of a part into packs, in the order they are added. Its methods may be called
// from several goroutines. After an error of the disk, all of its methods return that error: what the open
// pack held has to be added again to a new Builder.
type Packer struct {
	b    *Builder
	part string

	mu      sync.Mutex // guards what follows
	number  int        // of the newest pack
	open    *packWriter
	closing *closing // the pack before, on its way to the disk; nil when it is there
	pending []pendingRow
	enc     rowEncoder
	flushed int   // how many packs were closed when pending was last checked
	err     error // the packer is unusable
}

// Has reports whether the document is in a pack that is closed.
func (p *Packer) Has(id string) bool { return p.b.contents.has(id) }

// Add stores a document, reading r to its end, and returns its row. Bytes that the bag already holds are not
// stored again. An ID that was added before is an error matching fs.ErrExist. A failure of r leaves the pack
// as it was and is returned as it is, so that the caller may try again.
func (p *Packer) Add(ctx context.Context, d Document, r io.Reader) (Row, error) {
	pr, err := p.Prepare(ctx, d, r)
	if err != nil {
		return Row{}, err
	}
	return p.Put(ctx, pr)
}

// A Prepared is a document that has been read, hashed and compressed. Either Put or Discard ends it.
type Prepared struct {
	row Row
	c   *content
}

// Prepare is the part of Add that several goroutines can do at once: everything but the writing. Its result
// may hold twice the document in memory, up to 32 MiB. It fails as Add does.
func (p *Packer) Prepare(ctx context.Context, d Document, r io.Reader) (*Prepared, error) {
	if err := d.check(p.part); err != nil {
		return nil, err
	}
	d.Part = p.part
	if err := p.b.contents.claim(d.ID); err != nil {
		return nil, err
	}
	pr, err := p.prepare(ctx, d, r)
	if err != nil {
		p.b.contents.release(d.ID)
		var failed *readError
		if errors.As(err, &failed) {
			return nil, failed.err
		}
	}
	return pr, err
}

func (p *Packer) prepare(ctx context.Context, d Document, r io.Reader) (_ *Prepared, err error) {
	c, err := p.b.readContent(ctx, r)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.release())
		}
	}()
	row := Row{
		Document: d, Size: c.size, SHA256: c.sum, CRC32: c.crc, Method: methodStored, StoredSize: c.size,
	}
	if err := detectType(&row, c); err != nil {
		return nil, fmt.Errorf("examine document %s: %w", d.ID, err)
	}
	row.normalise()
	if _, known := p.b.contents.find(c.sum); !known {
		if err := c.tryDeflate(row.MediaType); err != nil {
			return nil, fmt.Errorf("compress document %s: %w", d.ID, err)
		}
	}
	return &Prepared{row, c}, nil
}

// Discard drops a document that was not put.
func (p *Packer) Discard(pr *Prepared) error {
	p.b.contents.release(pr.row.ID)
	return pr.c.release()
}

// Put writes a prepared document into the open pack, after those that were put before, and returns its row.
func (p *Packer) Put(ctx context.Context, pr *Prepared) (row Row, err error) {
	defer func() {
		if err != nil {
			p.b.contents.release(pr.row.ID)
		}
		err = errors.Join(err, pr.c.release())
	}()
	if err := p.closeForPending(ctx); err != nil {
		return Row{}, err
	}
	if err := p.b.uploader.waitForRoom(ctx); err != nil {
		return Row{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return Row{}, p.err
	}
	if err := p.put(&pr.row, pr.c); err != nil {
		return Row{}, p.fail(fmt.Errorf("store document %s: %w", pr.row.ID, err))
	}
	return pr.row, nil
}

// closeForPending has the other packers close their packs when too many rows wait for them.
func (p *Packer) closeForPending(ctx context.Context) error {
	p.mu.Lock()
	err := p.err
	var wanted map[uint32]bool
	if len(p.pending) >= maxPending {
		wanted = map[uint32]bool{}
		for _, row := range p.pending {
			wanted[row.pack] = true
		}
	}
	p.mu.Unlock()
	if err != nil {
		return err
	}
	p.b.mu.Lock()
	err = p.b.unseal()
	others := make([]*Packer, 0, len(p.b.packers))
	for _, other := range p.b.packers {
		others = append(others, other)
	}
	p.b.mu.Unlock()
	if err != nil || wanted == nil {
		return err
	}
	for _, other := range others {
		if other != p {
			if err := other.closeIfWanted(wanted); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

func (p *Packer) closeIfWanted(wanted map[uint32]bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == nil || !wanted[p.open.index] {
		return p.waitForClosing()
	}
	return p.closePack()
}

// Finish closes the open pack, and returns when it is durable. Rows that point into an open pack of another
// part wait for that; WriteIndex sees to them.
func (p *Packer) Finish(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return p.err
	}
	if err := p.waitForClosing(); err != nil {
		return err
	}
	if err := p.flushPending(); err != nil {
		return p.fail(err)
	}
	if p.open == nil {
		return nil
	}
	if err := p.closePack(); err != nil {
		return err
	}
	return p.waitForClosing()
}

// fail makes err the answer to everything from now on, and drops the open pack.
func (p *Packer) fail(err error) error {
	if p.err != nil {
		return p.err
	}
	p.err = err
	if p.open != nil {
		// What its closing says adds nothing: the pack is given up.
		_ = p.open.close()
		p.open = nil
	}
	return err
}

// abandon drops the open pack. The one before it may become durable yet.
func (p *Packer) abandon() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.waitForClosing()
	p.fail(os.ErrClosed)
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}
