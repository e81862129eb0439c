package archive

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"holdall/internal/digest"
)

// FS reads the bag's files; every file read to its end has been checked against the manifest. Files that no
// manifest names are not there.
func (b *Bag) FS(ctx context.Context) fs.FS { return bagFS{ctx, b} }

type bagFS struct {
	ctx context.Context
	b   *Bag
}

// Open implements fs.FS.
func (f bagFS) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if _, ok := f.b.sums[name]; ok {
		return f.b.open(f.ctx, name)
	}
	entries := f.entries(name)
	if len(entries) == 0 && name != "." {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &bagDir{info: fileInfo{name: path.Base(name), dir: true}, entries: entries}, nil
}

// entries returns what lies in a directory, in the order of the names.
func (f bagFS) entries(dir string) []fs.DirEntry {
	prefix := dir + "/"
	if dir == "." {
		prefix = ""
	}
	seen := map[string]bool{}
	var entries []fs.DirEntry
	for name := range f.b.sums {
		rest, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		elem, _, isDir := strings.Cut(rest, "/")
		if !seen[elem] {
			seen[elem] = true
			entries = append(entries, dirEntry{f, prefix + elem, isDir})
		}
	}
	slices.SortFunc(entries, func(x, y fs.DirEntry) int { return cmp.Compare(x.Name(), y.Name()) })
	return entries
}

// open opens a file that a manifest names.
func (b *Bag) open(ctx context.Context, name string) (*bagFile, error) {
	sum, ok := b.sums[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	var f *bagFile
	var err error
	if b.cache != nil {
		f, err = b.openCached(ctx, name, sum)
	} else {
		f, err = b.openStored(ctx, name, sum)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return f, nil
}

// openStored opens a file where the bag is.
func (b *Bag) openStored(ctx context.Context, name string, sum digest.Sum) (*bagFile, error) {
	r, err := b.s.Open(ctx, b.prefix+name, 0, -1)
	if err != nil {
		return nil, err
	}
	if d, ok := r.(Described); ok {
		return newBagFile(name, r, r, d.Info(), sum), nil
	}
	info, err := b.s.Stat(ctx, b.prefix+name)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return newBagFile(name, r, r, info, sum), nil
}

func newBagFile(name string, r io.Reader, under io.Closer, info Info, sum digest.Sum) *bagFile {
	return &bagFile{
		under: under, r: namedReader{digest.NewReader(r, info.Size, sum), name},
		info: fileInfo{name: path.Base(name), size: info.Size, modified: info.Modified},
	}
}

type bagFile struct {
	under io.Closer
	r     io.Reader
	info  fileInfo
}

func (f *bagFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *bagFile) Read(p []byte) (int, error) { return f.r.Read(p) }
func (f *bagFile) Close() error               { return f.under.Close() }

type bagDir struct {
	info    fileInfo
	entries []fs.DirEntry
}

func (d *bagDir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *bagDir) Close() error               { return nil }
func (d *bagDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.info.name, Err: fs.ErrInvalid}
}

// ReadDir implements fs.ReadDirFile.
func (d *bagDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n > 0 && len(d.entries) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(d.entries) {
		n = len(d.entries)
	}
	var got []fs.DirEntry
	got, d.entries = d.entries[:n], d.entries[n:]
	return got, nil
}

type dirEntry struct {
	fs   bagFS
	name string
	dir  bool
}

func (e dirEntry) Name() string { return path.Base(e.name) }
func (e dirEntry) IsDir() bool  { return e.dir }
func (e dirEntry) Type() fs.FileMode {
	if e.dir {
		return fs.ModeDir
	}
	return 0
}

func (e dirEntry) Info() (fs.FileInfo, error) {
	if e.dir {
		return fileInfo{name: e.Name(), dir: true}, nil
	}
	info, err := e.fs.b.s.Stat(e.fs.ctx, e.fs.b.prefix+e.name)
	return fileInfo{name: e.Name(), size: info.Size, modified: info.Modified}, err
}

type fileInfo struct {
	name     string
	size     int64
	modified time.Time
	dir      bool
}

func (i fileInfo) Name() string       { return i.name }
func (i fileInfo) Size() int64        { return i.size }
func (i fileInfo) ModTime() time.Time { return i.modified }
func (i fileInfo) IsDir() bool        { return i.dir }
func (i fileInfo) Sys() any           { return nil }
func (i fileInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o555
	}
	return 0o444
}
