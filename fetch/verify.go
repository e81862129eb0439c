package fetch

import (
	"encoding/base64"
	"strings"

	"holdall/internal/digest"
)

// complete verifies and finishes an object whose bytes are all here and hashed. It is false when there is more to fetch after all.
func (r *Run) complete(o *Object) bool {
	sum := o.hash.digest()
	rung, ok := ladder(o.id, sum)
	if !ok {
		r.mu.Lock()
		o.fail(&Error{Code: Network, Message: "the object's checksum does not match what its server says (" + rung + ")", Hint: hintFor(Network)})
		r.mu.Unlock()
		return true
	}
	v := Verified{Size: o.hash.offset(), SHA256: sum, Rung: rung}
	if err := o.st.finish(v); err != nil {
		r.fatal(err)
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	o.complete, o.verified = true, v
	o.arrived.Broadcast()
	r.work.Broadcast()
	return true
}

// ladder compares what is known of a complete object with what its server said of it, and names the rung reached.
func ladder(id Identity, sum digest.Sum) (rung string, ok bool) {
	b64 := base64.StdEncoding.EncodeToString(sum[:])
	if v, told := id.Checksums["repr-digest"]; told {
		if _, after, found := strings.Cut(v, "sha-256=:"); found {
			got, _, _ := strings.Cut(after, ":")
			return "repr-digest", got == b64
		}
	}
	if v, told := id.Checksums["x-amz-checksum-sha256"]; told && !strings.Contains(v, "-") {
		return "x-amz-checksum-sha256", v == b64
	}
	if id.Size < 0 {
		return "none", true
	}
	return "size", true
}

// dropPieces takes back pieces that are not what they should be, so that they are fetched again.
func (r *Run) dropPieces(o *Object, first, n int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := first; i < first+n; i++ {
		if !o.have.has(i) {
			continue
		}
		if err := o.st.dropPiece(i); err != nil {
			return err
		}
		o.have.drop(i)
		start := i * o.st.pieceSize
		end := o.pieceEnd(start)
		o.here -= end - start
		o.free = insertSpan(o.free, &span{pos: start, end: end}, o.st.pieceSize)
		if o.hash.offset() > start {
			o.hash.restart()
		}
	}
	r.work.Broadcast()
	return nil
}
