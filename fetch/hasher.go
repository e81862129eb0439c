package fetch

import (
	"crypto/sha256"
	"encoding"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"sync"

	"holdall/internal/digest"
)

// A hasher follows an object's bytes as they become contiguous, and reads them back from the disk's cache: so it vouches for
// what is in the file, not for what was meant to be written. Each piece is compared with the checksum taken on arrival.
type hasher struct {
	mu  sync.Mutex // guards sum and at together
	sum hash.Hash
	at  int64
}

// newHasher starts from a saved state, or from the beginning where there is none that fits.
func newHasher(at int64, state []byte) *hasher {
	h := &hasher{sum: sha256.New()}
	if at > 0 && h.sum.(encoding.BinaryUnmarshaler).UnmarshalBinary(state) == nil {
		h.at = at
		return h
	}
	h.sum = sha256.New()
	return h
}

// state returns what newHasher can go on from.
func (h *hasher) state() (at int64, state []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	state, err := h.sum.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil || h.at == 0 {
		return 0, nil
	}
	return h.at, state
}

// restart forgets everything.
func (h *hasher) restart() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sum, h.at = sha256.New(), 0
}

func (h *hasher) offset() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

func (h *hasher) digest() digest.Sum {
	h.mu.Lock()
	defer h.mu.Unlock()
	var s digest.Sum
	h.sum.Sum(s[:0])
	return s
}

// errPiece says that a piece on the disk is not what arrived.
type errPiece struct{ index int64 }

func (e errPiece) Error() string {
	return fmt.Sprintf("piece %d on the disk differs from what arrived", e.index)
}

// advance hashes one piece of n bytes, which must begin where the hasher is.
func (h *hasher) advance(s *store, buf []byte, index int64, n int, crc uint32) error {
	b := buf[:n]
	if _, err := io.ReadFull(io.NewSectionReader(s.data, index*s.pieceSize, int64(n)), b); err != nil {
		return diskError(err, "read back fetched bytes from the spool")
	}
	if crc32.Checksum(b, castagnoli) != crc {
		return errPiece{index}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sum.Write(b)
	h.at += int64(n)
	return nil
}

// follow is the goroutine that hashes o and completes it. It returns when o is settled or the run ends.
func (r *Run) follow(o *Object) {
	buf := make([]byte, o.st.pieceSize)
	for {
		index, n, crc, ok := r.nextToHash(o)
		if !ok {
			return
		}
		if n == 0 {
			if r.complete(o) {
				return
			}
			continue
		}
		switch err := o.hash.advance(o.st, buf, index, n, crc).(type) {
		case nil:
		case errPiece:
			r.logf("%s: %v; fetching it again", o.Source.Link, err)
			if err := r.dropPieces(o, index, 1); err != nil {
				r.fatal(err)
				return
			}
		default:
			r.fatal(asError(err, Internal, "read the spool"))
			return
		}
	}
}

// nextToHash waits for the piece that the hasher needs next. n is 0 when everything has been hashed.
func (r *Run) nextToHash(o *Object) (index int64, n int, crc uint32, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		if o.settled() || o.closed {
			return 0, 0, 0, false
		}
		at := o.hash.offset()
		index = at / o.st.pieceSize
		if o.size >= 0 && at >= o.size {
			return 0, 0, 0, true
		}
		// The last piece of an object of unknown size may still grow.
		if o.have.has(index) {
			n := o.st.pieceSize
			if o.size >= 0 {
				n = min(n, o.size-index*o.st.pieceSize)
			}
			return index, int(n), o.have.crcs[index], true
		}
		o.arrived.Wait()
	}
}
