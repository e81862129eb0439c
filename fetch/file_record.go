package fetch

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"holdall/fetch/link"
	"holdall/internal/digest"
)

// A fileKey names the place of a file, without the secrets of its link.
type fileKey [16]byte

// A fileRecord is what is known of a file that has been received.
type fileRecord struct {
	key fileKey
	// of its whole link: two files may lie at one place, and only the secrets of their links tell them apart
	mark     uint64
	listed   uint64 // of what the listing says about it: see listing.Entry.Summary
	tag      uint64 // of the strong ETag that came with it; 0 when none did
	segment  uint32 // 0: an object of its own
	offset   int64  // in the segment; of an object of its own, its number
	size     int64
	sum      digest.Sum
	modified time.Time
}

func (r fileRecord) encode() []byte {
	b := make([]byte, 0, fileRecordSize)
	b = append(b, recFile)
	b = append(b, r.key[:]...)
	le := binary.LittleEndian
	b = le.AppendUint64(b, r.mark)
	b = le.AppendUint64(b, r.listed)
	b = le.AppendUint64(b, r.tag)
	b = le.AppendUint32(b, r.segment)
	b = le.AppendUint64(b, uint64(r.offset))
	b = le.AppendUint64(b, uint64(r.size))
	b = append(b, r.sum[:]...)
	var sec int64
	if !r.modified.IsZero() {
		sec = r.modified.Unix()
	}
	b = le.AppendUint64(b, uint64(sec))
	return le.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// durableRecord says that the first n records are on the disk with their data.
func durableRecord(n uint32) []byte {
	b := make([]byte, fileRecordSize-4, fileRecordSize)
	b[0] = recFileDurable
	binary.LittleEndian.PutUint32(b[segmentAt:], n)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// decodeFile reads one record; false when it is not whole.
func decodeFile(b []byte) (kind byte, r fileRecord, ok bool) {
	le := binary.LittleEndian
	if len(b) != fileRecordSize || le.Uint32(b[fileRecordSize-4:]) != crc32.Checksum(
		b[:fileRecordSize-4], castagnoli,
	) {
		return 0, r, false
	}
	copy(r.key[:], b[1:])
	r.mark, r.listed, r.tag = le.Uint64(b[17:]), le.Uint64(b[25:]), le.Uint64(b[33:])
	b, kind = b[segmentAt:], b[0]
	r.segment = le.Uint32(b)
	r.offset, r.size = int64(le.Uint64(b[4:])), int64(le.Uint64(b[12:]))
	copy(r.sum[:], b[20:])
	if sec := int64(le.Uint64(b[52:])); sec != 0 {
		r.modified = time.Unix(sec, 0).UTC()
	}
	return kind, r, true
}

// markOf tells the links of a listing apart, without giving them away.
func markOf(l link.Link) uint64 {
	sum := sha256.Sum256([]byte("holdall file\x00" + l.Secret()))
	return binary.LittleEndian.Uint64(sum[:])
}

// tagOf tells ETags apart; 0 stands for one that vouches for nothing.
func tagOf(etag string) uint64 {
	if etag == "" {
		return 0
	}
	sum := sha256.Sum256([]byte(etag))
	return binary.LittleEndian.Uint64(sum[:]) | 1
}

// keyOf names a file by the host and path of its link and the parameters that are not part of a signature.
func keyOf(l link.Link) fileKey {
	u := l.URL()
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%s\x00", strings.ToLower(u.Host), u.EscapedPath())
	q := u.Query()
	var names []string
	for name := range q {
		if !link.IsSignature(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(h, "%q=%q\x00", name, q[name])
	}
	return fileKey(h.Sum(nil))
}

// peekFiles returns the bytes of the files of a listing that have been received.
func peekFiles(dir, name string) int64 {
	var total int64
	_ = scanFiles(dir, name, func(r fileRecord) bool {
		total += r.size
		return true
	})
	return total
}

// knowsFiles reports whether any of the files has been received.
func knowsFiles(dir, name string, sample []fileKey) bool {
	found := false
	_ = scanFiles(dir, name, func(r fileRecord) bool {
		found = slices.Contains(sample, r.key)
		return !found
	})
	return found
}

// scanFiles yields the records of a listing's files until yield returns false.
func scanFiles(dir, name string, yield func(fileRecord) bool) error {
	f, err := os.Open((&fileStore{dir: dir, name: name}).journalPath())
	if err != nil {
		return err
	}
	defer f.Close()
	return readRecords(f, func(_ uint32, kind byte, r fileRecord) bool { return kind != recFile || yield(r) })
}

// readRecords yields the whole records of a journal of files and their numbers, until yield returns false.
// One that has rotted is left out, and so is one at the end that was not finished.
func readRecords(journal io.Reader, yield func(n uint32, kind byte, r fileRecord) bool) error {
	in := bufio.NewReaderSize(journal, 1<<20)
	b := make([]byte, fileRecordSize)
	for n := uint32(0); ; n++ {
		if _, err := io.ReadFull(in, b); err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil
		} else if err != nil {
			return err
		}
		if kind, r, ok := decodeFile(b); ok && !yield(n, kind, r) {
			return nil
		}
	}
}
