package exportsim

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"path"
	"strconv"
	"time"

	"holdall/internal/digest"
)

// objectFaults make the object another one. Its documents stay the same, so that a takeover of it can be
// compared with the Truth.
var objectFaults = []fault{
	{Fault: Fault{
		"change",
		"after N requests for an object it is replaced by another of another size, with another ETag",
	}, number: 2, alter: func(f *activeFault, o *object, nth int) *object {
		if int64(nth) <= f.number {
			return o
		}
		return o.replaced(false)
	}},
	{Fault: Fault{
		"change-same-size",
		"after N requests for an object it is replaced by another of the same size, with another ETag",
	}, number: 2, alter: func(f *activeFault, o *object, nth int) *object {
		if int64(nth) <= f.number {
			return o
		}
		return o.replaced(true)
	}},
	{
		Fault: Fault{"replaced", "objects are from the start what change makes of them: for a second run"},
		alter: func(f *activeFault, o *object, nth int) *object { return o.replaced(false) },
	},
	{
		Fault: Fault{
			"replaced-same-size",
			"objects are from the start what change-same-size makes of them: for a second run",
		},
		alter: func(f *activeFault, o *object, nth int) *object { return o.replaced(true) },
	},
	{Fault: Fault{"cut-tail", "objects lack their last N bytes"}, number: 1000,
		alter: func(f *activeFault, o *object, nth int) *object {
			c := *o
			c.size = max(o.size-f.number, 1)
			c.etag = etagOf(digest.Of([]byte("cut" + o.etag)))
			if c.file == "" {
				c.bytes = o.bytes[:c.size]
			}
			return &c
		}},
}

// replaced returns another version of the object, good for the same readers: a ZIP with a comment or another
// time in its directory, a tar with more padding or another time, a gzip file with another member or time,
// other files with a newline more.
func (o *object) replaced(sameSize bool) *object {
	c := *o
	c.etag = etagOf(digest.Of([]byte("replaced " + strconv.FormatBool(sameSize) + o.etag)))
	c.modified = o.modified.Add(time.Hour)
	if o.file == "" {
		c.bytes = append(bytes.Clone(o.bytes), '\n')
		c.size++
		return &c
	}
	if sameSize && c.patchTime(o) {
		return &c
	}
	switch path.Ext(o.name) {
	case ".zip":
		c.tail = []byte("replaced")
		c.patch = map[int64]byte{o.size - 2: byte(len(c.tail)), o.size - 1: 0}
	case ".tar":
		c.tail = make([]byte, 10240)
	case ".gz":
		c.tail = emptyGzip
	default:
		c.tail = []byte("\n")
	}
	c.size += int64(len(c.tail))
	return &c
}

// emptyGzip is a gzip member without content (RFC 1952).
var emptyGzip = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0}

// patchTime sets c.patch to another time inside the container, and reports false where it knows no such
// place.
func (c *object) patchTime(o *object) bool {
	r, closer, err := o.open()
	if err != nil {
		return false
	}
	defer closer.Close()
	switch path.Ext(o.name) {
	case ".zip":
		end := make([]byte, 22)
		if _, err := r.ReadAt(end, o.size-22); err != nil && err != io.EOF {
			return false
		}
		at := int64(binary.LittleEndian.Uint32(end[16:]))
		b := make([]byte, 1)
		if _, err := r.ReadAt(b, at+12); err != nil {
			return false
		}
		c.patch = map[int64]byte{at + 12: b[0] ^ 1}
	case ".tar":
		return c.patchTar(r)
	case ".gz":
		c.patch = map[int64]byte{4: 1}
	default:
		return false
	}
	return true
}

// patchTar exchanges two digits of the first time in a tar that has two to exchange: the header's checksum
// stays right.
func (c *object) patchTar(r io.ReaderAt) bool {
	header := make([]byte, 512)
	for at := int64(0); at < 1<<20; {
		if _, err := r.ReadAt(header, at); err != nil {
			return false
		}
		const from, to = 136, 147 // mtime, in octal digits (POSIX ustar)
		for i := to - 1; i > from; i-- {
			if header[i] != header[i-1] {
				c.patch = map[int64]byte{at + int64(i): header[i-1], at + int64(i) - 1: header[i]}
				return true
			}
		}
		size, err := strconv.ParseInt(string(bytes.Trim(header[124:136], " \x00")), 8, 64)
		if err != nil {
			return false
		}
		at += 512 + (size+511)/512*512
	}
	return false
}

// md5 returns the ETag that S3 gives an object uploaded whole, or in parts of some bytes.
func (f *activeFault) md5(o *object, part int64) string {
	sums := md5.New()
	n := int64(0)
	r, closer, err := o.open()
	if err != nil {
		return o.etag
	}
	defer closer.Close()
	for at := int64(0); at < o.size || at == 0; at += cmp.Or(part, o.size+1) {
		h := md5.New()
		if _, err := io.Copy(
			h, io.NewSectionReader(r, at, min(cmp.Or(part, o.size), o.size-at)),
		); err != nil {
			return o.etag
		}
		n++
		if part == 0 {
			return `"` + hex.EncodeToString(h.Sum(nil)) + `"`
		}
		sums.Write(h.Sum(nil))
	}
	return fmt.Sprintf("\"%x-%d\"", sums.Sum(nil), n)
}

// listingFaults are known by their names: see spoilListed.
var listingFaults = []fault{
	{Fault: Fault{"listing-duplicates", "every N-th file of a listing is there twice"}, number: 3},
	{Fault: Fault{"listing-equal-names", "every N-th file of a listing is called document"}, number: 3},
	{Fault: Fault{"listing-gone", "every N-th link of a listing leads nowhere: 404"}, number: 5},
	{Fault: Fault{"listing-empty-files", "every N-th file of a listing is served empty"}, number: 5,
		alter: func(f *activeFault, o *object, nth int) *object {
			n, err := strconv.ParseInt(path.Base(o.name), 10, 64)
			if o.group == "" || err != nil || n%max(f.number, 1) != max(f.number, 1)-1 {
				return o
			}
			c := *o
			c.size, c.etag = 0, `"d41d8cd98f00b204e9800998ecf8427e"`
			return &c
		}},
}
