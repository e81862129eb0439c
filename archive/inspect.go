package archive

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"github.com/klauspost/compress/flate"

	"holdall/internal/digest"
)

// An inspection reads a pack from its first byte to its last and compares each with what the rows say must
// stand there. Every byte belongs to a document or to a structure that the rows determine.
type inspection struct {
	r    *bufio.Reader
	sum  *digest.Writer // of the whole pack
	pack string
	rows []Row // of its _pack.csv
	pos  int64

	inflate    io.ReadCloser
	entries    []zipEntry
	hurt       []int64  // offsets of documents whose bytes are not as their rows say
	structures []string // what else is not as it was
	cut        bool     // the pack ended too early
}

func newInspection(r io.Reader, pack string, rows []Row) *inspection {
	in := &inspection{sum: digest.NewWriter(), pack: pack, rows: rows, inflate: flate.NewReader(nil)}
	in.r = bufio.NewReaderSize(io.TeeReader(r, in.sum), copyBuffer/4)
	return in
}

// run reads the pack. Its error is one of reading.
func (in *inspection) run() error {
	for _, row := range in.documents() {
		if err := in.document(&row); err != nil {
			return err
		}
	}
	if err := in.ownRows(); err != nil {
		return err
	}
	if err := in.directory(); err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, in.r)
	if n > 0 {
		in.note("%d bytes follow its end", n)
	}
	return err
}

func (in *inspection) note(format string, args ...any) {
	in.structures = append(in.structures, fmt.Sprintf(format, args...))
}

// documents returns the rows of the documents that lie in the pack, one for each, in the order of their
// places.
func (in *inspection) documents() []Row {
	var rows []Row
	for _, r := range in.rows {
		if r.Pack == in.pack {
			rows = append(rows, r)
		}
	}
	slices.SortStableFunc(rows, func(x, y Row) int { return cmp.Compare(x.Offset, y.Offset) })
	return slices.CompactFunc(rows, func(x, y Row) bool { return x.Offset == y.Offset })
}

// next reads n bytes; fewer where the pack ends early.
func (in *inspection) next(n int64) ([]byte, error) {
	b := make([]byte, n)
	k, err := io.ReadFull(in.r, b)
	in.pos += int64(k)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		if !in.cut {
			in.cut = true
			in.note("it ends after %d bytes", in.pos)
		}
		err = nil
	}
	return b[:k], err
}

// maxEntryName is the longest name that entryName makes, and some more.
const maxEntryName = 400

// document compares a document's local header and its bytes.
func (in *inspection) document(row *Row) error {
	gap := row.Offset - in.pos
	if in.cut || gap < localHeaderSize || gap > localHeaderSize+maxEntryName || in.pos+gap != row.Offset {
		in.hurt = append(in.hurt, row.Offset)
		if !in.cut {
			in.note("the document %s does not follow the one before it", row.ID)
			in.cut = true
		}
		return nil
	}
	header, err := in.next(gap)
	if err != nil {
		return err
	}
	e := zipEntry{
		method: zipMethods[row.Method], crc: row.CRC32, stored: row.StoredSize, size: row.Size,
		header: row.Offset - gap,
	}
	if int64(len(header)) == gap {
		e.name = string(header[localHeaderSize:])
	}
	if want := e.localHeader(); !in.cut && !bytes.Equal(header, want) {
		in.note("the local header of document %s is damaged", row.ID)
	}
	in.entries = append(in.entries, e)
	ok, err := in.content(row)
	if !ok {
		in.hurt = append(in.hurt, row.Offset)
	}
	return err
}

// content reads a document's stored bytes and reports whether they are what the row says.
func (in *inspection) content(row *Row) (bool, error) {
	stored := &io.LimitedReader{R: in.r, N: row.StoredSize}
	var content io.Reader = stored
	if row.Method == methodDeflated {
		if err := in.inflate.(flate.Resetter).Reset(stored, nil); err != nil {
			return false, err
		}
		content = in.inflate
	}
	crc := crc32.NewIEEE()
	_, bad := copyPooled(crc, digest.NewReader(content, row.Size, row.SHA256))
	_, err := io.Copy(io.Discard, stored)
	in.pos += row.StoredSize - stored.N
	if stored.N > 0 && err == nil && !in.cut {
		in.cut = true
		in.note("it ends after %d bytes", in.pos)
	}
	return bad == nil && crc.Sum32() == row.CRC32 && stored.N == 0, err
}

// ownRows compares _pack.csv.
func (in *inspection) ownRows() error {
	if in.cut {
		return nil
	}
	var enc rowEncoder
	enc.buf.Write(headerLine)
	for i := range in.rows {
		enc.append(&in.rows[i])
	}
	want := enc.buf.Bytes()
	size := int64(len(want))
	e := zipEntry{
		name: rowsEntry, method: zipStored, crc: crc32.ChecksumIEEE(want), stored: size, size: size,
		header: in.pos,
	}
	header, err := in.next(localHeaderSize + int64(len(rowsEntry)))
	if err != nil {
		return err
	}
	if !in.cut && !bytes.Equal(header, e.localHeader()) {
		in.note("the local header of %s is damaged", rowsEntry)
	}
	got, err := in.next(size)
	if err != nil {
		return err
	}
	if !in.cut && !bytes.Equal(got, want) {
		in.note("%s: %s", rowsEntry, in.firstDifference(got))
	}
	in.entries = append(in.entries, e)
	return nil
}

// firstDifference says which row is the first to differ.
func (in *inspection) firstDifference(got []byte) string {
	var enc rowEncoder
	pos := len(headerLine)
	if !bytes.Equal(got[:min(pos, len(got))], headerLine) {
		return "its header line differs from that of the index"
	}
	for i := range in.rows {
		line := enc.line(&in.rows[i])
		if pos+len(line) > len(got) || !bytes.Equal(got[pos:pos+len(line)], line) {
			return fmt.Sprintf("the row of document %s differs from that in the index", in.rows[i].ID)
		}
		pos += len(line)
	}
	return "it differs from the index"
}

// directory compares the central directory and the record that ends it.
func (in *inspection) directory() error {
	start := in.pos
	for i := range in.entries {
		e := &in.entries[i]
		if in.cut {
			return nil
		}
		line, err := in.next(centralHeaderSize + int64(len(e.name)))
		if err != nil {
			return err
		}
		if !in.cut && !bytes.Equal(line, e.centralHeader()) {
			in.note("the directory's line for %s is damaged, or the name in its local header", e.name)
		}
	}
	size := in.pos - start
	end, err := in.next(endSize)
	if err == nil && !in.cut && !bytes.Equal(end, endOfDirectory(len(in.entries), size, start)) {
		in.note("the record that ends the directory is damaged")
	}
	return err
}

// ownRows reads the rows in a pack's _pack.csv: by the directory, or, where that is damaged, by looking for
// it. It may return rows and an error.
func (v *verifier) ownRows(ctx context.Context, pack string) ([]Row, error) {
	size := v.present[pack].Size
	off, n, err := v.findOwnRows(ctx, pack, size)
	if err != nil {
		off, n, err = v.searchOwnRows(ctx, pack, size)
	}
	if err != nil {
		return nil, err
	}
	r, err := v.bag.s.Open(ctx, v.bag.prefix+pack, off, n)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var rows []Row
	for row, err := range readRows(r) {
		if err != nil {
			return rows, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// findOwnRows follows the record at the pack's end to the last line of the directory, and that to the entry.
func (v *verifier) findOwnRows(ctx context.Context, pack string, size int64) (off, n int64, err error) {
	tailSize := min(size, endSize+centralHeaderSize+int64(len(rowsEntry)))
	r, err := v.bag.s.Open(ctx, v.bag.prefix+pack, size-tailSize, tailSize)
	if err != nil {
		return 0, 0, err
	}
	defer r.Close()
	tail, err := io.ReadAll(r)
	if err != nil {
		return 0, 0, err
	}
	if !bytes.HasPrefix(tail, []byte("PK\x01\x02")) || !bytes.Equal(
		tail[centralHeaderSize:len(tail)-endSize], []byte(rowsEntry),
	) {
		return 0, 0, errors.New("its directory is damaged")
	}
	le := binary.LittleEndian
	stored, header := int64(le.Uint32(tail[20:])), int64(le.Uint32(tail[42:]))
	off = header + localHeaderSize + int64(len(rowsEntry))
	if off+stored > size {
		return 0, 0, errors.New("its directory is damaged")
	}
	return off, stored, nil
}

// searchOwnRows looks through the pack for the entry by its name and first line. Its end is where the
// directory begins.
func (v *verifier) searchOwnRows(ctx context.Context, pack string, size int64) (off, n int64, err error) {
	off, err = v.search(ctx, pack, 0, size, append([]byte(rowsEntry), headerLine...))
	if err != nil {
		return 0, 0, err
	}
	off += int64(len(rowsEntry))
	end, err := v.search(ctx, pack, off, size, []byte("PK\x01\x02"))
	if err != nil {
		end = size
	}
	return off, end - off, nil
}

// search returns where what stands in the pack for the first time, from off.
func (v *verifier) search(ctx context.Context, pack string, off, size int64, what []byte) (int64, error) {
	r, err := v.bag.s.Open(ctx, v.bag.prefix+pack, off, size-off)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	i, err := indexBytes(r, what)
	if err == nil && i < 0 {
		err = fmt.Errorf("no %s was found in it", rowsEntry)
	}
	return off + i, err
}
