package fetch

import (
	"context"
	"io"
	"iter"
	"time"

	"holdall/internal/digest"
)

// Refetch drops n bytes from off and fetches them again: a checksum inside the object says that they are wrong.
// It fails at once where the bytes have already been fetched twice and came out the same.
func (o *Object) Refetch(ctx context.Context, off, n int64) error { panic("not built yet") }

// A File is one file of a listing.
type File struct {
	Index        int // position in the listing, from 0
	Name         string
	RawName      []byte
	Size         int64 // of what was received; -1 with Err
	LastModified time.Time
	SHA256       digest.Sum
	Err          *Error // why this file is not here
}

// Files yields a listing's files in the listing's order, each when it is here or has failed for good.
// The listing itself must be an Object whose Source has Listing.
func (o *Object) Files(ctx context.Context) iter.Seq2[File, error] { panic("not built yet") }

// OpenFile reads a file of a listing.
func (o *Object) OpenFile(f File) (io.ReadCloser, error) { panic("not built yet") }
