package archive

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"holdall/internal/atomicfile"
	"holdall/internal/digest"
)

// ownNames are the files that the package writes itself.
var ownNames = map[string]bool{
	bagitName: true, bagInfoName: true, manifestName: true, tagManifestName: true, readmeName: true,
	profileName:  true,
	fileListName: true, partListName: true, indexName: true,
}

// sealNames are those of them that Seal writes.
var sealNames = []string{
	partListName, fileListName, readmeName, profileName, bagInfoName, manifestName, tagManifestName,
}

// Create starts a file of the bag, named by its path from the bag's root. The file appears with Commit.
// A name outside the format's alphabet, or one already taken, is an error.
func (b *Builder) Create(name string) (*File, error) {
	if ownNames[name] || isPackName(name) {
		return nil, fmt.Errorf("create %s: the archive writes this file itself", name)
	}
	return b.create(name)
}

func (b *Builder) create(name string) (*File, error) {
	if err := b.claimName(name); err != nil {
		return nil, fmt.Errorf("create %s: %w", name, err)
	}
	f, err := b.createFile(name)
	if err != nil {
		b.releaseName(name)
		return nil, fmt.Errorf("create %s: %w", name, err)
	}
	w := &countingFile{f: f, sum: digest.NewWriter()}
	return &File{b: b, name: name, f: f, out: w, buf: bufio.NewWriterSize(w, copyBuffer)}, nil
}

// claimName keeps a name for one file in the making.
func (b *Builder) claimName(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.unseal(); err != nil {
		return err
	}
	return b.names.add(name)
}

func (b *Builder) releaseName(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.names.remove(name)
}

func (b *Builder) createFile(name string) (*atomicfile.File, error) {
	if err := makeDirs(b.bagDir(), path.Dir(name)); err != nil {
		return nil, err
	}
	return atomicfile.Create(filepath.Join(b.bagDir(), filepath.FromSlash(name)))
}

// A File is a file of a bag in the making. It is for one goroutine.
type File struct {
	b    *Builder
	name string
	f    *atomicfile.File
	out  *countingFile
	buf  *bufio.Writer
	done bool
}

// Write adds to the file.
func (f *File) Write(p []byte) (int, error) {
	if f.done {
		return 0, os.ErrClosed
	}
	n, err := f.buf.Write(p)
	if err != nil {
		err = fmt.Errorf("write %s: %w", f.name, err)
	}
	return n, err
}

// ReadFrom adds what r yields to the file, so that io.Copy needs no buffer of its own.
func (f *File) ReadFrom(r io.Reader) (int64, error) {
	if f.done {
		return 0, os.ErrClosed
	}
	return f.buf.ReadFrom(r)
}

// Commit syncs, renames, records the digest. After it the file survives a crash.
func (f *File) Commit() (Info, error) {
	rec, err := f.commit(nil)
	return Info{Name: rec.Name, Size: rec.Size, SHA256: rec.SHA256}, err
}

func (f *File) commit(content *contentRecord) (fileRecord, error) {
	if f.done {
		return fileRecord{}, os.ErrClosed
	}
	if err := f.buf.Flush(); err != nil {
		return fileRecord{}, errors.Join(fmt.Errorf("write %s: %w", f.name, err), f.Close())
	}
	f.done = true
	if err := f.f.Commit(); err != nil {
		f.b.releaseName(f.name)
		return fileRecord{}, fmt.Errorf("commit %s: %w", f.name, err)
	}
	rec := fileRecord{
		Name: f.name, Size: f.out.sum.Size(), SHA256: f.out.sum.Sum(), Content: content,
		blocks: f.out.blocks.all(),
	}
	err := f.b.hashParts(&rec)
	if err == nil {
		err = f.b.record(rec)
	}
	if err != nil {
		return fileRecord{}, fmt.Errorf("commit %s: %w", f.name, err)
	}
	return rec, nil
}

// Close drops the file unless it has been committed.
func (f *File) Close() error {
	if f.done {
		return nil
	}
	f.done = true
	f.b.releaseName(f.name)
	return f.f.Close()
}

// A countingFile hashes what it writes, and has the disk begin with it early.
type countingFile struct {
	f       *atomicfile.File
	sum     *digest.Writer
	blocks  blockSums
	started int64 // bytes that the disk was asked to begin with
}

const writebackStep = 8 << 20

func (c *countingFile) Write(p []byte) (int, error) {
	n, err := c.f.Write(p)
	c.sum.Write(p[:n])
	c.blocks.write(p[:n])
	if size := c.sum.Size(); size-c.started >= writebackStep {
		startWriteback(c.f.File, c.started, size-c.started)
		c.started = size
	}
	return n, err
}
