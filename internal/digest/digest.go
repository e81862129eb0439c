// Package digest names content by its SHA-256 and checks content against such a name.
//
// A [Writer] hashes and counts what passes through it. A [Reader] that knows what it should yield turns a
// mismatch into an error at the end of the content: reading to EOF verifies, which therefore cannot be
// forgotten.
package digest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
)

// Size is the length of a Sum in bytes.
const Size = sha256.Size

// Sum is a SHA-256 (FIPS 180-4). The zero Sum means "not known".
type Sum [Size]byte

// Of returns the Sum of b.
func Of(b []byte) Sum { return sha256.Sum256(b) }

// Parse reads a Sum from 64 hexadecimal digits, as sha256sum prints them.
func Parse(s string) (Sum, error) {
	var sum Sum
	if len(s) != 2*Size {
		return sum, fmt.Errorf("parse sha256 %q: want %d hexadecimal digits", s, 2*Size)
	}
	if _, err := hex.Decode(sum[:], []byte(s)); err != nil {
		return Sum{}, fmt.Errorf("parse sha256 %q: %w", s, err)
	}
	return sum, nil
}

// String returns 64 lower-case hexadecimal digits.
func (s Sum) String() string { return hex.EncodeToString(s[:]) }

// IsZero reports whether the Sum is not known.
func (s Sum) IsZero() bool { return s == Sum{} }

// MarshalText returns the hexadecimal form, or nothing for an unknown Sum.
func (s Sum) MarshalText() ([]byte, error) {
	if s.IsZero() {
		return nil, nil
	}
	return []byte(s.String()), nil
}

// UnmarshalText reads what MarshalText wrote.
func (s *Sum) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*s = Sum{}
		return nil
	}
	sum, err := Parse(string(bytes.ToLower(b)))
	if err != nil {
		return err
	}
	*s = sum
	return nil
}

// Writer hashes and counts everything written to it. Its zero value is not usable; see NewWriter.
type Writer struct {
	h hash.Hash
	n int64
}

// NewWriter returns an empty Writer.
func NewWriter() *Writer { return &Writer{h: sha256.New()} }

// Write never fails.
func (w *Writer) Write(p []byte) (int, error) {
	w.n += int64(len(p))
	return w.h.Write(p)
}

// Sum returns the digest of what has been written so far.
func (w *Writer) Sum() Sum {
	var s Sum
	w.h.Sum(s[:0])
	return s
}

// Size returns the number of bytes written so far.
func (w *Writer) Size() int64 { return w.n }

// MismatchError says that content is not what it was recorded to be.
type MismatchError struct {
	WantSize, GotSize int64
	Want, Got         Sum
}

func (e *MismatchError) Error() string {
	if e.WantSize != e.GotSize {
		return fmt.Sprintf("content has %d bytes instead of %d", e.GotSize, e.WantSize)
	}
	return fmt.Sprintf("content has sha256 %s instead of %s", e.Got, e.Want)
}

// NewReader yields what r yields. Where r ends, the content must have had size bytes and digest sum;
// otherwise the last Read returns a *MismatchError instead of io.EOF. Content longer than size fails as soon
// as it is seen.
func NewReader(r io.Reader, size int64, sum Sum) io.Reader {
	return &reader{r: r, w: NewWriter(), size: size, sum: sum}
}

type reader struct {
	r    io.Reader
	w    *Writer
	size int64
	sum  Sum
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.w.Write(p[:n])
	if r.w.Size() > r.size || err == io.EOF && (r.w.Size() != r.size || r.w.Sum() != r.sum) {
		return n, &MismatchError{WantSize: r.size, GotSize: r.w.Size(), Want: r.sum, Got: r.w.Sum()}
	}
	return n, err
}
