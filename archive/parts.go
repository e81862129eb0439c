package archive

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"

	"holdall/internal/digest"
)

// S3 takes an object of more than 5 GiB in parts only, at most 10,000 of them, and keeps no SHA-256 of the
// whole then.
const (
	PartLimit = 5 << 30
	leastPart = 256 << 20
	mostParts = 10_000
)

// PartSize is the length of the parts, but for the last, in which an object of that size is put.
func PartSize(size int64) int64 { return max(leastPart, (size+mostParts-1)/mostParts) }

// PartDigests reads r to its end and returns the digest of each of its parts.
func PartDigests(r io.Reader, partSize int64) ([]digest.Sum, error) {
	var parts []digest.Sum
	for {
		w := digest.NewWriter()
		n, err := copyPooled(w, io.LimitReader(r, partSize))
		if err != nil {
			return nil, err
		}
		if n > 0 {
			parts = append(parts, w.Sum())
		}
		if n < partSize {
			return parts, nil
		}
	}
}

// PartsDigest is what S3 keeps of an object that was put in parts: the digest of their digests, and their
// number.
func PartsDigest(parts []digest.Sum) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p[:])
	}
	return fmt.Sprintf("%s-%d", base64.StdEncoding.EncodeToString(h.Sum(nil)), len(parts))
}
