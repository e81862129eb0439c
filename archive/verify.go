package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"holdall/internal/digest"
)

// A Level says how much Verify reads.
type Level string

// The levels: presence and sizes; every file's digest; every document too.
const (
	Quick Level = "quick"
	Full  Level = "full"
	Deep  Level = "deep"
)

// A Fault is one thing that is not as it was when the bag was committed.
type Fault struct {
	Code      string   `json:"code"` // one of the Fault codes
	Path      string   `json:"path"`
	Documents []string `json:"documents"` // IDs of the documents it hurt
	Detail    string   `json:"detail"`    // with the owner record where there is one
}

// The codes of faults.
const (
	FaultMissing    = "missing"       // the file is not there
	FaultUnexpected = "unexpected"    // no manifest names the file
	FaultSize       = "size-mismatch" // the file is shorter or longer
	FaultHash       = "hash-mismatch" // the file has other bytes
	FaultUnreadable = "unreadable"    // the store failed to read it
	// the file is as it was sealed, but a document in it is not what the index says
	FaultDocument = "document-mismatch"
	// the file is as it was sealed, but the index and a pack's own rows differ
	FaultIndex = "index-mismatch"
	// the file is as it was sealed, but does not decompress to what was put in
	FaultContent = "content-mismatch"
	FaultPayload = "payload-mismatch" // the files do not add up to what bag-info.txt says
	FaultLedger  = "ledger-broken"    // the root's ledger cannot vouch for the bag
	FaultGone    = "export-missing"   // the ledger names an export that the root does not hold; see CheckRoot
)

// A Report is what Verify found.
type Report struct {
	Valid  bool    `json:"valid"`
	Level  Level   `json:"level"`
	Files  int     `json:"files"`
	Bytes  int64   `json:"bytes"`
	Faults []Fault `json:"faults"`
}

// Verify checks the bag and lists every fault, ordered by path; only a store that cannot be read at all is an
// error. progress, which may be nil, is told the bytes checked so far.
func (b *Bag) Verify(ctx context.Context, level Level, progress func(done, total int64)) (*Report, error) {
	if level != Quick && level != Full && level != Deep {
		return nil, fmt.Errorf("verify: no level %q: want quick, full or deep", level)
	}
	v := &verifier{
		bag: b, level: level, progress: progress,
		present: map[string]Info{}, actual: map[string]digest.Sum{}, faults: map[string]*fault{},
	}
	if err := v.run(ctx); err != nil {
		return nil, fmt.Errorf("verify %s: %w", b.Location(), err)
	}
	return v.report(), nil
}

// A verifier is one run of Verify. Its stages follow each other in run; what they know of the bag grows.
type verifier struct {
	bag   *Bag
	level Level

	present map[string]Info // what lies in the store
	book    *book           // what should lie there
	docs    documentFaults

	mu       sync.Mutex // guards what follows
	progress func(done, total int64)
	done     int64
	total    int64
	actual   map[string]digest.Sum // of the files that were read
	faults   map[string]*fault     // by path and code
}

// A fault is a Fault in the making.
type fault struct {
	Fault
	details []string
}

func (v *verifier) run(ctx context.Context) error {
	for info, err := range v.bag.s.List(ctx, strings.TrimSuffix(v.bag.prefix, "/")) {
		if err != nil {
			return err
		}
		info.Name = strings.TrimPrefix(info.Name, v.bag.prefix)
		v.present[info.Name] = info
	}
	var err error
	if v.book, err = v.openBooks(ctx); err != nil {
		return err
	}
	// From here on the bag is read by what is known now, not by what its manifests say.
	mended := *v.bag
	mended.sums = v.book.sums
	v.bag = &mended
	if err := v.askStore(ctx); err != nil {
		return err
	}
	v.comparePresence()
	if v.level != Quick {
		if err := v.hashFiles(ctx); err != nil {
			return err
		}
		v.judge()
	}
	v.comparePayload()
	return v.checkDocuments(ctx)
}

// add notes a fault; several details of one code and path make one fault.
func (v *verifier) add(code, path, format string, args ...any) *fault {
	v.mu.Lock()
	defer v.mu.Unlock()
	f, ok := v.faults[path+"\x00"+code]
	if !ok {
		f = &fault{Fault: Fault{Code: code, Path: path, Documents: []string{}}}
		v.faults[path+"\x00"+code] = f
	}
	f.details = append(f.details, fmt.Sprintf(format, args...))
	return f
}

func (v *verifier) report() *Report {
	r := &Report{Level: v.level, Files: len(v.book.sums), Bytes: v.done, Faults: []Fault{}}
	if v.level == Quick {
		for name := range v.book.sums {
			r.Bytes += max(0, v.present[name].Size)
		}
	}
	for _, f := range v.faults {
		f.Detail = strings.Join(f.details, "; ")
		r.Faults = append(r.Faults, f.Fault)
	}
	slices.SortFunc(r.Faults, func(x, y Fault) int {
		if c := strings.Compare(x.Path, y.Path); c != 0 {
			return c
		}
		return strings.Compare(x.Code, y.Code)
	})
	r.Valid = len(r.Faults) == 0
	return r
}

// comparePresence finds missing and extra files, other sizes, and digests that the store keeps and that are
// not the manifest's.
func (v *verifier) comparePresence() {
	for name := range v.book.sums {
		info, ok := v.present[name]
		if !ok {
			v.add(FaultMissing, name, "%s", absence(name))
			v.docs.wholeFile(name)
			continue
		}
		if want, ok := v.book.files[name]; ok && want.size != info.Size {
			v.add(FaultSize, name, "%d bytes instead of %d", info.Size, want.size)
			if v.level == Quick {
				v.docs.wholeFile(name)
			}
		}
		if v.level == Quick && !v.judgeKept(name, info) {
			v.docs.wholeFile(name)
		}
	}
	for name := range v.present {
		if _, ok := v.book.sums[name]; !ok {
			v.add(FaultUnexpected, name, "no manifest names this file")
		}
	}
}

// absence says what it means that a file is not there.
func absence(name string) string {
	if name == bagitName {
		return "the file is not there; without it the directory is not a bag to any program"
	}
	return "the file is not there"
}

// hashFiles reads every file; packs wait for inspection where every document is read anyway.
func (v *verifier) hashFiles(ctx context.Context) error {
	var names []string
	for name := range v.book.sums {
		if info, ok := v.present[name]; ok {
			names = append(names, name)
			v.total += info.Size
		}
	}
	slices.Sort(names)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(min(4, runtime.GOMAXPROCS(0)))
	for _, name := range names {
		if v.level == Deep && isPackName(name) {
			continue
		}
		g.Go(func() error { return v.hashFile(ctx, name) })
	}
	return g.Wait()
}

func (v *verifier) hashFile(ctx context.Context, name string) error {
	r, err := v.bag.s.Open(ctx, v.bag.prefix+name, 0, -1)
	if err != nil {
		return v.unreadable(ctx, name, err)
	}
	defer r.Close()
	w := digest.NewWriter()
	if _, err := copyPooled(w, &counted{v, r}); err != nil {
		return v.unreadable(ctx, name, err)
	}
	v.setActual(name, w.Sum())
	return nil
}

func (v *verifier) setActual(name string, sum digest.Sum) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.actual[name] = sum
}

// unreadable notes that a file could not be read, unless that is because nobody waits for it any more.
func (v *verifier) unreadable(ctx context.Context, name string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, ErrCredentials) || errors.Is(err, ErrUnavailable) {
		return err // which says nothing about the file
	}
	if errors.Is(err, fs.ErrNotExist) {
		v.add(FaultMissing, name, "the file was there and is gone")
	} else {
		v.add(FaultUnreadable, name, "%v", err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.docs.wholeFile(name)
	return nil
}

// counted reports progress.
type counted struct {
	v *verifier
	r io.Reader
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.v.mu.Lock()
	defer c.v.mu.Unlock()
	c.v.done += int64(n)
	if c.v.progress != nil {
		c.v.progress(c.v.done, c.v.total)
	}
	return n, err
}

// judge compares the digests of what was read with the book.
func (v *verifier) judge() {
	for name, got := range v.actual {
		v.judgeFile(name, got)
	}
}

// judgeFile compares one digest and reports whether the file is as it was. Where a file and its manifest's
// line differ, one of the two was changed: a digest that differs from the right one in a digit or two was
// never that of other content.
func (v *verifier) judgeFile(name string, got digest.Sum) bool {
	want := v.book.sums[name]
	if got == want || v.book.ownFaults[name] {
		return got == want
	}
	if want.IsZero() {
		v.add(
			FaultHash, bookOf(name), "it does not name %s any more, which therefore cannot be checked", name,
		)
		return false
	}
	if book := bookOf(name); v.book.mayBeDamaged(book) && nearlySame(got, want) {
		v.add(FaultHash, book, "its line for %s is damaged", name)
		if !isPackName(name) { // packs are judged while others read the book
			v.book.sums[name] = got
		}
		return true
	}
	v.add(FaultHash, name, "sha256 %s instead of %s", got, want)
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case isPackName(name):
		v.docs.look(name)
	case strings.HasPrefix(name, largeDir):
		v.docs.wholeFile(name)
	case name == indexName:
		v.docs.noIndex = true
	}
	return false
}

// bookOf returns the manifest that names a file.
func bookOf(name string) string {
	if strings.HasPrefix(name, payloadDir) {
		return manifestName
	}
	return tagManifestName
}

// nearlySame reports whether at most four hexadecimal digits differ.
func nearlySame(a, b digest.Sum) bool {
	x, y, differ := a.String(), b.String(), 0
	for i := range x {
		if x[i] != y[i] {
			differ++
		}
	}
	return differ <= 4
}

// comparePayload compares Payload-Oxum (RFC 8493, 2.2.2) where nothing else explains a difference.
func (v *verifier) comparePayload() {
	if len(v.faults) > 0 {
		return
	}
	var size int64
	files := 0
	for name, info := range v.present {
		if strings.HasPrefix(name, payloadDir) {
			size += info.Size
			files++
		}
	}
	want := strings.Join(v.bag.info["Payload-Oxum"], " ")
	if got := strconv.FormatInt(size, 10) + "." + strconv.Itoa(files); got != want {
		v.add(FaultPayload, bagInfoName, "Payload-Oxum is %q, the files under data/ make %s", want, got)
	}
}
