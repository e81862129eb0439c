package archive

import (
	"context"
	"io"
	"iter"
	"time"

	"holdall/internal/digest"
)

// A Store keeps named objects that are never overwritten. Names are slash-separated, relative to the root,
// and pass CheckStoreName.
type Store interface {
	// Put stores the size bytes of r, whose SHA-256 must be sum, under name. The object appears whole or not
	// at all. If name is taken, Put returns an error matching fs.ErrExist, except that the same content
	// again is a success.
	Put(ctx context.Context, name string, r io.Reader, size int64, sum digest.Sum) error
	// Open reads n bytes from off; n < 0 means to the end. A missing name is an error matching
	// fs.ErrNotExist.
	Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error)
	// Stat describes an object, with all that the store keeps of it. A missing name is an error matching
	// fs.ErrNotExist.
	Stat(ctx context.Context, name string) (Info, error)
	// List yields the objects below prefix in lexical order of their names. Below means: prefix is empty, or
	// the name begins with prefix and a slash. With an error, the Info's Name, where there is one, is what
	// cannot be listed, and the others follow. Digests may be left out.
	List(ctx context.Context, prefix string) iter.Seq2[Info, error]
	// Folders yields what a directory would show as its subdirectories: the first element, once, of each
	// name below prefix that has more than one. Their order is the store's. It costs no more for what lies
	// in them.
	Folders(ctx context.Context, prefix string) iter.Seq2[string, error]
	// Location names an object or prefix for people: a path or a URL.
	Location(name string) string
}

// An Adopter is a Store that can take over a staging directory whole, because both lie on one file system.
type Adopter interface {
	// Adopt moves everything in dir below prefix, durably and in one step. Nothing may be there yet: that is
	// an error matching fs.ErrExist. If dir cannot be moved in one step, the error matches
	// errors.ErrUnsupported and dir is as it was.
	Adopt(ctx context.Context, dir, prefix string) error
}

// Info describes a stored object.
type Info struct {
	Name     string
	Size     int64
	SHA256   digest.Sum // as the store has checked and keeps it; zero where it keeps none
	Modified time.Time

	Parts   string     // of an object that was put in parts: what the store keeps instead, see PartsDigest
	Claimed digest.Sum // in the metadata, as its writer stated it, unchecked; zero: none
}

// Described is implemented by the readers of stores that learn what Stat says when they open an object.
// Digests may be left out.
type Described interface{ Info() Info }
