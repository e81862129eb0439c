package fetch

import (
	"context"
	"io"
	"iter"
	"time"

	"holdall/internal/digest"
)

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
