package exportsim

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"time"

	"github.com/klauspost/compress/flate"

	"holdall/internal/digest"
)

// zipFile writes a ZIP of any number of entries. Unlike archive/zip it keeps the central directory on disk,
// so that its memory does not grow with the entries, and it can write entries that no honest program writes.
type zipFile struct {
	name    string
	f       *os.File
	w       *bufio.Writer
	sum     *digest.Writer
	central *os.File // what the central directory will be
	cw      *bufio.Writer
	entries int
	flate   *flate.Writer
	packed  bytes.Buffer
}

// An entryKind says how an entry is written.
type entryKind int

const (
	entryStored    entryKind = iota // the local header knows everything
	entryDeflated                   // sizes follow the data, as from a writer that cannot seek
	entryBadCRC                     // stored, with a CRC-32 of something else
	entryEncrypted                  // the flag says that the bytes are encrypted
	entrySymlink
)

// createZIP starts a ZIP at path; name is what it is called in the export.
func createZIP(path, name string) (*zipFile, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	c, err := os.Create(path + ".central")
	if err != nil {
		f.Close()
		return nil, err
	}
	z := &zipFile{
		name: name, f: f, w: bufio.NewWriterSize(f, 1<<18), sum: digest.NewWriter(), central: c,
		cw: bufio.NewWriterSize(c, 1<<16),
	}
	z.flate, err = flate.NewWriter(&z.packed, 1)
	return z, err
}

func (z *zipFile) write(b []byte) {
	z.sum.Write(b)
	z.w.Write(b) // an error stays until Flush
}

// addFile deflates the content of a file into an entry.
func (z *zipFile) addFile(name, path string, modified time.Time) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	at := z.sum.Size()
	z.write(localHeader(name, flagDescriptor, methodDeflate, modified, 0, 0, 0, false))
	crc, start := crc32.NewIEEE(), z.sum.Size()
	fw, err := flate.NewWriter(writerFunc(func(p []byte) (int, error) { z.write(p); return len(p), nil }), 5)
	if err != nil {
		return err
	}
	size, err := io.Copy(io.MultiWriter(fw, crc), f)
	if err != nil {
		return err
	}
	if err := fw.Close(); err != nil {
		return err
	}
	packed := z.sum.Size() - start
	z.write(dataDescriptor(crc.Sum32(), packed, size))
	z.addCentral(name, flagDescriptor, methodDeflate, modified, crc.Sum32(), packed, size, at, 0o644<<16)
	return nil
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// add writes an entry.
func (z *zipFile) add(name string, kind entryKind, modified time.Time, content []byte) error {
	at, crc, size := z.sum.Size(), crc32.ChecksumIEEE(content), int64(len(content))
	flags, mode := uint16(0), uint32(0o644<<16)
	switch kind {
	case entryDeflated:
		if z.packed.Cap() > 1<<20 {
			z.packed = bytes.Buffer{} // one large document need not be remembered
		}
		z.packed.Reset()
		z.flate.Reset(&z.packed)
		z.flate.Write(content)
		z.flate.Close()
		packed := int64(z.packed.Len())
		z.write(localHeader(name, flagDescriptor, methodDeflate, modified, 0, 0, 0, false))
		z.write(z.packed.Bytes())
		z.write(dataDescriptor(crc, packed, size))
		z.addCentral(name, flagDescriptor, methodDeflate, modified, crc, packed, size, at, mode)
		return nil
	case entryBadCRC:
		crc ^= 0x5A5A5A5A
	case entryEncrypted:
		flags = flagEncrypted
	case entrySymlink:
		mode = 0o120777 << 16
	}
	z.write(localHeader(name, flags, methodStore, modified, crc, size, size, true))
	z.write(content)
	z.addCentral(name, flags, methodStore, modified, crc, size, size, at, mode)
	return nil
}

func (z *zipFile) addCentral(
	name string, flags, method uint16, modified time.Time, crc uint32, packed, size, at int64, mode uint32,
) {
	z.cw.Write(centralHeader(name, flags, method, modified, crc, packed, size, at, mode))
	z.entries++
}

// finish writes the central directory and closes the file.
func (z *zipFile) finish() (size int64, sum digest.Sum, err error) {
	defer os.Remove(z.central.Name())
	defer z.central.Close()
	if err := z.cw.Flush(); err != nil {
		return 0, sum, err
	}
	if _, err := z.central.Seek(0, io.SeekStart); err != nil {
		return 0, sum, err
	}
	at := z.sum.Size()
	n, err := io.Copy(writerFunc(func(p []byte) (int, error) { z.write(p); return len(p), nil }), z.central)
	if err != nil {
		return 0, sum, err
	}
	z.write(endOfDirectory(z.entries, at, n))
	if err := z.w.Flush(); err != nil {
		return 0, sum, fmt.Errorf("write %s: %w", z.name, err)
	}
	return z.sum.Size(), z.sum.Sum(), z.f.Close()
}

// abort closes and drops what is not finished.
func (z *zipFile) abort() {
	z.f.Close()
	z.central.Close()
}

// Fields of ZIP headers (APPNOTE.TXT 6.3.10, section 4.4).
const (
	flagEncrypted  = 1 << 0
	flagDescriptor = 1 << 3
	flagUTF8       = 1 << 11
	methodStore    = 0
	methodDeflate  = 8
)

func localHeader(
	name string, flags, method uint16, modified time.Time, crc uint32, packed, size int64, known bool,
) []byte {
	le := binary.LittleEndian
	b := []byte("PK\x03\x04\x14\x00")
	b = le.AppendUint16(b, flags|flagUTF8)
	b = le.AppendUint16(b, method)
	b = appendDOSTime(b, modified)
	if !known {
		crc, packed, size = 0, 0, 0
	}
	b = le.AppendUint32(b, crc)
	b = le.AppendUint32(b, uint32(packed))
	b = le.AppendUint32(b, uint32(size))
	b = le.AppendUint16(b, uint16(len(name)))
	b = le.AppendUint16(b, 0)
	return append(b, name...)
}

// dataDescriptor writes four-byte sizes: no entry here reaches 4 GiB.
func dataDescriptor(crc uint32, packed, size int64) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32([]byte("PK\x07\x08"), crc)
	b = le.AppendUint32(b, uint32(packed))
	return le.AppendUint32(b, uint32(size))
}

func centralHeader(
	name string, flags, method uint16, modified time.Time, crc uint32, packed, size, at int64, mode uint32,
) []byte {
	le := binary.LittleEndian
	b := []byte("PK\x01\x02")
	b = le.AppendUint16(b, 3<<8|45) // made on Unix
	b = le.AppendUint16(b, 20)
	b = le.AppendUint16(b, flags|flagUTF8)
	b = le.AppendUint16(b, method)
	b = appendDOSTime(b, modified)
	b = le.AppendUint32(b, crc)
	b = le.AppendUint32(b, uint32(packed))
	b = le.AppendUint32(b, uint32(size))
	b = le.AppendUint16(b, uint16(len(name)))
	var extra []byte
	if at >= math.MaxUint32 {
		extra = le.AppendUint64([]byte{1, 0, 8, 0}, uint64(at))
		at = math.MaxUint32
	}
	b = le.AppendUint16(b, uint16(len(extra)))
	b = append(b, 0, 0, 0, 0, 0, 0) // comment, disk, internal attributes
	b = le.AppendUint32(b, mode)
	b = le.AppendUint32(b, uint32(at))
	return append(append(b, name...), extra...)
}

func endOfDirectory(entries int, at, size int64) []byte {
	le := binary.LittleEndian
	var b []byte
	if entries >= math.MaxUint16 || at >= math.MaxUint32 || size >= math.MaxUint32 {
		b = append(b, "PK\x06\x06"...)
		b = le.AppendUint64(b, 44)
		b = append(b, 45, 3, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0)
		b = le.AppendUint64(b, uint64(entries))
		b = le.AppendUint64(b, uint64(entries))
		b = le.AppendUint64(b, uint64(size))
		b = le.AppendUint64(b, uint64(at))
		b = append(b, "PK\x06\x07\x00\x00\x00\x00"...)
		b = le.AppendUint64(b, uint64(at+size))
		b = le.AppendUint32(b, 1)
	}
	short := uint16(min(entries, math.MaxUint16))
	b = append(b, "PK\x05\x06\x00\x00\x00\x00"...)
	b = le.AppendUint16(b, short)
	b = le.AppendUint16(b, short)
	b = le.AppendUint32(b, uint32(min(size, math.MaxUint32)))
	b = le.AppendUint32(b, uint32(min(at, math.MaxUint32)))
	return append(b, 0, 0)
}

func appendDOSTime(b []byte, t time.Time) []byte {
	t = t.UTC()
	clock := t.Hour()<<11 | t.Minute()<<5 | t.Second()/2
	day := max(t.Year()-1980, 0)<<9 | int(t.Month())<<5 | t.Day()
	b = binary.LittleEndian.AppendUint16(b, uint16(clock))
	return binary.LittleEndian.AppendUint16(b, uint16(day))
}
