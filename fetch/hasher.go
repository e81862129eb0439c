package fetch

import (
	"encoding"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"sync"

	"holdall/fetch/failure"
	"holdall/internal/digest"
)

// A hasher follows an object's bytes as they become contiguous, and reads them back from the disk's cache: so
// it vouches for what is in the file, not for what was meant to be written. Each piece is compared with the
// checksum taken on arrival. It always computes SHA-256, and alongside it the digests that the server's own
// are compared with.
type hasher struct {
	names []string // of the digests, "sha-256" first

	mu   sync.Mutex // guards sums and at together
	sums []hash.Hash
	at   int64
}

// newHasher starts from a saved state, or from the beginning where there is none that fits.
func newHasher(names []string, at int64, state []byte) *hasher {
	h := &hasher{names: names}
	h.restart()
	if at > 0 && h.resume(state) {
		h.at = at
	} else {
		h.restart()
	}
	return h
}

// restart forgets everything.
func (h *hasher) restart() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at, h.sums = 0, nil
	for _, name := range h.names {
		h.sums = append(h.sums, newHash(name))
	}
}

// state returns what newHasher can resume from, or nothing.
func (h *hasher) state() (at int64, state []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.at == 0 {
		return 0, nil
	}
	for i, sum := range h.sums {
		b, err := sum.(encoding.BinaryMarshaler).MarshalBinary()
		if err != nil {
			return 0, nil
		}
		state = append(state, byte(len(h.names[i])))
		state = append(state, h.names[i]...)
		state = binary.LittleEndian.AppendUint16(state, uint16(len(b)))
		state = append(state, b...)
	}
	if len(state) > maxRecord-16 {
		return 0, nil
	}
	return h.at, state
}

// resume takes over what state returned; false when it is of other digests.
func (h *hasher) resume(state []byte) bool {
	for i, name := range h.names {
		n := 1 + len(name)
		if len(state) < n+2 || int(state[0]) != len(name) || string(state[1:n]) != name {
			return false
		}
		size := int(binary.LittleEndian.Uint16(state[n:]))
		state = state[n+2:]
		if len(state) < size || h.sums[i].(encoding.BinaryUnmarshaler).UnmarshalBinary(state[:size]) != nil {
			return false
		}
		state = state[size:]
	}
	return len(state) == 0
}

func (h *hasher) offset() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

// digests returns the digests of what has been hashed, by name, and SHA-256 by itself.
func (h *hasher) digests() (digest.Sum, map[string][]byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := map[string][]byte{}
	for i, name := range h.names {
		all[name] = h.sums[i].Sum(nil)
	}
	return digest.Sum(all["sha-256"]), all
}

// errPiece says that a piece on the disk is not what arrived.
type errPiece struct{ index int64 }

func (e errPiece) Error() string {
	return fmt.Sprintf("piece %d on the disk differs from what arrived", e.index)
}

// advance hashes one piece of n bytes, if that is still the one where the hasher is.
func (h *hasher) advance(s *store, buf []byte, index int64, n int, crc uint32) error {
	b := buf[:n]
	if _, err := io.ReadFull(io.NewSectionReader(s.data, index*s.pieceSize, int64(n)), b); err != nil {
		return failure.Disk(err, "read back fetched bytes from the spool")
	}
	if crc32.Checksum(b, castagnoli) != crc {
		return errPiece{index}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.at != index*s.pieceSize {
		return nil // started again meanwhile
	}
	for _, sum := range h.sums {
		sum.Write(b)
	}
	h.at += int64(n)
	return nil
}

// hashObject is the goroutine that hashes o and completes it. It returns when o is settled or the run ends.
func (r *Run) hashObject(o *Object) {
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		o.outcome.hashing = false
		r.work.Broadcast()
	}()
	buf := make([]byte, o.store.pieceSize)
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
		switch err := o.hash.advance(o.store, buf, index, n, crc).(type) {
		case nil:
		case errPiece:
			if !r.stillWrong(o, index, crc) {
				continue
			}
			r.logf("%s: %v; fetching it again", o.Source.Link, err)
			if err := r.dropPieces(o, index, 1); err != nil {
				r.fatal(err)
				return
			}
		default:
			r.fatal(failure.From(err, failure.Internal, "read the spool"))
			return
		}
	}
}

// stillWrong reports whether the piece is still recorded with that checksum: Refetch may have replaced it
// meanwhile.
func (r *Run) stillWrong(o *Object, index int64, crc uint32) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return o.spans.have.has(index) && o.spans.have.crcs[index] == crc && !o.refetch.running
}

// nextToHash waits for the piece that the hasher needs next. n is 0 when everything has been hashed.
func (r *Run) nextToHash(o *Object) (index int64, n int, crc uint32, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		if o.over() || o.outcome.closed {
			return 0, 0, 0, false
		}
		at := o.hash.offset()
		index = at / o.store.pieceSize
		switch {
		case o.refetch.running:
		case o.size >= 0 && at >= o.size:
			return 0, 0, 0, true
		case o.spans.have.has(index):
			n := o.store.pieceSize
			if o.size >= 0 {
				n = min(n, o.size-index*o.store.pieceSize)
			}
			return index, int(n), o.spans.have.crcs[index], true
		}
		o.readers.arrived.Wait()
	}
}
