package fetch

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"holdall/fetch/failure"
	"holdall/fetch/listing"
	"holdall/internal/digest"
)

// A fileStore keeps the files of a listing: their bytes one after the other in segment files, and a record
// each in one journal.
//
//	object-03.files            records, fixed in size, each with its own checksum
//	object-03.segment-00001    bytes of the files
//	object-03-<number>.data    a file too large to be fetched in one piece, an object of its own
//	object-03.names            names that came with files that the listing does not name
//
// As with pieces, a record is written after the data, and what no durable record covers is compared before it
// is trusted.
type fileStore struct {
	dir, name string

	old     []oldFile // what had been received before, in order
	before  uint32    // records that were
	journal *os.File
	served  *servedNames
	usedUp  map[string]bool // by the lines of seeUsedUp that earlier runs wrote; nil before it is first asked

	mu       sync.Mutex // guards what follows
	n        uint32     // records
	segments []*os.File // by number; those of earlier runs are nil
	dirty    []bool     // written since the last sync
	at       int64      // where the next file goes in the last segment

	unsynced atomic.Int64
}

// oldFile finds a record by the beginning of its key.
type oldFile struct {
	key    uint64
	record uint32
}

const (
	segmentAt      = 1 + 16 + 8 + 8 + 8                 // where the segment's number is in a record
	fileRecordSize = segmentAt + 4 + 8 + 8 + 32 + 8 + 4 // kind, fields, CRC-32C
	maxSegment     = 256 << 20
	recFile        = 'F'
	recFileDurable = 'D'
)

// openFileStore opens or makes the files of the listing name. What an earlier process wrote last is compared
// before it counts.
func openFileStore(dir, name string) (*fileStore, error) {
	s := &fileStore{dir: dir, name: name}
	var err error
	if s.journal, err = os.OpenFile(s.journalPath(), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, failure.Disk(err, "open the journal of a listing")
	}
	if s.served, err = openServedNames(dir + "/" + name + ".names"); err != nil {
		return nil, errors.Join(failure.Disk(err, "open the names of a listing's files"), s.journal.Close())
	}
	if err := s.load(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *fileStore) journalPath() string { return s.dir + "/" + s.name + ".files" }

func (s *fileStore) segmentPath(n uint32) string {
	return fmt.Sprintf("%s/%s.segment-%05d", s.dir, s.name, n)
}

// ownName is the name of the object that holds a large file.
func (s *fileStore) ownName(number int64) string {
	return fmt.Sprintf("%s-%016x", s.name, uint64(number))
}

// load reads the journal as far as it is whole.
func (s *fileStore) load() error {
	durable, err := s.lastDurable()
	if err != nil {
		return failure.Disk(err, "read the journal of a listing")
	}
	var last uint32
	in := io.NewSectionReader(s.journal, 0, 1<<62)
	if err := readRecords(in, func(n uint32, kind byte, r fileRecord) bool {
		s.n = n + 1
		if kind != recFile {
			return true
		}
		last = max(last, r.segment)
		if n < durable || s.holds(r) {
			s.old = append(s.old, oldFile{binary.LittleEndian.Uint64(r.key[:]), n})
		}
		return true
	}); err != nil {
		return failure.Disk(err, "read the journal of a listing")
	}
	s.before = s.n
	slices.SortFunc(s.old, func(a, b oldFile) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.record, b.record))
	})
	if err := s.journal.Truncate(int64(s.n) * fileRecordSize); err != nil {
		return failure.Disk(err, "write the journal of a listing")
	}
	// New files go into a new segment: the last one may end in bytes that no record covers.
	return s.nextSegment(last + 1)
}

// lastDurable returns how many records the last durable mark covers.
func (s *fileStore) lastDurable() (uint32, error) {
	info, err := s.journal.Stat()
	if err != nil {
		return 0, err
	}
	const chunk = 1000
	buf := make([]byte, chunk*fileRecordSize)
	for end := info.Size() / fileRecordSize; end > 0; end -= chunk {
		from := max(0, end-chunk)
		b := buf[:(end-from)*fileRecordSize]
		if _, err := s.journal.ReadAt(b, from*fileRecordSize); err != nil {
			return 0, err
		}
		for n := end - from; n > 0; n-- {
			if kind, r, ok := decodeFile(b[(n-1)*fileRecordSize : n*fileRecordSize]); ok &&
				kind == recFileDurable {
				return r.segment, nil
			}
		}
	}
	return 0, nil
}

// holds reports whether the disk has the file as recorded.
func (s *fileStore) holds(r fileRecord) bool {
	f, err := s.openRecord(r)
	if err != nil {
		return false
	}
	defer f.Close()
	_, err = io.Copy(io.Discard, f)
	return err == nil
}

func (s *fileStore) nextSegment(n uint32) error {
	f, err := os.OpenFile(s.segmentPath(n), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return failure.Disk(err, "make a segment for the files of a listing")
	}
	for uint32(len(s.segments)) < n {
		s.segments, s.dirty = append(s.segments, nil), append(s.dirty, false)
	}
	s.segments, s.dirty, s.at = append(s.segments, f), append(s.dirty, false), 0
	return nil
}

// A fileMatch is a record of an earlier run that may be of a listed file.
type fileMatch struct {
	number uint32
	record fileRecord
	// certain: the very link led to it, or the listing says about it what it would not say about another file
	// at its place.
	certain bool
}

// match returns the record of a file that an earlier run fetched and of which the listing said the same: by
// the very link, or by its place. Several different ones at one place are none: the place does not tell them
// apart.
func (s *fileStore) match(k fileKey, l listing.Entry) (fileMatch, bool) {
	var found fileMatch
	var seen, several bool
	mark, summary := markOf(l.Link), l.Summary()
	for _, o := range slices.Backward(s.oldAt(k)) { // the last is what was fetched again
		r, err := s.record(o.record)
		if err != nil || r.key != k || r.listed != summary {
			continue
		}
		if r.mark == mark {
			return fileMatch{o.record, r, true}, true
		}
		several = several || seen && r.sum != found.record.sum
		found, seen = fileMatch{o.record, r, l.Identified()}, true
	}
	return found, seen && !several
}

// oldAt returns what had been received before and may be of that place.
func (s *fileStore) oldAt(k fileKey) []oldFile {
	prefix := binary.LittleEndian.Uint64(k[:])
	from, _ := slices.BinarySearchFunc(
		s.old, prefix, func(o oldFile, p uint64) int { return cmp.Compare(o.key, p) },
	)
	to := from
	for to < len(s.old) && s.old[to].key == prefix {
		to++
	}
	return s.old[from:to]
}

// record reads record n.
func (s *fileStore) record(n uint32) (fileRecord, error) {
	b := make([]byte, fileRecordSize)
	if _, err := s.journal.ReadAt(b, int64(n)*fileRecordSize); err != nil {
		return fileRecord{}, failure.Disk(err, "read the journal of a listing")
	}
	kind, r, ok := decodeFile(b)
	if !ok || kind != recFile {
		return fileRecord{}, &failure.Error{
			Code: failure.Internal, Message: "the journal of a listing is damaged",
		}
	}
	return r, nil
}

// forget makes record n one that belongs to no file.
func (s *fileStore) forget(n uint32) error {
	rec, err := s.record(n)
	if err != nil {
		return err
	}
	rec.key = fileKey{}
	if _, err := s.journal.WriteAt(rec.encode(), int64(n)*fileRecordSize); err != nil {
		return failure.Disk(err, "write the journal of a listing")
	}
	return s.sync()
}

// put keeps a file's bytes and returns its record's number.
func (s *fileStore) put(r fileRecord, body []byte) (uint32, error) {
	s.mu.Lock()
	if s.at > 0 && s.at+int64(len(body)) > maxSegment {
		if err := s.nextSegment(uint32(len(s.segments))); err != nil {
			s.mu.Unlock()
			return 0, err
		}
	}
	seg := s.segments[len(s.segments)-1]
	r.segment, r.offset, r.size = uint32(len(s.segments)-1), s.at, int64(len(body))
	s.at += r.size
	s.mu.Unlock()
	if _, err := seg.WriteAt(body, r.offset); err != nil {
		return 0, failure.Disk(err, "write a fetched file to the spool")
	}
	return s.append(r)
}

// append writes the record of a file whose bytes are in place.
func (s *fileStore) append(r fileRecord) (uint32, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.journal.WriteAt(r.encode(), int64(s.n)*fileRecordSize); err != nil {
		return 0, failure.Disk(err, "write the journal of a listing")
	}
	s.dirty[r.segment] = s.segments[r.segment] != nil // else it is one of an earlier process
	s.unsynced.Add(r.size + fileRecordSize)
	s.n++
	return s.n - 1, nil
}

// sync makes durable what has been received, and says so.
func (s *fileStore) sync() error {
	s.mu.Lock()
	pending, records := s.unsynced.Load(), s.n
	var files []*os.File
	for i, d := range s.dirty {
		if d {
			files, s.dirty[i] = append(files, s.segments[i]), false
		}
	}
	s.mu.Unlock()
	if pending == 0 {
		return nil
	}
	for _, f := range files {
		if err := datasync(f); err != nil {
			return failure.Disk(err, "sync the files of a listing")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unsynced.Add(-pending)
	if _, err := s.journal.WriteAt(durableRecord(records), int64(s.n)*fileRecordSize); err != nil {
		return failure.Disk(err, "write the journal of a listing")
	}
	s.n++
	if err := datasync(s.journal); err != nil {
		return failure.Disk(err, "sync the journal of a listing")
	}
	return nil
}

// openRecord reads a file; its reader fails at the end when the bytes are not those that were fetched.
func (s *fileStore) openRecord(r fileRecord) (io.ReadCloser, error) {
	path := s.segmentPath(r.segment)
	if r.segment == 0 {
		name := s.ownName(r.offset)
		path, r.offset = dataPath(s.dir, name), 0
		if _, err := os.Stat(plainPath(s.dir, name)); err == nil {
			path = plainPath(s.dir, name)
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, failure.Disk(err, "open a fetched file")
	}
	section := io.NewSectionReader(f, r.offset, r.size)
	return &fileReader{digest.NewReader(section, r.size, r.sum), f}, nil
}

// A fileReader fails with errRotted where the file is not as it came.
type fileReader struct {
	r io.Reader
	f *os.File
}

var errRotted = errors.New("the spool does not hold any more what came")

// Rotted reports whether err says that a file of a listing is not in the spool as it came: RestoreFile helps.
func Rotted(err error) bool { return errors.Is(err, errRotted) }

func (r *fileReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	var m *digest.MismatchError
	if errors.As(err, &m) {
		err = fmt.Errorf("%w: %w", errRotted, err)
	}
	return n, err
}

func (r *fileReader) Close() error { return r.f.Close() }

func (s *fileStore) close() error {
	errs := []error{s.journal.Close(), s.served.close()}
	for _, f := range s.segments {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}
