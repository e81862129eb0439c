package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"holdall/internal/digest"
)

// S3 accepts an object of more than 5 GiB only in parts, at most 10,000 of them, and then keeps no SHA-256 of
// the whole.
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

// PartsDigest is the checksum that S3 keeps of an object that was put in parts: the digest of their digests,
// and their number.
func PartsDigest(parts []digest.Sum) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p[:])
	}
	return fmt.Sprintf("%s-%d", base64.StdEncoding.EncodeToString(h.Sum(nil)), len(parts))
}

// hashParts sets the digests of a long file's parts.
func (b *Builder) hashParts(rec *fileRecord) error {
	if rec.Size <= b.limits.parts {
		return nil
	}
	f, err := os.Open(b.path(rec.Name))
	if err != nil {
		return err
	}
	defer f.Close()
	rec.Parts, err = PartDigests(digest.NewReader(f, rec.Size, rec.SHA256), PartSize(rec.Size))
	return err
}

// partColumns are those of custody/parts.csv.
var partColumns = []string{"path", "part", "bytes", "sha256"}

// partList returns custody/parts.csv, or nothing where no file of the bag is that long.
func (b *Builder) partList() []byte {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	w.Write(partColumns)
	any := false
	for _, rec := range b.records() {
		size := PartSize(rec.Size)
		for i, sum := range rec.Parts {
			n := min(size, rec.Size-int64(i)*size)
			w.Write([]string{rec.Name, strconv.Itoa(i + 1), strconv.FormatInt(n, 10), sum.String()})
			any = true
		}
	}
	w.Flush()
	if !any {
		return nil
	}
	return out.Bytes()
}

// parsePartList returns the digests of the parts of each long file.
func parsePartList(content []byte) (map[string][]digest.Sum, error) {
	parts := map[string][]digest.Sum{}
	if content == nil {
		return parts, nil
	}
	r := csv.NewReader(bytes.NewReader(content))
	r.FieldsPerRecord = len(partColumns)
	header, err := r.Read()
	if err == nil && !slices.Equal(header, partColumns) {
		err = fmt.Errorf("its header is %q", header)
	}
	for err == nil {
		var rec []string
		if rec, err = r.Read(); err != nil {
			break
		}
		var sum digest.Sum
		if sum, err = digest.Parse(rec[3]); err == nil && rec[1] != strconv.Itoa(len(parts[rec[0]])+1) {
			err = fmt.Errorf("part %s of %s is out of order", rec[1], rec[0])
		}
		parts[rec[0]] = append(parts[rec[0]], sum)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return parts, err
}

// matchesParts reports whether the checksum that a store keeps of an object in parts fits these; known is
// false where it keeps nothing of the kind, or the parts are unknown.
func (info Info) matchesParts(parts []digest.Sum) (same, known bool) {
	if info.Parts == "" || len(parts) == 0 {
		return false, false
	}
	return info.Parts == PartsDigest(parts), true
}
