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
	"path"
	"path/filepath"
	"slices"
	"sync/atomic"

	"holdall/fetch"
	"holdall/fetch/link"
	"holdall/internal/atomicfile"
	"holdall/internal/digest"
	"holdall/internal/filetype"
	"holdall/internal/unpack"
	"holdall/query"
)

// A container is where the files of a part come from: a ZIP, a tar, or a listing of links. Its methods are
// those of unpack.Container.
type container interface {
	Entries() iter.Seq2[unpack.Entry, error]
	Open(e unpack.Entry) (io.ReadCloser, error)
	OpenRaw(e unpack.Entry) (io.ReadCloser, error)
	Rest(found func(unpack.Entry) error) (unpack.Account, error)
}

// errNotContainer says that an object is not one of the forms that files come in.
var errNotContainer = errors.New("neither a ZIP, a tar nor a listing")

// An origin is where the bytes of a container are: a received object, several that were joined, or an entry
// of one.
type origin struct {
	object *fetch.Object // the one that documents are numbered by
	name   string        // "02 attachments.zip", or "02 attachments.zip/Part-1.zip"
	// index of the entry that the container is, within the object; "" for the object itself
	inside  string
	kind    filetype.Type
	bytes   io.ReaderAt
	size    int64
	volumes []int64 // of a split ZIP, where each begins

	// refetch is fetch's Refetch. nil where that is not possible: the bytes were verified when they came.
	refetch refetcher
	// wait returns when all bytes have been received and verified.
	waitWhole func(ctx context.Context) error
	// serverDigestFits reports whether a digest given by the server matches all bytes. May be nil.
	serverDigestFits func(ctx context.Context) bool

	// of a container that is named for the owner of what is in it: its name as a folder's. Else ""
	ownerFolder string

	alone    bool         // it came as a file of a listing, so that keeping the object does not keep it
	unproven bool         // the checksum over all contents does not fit
	changes  atomic.Int64 // times that heal got other bytes
}

// keptPath is where the container is kept whole, in the bag: the object that it came in, or itself where it
// came alone.
func (s *origin) keptPath() string {
	const folder = "data/received/containers/"
	if s.alone {
		name := fmt.Sprintf("%02d-%s-%s", s.object.Source.Number, s.inside, path.Base(s.name))
		return folder + safeName(name)
	}
	return keptPath(s.object, folder)
}

// A refetcher fetches bytes again, as fetch.Object.Refetch does.
type refetcher func(ctx context.Context, off, n int64) (changed bool, err error)

// docID is the same for the same entry in every process: part, container, place in its directory.
func (s *origin) docID(index int) string {
	if s.inside == "" {
		return docID(s.object, index)
	}
	return fmt.Sprintf("%c%d-%s-%06d", s.object.Source.Part[0], s.object.Source.Number, s.inside, index)
}

func docID(o *fetch.Object, index int) string {
	return fmt.Sprintf("%c%d-%06d", o.Source.Part[0], o.Source.Number, index)
}

// newOrigin is the origin of a received object that may still be arriving.
func newOrigin(ctx context.Context, o *fetch.Object) (*origin, error) {
	s := &origin{object: o, name: fmt.Sprintf("%02d %s", o.Source.Number, o.Source.Name),
		kind: o.Source.Kind, bytes: o,
		refetch: o.Refetch,
		waitWhole: func(ctx context.Context) error {
			_, err := o.Wait(ctx)
			return err
		},
		serverDigestFits: func(ctx context.Context) bool { return serverDigestFits(ctx, o) }}
	if o.Source.Listing {
		s.refetch = nil
		return s, nil
	}
	var err error
	if s.size, err = o.Size(ctx); err != nil || s.kind != filetype.TarZstd {
		return s, err
	}
	// a whole block of zstd, which the first bytes that were looked at may not be
	first := make([]byte, min(s.size, 256<<10))
	if n, err := o.ReadAt(first, 0); n < len(first) {
		return s, err
	}
	s.kind = filetype.Detect(first)
	return s, nil
}

// unverified reports whether nothing proves an object's bytes, and a checksum of its server's speaks against
// them.
func unverified(v fetch.Verified) bool {
	return v.Check == fetch.CheckDamaged || v.Check == fetch.CheckUnproven || v.Check == fetch.CheckCutOff
}

func serverDigestFits(ctx context.Context, o *fetch.Object) bool {
	v, err := o.Wait(ctx)
	if err != nil || v.Contradicts != "" {
		return false
	}
	switch v.Check {
	case "", "none", "size", "zip-crc32": // nothing of the server's
		return false
	}
	return true
}

// open opens the container. damaged says that its structure is known to be, and that what is left is wanted.
func (t *takeover) open(ctx context.Context, s *origin, damaged bool) (container, error) {
	if s.object.Source.Listing && s.inside == "" {
		return &listingContainer{
			ctx: ctx, object: s.object, reportDead: t.reportDeadFile(s.object), files: map[int]fetch.File{},
		}, nil
	}
	switch {
	case s.kind == filetype.CSV, t.isPlainTable(s):
		name := uncompressedName(s.object.Source.Name)
		if name == "" { // a link may end in a token, and the server say no name
			name = fmt.Sprintf("unnamed-%02d.csv", s.object.Source.Number)
		}
		return &singleFile{name: name, origin: s}, nil
	case !s.kind.IsContainer():
		return nil, errNotContainer
	case damaged:
		return unpack.Recover(s.bytes, s.size, s.kind, unpack.Limits{})
	case s.kind != filetype.ZIP:
		return unpack.OpenTar(s.bytes, s.size, s.kind, unpack.Limits{})
	}
	c, err := unpack.OpenSplitZIP(s.bytes, s.size, s.volumes, unpack.Limits{})
	if wide, ok := c.(interface{ Wide() bool }); err == nil && ok && wide.Wide() {
		err = s.waitWhole(ctx) // where its entries are, only their own bytes tell
	}
	return c, err
}

// isPlainTable reports whether an object of the data part is a table, though its first lines do not show it:
// a title may be above the headings.
func (t *takeover) isPlainTable(s *origin) bool {
	if s.kind != filetype.Unknown || s.object.Source.Part != link.PartData || s.inside != "" {
		return false
	}
	first := make([]byte, 4096)
	n, _ := s.bytes.ReadAt(first, 0) // what fails here fails again, where the file is read
	return looksLikeCSV(s.object.Source.Name, first[:n])
}

// singleFile is an object that is itself the one file of its part.
type singleFile struct {
	name   string
	origin *origin
}

func (s *singleFile) Entries() iter.Seq2[unpack.Entry, error] {
	return func(yield func(unpack.Entry, error) bool) {
		yield(
			unpack.Entry{
				Name: s.name, RawName: []byte(s.name), Size: s.origin.size, CompressedSize: s.origin.size,
			},
			nil,
		)
	}
}

func (s *singleFile) Open(unpack.Entry) (io.ReadCloser, error) {
	return io.NopCloser(io.NewSectionReader(s.origin.bytes, 0, s.origin.size)), nil
}

func (s *singleFile) OpenRaw(e unpack.Entry) (io.ReadCloser, error) { return s.Open(e) }

func (s *singleFile) Rest(func(unpack.Entry) error) (unpack.Account, error) {
	return unpack.Account{}, nil
}

// errOtherOrder says that a listing's files are not those, in that order, that the bag in the making was
// begun with.
var errOtherOrder = errors.New("the listing is not the one that the archive in the making was begun with")

// checkListing waits until all files of a listing have been received, and reports what of it is not as it
// says.
func (t *takeover) checkListing(ctx context.Context, o *fetch.Object, l *listingContainer) error {
	if _, err := o.Wait(ctx); err != nil {
		return err
	}
	for _, note := range o.ListingNotes() {
		t.findings.add(query.Finding{Code: query.ListingIncomplete, Severity: query.SeverityError,
			Detail: fmt.Sprintf(
				"the listing of %s may name more files than were received: %s; ask the vendor for the rest "+
					"while the account is open",
				o.Source.Part, note,
			)})
	}
	for _, i := range slices.Sorted(maps.Keys(l.files)) {
		if f := l.files[i]; f.Odd != "" {
			t.findings.add(query.Finding{Code: query.FileDiffers, Severity: query.SeverityWarning,
				RecordID: docID(o, i),
				Detail: fmt.Sprintf(
					"%s in %s: %s", f.Name, o.Source.Name, f.Odd,
				)})
		}
	}
	return t.checkOrder(o, l)
}

// checkOrder compares the files of a listing with those of the process that began the bag: document IDs are
// made of places in the listing, and a server may give it another order each time.
func (t *takeover) checkOrder(o *fetch.Object, l *listingContainer) error {
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

// A listingContainer is a page of links, one a file. A file whose link is dead is passed to reportDead, once,
// and is not an entry.
type listingContainer struct {
	ctx          context.Context
	object       *fetch.Object
	reportDead   func(fetch.File)
	files        map[int]fetch.File
	deadReported bool
}

func (l *listingContainer) Entries() iter.Seq2[unpack.Entry, error] {
	return func(yield func(unpack.Entry, error) bool) {
		for f, err := range l.object.Files(l.ctx) {
			if err != nil {
				yield(unpack.Entry{}, err)
				return
			}
			if f.Err != nil {
				if !l.deadReported {
					l.reportDead(f)
				}
				continue
			}
			l.files[f.Index] = f
			if !yield(unpack.Entry{Index: f.Index, Name: f.Name, RawName: f.RawName, Size: f.Size,
				CompressedSize: f.Size,
				Modified:       f.LastModified, Offset: int64(f.Index)}, nil) {
				return
			}
		}
		l.deadReported = true
	}
}

func (l *listingContainer) Open(e unpack.Entry) (io.ReadCloser, error) {
	return l.object.OpenFile(l.files[e.Index])
}

func (l *listingContainer) OpenRaw(e unpack.Entry) (io.ReadCloser, error) { return l.Open(e) }

func (l *listingContainer) Rest(func(unpack.Entry) error) (unpack.Account, error) {
	return unpack.Account{}, nil
}
