package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
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
	flushed int   // how many packs were closed when pending was last looked at
	err     error // the packer is of no use any more
}

// A closing is a pack that becomes durable while the next one is written.
type closing struct {
	done chan struct{}
	err  error // once done
}

// A pendingRow waits for the pack that it points at, which another packer has open: a row may not become
// durable before the bytes it points at.
type pendingRow struct {
	row  Row
	pack uint32
}

// Has reports whether the document is in a pack that is closed.
func (p *Packer) Has(id string) bool { return p.b.library.has(id) }

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

// Prepare is the part of Add that several goroutines can do side by side: everything but the writing. What it
// returns may hold as much memory as twice the document, up to 32 MiB. It fails as Add does.
func (p *Packer) Prepare(ctx context.Context, d Document, r io.Reader) (*Prepared, error) {
	if err := d.check(p.part); err != nil {
		return nil, err
	}
	d.Part = p.part
	if err := p.b.library.claim(d.ID); err != nil {
		return nil, err
	}
	pr, err := p.prepare(ctx, d, r)
	if err != nil {
		p.b.library.release(d.ID)
		var failed *readError
		if errors.As(err, &failed) {
			return nil, failed.err
		}
	}
	return pr, err
}

func (p *Packer) prepare(ctx context.Context, d Document, r io.Reader) (_ *Prepared, err error) {
	c, err := p.b.take(ctx, r)
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
	if err := describe(&row, c); err != nil {
		return nil, fmt.Errorf("look into document %s: %w", d.ID, err)
	}
	row.normalise()
	if _, known := p.b.library.find(c.sum); !known {
		if err := c.tryDeflate(row.MediaType); err != nil {
			return nil, fmt.Errorf("compress document %s: %w", d.ID, err)
		}
	}
	return &Prepared{row, c}, nil
}

// Discard gives a document up that was not put.
func (p *Packer) Discard(pr *Prepared) error {
	p.b.library.release(pr.row.ID)
	return pr.c.release()
}

// Put brings a prepared document into the open pack, after those that were put before, and returns its row.
func (p *Packer) Put(ctx context.Context, pr *Prepared) (row Row, err error) {
	defer func() {
		if err != nil {
			p.b.library.release(pr.row.ID)
		}
		err = errors.Join(err, pr.c.release())
	}()
	if err := p.relieve(ctx); err != nil {
		return Row{}, err
	}
	if err := p.b.courier.room(ctx); err != nil {
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

// relieve has others close the packs for which too many rows wait.
func (p *Packer) relieve(ctx context.Context) error {
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
			if err := other.closeWanted(wanted); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

func (p *Packer) closeWanted(wanted map[uint32]bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == nil || !wanted[p.open.index] {
		return p.settle()
	}
	return p.closePack()
}

// put brings a document and its row into the open pack. Every error is one of the disk. It needs p.mu, as do
// the methods below.
func (p *Packer) put(row *Row, c *content) error {
	if err := p.flushPending(); err != nil {
		return err
	}
	loc, known := p.b.library.find(c.sum)
	if !known {
		var err error
		if loc, known, err = p.store(row, c); err != nil {
			return err
		}
	}
	p.b.library.placement(loc, row)
	if known && !p.mayPointAt(loc.pack) {
		p.pending = append(p.pending, pendingRow{row: *row, pack: loc.pack})
		return nil
	}
	if known || p.open == nil || p.open.index != loc.pack {
		// else the room was made with that for the content
		if err := p.makeRoom(int64(len(p.enc.line(row)))); err != nil {
			return err
		}
	}
	return p.addRow(row)
}

// mayPointAt reports whether the bytes of that file become durable no later than a row in the open pack.
func (p *Packer) mayPointAt(pack uint32) bool {
	return p.open != nil && p.open.index == pack || p.b.library.pack(pack).closed
}

// store writes the content unless another packer has just done so, which known tells.
func (p *Packer) store(row *Row, c *content) (loc location, known bool, err error) {
	if c.size > p.b.limits.ownFile {
		return p.storeLarge(row, c)
	}
	e := zipEntry{name: entryName(row), method: zipStored, crc: c.crc, stored: c.size, size: c.size}
	if c.deflated != nil {
		e.method, e.stored = zipDeflated, int64(c.deflated.Len())
	}
	line := int64(len(p.enc.line(row)) + maxName) // the row will name its pack
	if err := p.makeRoom(e.stored + localHeaderSize + centralHeaderSize + 2*int64(len(e.name)) +
		line); err != nil {
		return location{}, false, err
	}
	e.header = p.open.size()
	loc = location{pack: p.open.index, offset: uint32(e.data())}
	if c.deflated != nil {
		loc.deflated = uint32(e.stored)
	}
	loc, placed := p.b.library.place(c.sum, loc)
	if !placed {
		return loc, true, nil
	}
	switch {
	case c.deflated != nil:
		err = p.open.addBytes(&e, c.deflated.Bytes())
	case c.buf != nil:
		err = p.open.addBytes(&e, *c.buf)
	default:
		err = p.open.addEntry(&e, c.reader())
	}
	return loc, false, err
}

// storeLarge makes the content a file of its own. Should its row not become durable, the file is found again
// by its digest.
func (p *Packer) storeLarge(row *Row, c *content) (location, bool, error) {
	name := largeDir + p.part + "-" + row.ID + path.Ext(entryName(row))
	f, err := p.b.create(name)
	if err != nil {
		return location{}, false, err
	}
	defer f.Close()
	if _, err := f.ReadFrom(c.reader()); err != nil {
		return location{}, false, err
	}
	if f.out.sum.Size()+int64(f.buf.Buffered()) != c.size {
		return location{}, false, fmt.Errorf("%s changed while it was copied", name)
	}
	info, err := f.Commit()
	if err != nil {
		return location{}, false, err
	}
	if info.SHA256 != c.sum {
		return location{}, false, fmt.Errorf("%s changed while it was copied", name)
	}
	loc, placed := p.b.library.place(c.sum, location{pack: p.b.library.addPack(name, p.part, true)})
	return loc, !placed, nil
}

// addRow puts a row into the open pack's list. The bytes it points at are in the same pack or in one that is
// closed.
func (p *Packer) addRow(row *Row) error {
	if err := p.open.addRow(p.enc.line(row)); err != nil {
		return err
	}
	p.b.library.settle(row.ID, p.open.index)
	return nil
}

// makeRoom sees to an open pack that can take n more bytes and one more row.
func (p *Packer) makeRoom(n int64) error {
	if o := p.open; o != nil && o.rowCount > 0 && (o.full()+n > p.b.limits.packBytes ||
		o.rowCount >= p.b.limits.packEntries) {
		if err := p.closePack(); err != nil {
			return err
		}
	}
	if p.open != nil {
		return nil
	}
	return p.openPack()
}

func (p *Packer) openPack() error {
	name := packPath(p.part, p.number+1)
	if err := p.b.claimName(name); err != nil {
		return err
	}
	f, err := p.b.createFile(name)
	if err != nil {
		p.b.releaseName(name)
		return err
	}
	p.number++
	index := p.b.library.addPack(name, p.part, false)
	p.open, err = newPackWriter(
		f, name, index,
		filepath.Join(p.b.dir, fmt.Sprintf("%s-%05d-rows%s", p.part, p.number, scratchSuffix)),
	)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	return nil
}

// closePack ends the open pack, which becomes durable in the background. Rows that waited for it may be
// written after that.
func (p *Packer) closePack() error {
	if err := p.settle(); err != nil {
		return err
	}
	o := p.open
	rec, err := o.finish()
	if err != nil {
		return p.fail(fmt.Errorf("close pack %s: %w", o.name, err))
	}
	rec.Pack.Part, rec.Pack.Number = p.part, p.number
	p.open = nil
	c := &closing{done: make(chan struct{})}
	p.closing = c
	go func() {
		defer close(c.done)
		if c.err = o.commit(); c.err == nil {
			c.err = p.b.record(rec)
		}
		if c.err != nil {
			c.err = fmt.Errorf("close pack %s: %w", o.name, c.err)
			return
		}
		p.b.library.closePack(o.index)
	}()
	return nil
}

// settle waits until no pack is on its way to the disk.
func (p *Packer) settle() error {
	if p.closing == nil {
		return nil
	}
	<-p.closing.done
	err := p.closing.err
	p.closing = nil
	if err != nil {
		return p.fail(err)
	}
	return nil
}

// flushPending writes the rows whose bytes have become durable.
func (p *Packer) flushPending() error {
	closed := p.b.library.closedPacks()
	if len(p.pending) == 0 || p.flushed == closed {
		return nil
	}
	p.flushed = closed
	waiting := p.pending
	p.pending = nil
	for i := range waiting {
		row := &waiting[i]
		if !p.b.library.pack(row.pack).closed {
			p.pending = append(p.pending, *row)
			continue
		}
		if err := p.makeRoom(int64(len(p.enc.line(&row.row)))); err != nil {
			return err
		}
		if err := p.addRow(&row.row); err != nil {
			return err
		}
	}
	return nil
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
	if err := p.settle(); err != nil {
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
	return p.settle()
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
	err := p.settle()
	p.fail(os.ErrClosed)
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}
