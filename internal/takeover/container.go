package takeover

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"holdall/fetch"
	"holdall/internal/atomicfile"
	"holdall/internal/digest"
	"holdall/internal/unpack"
)

// A container is where the files of a part come from: a ZIP, a tar, or a listing of links. Its methods are those of
// unpack.Container.
type container interface {
	Entries() iter.Seq2[unpack.Entry, error]
	Open(e unpack.Entry) (io.ReadCloser, error)
	OpenRaw(e unpack.Entry) (io.ReadCloser, error)
}

// errNotContainer says that an object is none of the forms that files come in.
var errNotContainer = errors.New("neither a ZIP, a tar nor a listing")

// open opens an object that may still be arriving.
func open(ctx context.Context, o *fetch.Object, dead func(fetch.File)) (container, error) {
	if o.Source.Listing {
		return &listing{ctx: ctx, object: o, dead: dead, files: map[int]fetch.File{}}, nil
	}
	size, err := o.Size(ctx)
	if err != nil {
		return nil, err
	}
	switch kind := o.Source.Kind; kind {
	case unpack.KindZIP:
		return unpack.OpenZIP(o, size, unpack.Limits{})
	case unpack.KindTar, unpack.KindTarGzip, unpack.KindTarZstd:
		return unpack.OpenTar(o, size, kind, unpack.Limits{})
	case unpack.KindCSV:
		return &single{object: o, size: size}, nil
	}
	return nil, errNotContainer
}

// single is an object that is itself the one file of its part.
type single struct {
	object *fetch.Object
	size   int64
}

func (s *single) Entries() iter.Seq2[unpack.Entry, error] {
	return func(yield func(unpack.Entry, error) bool) {
		yield(unpack.Entry{Name: s.object.Source.Name, RawName: []byte(s.object.Source.Name), Size: s.size, CompressedSize: s.size}, nil)
	}
}

func (s *single) Open(unpack.Entry) (io.ReadCloser, error) {
	return io.NopCloser(io.NewSectionReader(s.object, 0, s.size)), nil
}

func (s *single) OpenRaw(e unpack.Entry) (io.ReadCloser, error) { return s.Open(e) }

// errOtherOrder says that a listing's files are not those, in that order, that the bag in the making was begun with.
var errOtherOrder = errors.New("the listing is not the one that the archive in the making was begun with")

// sameOrder compares the files of a listing with those of the process that began the bag: document IDs are made of places in
// the listing, and a server may give it another order each time.
func (t *takeover) sameOrder(o *fetch.Object, l *listing) error {
	sum := digest.NewWriter()
	for _, i := range slices.Sorted(maps.Keys(l.files)) {
		f := l.files[i]
		fmt.Fprintf(sum, "%d %q %s\n", i, f.Name, f.SHA256)
	}
	path := t.run.path(fmt.Sprintf("orders/%02d", o.Source.Number))
	now := []byte(sum.Sum().String())
	before, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		return atomicfile.WriteFile(path, now)
	}
	if err == nil && !bytes.Equal(before, now) {
		err = errOtherOrder
	}
	return err
}

// listing is a page of links, one a file. A file whose link is dead is told to dead and is no entry.
type listing struct {
	ctx    context.Context
	object *fetch.Object
	dead   func(fetch.File)
	files  map[int]fetch.File
}

func (l *listing) Entries() iter.Seq2[unpack.Entry, error] {
	return func(yield func(unpack.Entry, error) bool) {
		for f, err := range l.object.Files(l.ctx) {
			if err != nil {
				yield(unpack.Entry{}, err)
				return
			}
			if f.Err != nil {
				l.dead(f)
				continue
			}
			l.files[f.Index] = f
			if !yield(unpack.Entry{Index: f.Index, Name: f.Name, RawName: f.RawName, Size: f.Size, CompressedSize: f.Size,
				Modified: f.LastModified, Offset: int64(f.Index)}, nil) {
				return
			}
		}
	}
}

func (l *listing) Open(e unpack.Entry) (io.ReadCloser, error) {
	return l.object.OpenFile(l.files[e.Index])
}

func (l *listing) OpenRaw(e unpack.Entry) (io.ReadCloser, error) { return l.Open(e) }
