package archive

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"holdall/internal/atomicfile"
	"holdall/internal/digest"
)

// The structures of a ZIP file as APPNOTE.TXT 6.3.10 has them in 4.3.7, 4.3.12 and 4.3.16. Every field is a
// function of the entry's name, method, CRC-32, sizes and offset, so that a reader can find out which byte of
// a pack was changed.
const (
	localHeaderSize   = 30
	centralHeaderSize = 46
	endSize           = 22

	zipStored   = 0
	zipDeflated = 8
	zipVersion  = 20
	zipDate     = 0x0021 // 1980-01-01, the earliest that a ZIP can say; the time is 00:00:00

	rowsEntry = "_pack.csv"
)

var zipMethods = map[string]uint16{methodStored: zipStored, methodDeflated: zipDeflated}

// A zipEntry is what an entry's headers say.
type zipEntry struct {
	name         string
	method       uint16
	crc          uint32
	stored, size int64
	header       int64 // offset of its local header
}

func (e *zipEntry) data() int64 { return e.header + localHeaderSize + int64(len(e.name)) }

func (e *zipEntry) localHeader() []byte {
	b := make([]byte, 0, localHeaderSize+len(e.name))
	b = append(b, "PK\x03\x04"...)
	b = e.common(b)
	b = binary.LittleEndian.AppendUint16(b, 0) // extra field
	return append(b, e.name...)
}

func (e *zipEntry) centralHeader() []byte {
	b := make([]byte, 0, centralHeaderSize+len(e.name))
	b = append(b, "PK\x01\x02"...)
	b = binary.LittleEndian.AppendUint16(b, zipVersion) // made by
	b = e.common(b)
	b = append(b, make([]byte, 2+2+2+2+4)...) // extra field, comment, disk, internal and external attributes
	b = binary.LittleEndian.AppendUint32(b, uint32(e.header))
	return append(b, e.name...)
}

// common appends the fields that both headers have, in the same order: from version needed to the length of
// the name.
func (e *zipEntry) common(b []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint16(b, zipVersion)
	b = le.AppendUint16(b, 0) // flags: the name is ASCII, the sizes are here
	b = le.AppendUint16(b, e.method)
	b = le.AppendUint16(b, 0) // time
	b = le.AppendUint16(b, zipDate)
	b = le.AppendUint32(b, e.crc)
	b = le.AppendUint32(b, uint32(e.stored))
	b = le.AppendUint32(b, uint32(e.size))
	return le.AppendUint16(b, uint16(len(e.name)))
}

// endOfDirectory returns the record that ends a pack.
func endOfDirectory(entries int, size, offset int64) []byte {
	le := binary.LittleEndian
	b := append(make([]byte, 0, endSize), "PK\x05\x06\x00\x00\x00\x00"...)
	b = le.AppendUint16(b, uint16(entries))
	b = le.AppendUint16(b, uint16(entries))
	b = le.AppendUint32(b, uint32(size))
	b = le.AppendUint32(b, uint32(offset))
	return le.AppendUint16(b, 0) // comment
}

var packName = regexp.MustCompile(`^data/documents/([a-z][a-z0-9]*)-([0-9]{5,})\.zip$`)

func isPackName(name string) bool { return packName.MatchString(name) }

func packPath(part string, number int) string {
	return fmt.Sprintf("%s%s-%05d.zip", documentsDir, part, number)
}

// parsePackName returns the part and the number in a pack's name.
func parsePackName(name string) (part string, number int, ok bool) {
	m := packName.FindStringSubmatch(name)
	if m == nil {
		return "", 0, false
	}
	number, err := strconv.Atoi(m[2])
	return m[1], number, err == nil
}

// A packWriter writes one pack. After an error of one of its methods the pack is unusable.
type packWriter struct {
	name    string
	index   uint32 // of its packState
	f       *atomicfile.File
	out     *countingFile
	w       *bufio.Writer
	central []byte
	entries int

	rowsFile *os.File // the rows so far: they become the last entry
	rows     *bufio.Writer
	rowCount int
	rowsSize int64
	rowsCRC  uint32
}

func newPackWriter(f *atomicfile.File, name string, index uint32, scratch string) (*packWriter, error) {
	rows, err := os.OpenFile(scratch, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	out := &countingFile{f: f, sum: digest.NewWriter()}
	p := &packWriter{name: name, index: index, f: f, out: out, w: bufio.NewWriterSize(out, copyBuffer),
		rowsFile: rows, rows: bufio.NewWriterSize(rows, copyBuffer)}
	if err := p.addLine(headerLine); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// size is how long the pack is so far; full is how long it would be if it were closed now.
func (p *packWriter) size() int64 { return p.out.sum.Size() + int64(p.w.Buffered()) }
func (p *packWriter) full() int64 {
	return p.size() + localHeaderSize + 2*int64(len(rowsEntry)) + p.rowsSize + int64(len(p.central)) +
		centralHeaderSize + endSize
}

// addEntry adds an entry of e.stored bytes, which it reads from content. It sets e.header.
func (p *packWriter) addEntry(e *zipEntry, content io.Reader) error {
	e.header = p.size()
	if _, err := p.w.Write(e.localHeader()); err != nil {
		return err
	}
	crc := crc32.NewIEEE()
	n, err := copyTo(p.w, content, crc, e.method == zipStored)
	if err != nil {
		return err
	}
	if n != e.stored || e.method == zipStored && crc.Sum32() != e.crc {
		return fmt.Errorf("entry %s changed while it was copied", e.name)
	}
	p.central = append(p.central, e.centralHeader()...)
	p.entries++
	return nil
}

// addBytes is addEntry for content in memory, whose CRC-32 has just been taken from the same bytes.
func (p *packWriter) addBytes(e *zipEntry, content []byte) error {
	e.header = p.size()
	if _, err := p.w.Write(e.localHeader()); err != nil {
		return err
	}
	if _, err := p.w.Write(content); err != nil {
		return err
	}
	p.central = append(p.central, e.centralHeader()...)
	p.entries++
	return nil
}

func copyTo(w io.Writer, r io.Reader, crc io.Writer, check bool) (int64, error) {
	if check {
		w = io.MultiWriter(w, crc)
	}
	return copyPooled(w, r)
}

// addRow adds a row to the pack's own list.
func (p *packWriter) addRow(line []byte) error {
	p.rowCount++
	return p.addLine(line)
}

func (p *packWriter) addLine(line []byte) error {
	p.rowsCRC = crc32.Update(p.rowsCRC, crc32.IEEETable, line)
	p.rowsSize += int64(len(line))
	_, err := p.rows.Write(line)
	return err
}

// finish writes the rows and the directory. The record is true once commit has succeeded.
func (p *packWriter) finish() (fileRecord, error) {
	if err := p.rows.Flush(); err != nil {
		return fileRecord{}, err
	}
	if _, err := p.rowsFile.Seek(0, io.SeekStart); err != nil {
		return fileRecord{}, err
	}
	e := zipEntry{name: rowsEntry, method: zipStored, crc: p.rowsCRC, stored: p.rowsSize, size: p.rowsSize}
	if err := p.addEntry(&e, p.rowsFile); err != nil {
		return fileRecord{}, err
	}
	directory := p.size()
	if _, err := p.w.Write(p.central); err != nil {
		return fileRecord{}, err
	}
	if _, err := p.w.Write(endOfDirectory(p.entries, int64(len(p.central)), directory)); err != nil {
		return fileRecord{}, err
	}
	if err := p.w.Flush(); err != nil {
		return fileRecord{}, err
	}
	return fileRecord{Name: p.name, Size: p.out.sum.Size(), SHA256: p.out.sum.Sum(),
		blocks: p.out.blocks.all(), Pack: &packRecord{
			Rows: p.rowCount, RowsOffset: e.data(), RowsSize: e.size, RowsCRC32: e.crc,
		}}, nil
}

// commit makes a finished pack durable under its name.
func (p *packWriter) commit() error { return errors.Join(p.f.Commit(), p.close()) }

// close drops the pack unless it is committed.
func (p *packWriter) close() error {
	err := errors.Join(p.f.Close(), p.rowsFile.Close())
	return errors.Join(err, os.Remove(filepath.Clean(p.rowsFile.Name())))
}
