package archive

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

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
	Code      FaultCode `json:"code"`
	Path      string    `json:"path"`
	Documents []string  `json:"documents"` // IDs of the documents it affects
	Detail    string    `json:"detail"`    // with the owner record where there is one
}

// A FaultCode names a kind of fault. Scripts rely on it: a code is never renamed.
type FaultCode string

// The codes of faults.
const (
	FaultMissing    FaultCode = "missing"       // the file is not there
	FaultUnexpected FaultCode = "unexpected"    // no manifest names the file
	FaultSize       FaultCode = "size-mismatch" // the file is shorter or longer
	FaultHash       FaultCode = "hash-mismatch" // the file has other bytes
	FaultUnreadable FaultCode = "unreadable"    // the store failed to read it
	// the file is as it was sealed, but a document in it is not what the index says
	FaultDocument FaultCode = "document-mismatch"
	// the file is as it was sealed, but the index and a pack's own rows differ
	FaultIndex FaultCode = "index-mismatch"
	// the file is as it was sealed, but does not decompress to what was put in
	FaultContent FaultCode = "content-mismatch"
	FaultPayload FaultCode = "payload-mismatch" // the files do not add up to what bag-info.txt says
	FaultLedger  FaultCode = "ledger-broken"    // the root's ledger is damaged
	// the ledger names an export that the root does not hold; see CheckRoot
	FaultGone FaultCode = "export-missing"
)

// A Report is what Verify found.
type Report struct {
	Valid  bool    `json:"valid"`
	Level  Level   `json:"level"`
	Files  int     `json:"files"`
	Bytes  int64   `json:"bytes"`
	Faults []Fault `json:"faults"`
	// Anchors are what the files were compared with: "manifests", which are in the bag, and "ledger", which
	// is outside of it and knows the digest of the manifests. A bag that was copied alone has only the
	// former.
	Anchors []string `json:"anchors"`
	// Unfinished says that the time was over before all files had been read; then Valid is false.
	Unfinished bool `json:"unfinished,omitempty"`
}

// Verify checks the bag and lists every fault, ordered by path; only a store that cannot be read at all is an
// error. progress, which may be nil, is called with the bytes checked so far.
func (b *Bag) Verify(ctx context.Context, level Level, progress func(done, total int64)) (*Report, error) {
	return b.VerifyWith(ctx, level, VerifyOptions{Progress: progress})
}

// VerifyWith is Verify with settings.
func (b *Bag) VerifyWith(ctx context.Context, level Level, o VerifyOptions) (*Report, error) {
	if o.Checkpoint != nil && level != Full {
		return nil, fmt.Errorf("verify: only the level %s can be done in several runs", Full)
	}
	if level != Quick && level != Full && level != Deep {
		return nil, fmt.Errorf("verify: no level %q: want quick, full or deep", level)
	}
	v := &verifier{
		bag: b, level: level, progress: o.Progress, until: o.Until, checkpoint: o.Checkpoint,
		knownContent: o.KnownContent,
		present:      map[string]Info{}, actual: map[string]digest.Sum{}, faults: map[faultKey]*fault{},
	}
	if err := v.run(ctx); err != nil {
		return nil, fmt.Errorf("verify %s: %w", b.Location(), err)
	}
	return v.report(), nil
}

// A verifier is one run of Verify: run has its stages, each of which adds to the fields below.
type verifier struct {
	bag        *Bag
	level      Level
	until      time.Time
	checkpoint *Checkpoint
	// see VerifyOptions
	knownContent func(name string, content digest.Sum) bool

	stopped bool // at until, before all files had been read

	present  map[string]Info // what is in the store
	expected *expectation    // what should be there
	docs     documentFaults

	mu       sync.Mutex // guards what follows
	progress func(done, total int64)
	done     int64
	total    int64
	actual   map[string]digest.Sum // of the files that were read
	faults   map[faultKey]*fault
}

// A faultKey is what several details of one fault have in common.
type faultKey struct {
	path string
	code FaultCode
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
	if v.expected, err = v.readManifests(ctx); err != nil {
		return err
	}
	// From here on the bag is read by what is known now, not by what its manifests say.
	repaired := *v.bag
	repaired.sums = v.expected.sums
	v.bag = &repaired
	if err := v.statFiles(ctx); err != nil {
		return err
	}
	v.comparePresence()
	if v.level != Quick {
		if err := v.hashFiles(ctx); err != nil {
			return err
		}
		v.compareDigests()
	}
	if v.stopped {
		return nil
	}
	v.comparePayload()
	return v.checkDocuments(ctx)
}

// add notes a fault; several details of one code and path make one fault.
func (v *verifier) add(code FaultCode, path, format string, args ...any) *fault {
	v.mu.Lock()
	defer v.mu.Unlock()
	f, ok := v.faults[faultKey{path, code}]
	if !ok {
		f = &fault{Fault: Fault{Code: code, Path: path, Documents: []string{}}}
		v.faults[faultKey{path, code}] = f
	}
	f.details = append(f.details, fmt.Sprintf(format, args...))
	return f
}

func (v *verifier) report() *Report {
	r := &Report{
		Unfinished: v.stopped, Level: v.level, Files: len(v.expected.sums), Bytes: v.done, Faults: []Fault{},
	}
	r.Anchors = []string{"manifests"}
	if v.expected.intact[tagManifestName] {
		r.Anchors = append(r.Anchors, "ledger")
	}
	if v.level == Quick {
		for name := range v.expected.sums {
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
		return cmp.Compare(x.Code, y.Code)
	})
	r.Valid = len(r.Faults) == 0 && !v.stopped
	return r
}

// comparePresence finds missing and extra files, other sizes, and digests that the store keeps and that are
// not the manifest's.
func (v *verifier) comparePresence() {
	for name := range v.expected.sums {
		info, ok := v.present[name]
		if !ok {
			v.add(FaultMissing, name, "%s", absence(name))
			v.docs.addLostFile(name)
			continue
		}
		if want, ok := v.expected.files[name]; ok && want.size != info.Size {
			v.add(FaultSize, name, "%d bytes instead of %d", info.Size, want.size)
			if v.level == Quick {
				v.docs.addLostFile(name)
			}
		}
		if v.level == Quick && !v.compareStored(name, info) {
			v.docs.addLostFile(name)
		}
	}
	for name := range v.present {
		if _, ok := v.expected.sums[name]; !ok {
			v.add(FaultUnexpected, name, "%s", surplus(name))
		}
	}
}

// surplus describes a file that belongs to no archive.
func surplus(name string) string {
	if who := LeftBy(name); who != "" {
		return who + " left it there: it is not part of the archive, and can be deleted"
	}
	return "no manifest names this file"
}

// absence describes a missing file.
func absence(name string) string {
	if name == bagitName {
		return "the file is not there; without it the directory is not a bag to any program"
	}
	return "the file is not there"
}

// compareDigests compares the digests of what was read with what is expected.
func (v *verifier) compareDigests() {
	for name, got := range v.actual {
		v.compareDigest(name, got)
	}
}

// compareDigest compares one digest and reports whether the file is as it was. Where a file and its line in a
// manifest differ, either was changed. A different file has an entirely different digest, so where only a few
// digits differ it is the manifest that is damaged: to report the file would send its owner after a document
// that is whole.
func (v *verifier) compareDigest(name string, got digest.Sum) bool {
	want := v.expected.sums[name]
	if got == want || v.expected.reported[name] {
		return got == want
	}
	if want.IsZero() {
		v.add(
			FaultHash, manifestOf(name), "it no longer names %s, which therefore cannot be checked", name,
		)
		return false
	}
	if manifest := manifestOf(name); v.expected.mayBeDamaged(manifest) && fewDigitsDiffer(got, want) {
		v.add(FaultHash, manifest, "its line for %s is damaged", name)
		if !isPackName(name) { // packs are compared while others read v.expected
			v.expected.sums[name] = got
		}
		return true
	}
	v.add(FaultHash, name, "sha256 %s instead of %s", got, want)
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case isPackName(name):
		v.docs.addPack(name)
	case strings.HasPrefix(name, largeDir):
		v.docs.addLostFile(name)
	case name == indexName:
		v.docs.noIndex = true
	}
	return false
}

// manifestOf returns the manifest that names a file.
func manifestOf(name string) string {
	if strings.HasPrefix(name, payloadDir) {
		return manifestName
	}
	return tagManifestName
}

// fewDigitsDiffer reports whether at most four hexadecimal digits differ.
func fewDigitsDiffer(a, b digest.Sum) bool {
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
