package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
)

// documentFaults collects where documents are damaged; nameDocuments finds out at the end which ones they
// are.
type documentFaults struct {
	lostFiles    map[string]bool // files that are lost as a whole
	packsToCheck map[string]bool // packs whose documents have to be checked
	damaged      map[place]bool  // single documents
	noIndex      bool            // the index is damaged: the packs' own rows are used instead
}

// A place is where a document's bytes begin.
type place struct {
	pack   string
	offset int64
}

func (d *documentFaults) addLostFile(name string) {
	if d.lostFiles == nil {
		d.lostFiles = map[string]bool{}
	}
	d.lostFiles[name] = true
	if name == indexName {
		d.noIndex = true
	}
}

func (d *documentFaults) addPack(pack string) {
	if d.packsToCheck == nil {
		d.packsToCheck = map[string]bool{}
	}
	d.packsToCheck[pack] = true
}

func (d *documentFaults) addDamaged(pack string, offset int64) {
	if d.damaged == nil {
		d.damaged = map[place]bool{}
	}
	d.damaged[place{pack, offset}] = true
}

// checkDocuments checks the documents in the packs that need it, and adds to each fault which documents it
// affects.
func (v *verifier) checkDocuments(ctx context.Context) error {
	if v.level == Deep || len(v.docs.packsToCheck) > 0 {
		if err := v.checkPacks(ctx); err != nil {
			return err
		}
	}
	if v.level == Deep {
		if err := v.checkContents(ctx); err != nil {
			return err
		}
	}
	if v.level == Deep || len(v.docs.lostFiles) > 0 || len(v.docs.damaged) > 0 {
		return v.nameDocuments(ctx)
	}
	return nil
}

// packs returns the bag's packs in the order of the index.
func (v *verifier) packs() []string {
	var names []string
	for name := range v.expected.sums {
		if isPackName(name) {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, comparePacks)
	return names
}

// checkPacks checks the packs in question, a few at a time.
func (v *verifier) checkPacks(ctx context.Context) error {
	packs := maps.Clone(v.docs.packsToCheck)
	if v.level == Deep {
		packs = map[string]bool{}
		for _, name := range v.packs() {
			_, there := v.present[name]
			packs[name] = there
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(min(4, runtime.GOMAXPROCS(0)))
	memory := semaphore.NewWeighted(maxCheckedRows)
	err := v.eachPack(ctx, func(pack string, rows []Row) error {
		if !packs[pack] {
			return ctx.Err()
		}
		n := min(maxCheckedRows, int64(len(rows)))
		if err := memory.Acquire(ctx, n); err != nil {
			return err
		}
		g.Go(func() error {
			defer memory.Release(n)
			return v.checkPack(ctx, pack, rows)
		})
		return nil
	})
	return errors.Join(g.Wait(), err)
}

// eachPack calls use with each pack's rows. They come from the index, or from the packs themselves where that
// is damaged.
func (v *verifier) eachPack(ctx context.Context, use func(pack string, rows []Row) error) error {
	packs := v.packs()
	next := 0 // pack
	if v.indexUsable(packs) {
		var err error
		if next, err = v.eachIndexedPack(ctx, packs, use); err != nil {
			return err
		}
	}
	for _, pack := range packs[next:] {
		if _, there := v.present[pack]; !there {
			continue
		}
		rows, err := v.readPackRows(ctx, pack)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			v.add(FaultHash, pack, "its own list of documents cannot be read: %v", err)
		}
		if err := use(pack, rows); err != nil {
			return err
		}
	}
	return nil
}

// indexUsable reports whether the index is there, not known to be damaged, and known how to be divided into
// packs.
func (v *verifier) indexUsable(packs []string) bool {
	if _, there := v.present[indexName]; !there || v.docs.noIndex {
		return false
	}
	for _, pack := range packs {
		if line, ok := v.expected.files[pack]; !ok || line.rows < 0 {
			return false
		}
	}
	return true
}

// eachIndexedPack divides the index, and returns how many packs' rows it could give.
func (v *verifier) eachIndexedPack(
	ctx context.Context, packs []string, use func(pack string, rows []Row) error,
) (int, error) {
	r, err := v.bag.OpenIndexCSV(ctx)
	if err != nil {
		return 0, ctx.Err()
	}
	defer r.Close()
	rr, err := newRowReader(r)
	if err != nil {
		v.indexDamaged(err)
		return 0, ctx.Err()
	}
	for i, pack := range packs {
		rows := make([]Row, 0, v.expected.files[pack].rows)
		for range v.expected.files[pack].rows {
			row, err := rr.next()
			if err != nil {
				v.indexDamaged(err)
				return i, ctx.Err()
			}
			rows = append(rows, row)
		}
		if err := use(pack, rows); err != nil {
			return i, err
		}
	}
	if _, err := rr.next(); err != io.EOF {
		v.indexDamaged(fmt.Errorf("it has more rows than the packs, or its end is damaged: %w", err))
	}
	return len(packs), nil
}

// indexDamaged records an index that cannot be read to its end although its digest is right or was not
// checked.
func (v *verifier) indexDamaged(err error) {
	if err == io.EOF {
		err = errors.New("it has fewer rows than the packs")
	}
	v.mu.Lock()
	v.docs.noIndex = true
	v.mu.Unlock()
	v.add(FaultIndex, indexName, "%v", err)
}

// checkPack reads a pack and records its faults.
func (v *verifier) checkPack(ctx context.Context, pack string, rows []Row) error {
	r, err := v.bag.s.Open(ctx, v.bag.prefix+pack, 0, -1)
	if err != nil {
		return v.unreadable(ctx, pack, err)
	}
	defer r.Close()
	var under io.Reader = r
	if v.level == Deep {
		under = &countingReader{v, r} // at the other levels these bytes were counted before
	}
	in := newPackChecker(under, pack, rows)
	if err := in.run(); err != nil {
		return v.unreadable(ctx, pack, err)
	}
	code := FaultDocument
	if v.level == Deep {
		v.setActual(pack, in.sum.Sum())
		if !v.compareDigest(pack, in.sum.Sum()) {
			code = FaultHash
		}
	} else {
		code = FaultHash
	}
	for _, s := range in.otherFaults {
		v.add(code, pack, "%s", s)
	}
	if len(in.damaged) > 0 && code == FaultDocument {
		v.add(code, pack, "%d documents are not what the index says", len(in.damaged))
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, offset := range in.damaged {
		v.docs.addDamaged(pack, offset)
	}
	return nil
}

// checkContents decompresses what is stored compressed and compares it with what was put in.
func (v *verifier) checkContents(ctx context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(v.expected.files)) {
		line := v.expected.files[name]
		if line.content.IsZero() || v.actual[name] != line.sum ||
			v.knownContent != nil && v.knownContent(name, line.content) {
			continue
		}
		r, err := v.bag.OpenZstd(ctx, name, line.contentSize, line.content)
		if err == nil {
			_, err = io.Copy(io.Discard, r)
			err = errors.Join(err, r.Close())
		}
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			v.add(FaultContent, name, "%v", err)
		}
	}
	return nil
}

// maxNamed is how many documents a fault's detail describes; its list of IDs has all.
const maxNamed = 20

// nameDocuments ties the faults to the documents whose rows point there. At level deep it also sees that each
// row points at a document of its pack.
func (v *verifier) nameDocuments(ctx context.Context) error {
	return v.eachPack(ctx, func(_ string, rows []Row) error {
		for i := range rows {
			r := &rows[i]
			if v.docs.lostFiles[r.Pack] || v.docs.damaged[place{r.Pack, r.Offset}] {
				v.attach(r)
			}
			if _, known := v.expected.sums[r.Pack]; !known {
				v.add(
					FaultIndex, indexName, "the row of document %s refers to %s, which no manifest names",
					r.ID, r.Pack,
				)
			} else if strings.HasPrefix(r.Pack, largeDir) && v.expected.sums[r.Pack] != r.SHA256 {
				v.add(
					FaultIndex, indexName, "the row of document %s has another sha256 than %s", r.ID, r.Pack,
				)
			}
		}
		return ctx.Err()
	})
}

// attach adds a document to the fault of the file that holds it.
func (v *verifier) attach(r *Row) {
	for _, code := range []FaultCode{FaultMissing, FaultUnreadable, FaultHash, FaultSize, FaultDocument} {
		f, ok := v.faults[faultKey{r.Pack, code}]
		if !ok {
			continue
		}
		f.Documents = append(f.Documents, r.ID)
		if len(f.Documents) <= maxNamed {
			f.details = append(f.details, "affects "+describeDocument(r))
		} else if len(f.Documents) == maxNamed+1 {
			f.details = append(f.details, "and more, listed in documents")
		}
		return
	}
}

func describeDocument(r *Row) string {
	owner := "of no known owner"
	if r.OwnerID != "" {
		owner = "of " + strings.TrimSpace(r.OwnerType+" "+r.OwnerID)
	}
	return fmt.Sprintf("document %s (%q, %s)", r.ID, r.OriginalName, owner)
}
