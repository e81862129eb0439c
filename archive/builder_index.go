package archive

import (
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"slices"
	"strings"

	"holdall/internal/ctxio"
)

// packRows yields the rows in a finished pack's _pack.csv. One that is not as it was recorded is an error
// after the last row.
func (b *Builder) packRows(rec fileRecord) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		f, err := b.openRows(rec)
		if err != nil {
			yield(Row{}, err)
			return
		}
		defer f.Close()
		crc := crc32.NewIEEE()
		r := io.TeeReader(f, crc)
		n := 0
		for row, err := range readRows(r) {
			if !yield(row, err) || err != nil {
				return
			}
			n++
		}
		if n != rec.Pack.Rows || crc.Sum32() != rec.Pack.RowsCRC32 {
			yield(Row{}, fmt.Errorf("%s is not as it was written", rowsEntry))
		}
	}
}

// packRecords returns the finished packs ordered by part and number, which is the order of the index.
func (b *Builder) packRecords() []fileRecord {
	b.mu.Lock()
	defer b.mu.Unlock()
	var packs []fileRecord
	for _, rec := range b.files {
		if rec.Pack != nil {
			packs = append(packs, rec)
		}
	}
	slices.SortFunc(packs, func(x, y fileRecord) int { return comparePacks(x.Name, y.Name) })
	return packs
}

// comparePacks orders packs as the index has their rows: by part, then by number.
func comparePacks(x, y string) int {
	xp, xn, _ := parsePackName(x)
	yp, yn, _ := parsePackName(y)
	if c := strings.Compare(xp, yp); c != 0 {
		return c
	}
	return xn - yn
}

// WriteIndex writes data/documents/index.csv.zst from the rows of all packs, which must be finished, and
// returns how many there are. An index that an earlier call wrote is written again. Rows can be used
// afterwards.
func (b *Builder) WriteIndex(ctx context.Context) (rows int64, err error) {
	if err := b.finishPacks(ctx); err != nil {
		return 0, fmt.Errorf("write the index: %w", err)
	}
	if err := b.Discard(indexName); err != nil {
		return 0, fmt.Errorf("write the index: %w", err)
	}
	f, err := b.createZstd(indexName)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if _, err := f.Write(headerLine); err != nil {
		return 0, err
	}
	for _, rec := range b.packRecords() {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if err := b.copyRows(f, rec); err != nil {
			return 0, fmt.Errorf("write the index: %s: %w", rec.Name, err)
		}
		rows += int64(rec.Pack.Rows)
	}
	_, err = f.Commit()
	return rows, err
}

// copyRows appends a pack's rows as they are in it, without the header.
func (b *Builder) copyRows(w io.Writer, rec fileRecord) error {
	r, err := b.openRows(rec)
	if err != nil {
		return err
	}
	defer r.Close()
	crc := crc32.NewIEEE()
	header := make([]byte, len(headerLine))
	if _, err := io.ReadFull(r, header); err != nil {
		return err
	}
	crc.Write(header)
	if _, err := io.Copy(io.MultiWriter(w, crc), r); err != nil {
		return err
	}
	if !bytes.Equal(header, headerLine) || crc.Sum32() != rec.Pack.RowsCRC32 {
		return fmt.Errorf("%w: %s is not as it was written", ErrDamaged, rowsEntry)
	}
	return nil
}

// finishPacks writes the rows that wait for another part's pack. An open pack is an error.
func (b *Builder) finishPacks(ctx context.Context) error {
	b.mu.Lock()
	var packers []*Packer
	for _, p := range b.packers {
		packers = append(packers, p)
	}
	b.mu.Unlock()
	for _, p := range packers {
		if p.isOpen() {
			return fmt.Errorf("the packer of %s is not finished", p.part)
		}
	}
	// All packs are closed, so one round settles every row: into a pack of nothing but rows if need be.
	for _, p := range packers {
		if err := p.Finish(ctx); err != nil {
			return err
		}
		if n := p.pendingRows(); n > 0 {
			return fmt.Errorf("%d rows of %s point into a pack that was given up", n, p.part)
		}
	}
	return nil
}

func (p *Packer) isOpen() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open != nil
}

func (p *Packer) pendingRows() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.pending)
}

// Rows yields the index that WriteIndex wrote, in its order.
func (b *Builder) Rows(ctx context.Context) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		r, err := b.IndexCSV()
		if err != nil {
			yield(Row{}, err)
			return
		}
		defer r.Close()
		for row, err := range readRows(ctxio.NewReader(ctx, r)) {
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

// IndexCSV opens the index as plain CSV, for a database to load.
func (b *Builder) IndexCSV() (io.ReadCloser, error) {
	f, err := b.Open(indexName)
	if err != nil {
		return nil, err
	}
	return newZstdReader(f)
}
