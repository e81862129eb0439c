package fetch

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/fetch/listing"
)

// An entryStore holds what a listing says of its files, up to millions, outside of memory. Their links are
// secrets, so what lies on the disk is encrypted with a key that only this process has, and the file has no
// name.
type entryStore struct {
	f     *os.File
	block cipher.Block
	iv    [aes.BlockSize]byte

	mu  sync.RWMutex // guards what follows
	at  []int64      // where each entry begins
	end int64        // where the next one will
	buf []byte       // entries not written yet, plain
}

const entryBuffer = 256 << 10

func newEntryStore(dir string) (*entryStore, error) {
	f, err := os.CreateTemp(dir, "listing-*.part")
	if err != nil {
		return nil, failure.Disk(err, "make room for a listing")
	}
	os.Remove(filepath.Clean(f.Name())) // where that is refused, the file goes with the spool
	var key [32]byte
	s := &entryStore{f: f}
	rand.Read(key[:])
	rand.Read(s.iv[:8])
	if s.block, err = aes.NewCipher(key[:]); err != nil {
		return nil, err
	}
	return s, nil
}

// add puts an entry after the others.
func (s *entryStore) add(l listing.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = append(s.at, s.end)
	before := len(s.buf)
	for _, field := range [][]byte{[]byte(l.Link.Secret()), []byte(l.Name), l.RawName, []byte(l.ETag)} {
		s.buf = binary.AppendUvarint(s.buf, uint64(len(field)))
		s.buf = append(s.buf, field...)
	}
	s.buf = binary.AppendVarint(s.buf, l.Size)
	var sec int64
	if !l.Modified.IsZero() {
		sec = l.Modified.Unix()
	}
	s.buf = binary.AppendVarint(s.buf, sec)
	s.end += int64(len(s.buf) - before)
	if len(s.buf) < entryBuffer {
		return nil
	}
	return s.flush()
}

func (s *entryStore) flush() error {
	off := s.end - int64(len(s.buf))
	s.crypt(s.buf, off)
	_, err := s.f.WriteAt(s.buf, off)
	s.buf = s.buf[:0]
	if err != nil {
		return failure.Disk(err, "keep a listing")
	}
	return nil
}

// crypt encrypts or decrypts what is at off.
func (s *entryStore) crypt(b []byte, off int64) {
	iv := s.iv
	binary.BigEndian.PutUint64(iv[8:], uint64(off/aes.BlockSize))
	stream := cipher.NewCTR(s.block, iv[:])
	var skip [aes.BlockSize]byte
	stream.XORKeyStream(skip[:off%aes.BlockSize], skip[:off%aes.BlockSize])
	stream.XORKeyStream(b, b)
}

func (s *entryStore) len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.at)
}

var errEntryStore = errors.New("the stored listing is damaged")

// get returns entry i.
func (s *entryStore) get(i int) (listing.Entry, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	from, to := s.at[i], s.end
	if i+1 < len(s.at) {
		to = s.at[i+1]
	}
	written := s.end - int64(len(s.buf))
	b := make([]byte, to-from)
	if from >= written {
		copy(b, s.buf[from-written:])
	} else {
		if _, err := s.f.ReadAt(b, from); err != nil {
			return listing.Entry{}, failure.Disk(err, "read a stored listing")
		}
		s.crypt(b, from)
	}
	return parseListed(b)
}

func parseListed(b []byte) (listing.Entry, error) {
	var fields [4][]byte
	for i := range fields {
		n, w := binary.Uvarint(b)
		if w <= 0 || n > uint64(len(b)-w) {
			return listing.Entry{}, errEntryStore
		}
		fields[i], b = b[w:w+int(n)], b[w+int(n):]
	}
	size, w := binary.Varint(b)
	if w <= 0 {
		return listing.Entry{}, errEntryStore
	}
	sec, w2 := binary.Varint(b[w:])
	if w2 <= 0 {
		return listing.Entry{}, errEntryStore
	}
	l := listing.Entry{
		Link: link.Trusted(string(fields[0])), Name: string(fields[1]), ETag: string(fields[3]), Size: size,
	}
	if len(fields[2]) > 0 {
		l.RawName = fields[2]
	}
	if sec != 0 {
		l.Modified = time.Unix(sec, 0).UTC()
	}
	return l, nil
}

func (s *entryStore) close() error { return s.f.Close() }
