package archive

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"github.com/klauspost/compress/flate"

	"holdall/internal/digest"
)

// A packChecker reads a pack from its first byte to its last and compares each with what the rows say must be
// there. Every byte belongs to a document or to a structure that the rows determine.
type packChecker struct {
	r    *bufio.Reader
	sum  *digest.Writer // of the whole pack
	pack string
	rows []Row // of its _pack.csv
	pos  int64

	inflate     io.ReadCloser
	entries     []zipEntry
	damaged     []int64  // offsets of documents whose bytes are not as their rows say
	otherFaults []string // what else is not as it was written
	truncated   bool     // the pack ended too early
}

func newPackChecker(r io.Reader, pack string, rows []Row) *packChecker {
	in := &packChecker{sum: digest.NewWriter(), pack: pack, rows: rows, inflate: flate.NewReader(nil)}
	in.r = bufio.NewReaderSize(io.TeeReader(r, in.sum), copyBuffer/4)
	return in
}

// run reads the pack. It returns only errors of reading; damage is recorded.
func (in *packChecker) run() error {
	for _, row := range in.documentRows() {
		if err := in.checkDocument(&row); err != nil {
			return err
		}
	}
	if err := in.checkRows(); err != nil {
		return err
	}
	if err := in.checkDirectory(); err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, in.r)
	if n > 0 {
		in.note("%d bytes follow its end", n)
	}
	return err
}

func (in *packChecker) note(format string, args ...any) {
	in.otherFaults = append(in.otherFaults, fmt.Sprintf(format, args...))
}

// documentRows returns the rows of the documents that lie in the pack, one for each, in the order of their
// places.
func (in *packChecker) documentRows() []Row {
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
func (in *packChecker) next(n int64) ([]byte, error) {
	b := make([]byte, n)
	k, err := io.ReadFull(in.r, b)
	in.pos += int64(k)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		if !in.truncated {
			in.truncated = true
			in.note("it ends after %d bytes", in.pos)
		}
		err = nil
	}
	return b[:k], err
}

// maxEntryName is the longest name that entryName makes, and some more.
const maxEntryName = 400

// checkDocument compares a document's local header and its bytes.
func (in *packChecker) checkDocument(row *Row) error {
	gap := row.Offset - in.pos
	if in.truncated || gap < localHeaderSize || gap > localHeaderSize+maxEntryName ||
		in.pos+gap != row.Offset {
		in.damaged = append(in.damaged, row.Offset)
		if !in.truncated {
			in.note("the document %s does not follow the one before it", row.ID)
			in.truncated = true
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
	if want := e.localHeader(); !in.truncated && !bytes.Equal(header, want) {
		in.note("the local header of document %s is damaged", row.ID)
	}
	in.entries = append(in.entries, e)
	ok, err := in.checkContent(row)
	if !ok {
		in.damaged = append(in.damaged, row.Offset)
	}
	return err
}

// checkContent reads a document's stored bytes and reports whether they are what the row says.
func (in *packChecker) checkContent(row *Row) (bool, error) {
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
	if stored.N > 0 && err == nil && !in.truncated {
		in.truncated = true
		in.note("it ends after %d bytes", in.pos)
	}
	return bad == nil && crc.Sum32() == row.CRC32 && stored.N == 0, err
}

// checkRows compares _pack.csv.
func (in *packChecker) checkRows() error {
	if in.truncated {
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
	if !in.truncated && !bytes.Equal(header, e.localHeader()) {
		in.note("the local header of %s is damaged", rowsEntry)
	}
	got, err := in.next(size)
	if err != nil {
		return err
	}
	if !in.truncated && !bytes.Equal(got, want) {
		in.note("%s: %s", rowsEntry, in.firstDifference(got))
	}
	in.entries = append(in.entries, e)
	return nil
}

// firstDifference says which row is the first to differ.
func (in *packChecker) firstDifference(got []byte) string {
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

// checkDirectory compares the central directory and the record that ends it.
func (in *packChecker) checkDirectory() error {
	start := in.pos
	for i := range in.entries {
		e := &in.entries[i]
		if in.truncated {
			return nil
		}
		line, err := in.next(centralHeaderSize + int64(len(e.name)))
		if err != nil {
			return err
		}
		if !in.truncated && !bytes.Equal(line, e.centralHeader()) {
			in.note("the directory's line for %s is damaged, or the name in its local header", e.name)
		}
	}
	size := in.pos - start
	end, err := in.next(endSize)
	if err == nil && !in.truncated && !bytes.Equal(end, endOfDirectory(len(in.entries), size, start)) {
		in.note("the record that ends the directory is damaged")
	}
	return err
}
