package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"holdall/internal/digest"
)

// maxTagFile is the longest manifest, bag-info.txt or list of files that is read.
const maxTagFile = 256 << 20

// A Bag is a committed bag, open for reading. Its methods may be called from several goroutines.
type Bag struct {
	s      Store
	id     string
	prefix string // of its names in the store, ending in a slash
	cache  *Cache // nil: none
	info   map[string][]string
	sums   map[string]digest.Sum // of every file that a manifest names, and of the tag manifest as it is now
}

// Open opens the bag exports/<id>; an id of "" means the newest complete one, by the time in its ID. A bag
// without bagit.txt is an error matching ErrIncomplete, a root without any bag one matching fs.ErrNotExist. A
// damaged bag can be opened: Verify reports what is wrong with it.
func Open(ctx context.Context, s Store, id string) (*Bag, error) {
	if id == "" {
		newest, err := Newest(ctx, s)
		if err != nil {
			return nil, err
		}
		id = newest
	}
	if err := checkID(id); err != nil {
		return nil, err
	}
	b := &Bag{s: s, prefix: exportsDir + id + "/", sums: map[string]digest.Sum{}}
	if err := b.checkCommitted(ctx); err != nil {
		return nil, err
	}
	return b, b.load(ctx)
}

func checkID(id string) error {
	if CheckStoreName(exportsDir+id) != nil || strings.Contains(id, "/") {
		return missing(fmt.Sprintf("%q is not the ID of an export", id))
	}
	return nil
}

// OpenFolder opens the bag in a folder of the store, whatever its name; "" is the store's own directory. The
// ID is the one that bag-info.txt gives, and the folder's name where that is lost. A bag without bagit.txt
// can be opened, for Verify to name that among its faults. A folder with nothing in it is an error matching
// fs.ErrNotExist.
func OpenFolder(ctx context.Context, s Store, folder string) (*Bag, error) {
	b := &Bag{s: s, sums: map[string]digest.Sum{}}
	if folder != "" {
		b.prefix = folder + "/"
	}
	if err := b.checkCommitted(ctx); err != nil && !errors.Is(err, ErrIncomplete) {
		return nil, err
	}
	return b, b.load(ctx)
}

func (b *Bag) checkCommitted(ctx context.Context) error {
	_, err := b.s.Stat(ctx, b.prefix+bagitName)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, err := range b.s.List(ctx, strings.TrimSuffix(b.prefix, "/")) {
		if err != nil {
			return err
		}
		return fmt.Errorf("%s: %w", b.Location(), ErrIncomplete)
	}
	return missing("no export " + b.Location())
}

// load reads what describes the bag, as far as it can be read.
func (b *Bag) load(ctx context.Context) error {
	for _, name := range []string{manifestName, tagManifestName} {
		content, err := b.readTag(ctx, name)
		if err != nil {
			return err
		}
		lines, _ := parseManifest(content)
		for _, l := range lines {
			b.sums[l.name] = l.sum
		}
		if name == tagManifestName && content != nil {
			b.sums[name] = digest.Of(content)
		}
	}
	content, err := b.readTag(ctx, bagInfoName)
	if err != nil {
		return err
	}
	b.info = parseBagInfo(bytes.NewReader(content))
	b.id, err = b.identify(ctx)
	return err
}

// identify returns the ID in bag-info.txt, unless the folder's name is another ID that the ledger knows: then
// bag-info.txt was changed.
func (b *Bag) identify(ctx context.Context) (string, error) {
	folder, stated := path.Base(filepath.ToSlash(b.Location())), strings.Join(
		b.info["External-Identifier"], " ",
	)
	switch {
	case !validID(stated):
		return folder, nil
	case !validID(folder), folder == stated:
		return stated, nil
	}
	l, err := readLedger(ctx, b.s)
	if _, ok := l.taken[folder]; ok {
		return folder, err
	}
	return stated, err
}

// readTag returns a file's content, nil where it is not there.
func (b *Bag) readTag(ctx context.Context, name string) ([]byte, error) {
	content, err := readAll(ctx, b.s, b.prefix+name, maxTagFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return content, err
}

// ID is the bag's identifier.
func (b *Bag) ID() string { return b.id }

// Location is where the bag is, for people.
func (b *Bag) Location() string { return b.s.Location(strings.TrimSuffix(b.prefix, "/")) }

// Info returns bag-info.txt as label to values.
func (b *Bag) Info() map[string][]string { return b.info }

// Files yields the files that the manifests name, and the tag manifest itself, with their digests and sizes,
// in the order of their names; bagit.txt is among them. A file that is not there is an error matching
// fs.ErrNotExist, after which the others follow.
func (b *Bag) Files(ctx context.Context) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		for _, name := range slices.Sorted(maps.Keys(b.sums)) {
			info, err := b.s.Stat(ctx, b.prefix+name)
			info.Name, info.SHA256 = name, b.sums[name]
			if !yield(info, err) {
				return
			}
		}
	}
}

// Rows yields the index in its order. It is verified at its end.
func (b *Bag) Rows(ctx context.Context) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		r, err := b.OpenIndexCSV(ctx)
		if err != nil {
			yield(Row{}, fmt.Errorf("open the index: %w", err))
			return
		}
		defer r.Close()
		for row, err := range readRows(r) {
			if err != nil {
				err = fmt.Errorf("read the index: %w", err)
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

// OpenIndexCSV opens the index as plain CSV, for a database to load. It is verified at its end.
func (b *Bag) OpenIndexCSV(ctx context.Context) (io.ReadCloser, error) {
	return b.OpenZstd(ctx, indexName, 0, digest.Sum{})
}

// OpenZstd yields the content of a zstd-compressed file. At its end both the file and, where sum is not zero,
// the content have been verified; otherwise the last Read returns an error wrapping a *digest.MismatchError.
func (b *Bag) OpenZstd(ctx context.Context, name string, size int64, sum digest.Sum) (io.ReadCloser, error) {
	f, err := b.open(ctx, name)
	if err != nil {
		return nil, err
	}
	r, err := newZstdReader(f)
	if err != nil || sum.IsZero() {
		return r, err
	}
	return struct {
		io.Reader
		io.Closer
	}{namedReader{digest.NewReader(r, size, sum), name}, r}, nil
}

// A namedReader adds the file's name to errors.
type namedReader struct {
	r    io.Reader
	name string
}

func (n namedReader) Read(p []byte) (int, error) {
	k, err := n.r.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("read %s: %w", n.name, err)
	}
	return k, err
}
