package fetch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"

	"holdall/internal/digest"
)

// A journal is the memory of one object: append-only, one record for each thing that is certain. Each record
// is
//
//	kind (1 byte), length of the payload (2 bytes), payload, CRC-32C of all that (4 bytes)
//
// with little-endian numbers. Reading ends at the first record that is not whole; what a crash tore off is
// fetched again.
//
// A piece's record is written after its data, so it survives a killed process. It survives a power loss only
// once a durable record follows, which is written after the data has been synced. Pieces without one are
// trusted only after their checksum has been compared with what is on the disk.
type journal struct {
	f *os.File
	n int64 // where the next record goes
}

const (
	recHead = 'H' // version, piece size, identity mark: the first record
	// index, length, CRC-32C of a piece or, when a run ended in an orderly way, of its beginning; identity
	// mark
	recPiece   = 'P'
	recDurable = 'D' // how many piece records are on the disk with their data
	recHash    = 'S' // offset, state of SHA-256 up to there
	recDrop    = 'X' // index and length of a piece that is no longer trusted
	recSize    = 'Z' // the size, when it became known only at the end
	// size, SHA-256, check, NUL and what that contradicts: the object is complete, synced and verified
	recDone = 'F'
)

const (
	journalVersion = 1
	recOverhead    = 1 + 2 + 4
	maxRecord      = 1 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A mark stands for an identity in the journal: a record made for another object does not count.
type mark uint32

func (id Identity) mark() mark {
	h := crc32.New(castagnoli)
	fmt.Fprintf(h, "%d\x00%s\x00", id.Size, id.strong())
	if id.strong() == "" {
		fmt.Fprintf(h, "%s\x00%s", id.ETag, id.LastModified)
	}
	return mark(h.Sum32())
}

// A pieceRecord is what the journal knows of one piece.
type pieceRecord struct {
	index  int64
	length uint32
	crc    uint32
}

// A journalState is what a journal says.
type journalState struct {
	pieceSize int64
	mark      mark
	pieces    map[int64]pieceRecord
	durable   map[int64]bool // indices of pieces that a durable record covers
	size      int64          // from recSize; -1
	hashAt    int64
	hashState []byte
	done      *Verified
	end       int64 // where whole records end
}

// createJournal starts the journal at path, over whatever was there.
func createJournal(path string, pieceSize int64, m mark) (*journal, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	j := &journal{f: f}
	head := binary.LittleEndian.AppendUint32(nil, journalVersion)
	head = binary.LittleEndian.AppendUint64(head, uint64(pieceSize))
	head = binary.LittleEndian.AppendUint32(head, uint32(m))
	if err := j.append(recHead, head); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return j, nil
}

// openJournal reads the journal at path and prepares it for appending after its last whole record.
func openJournal(path string) (*journal, *journalState, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	mem, err := readJournal(f)
	if err == nil {
		err = f.Truncate(mem.end)
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return &journal{f: f, n: mem.end}, mem, nil
}

var errJournal = errors.New("not a spool journal")

// readJournal reads records as far as they are whole.
func readJournal(r io.Reader) (*journalState, error) {
	mem := &journalState{pieces: map[int64]pieceRecord{}, durable: map[int64]bool{}, size: -1}
	in := newRecordReader(r)
	var order []int64 // piece indices in the order recorded
	for {
		kind, payload, ok := in.next()
		if !ok {
			break
		}
		if mem.end == 0 && kind != recHead {
			return nil, errJournal
		}
		if !mem.apply(kind, payload, &order) {
			break
		}
		mem.end = in.read
	}
	if mem.end == 0 {
		return nil, errJournal
	}
	return mem, nil
}

// apply applies one record; false when it makes no sense.
func (m *journalState) apply(kind byte, p []byte, order *[]int64) bool {
	le := binary.LittleEndian
	switch {
	case kind == recHead && len(p) == 16:
		m.pieceSize, m.mark = int64(le.Uint64(p[4:])), mark(le.Uint32(p[12:]))
		return le.Uint32(p) == journalVersion && m.pieceSize > 0 && m.end == 0
	case kind == recPiece && len(p) == 20:
		if mark(le.Uint32(p[16:])) != m.mark {
			return false
		}
		rec := pieceRecord{int64(le.Uint64(p)), le.Uint32(p[8:]), le.Uint32(p[12:])}
		if rec.index < 0 || int64(rec.length) > m.pieceSize {
			return false
		}
		m.pieces[rec.index] = rec
		delete(m.durable, rec.index)
		*order = append(*order, rec.index)
	case kind == recDurable && len(p) == 8:
		n := le.Uint64(p)
		if n > uint64(len(*order)) {
			return false
		}
		for _, i := range (*order)[:n] {
			if _, ok := m.pieces[i]; ok {
				m.durable[i] = true
			}
		}
	case kind == recHash && len(p) > 8:
		m.hashAt, m.hashState = int64(le.Uint64(p)), append([]byte(nil), p[8:]...)
	case kind == recDrop && len(p) == 16:
		first, n := int64(le.Uint64(p)), int64(le.Uint64(p[8:]))
		for i := range m.pieces {
			if i >= first && i-first < n {
				delete(m.pieces, i)
				delete(m.durable, i)
			}
		}
		m.done = nil
		if m.hashAt > first*m.pieceSize {
			m.hashAt, m.hashState = 0, nil
		}
	case kind == recSize && len(p) == 8:
		m.size = int64(le.Uint64(p))
	case kind == recDone && len(p) >= 40:
		check, contradicts, _ := strings.Cut(string(p[40:]), "\x00")
		m.done = &Verified{
			Size: int64(le.Uint64(p)), SHA256: digest.Sum(p[8:40]), Check: check, Contradicts: contradicts,
		}
	default:
		return false
	}
	return true
}

func (j *journal) append(kind byte, payload []byte) error {
	rec := make([]byte, 0, recOverhead+len(payload))
	rec = append(rec, kind)
	rec = binary.LittleEndian.AppendUint16(rec, uint16(len(payload)))
	rec = append(rec, payload...)
	rec = binary.LittleEndian.AppendUint32(rec, crc32.Checksum(rec, castagnoli))
	if _, err := j.f.WriteAt(rec, j.n); err != nil {
		return err
	}
	j.n += int64(len(rec))
	return nil
}

func (j *journal) piece(p pieceRecord, m mark) error {
	b := binary.LittleEndian.AppendUint64(nil, uint64(p.index))
	b = binary.LittleEndian.AppendUint32(b, p.length)
	b = binary.LittleEndian.AppendUint32(b, p.crc)
	return j.append(recPiece, binary.LittleEndian.AppendUint32(b, uint32(m)))
}

func (j *journal) drop(first, n int64) error {
	b := binary.LittleEndian.AppendUint64(nil, uint64(first))
	return j.append(recDrop, binary.LittleEndian.AppendUint64(b, uint64(n)))
}

func (j *journal) size(n int64) error {
	return j.append(recSize, binary.LittleEndian.AppendUint64(nil, uint64(n)))
}

func (j *journal) durable(records int64) error {
	return j.append(recDurable, binary.LittleEndian.AppendUint64(nil, uint64(records)))
}

func (j *journal) hash(at int64, state []byte) error {
	return j.append(recHash, append(binary.LittleEndian.AppendUint64(nil, uint64(at)), state...))
}

func (j *journal) done(v Verified) error {
	b := binary.LittleEndian.AppendUint64(nil, uint64(v.Size))
	b = append(b, v.SHA256[:]...)
	b = append(b, v.Check...)
	if v.Contradicts != "" {
		b = append(append(b, 0), v.Contradicts...)
	}
	return j.append(recDone, b)
}

// A recordReader yields whole records.
type recordReader struct {
	r    io.Reader
	buf  []byte
	off  int
	read int64 // bytes of whole records yielded
}

func newRecordReader(r io.Reader) *recordReader { return &recordReader{r: r} }

// fill makes at least n bytes available in the buffer.
func (r *recordReader) fill(n int) bool {
	for len(r.buf)-r.off < n {
		r.buf = append(r.buf[:0], r.buf[r.off:]...)
		r.off = 0
		old := len(r.buf)
		r.buf = append(r.buf, make([]byte, 64<<10)...)
		got, err := r.r.Read(r.buf[old:])
		r.buf = r.buf[:old+got]
		if got == 0 && err != nil {
			return false
		}
	}
	return true
}

func (r *recordReader) next() (kind byte, payload []byte, ok bool) {
	if !r.fill(recOverhead) {
		return 0, nil, false
	}
	n := int(binary.LittleEndian.Uint16(r.buf[r.off+1:]))
	if n > maxRecord || !r.fill(recOverhead+n) {
		return 0, nil, false
	}
	rec := r.buf[r.off : r.off+recOverhead+n]
	body := rec[:3+n]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(rec[3+n:]) {
		return 0, nil, false
	}
	r.off += len(rec)
	r.read += int64(len(rec))
	return rec[0], body[3:], true
}
