package fetch

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/fetch/listing"
	"holdall/internal/atomicfile"
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
	// how it differs from what the listing says, though it came so twice; or empty
	Odd string
	Err *failure.Error // why this file has not been received
}

// A fileLine is a file in what is kept of a listing: one JSON object a line, without its link's secrets.
// Complete listings are read back from it.
type fileLine struct {
	Index        int        `json:"index"`
	Name         string     `json:"name"`
	RawName      []byte     `json:"raw_name,omitempty"`
	Link         string     `json:"link"` // redacted
	Size         int64      `json:"size"`
	LastModified *time.Time `json:"last_modified,omitempty"`
	SHA256       digest.Sum `json:"sha256"`
	Odd          string     `json:"odd,omitempty"`
	Error        *fileFault `json:"error,omitempty"`
}

type fileFault struct {
	Code    failure.Code `json:"code"`
	Message string       `json:"message"`
	Hint    string       `json:"hint,omitempty"`
}

// Files yields a listing's files in the listing's order, each when it has been received or has failed for
// good. Files that have not arrived yet, and that another try or a new link will bring, are left out; then
// Wait fails. The listing itself must be an Object whose Source has Listing.
func (o *Object) Files(ctx context.Context) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		if o.files == nil {
			yield(File{}, errors.New("the object is not a listing"))
			return
		}
		if o.files.entries == nil {
			o.keptFiles(yield)
			return
		}
		for i := 0; ; i++ {
			more, err := o.files.awaitFile(ctx, i)
			if err != nil {
				yield(File{}, err)
				return
			}
			if !more {
				return
			}
			f, err := o.files.file(i)
			if err == nil && f.Err != nil && mayStillCome(f.Err) {
				continue
			}
			if !yield(f, err) || err != nil {
				return
			}
		}
	}
}

// awaitFile waits until file i has been received or has failed. It is false when the listing has no file i.
func (p *filePool) awaitFile(ctx context.Context, i int) (bool, error) {
	more := false
	err := p.o.until(ctx, func() bool {
		more = i < len(p.results.records)
		return more && p.resolved(i) || !more && p.queue.listed
	})
	return more, err
}

// file describes file i, which is settled.
func (p *filePool) file(i int) (File, error) {
	l, err := p.entries.get(i)
	if err != nil {
		return File{}, err
	}
	f := File{Index: i, Name: l.Name, RawName: l.RawName, Size: -1, LastModified: l.Modified}
	p.o.run.mu.Lock()
	at, fault := p.results.records[i], p.results.errs[i]
	p.o.run.mu.Unlock()
	if fault != nil {
		f.Err = fault
		return f.withName(l.Label()), nil
	}
	r, err := p.files.record(at - 1)
	if err != nil {
		return File{}, err
	}
	name, odd := p.files.served.get(r)
	f.Odd = cmp.Or(odd, oddity(l, r))
	f.Size, f.SHA256 = r.size, r.sum
	if !r.modified.IsZero() {
		f.LastModified = r.modified
	}
	return f.withName(cmp.Or(name, l.Label())), nil
}

// withName gives a file that the listing does not name this name, or one made of its position.
func (f File) withName(name string) File {
	if f.Name == "" {
		f.Name = name
	}
	if f.Name == "" {
		f.Name = fmt.Sprintf("file-%06d", f.Index+1)
	}
	if f.RawName == nil {
		f.RawName = []byte(f.Name)
	}
	return f
}

// OpenFile reads a file of a listing. Its reader verifies: if the bytes differ from those fetched, the last
// Read returns an error instead of io.EOF.
func (o *Object) OpenFile(f File) (io.ReadCloser, error) {
	if o.files == nil {
		return nil, errors.New("the object is not a listing")
	}
	if f.Err != nil {
		return nil, f.Err
	}
	o.run.mu.Lock()
	if f.Index < 0 || f.Index >= len(o.files.results.records) || o.files.results.records[f.Index] == 0 {
		o.run.mu.Unlock()
		return nil, errors.New("the file has not been received")
	}
	n := o.files.results.records[f.Index] - 1
	o.run.mu.Unlock()
	r, err := o.files.files.record(n)
	if err != nil {
		return nil, err
	}
	return o.files.files.openRecord(r)
}

// indexPath is where a complete listing keeps which record is whose.
func indexPath(dir, name string) string { return dir + "/" + name + ".index" }

// save writes what is kept of a complete listing.
func (p *filePool) save(dir, name string) (Verified, error) {
	out, err := atomicfile.Create(dataPath(dir, name))
	if err != nil {
		return Verified{}, failure.Disk(err, "store a listing")
	}
	defer out.Close()
	sum := digest.NewWriter()
	w := bufio.NewWriterSize(io.MultiWriter(out, sum), 256<<10)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for i := range p.entries.len() {
		f, err := p.file(i)
		if err != nil {
			return Verified{}, err
		}
		l, err := p.entries.get(i)
		if err != nil {
			return Verified{}, err
		}
		if err := enc.Encode(f.line(l)); err != nil {
			return Verified{}, failure.Disk(err, "store a listing")
		}
	}
	if err := w.Flush(); err != nil {
		return Verified{}, failure.Disk(err, "store a listing")
	}
	index := make([]byte, 0, 4*len(p.results.records))
	for _, n := range p.results.records {
		index = binary.LittleEndian.AppendUint32(index, n)
	}
	if err := atomicfile.WriteFile(indexPath(dir, name), index); err != nil {
		return Verified{}, failure.Disk(err, "store a listing")
	}
	if err := p.saveDigest(dir, name); err != nil {
		return Verified{}, failure.Disk(err, "store a listing")
	}
	if err := out.Commit(); err != nil {
		return Verified{}, failure.Disk(err, "store a listing")
	}
	return Verified{Size: sum.Size(), SHA256: sum.Sum(), Check: "size"}, nil
}

func (f File) line(l listing.Entry) fileLine {
	out := fileLine{
		Index: f.Index, Name: f.Name, RawName: l.RawName, Link: l.Link.String(), Size: f.Size,
		SHA256: f.SHA256, Odd: f.Odd,
	}
	if !f.LastModified.IsZero() {
		out.LastModified = &f.LastModified
	}
	if f.Err != nil {
		out.Error = &fileFault{f.Err.Code, f.Err.Error(), f.Err.Hint}
	}
	return out
}

// keptFiles yields the files of a listing that an earlier run completed.
func (o *Object) keptFiles(yield func(File, error) bool) {
	in, err := os.Open(o.path)
	if err != nil {
		yield(File{}, failure.Disk(err, "read a listing back"))
		return
	}
	defer in.Close()
	r := bufio.NewReaderSize(in, 256<<10)
	for {
		b, err := r.ReadBytes('\n')
		if err == io.EOF && len(bytes.TrimSpace(b)) == 0 {
			return
		}
		var l fileLine
		if err != nil || json.Unmarshal(b, &l) != nil {
			yield(
				File{},
				&failure.Error{
					Code: failure.Internal, Message: "the stored listing is damaged", Err: err,
				},
			)
			return
		}
		if !yield(l.file(o.Source.Part), nil) {
			return
		}
	}
}

func (l fileLine) file(part link.Part) File {
	f := File{Index: l.Index, Name: l.Name, RawName: l.RawName, Size: l.Size, SHA256: l.SHA256, Odd: l.Odd}
	if f.RawName == nil {
		f.RawName = []byte(l.Name)
	}
	if l.LastModified != nil {
		f.LastModified = *l.LastModified
	}
	if l.Error != nil {
		f.Err = &failure.Error{
			Code: l.Error.Code, Part: part, Link: l.Link, Message: l.Error.Message, Hint: l.Error.Hint,
		}
	}
	return f
}

// readListing reads what is kept of a listing, once it is complete.
func (o *Object) readListing(p []byte, off int64) (int, error) {
	if err := o.until(context.Background(), func() bool { return o.outcome.complete }); err != nil {
		return 0, err
	}
	f, err := os.Open(o.path)
	if err != nil {
		return 0, failure.Disk(err, "read a listing back")
	}
	defer f.Close()
	return f.ReadAt(p, off)
}

// ListingNotes says why a complete listing may name more files than came: pages that could not be fetched, a
// number of files that does not fit.
func (o *Object) ListingNotes() []string {
	if o.files == nil {
		return nil
	}
	return o.files.notes
}
