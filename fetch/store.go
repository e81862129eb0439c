package fetch

import (
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"holdall/fetch/failure"
)

// pieceSizeFor chooses how much is recorded at once: what a kill may cost each connection. Above 64 GiB
// pieces are larger, so that the journal and the memory for it stay small.
func pieceSizeFor(size int64) int64 {
	if size > 64<<30 {
		return 1 << 20
	}
	return 256 << 10
}

// A store is one object on the disk: its data, sparse until it is complete, and its journal.
type store struct {
	data      *os.File
	pieceSize int64
	mark      mark

	mu       sync.Mutex // guards the journal, below
	journal  *journal
	records  int64 // piece records written
	durables int64 // of these, covered by a durable record

	// held by write: the kernel lets one at a time write to a file, and lets the others burn a core meanwhile
	writing  sync.Mutex
	unsynced atomic.Int64 // bytes written since the last sync

	life   sync.RWMutex // held for reading by sync, so that close waits for it
	closed bool
}

func dataPath(dir, name string) string    { return filepath.Join(dir, name+".data") }
func journalPath(dir, name string) string { return filepath.Join(dir, name+".journal") }

// createStore starts an object from nothing.
func createStore(dir, name string, id Identity) (*store, error) {
	data, err := os.OpenFile(dataPath(dir, name), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	s := &store{data: data, pieceSize: pieceSizeFor(id.Size), mark: id.mark()}
	if s.journal, err = createJournal(journalPath(dir, name), s.pieceSize, s.mark); err != nil {
		return nil, errors.Join(err, data.Close())
	}
	if id.Size > 0 {
		err = data.Truncate(id.Size)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// errNoStore means that there is nothing to resume from.
var errNoStore = errors.New("nothing usable in the spool")

// openStore resumes an object of an earlier run. The pieces it returns have been checked: those that
// were not yet synced when that run ended are compared with their checksum. A journal of another identity is
// errNoStore.
func openStore(dir, name string, id Identity) (*store, *journalState, error) {
	j, mem, err := openJournal(journalPath(dir, name))
	if err != nil {
		return nil, nil, errors.Join(errNoStore, err)
	}
	s := &store{pieceSize: mem.pieceSize, mark: mem.mark, journal: j}
	if mem.mark != id.mark() {
		return nil, nil, errors.Join(errNoStore, j.f.Close())
	}
	if s.data, err = os.OpenFile(dataPath(dir, name), os.O_RDWR, 0); err != nil {
		return nil, nil, errors.Join(errNoStore, err, j.f.Close())
	}
	if err := s.recheck(mem); err != nil {
		return nil, nil, errors.Join(err, s.close())
	}
	return s, mem, nil
}

// recheck drops the pieces that are not on the disk as the journal says.
func (s *store) recheck(mem *journalState) error {
	info, err := s.data.Stat()
	if err != nil {
		return err
	}
	buf := make([]byte, s.pieceSize)
	for i, rec := range mem.pieces {
		at := i * s.pieceSize
		if at+int64(rec.length) <= info.Size() && (mem.durable[i] || s.holds(buf, rec)) {
			continue
		}
		delete(mem.pieces, i)
		mem.done = nil
		if mem.hashAt > at {
			mem.hashAt, mem.hashState = 0, nil
		}
		if err := s.journal.drop(i, 1); err != nil {
			return err
		}
	}
	// The records of this run are counted from zero, so what has been received gets new ones at the next
	// durable mark.
	return s.rewriteJournal(mem)
}

// rewriteJournal rewrites the journal without what has been dropped, when the order of the old records is
// no longer known.
func (s *store) rewriteJournal(mem *journalState) error {
	path := s.journal.f.Name()
	j, err := createJournal(path+".part", s.pieceSize, s.mark)
	if err != nil {
		return err
	}
	if err := s.copyInto(j, mem); err != nil {
		return errors.Join(err, j.f.Close())
	}
	if err := os.Rename(path+".part", path); err != nil {
		return errors.Join(err, j.f.Close())
	}
	err = s.journal.f.Close()
	s.journal, s.records = j, int64(len(mem.pieces))
	s.durables = s.records
	return err
}

func (s *store) copyInto(j *journal, mem *journalState) error {
	for _, rec := range mem.pieces {
		if err := j.piece(rec, s.mark); err != nil {
			return err
		}
	}
	if mem.size >= 0 {
		if err := j.size(mem.size); err != nil {
			return err
		}
	}
	// What was not synced yet has been compared with its checksum in memory; now it is synced too.
	if err := datasync(s.data); err != nil {
		return err
	}
	if err := j.durable(int64(len(mem.pieces))); err != nil {
		return err
	}
	if mem.hashState != nil {
		if err := j.hash(mem.hashAt, mem.hashState); err != nil {
			return err
		}
	}
	if mem.done != nil {
		if err := j.done(*mem.done); err != nil {
			return err
		}
	}
	return datasync(j.f)
}

// holds reports whether the disk has the piece as recorded.
func (s *store) holds(buf []byte, rec pieceRecord) bool {
	b := buf[:rec.length]
	if _, err := io.ReadFull(
		io.NewSectionReader(s.data, rec.index*s.pieceSize, int64(rec.length)), b,
	); err != nil {
		return false
	}
	return crc32.Checksum(b, castagnoli) == rec.crc
}

const earlySync = 4 << 20 // the disk starts writing in steps of this much

// write puts bytes in place; they are not recorded yet.
func (s *store) write(p []byte, off int64) error {
	s.writing.Lock()
	_, err := s.data.WriteAt(p, off)
	s.writing.Unlock()
	if err != nil {
		return failure.Disk(err, "write fetched bytes to the spool")
	}
	s.unsynced.Add(int64(len(p)))
	if next := off + int64(len(p)); off/earlySync != next/earlySync {
		startSync(s.data, max(0, next-earlySync), earlySync)
	}
	return nil
}

// begins returns the first bytes of what has been received.
func (s *store) begins() []byte {
	b := make([]byte, 4<<10)
	n, _ := s.data.ReadAt(b, 0)
	return b[:n]
}

// record says that a piece is in place.
func (s *store) record(rec pieceRecord) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.journal.piece(rec, s.mark); err != nil {
		return failure.Disk(err, "write the spool's journal")
	}
	s.records++
	return nil
}

// sync makes durable what has been recorded so far, and then says so. hashAt and hashState may be zero.
func (s *store) sync(hashAt int64, hashState []byte) error {
	s.life.RLock()
	defer s.life.RUnlock()
	if s.closed {
		return nil
	}
	s.mu.Lock()
	records := s.records
	s.mu.Unlock()
	pending := s.unsynced.Load()
	if err := datasync(s.data); err != nil {
		return failure.Disk(err, "sync the spool")
	}
	s.unsynced.Add(-pending)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.journal.durable(records); err != nil {
		return failure.Disk(err, "write the spool's journal")
	}
	s.durables = records
	if hashState != nil {
		if err := s.journal.hash(hashAt, hashState); err != nil {
			return failure.Disk(err, "write the spool's journal")
		}
	}
	if err := datasync(s.journal.f); err != nil {
		return failure.Disk(err, "sync the spool's journal")
	}
	return nil
}

// finish records that the object is complete and verified. Everything is synced before and after.
func (s *store) finish(v Verified) error {
	if err := s.sync(0, nil); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.journal.done(v); err != nil {
		return failure.Disk(err, "write the spool's journal")
	}
	if err := datasync(s.journal.f); err != nil {
		return failure.Disk(err, "sync the spool's journal")
	}
	return nil
}

// setSize records a size that became known only at the end.
func (s *store) setSize(n int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.journal.size(n); err != nil {
		return failure.Disk(err, "write the spool's journal")
	}
	if err := s.data.Truncate(n); err != nil {
		return failure.Disk(err, "set the size of the fetched object")
	}
	return nil
}

// dropPiece takes back what record said.
func (s *store) dropPiece(i int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.journal.drop(i, 1); err != nil {
		return failure.Disk(err, "write the spool's journal")
	}
	return nil
}

func (s *store) close() error {
	s.life.Lock()
	defer s.life.Unlock()
	s.closed = true
	return errors.Join(s.journal.f.Close(), s.data.Close())
}
