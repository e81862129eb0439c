package takeover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"holdall/fetch"
	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/internal/filetype"
	"holdall/query"
)

// unpackAll unpacks every object while it arrives: the data first into tables, then the documents side by
// side into packs. A part whose link fails does not stop the others. It returns when nothing is under way any
// more, with the failure that matters most.
func (t *takeover) unpackAll(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t.tables, t.ownerTables = newTables(), newOwnerTables(t.plan)
	var wg sync.WaitGroup
	var failures failures
	groups := groupObjects(t.fetching.Objects)
	t.strays = newStrayParts(t.plan, groups)
	for _, g := range groups {
		wg.Go(func() {
			err := t.unpack(ctx, g)
			failures.add(err)
			if err != nil && !isFetchError(err) && !needsRebuild(err) {
				cancel(err) // our own trouble: there is no point in continuing
			}
		})
	}
	wg.Wait()
	// Only now: a reader that waits for bytes learns of the fetch's end from the fetch.
	failures.add(t.fetching.Wait())
	late := t.adoptLateSources()
	for _, s := range t.plan.Sources {
		if s.Err != nil {
			failures.add(s.Err)
		}
	}
	if late {
		failures.add(errLate)
	}
	if err := failures.worst(); err != nil {
		return err
	}
	if f, ok := t.litter.finding(); ok {
		t.findings.add(f)
	}
	t.reportContradictions(ctx)
	t.reportUnproven()
	if slices.Contains(t.plan.Missing, link.PartData) { // reconciling reports the other parts
		t.findings.add(query.Finding{Code: query.PartMissing, Severity: query.SeverityError,
			Detail: "the master CSV has no link for the data files: ask the vendor for them while the " +
				"account is open"})
	}
	return nil
}

// errLate says that the bag in the making lacks what a link serves that could not be reached at first.
var errLate = errors.New("a link that could not be reached at first has been followed now")

// adoptLateSources puts into the plan what came of the links that could not be reached when it was made. It
// reports whether one of them has been followed since.
func (t *takeover) adoptLateSources() (followed bool) {
	late := t.fetching.Late()
	for i, s := range t.plan.Sources {
		if now := late[s]; now != nil {
			t.plan.Sources[i] = now
			followed = followed || now.Err == nil
		}
	}
	return followed
}

// provesItsEnd reports whether reading a container of that kind shows that it is cut off.
func provesItsEnd(k filetype.Type) bool {
	return k == filetype.ZIP || k == filetype.TarGzip || k == filetype.TarZstd
}

// reportContradictions reports the objects that do not match the checksum their server gives, and are right
// all the same.
func (t *takeover) reportContradictions(ctx context.Context) {
	for _, o := range t.fetching.Objects {
		v, err := o.Wait(ctx)
		switch {
		case err == nil && v.Check == fetch.CheckOneEnd && !provesItsEnd(o.Source.Kind):
			t.findings.add(query.Finding{Code: query.EndUnproven, Severity: query.SeverityWarning,
				Detail: fmt.Sprintf(
					"the link of %s (%s) worked once, its answer stated no length, and nothing proves that "+
						"the %d bytes are complete: ask the vendor for this part again while you can, by a "+
						"link that works more than once",
					o.Source.Name, o.Source.Part, cmp.Or(v.Received, v.Size))})
		case err != nil || v.Contradicts == "":
		case v.Check == fetch.CheckDamaged:
			t.findings.add(query.Finding{Code: query.DamagedInSource, Severity: query.SeverityError,
				Detail: fmt.Sprintf(
					"%s (%s) does not fit its own server's checksum (%s), and came the same from two "+
						"separate fetches: it is damaged at its source, "+
						"or the checksum is wrong. What can be read of it is taken, and it is kept whole "+
						"in %s; ask the vendor for this part again",
					o.Source.Name, o.Source.Part, v.Contradicts, keptPath(o, "data/received/containers/"))})
		case v.Check == fetch.CheckCutOff:
			t.findings.add(query.Finding{Code: query.DamagedInSource, Severity: query.SeverityError,
				Detail: fmt.Sprintf(
					"%s (%s) is cut off at its source: in two runs every answer broke off after %d bytes, "+
						"before the length that the server declared. What can be read of it is taken, and it "+
						"is kept as it is in %s; ask the vendor for this part again",
					o.Source.Name, o.Source.Part, cmp.Or(v.Received, v.Size),
					keptPath(o, "data/received/containers/"))})
		case v.Check == fetch.CheckUnproven:
			t.findings.add(query.Finding{Code: query.DamagedUnproven, Severity: query.SeverityError,
				Detail: fmt.Sprintf(
					"%s (%s) does not fit its server's checksum (%s), and could not be asked for a second "+
						"time. What can be read of it is taken, "+
						"and it is kept whole in %s; ask the vendor for this part again while you can, by "+
						"a link that works more than once",
					o.Source.Name, o.Source.Part, v.Contradicts, keptPath(o, "data/received/containers/"))})
		default:
			t.findings.add(query.Finding{Code: query.ChecksumContradicted, Severity: query.SeverityWarning,
				Detail: fmt.Sprintf(
					"%s does not match the checksum that its server gives (%s), the same twice; its own "+
						"checksums (%s) prove it right",
					o.Source.Link, v.Contradicts, v.Check)})
		}
	}
}

// reportUnproven reports the objects of which bytes were taken that fit no checksum and could not be asked
// for again.
func (t *takeover) reportUnproven() {
	for _, o := range t.fetching.Objects {
		if !t.run.isUnproven(o) {
			continue
		}
		t.findings.add(query.Finding{Code: query.DamagedUnproven, Severity: query.SeverityError,
			Detail: fmt.Sprintf(
				"bytes of %s (%s) do not fit their checksum, and could not be asked for a second time "+
					"(%s): whether they are damaged at "+
					"their source or were on the way is not known. What came is kept, in %s; ask the "+
					"vendor for this part again "+
					"while you can, by a link that works more than once",
				o.Source.Name, o.Source.Part, t.run.state.Unproven[o.Source.Number],
				keptPath(o, "data/received/containers/"))})
	}
}

func (t *takeover) unpack(ctx context.Context, g objectGroup) error {
	switch g.head().Source.Part {
	case link.PartData:
		return t.loadData(ctx, g)
	case link.PartAttachments, link.PartCVs:
		return t.packDocuments(ctx, g)
	}
	return t.keepUnknown(ctx, g.head())
}

func isFetchError(err error) bool {
	var fe *failure.Error
	return errors.As(err, &fe)
}

// failures collects the errors of goroutines.
type failures struct {
	mu  sync.Mutex
	all []error // guarded by mu
}

func (f *failures) add(err error) {
	if err == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, err)
}

// worst returns our own trouble before a full disk, that before a link that needs a new export, and that
// before what the same command run again may fix.
func (f *failures) worst() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var worst error
	for _, err := range f.all {
		if worst == nil || urgency(err) < urgency(worst) {
			worst = err
		}
	}
	return worst
}

// urgency is fetch's rank of an error; what is not one of fetch's comes before all of those, and the
// consequence of another failure, or of the user's wish, or what this process fixes itself, after all.
func urgency(err error) int {
	var fe *failure.Error
	switch {
	case errors.Is(err, context.Canceled), needsRebuild(err):
		return failure.Interrupted.Rank() + 1
	case !errors.As(err, &fe):
		return -1
	}
	return fe.Code.Rank()
}
