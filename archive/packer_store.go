package archive

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
)

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

// put writes a document and its row into the open pack. Its errors are those of the disk. It needs p.mu, as
// do the methods below.
func (p *Packer) put(row *Row, c *content) error {
	if err := p.flushPending(); err != nil {
		return err
	}
	loc, known := p.b.contents.find(c.sum)
	if !known {
		var err error
		if loc, known, err = p.store(row, c); err != nil {
			return err
		}
	}
	p.b.contents.locate(loc, row)
	if known && !p.mayPointAt(loc.pack) {
		p.pending = append(p.pending, pendingRow{row: *row, pack: loc.pack})
		return nil
	}
	if known || p.open == nil || p.open.index != loc.pack {
		// otherwise store made room for the row as well
		if err := p.makeRoom(int64(len(p.enc.line(row)))); err != nil {
			return err
		}
	}
	return p.addRow(row)
}

// mayPointAt reports whether the bytes of that file become durable no later than a row in the open pack.
func (p *Packer) mayPointAt(pack uint32) bool {
	return p.open != nil && p.open.index == pack || p.b.contents.pack(pack).closed
}

// store writes the content, unless another packer has just done so: then known is true.
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
	loc, placed := p.b.contents.add(c.sum, loc)
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

// storeLarge makes the content a file of its own. If its row does not become durable, the file is found again
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
	loc, placed := p.b.contents.add(c.sum, location{pack: p.b.contents.addPack(name, p.part, true)})
	return loc, !placed, nil
}

// addRow puts a row into the open pack's list. The bytes it points at are in the same pack or in one that is
// closed.
func (p *Packer) addRow(row *Row) error {
	if err := p.open.addRow(p.enc.line(row)); err != nil {
		return err
	}
	p.b.contents.setPack(row.ID, p.open.index)
	return nil
}

// makeRoom provides an open pack that can take n more bytes and one more row.
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
	index := p.b.contents.addPack(name, p.part, false)
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
	if err := p.waitForClosing(); err != nil {
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
		p.b.contents.closePack(o.index)
	}()
	return nil
}

// waitForClosing returns when the previous pack is durable, with the error of writing it.
func (p *Packer) waitForClosing() error {
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
	closed := p.b.contents.closedPacks()
	if len(p.pending) == 0 || p.flushed == closed {
		return nil
	}
	p.flushed = closed
	waiting := p.pending
	p.pending = nil
	for i := range waiting {
		row := &waiting[i]
		if !p.b.contents.pack(row.pack).closed {
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
