// Package bagit judges a bag of any maker by RFC 8493 (BagIt 1.0), and an older one by the draft that it
// declares (0.93 to 0.97): whether it is complete, and whether it is valid. Call Check.
//
// A fault is what makes a bag invalid or incomplete. What the RFC allows but advises against, and what other
// tools are known to write and every reader accepts, such as the "*" of md5sum, is a note. A name in a bag is
// never used as a path outside of it.
package bagit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/text/encoding"
)

// A Code names a kind of fault. Scripts rely on it: a code is never renamed.
type Code string

// The codes of faults.
const (
	Missing    Code = "missing"          // a file or directory that must be there is not
	Unexpected Code = "unexpected"       // a payload file that no manifest lists
	Hash       Code = "hash-mismatch"    // a file has another checksum than a manifest says
	Size       Code = "size-mismatch"    // a file has another length than fetch.txt says
	Payload    Code = "payload-mismatch" // the payload does not add up to Payload-Oxum
	Unreadable Code = "unreadable"       // the file system failed to read it
	// bagit.txt is not a bag declaration
	Declaration Code = "declaration-invalid"
	// bag-info.txt has a line that is none of it
	Info Code = "info-invalid"
	// a manifest has a line that is none, lists what it must not, or cannot be checked
	Manifest Code = "manifest-invalid"
	// a manifest lists a file more than once
	Twice Code = "duplicate-entry"
	// a manifest does not list what it must
	Incomplete Code = "manifest-incomplete"
	// a name leads out of the bag
	Unsafe Code = "path-unsafe"
	// fetch.txt has a line that is none, or lists what it must not
	Fetch Code = "fetch-invalid"
	// the file is still to be fetched: the bag is not complete
	NotFetched Code = "not-fetched"
)

// A Fault is one thing that makes the bag invalid or incomplete.
type Fault struct {
	Code   Code
	Path   string // in the bag
	Detail string
}

// A Report is what Check found.
type Report struct {
	Version string  // as the bag declares it; "" if it does not
	Files   int     // files in the bag
	Bytes   int64   // their length
	Faults  []Fault // in the order of paths
	Notes   []string
}

// Check judges the bag in dir. Without contents no file but the bag's own descriptions is read, and the
// checksums are not compared. progress, which may be nil, is called with the bytes read so far. Only a
// directory that cannot be listed is an error.
func Check(
	ctx context.Context,
	dir string,
	contents bool,
	progress func(done, total int64),
) (*Report, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	c := &checker{
		root: root, progress: progress,
		files: map[string]int64{}, forms: map[string]string{}, folded: map[string]string{},
		found: map[Fault]bool{}, notes: map[string]*note{}, fetch: map[string]bool{},
	}
	if err := c.list(ctx); err != nil {
		return nil, fmt.Errorf("list the bag %s: %w", dir, err)
	}
	c.readDeclaration()
	c.readInfo()
	c.readManifests()
	c.readFetch()
	c.compareManifests()
	if contents {
		if err := c.compareContents(ctx); err != nil {
			return nil, err
		}
	}
	c.comparePayload()
	return c.report(), nil
}

// A checker is one run of Check.
type checker struct {
	root     *os.Root
	progress func(done, total int64)

	files   map[string]int64  // every file of the bag, with its length
	forms   map[string]string // its Unicode normal form, to its name
	folded  map[string]string // that in lower case, to its name
	hasData bool

	declared string
	version  int               // major*1000 + minor
	text     encoding.Encoding // of the tag files; nil: UTF-8

	payload, tags []*manifest
	fetch         map[string]bool // files that fetch.txt lists
	oxum          string
	hasOxum       bool

	mu    sync.Mutex // guards what follows
	found map[Fault]bool
	notes map[string]*note
}

// A note is something unusual: how often it was seen, and where first.
type note struct {
	count int
	first string
}

const (
	oldest    = 93 // 0.93, the first draft
	version1  = 1000
	bagit     = "bagit.txt"
	bagInfo   = "bag-info.txt"
	fetchFile = "fetch.txt"
	dataDir   = "data/"
)

// strict reports whether the bag has to obey RFC 8493; the drafts before it demanded less.
func (c *checker) strict() bool { return c.version >= version1 }

func (c *checker) add(code Code, path, format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.found[Fault{code, path, fmt.Sprintf(format, args...)}] = true
}

// note records something unusual, and where. kind is a sentence about one or several places.
func (c *checker) note(kind, where string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.notes[kind]
	if n == nil {
		n = &note{first: where}
		c.notes[kind] = n
	}
	n.count++
}

// addOrNote adds a fault where RFC 8493 applies, and a note where an earlier draft does.
func (c *checker) addOrNote(code Code, path, what string) {
	if c.strict() {
		c.add(code, path, "%s", what)
	} else {
		c.note(path+": "+what, "")
	}
}

// list finds the files of the bag. A symbolic link counts as what it leads to, if that is in the bag.
func (c *checker) list(ctx context.Context) error {
	return fs.WalkDir(c.root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && name == ".":
			return err
		case err != nil:
			c.add(Unreadable, name, "%v", cause(err))
			return nil
		case e.IsDir():
			c.hasData = c.hasData || name+"/" == dataDir
			return nil
		}
		info, err := c.root.Stat(name)
		switch {
		case err != nil && e.Type()&fs.ModeSymlink != 0:
			c.add(Unsafe, name, "a symbolic link that leads to nothing in the bag")
		case err != nil:
			c.add(Unreadable, name, "%v", cause(err))
		case !info.Mode().IsRegular():
			c.add(Unsafe, name, "neither a file nor a directory: %s", info.Mode().Type())
		default:
			c.files[name] = info.Size()
			c.noteName(name)
			c.forms[normal(name)] = name
		}
		return nil
	})
}

// noteName notes a file that some file systems cannot hold alongside the others, or not at all.
func (c *checker) noteName(name string) {
	if other, ok := c.forms[normal(name)]; ok {
		c.note("names differ only in their Unicode form; file systems that know but one form lose a file",
			other)
	}
	folded := strings.ToLower(normal(name))
	if other, ok := c.folded[folded]; ok && normal(other) != normal(name) {
		c.note("names differ only in case; file systems that do not tell it apart lose a file", other)
	}
	c.folded[folded] = name
	for elem := range strings.SplitSeq(name, "/") {
		if unfitForWindows.MatchString(elem) {
			c.note("a name cannot be that of a file on Windows", name)
			break
		}
	}
}

// cause is an error without the path, which the fault has.
func cause(err error) error {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	return err
}

// comparePayload compares Payload-Oxum (RFC 8493, 2.2.2), where nothing else explains a difference.
func (c *checker) comparePayload() {
	if !c.hasOxum {
		return
	}
	for f := range c.found {
		if f.Code == Missing || f.Code == Unexpected || f.Code == NotFetched || f.Code == Unreadable {
			return
		}
	}
	var bytes int64
	files := 0
	for name, size := range c.files {
		if strings.HasPrefix(name, dataDir) {
			bytes += size
			files++
		}
	}
	if got := strconv.FormatInt(bytes, 10) + "." + strconv.Itoa(files); got != c.oxum {
		c.add(Payload, bagInfo, "Payload-Oxum is %s, the files under data/ make %s", c.oxum, got)
	}
}

func (c *checker) report() *Report {
	r := &Report{Version: c.declared, Files: len(c.files), Faults: slices.Collect(maps.Keys(c.found))}
	for _, size := range c.files {
		r.Bytes += size
	}
	slices.SortFunc(r.Faults, func(x, y Fault) int {
		return cmp.Or(
			strings.Compare(x.Path, y.Path),
			cmp.Compare(x.Code, y.Code),
			cmp.Compare(x.Detail, y.Detail),
		)
	})
	for _, kind := range slices.Sorted(maps.Keys(c.notes)) {
		switch n := c.notes[kind]; {
		case n.first == "":
			r.Notes = append(r.Notes, kind)
		case n.count == 1:
			r.Notes = append(r.Notes, fmt.Sprintf("%s: %s", kind, n.first))
		default:
			r.Notes = append(r.Notes, fmt.Sprintf("%s: %s, and %d more", kind, n.first, n.count-1))
		}
	}
	return r
}
