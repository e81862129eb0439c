package takeover

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"sync"

	"holdall/fetch"
	"holdall/internal/unpack"
	"holdall/query"
)

// refusals collects the entries that are not taken over as documents; data/documents/refused.csv.
type refusals struct {
	mu   sync.Mutex
	all  []refusal     // guarded by mu
	kept map[int]int64 // bytes kept by container, guarded by mu
}

// room takes n bytes of what may be kept of a container's refused entries: as much as the container has. Entries that
// overlap could ask for far more.
func (r *refusals) room(container int, n, size int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kept == nil {
		r.kept = map[int]int64{}
	}
	if n <= 0 || r.kept[container]+n > size {
		return false
	}
	r.kept[container] += n
	return true
}

type refusal struct {
	container, index int
	name             string
	raw              []byte
	reason           unpack.Refusal
	kept             string // the file of the bag that holds its stored bytes, or empty
}

// refuse records an entry that is not taken over as a document, and keeps its stored bytes where it has any.
func (t *takeover) refuse(ctx context.Context, o *fetch.Object, c container, e unpack.Entry, id string) error {
	r := refusal{container: o.Source.Number, index: e.Index, name: e.Name, raw: e.RawName, reason: e.Refused}
	if e.Refused == unpack.RefusedDirectory {
		return nil // nothing is lost
	}
	size, err := o.Size(ctx)
	if err != nil {
		return err
	}
	if t.refused.room(o.Source.Number, e.CompressedSize, size) {
		kept, err := t.keepRaw(c, e, fmt.Sprintf("data/documents/refused/%s%d-%06d.raw", o.Source.Part[:1], o.Source.Number, e.Index))
		if err != nil {
			return fmt.Errorf("keep the refused entry %d of %s: %w", e.Index, o.Source.Name, err)
		}
		r.kept = kept
	}
	code := query.EntryRefused
	if e.Refused == unpack.RefusedEncrypted {
		code = query.LockedDocument
	}
	t.found.add(query.Finding{Code: code, Severity: query.SeverityWarning, RecordID: id,
		Detail: fmt.Sprintf("%s in %s is not taken over as a document (%s)%s", e.Name, o.Source.Name, e.Refused, where(r.kept))})
	t.refused.mu.Lock()
	defer t.refused.mu.Unlock()
	t.refused.all = append(t.refused.all, r)
	return nil
}

func where(kept string) string {
	if kept == "" {
		return ""
	}
	return "; its bytes are kept in " + kept
}

// keepRaw stores an entry's stored bytes in the bag; "" when not even these can be read.
func (t *takeover) keepRaw(c container, e unpack.Entry, name string) (string, error) {
	if _, ok := t.bag.Has(name); ok {
		return name, nil
	}
	r, err := c.OpenRaw(e)
	if isCorrupt(err) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	defer r.Close()
	_, err = t.writeIn(name, func(w io.Writer) error {
		_, err := io.Copy(w, r)
		return err
	})
	return name, err
}

// writeTo writes refused.csv.
func (r *refusals) writeTo(w io.Writer) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.SortFunc(r.all, func(a, b refusal) int {
		if a.container != b.container {
			return a.container - b.container
		}
		return a.index - b.index
	})
	out := csv.NewWriter(w)
	out.Write([]string{"container", "index", "name", "name_raw_hex", "reason", "kept_in"})
	for _, x := range r.all {
		out.Write([]string{strconv.Itoa(x.container), strconv.Itoa(x.index), x.name, fmt.Sprintf("%x", x.raw), string(x.reason), x.kept})
	}
	out.Flush()
	return out.Error()
}

// keepUnknown keeps an object that is no container as it was received.
func (t *takeover) keepUnknown(ctx context.Context, o *fetch.Object) error {
	if _, err := o.Wait(ctx); err != nil {
		return err
	}
	t.found.add(query.Finding{Code: query.ObjectUnrecognised, Severity: query.SeverityWarning,
		Detail: fmt.Sprintf("the link %q serves %s, which is neither a ZIP, a tar, a listing nor a CSV: kept as received", o.Source.Label, o.Source.Kind)})
	return t.keepObject(ctx, o, "data/received/other/")
}

// keepObject copies a whole object into the bag.
func (t *takeover) keepObject(_ context.Context, o *fetch.Object, folder string) error {
	name := folder + safeName(fmt.Sprintf("%02d-%s", o.Source.Number, o.Source.Name))
	if _, ok := t.bag.Has(name); ok {
		return nil
	}
	_, err := t.copyIn(name, o.Path())
	return err
}

// broken deals with a container that cannot be read: a failed fetch is returned; anything else is how the vendor made
// it, so the object is kept whole and reported.
func (t *takeover) broken(o *fetch.Object, err error) error {
	if isFetchError(err) || !isCorrupt(err) && !errors.Is(err, unpack.ErrLimit) {
		return err
	}
	ctx := context.Background() // Wait ends with the fetch, which has its own context
	if _, werr := o.Wait(ctx); werr != nil {
		return werr
	}
	t.found.add(query.Finding{Code: query.DamagedInSource, Severity: query.SeverityError,
		Detail: fmt.Sprintf("%s (%s) cannot be read: %v; it is kept whole as received: ask the vendor for this part again", o.Source.Name, o.Source.Part, err)})
	return t.keepObject(ctx, o, "data/received/other/")
}

// deadFile reports a file of a listing whose link is dead.
func (t *takeover) deadFile(o *fetch.Object) func(fetch.File) {
	return func(f fetch.File) {
		t.found.add(query.Finding{Code: query.FileUnavailable, Severity: query.SeverityError, RecordID: docID(o, f.Index),
			Detail: fmt.Sprintf("%s in %s could not be fetched: %v", f.Name, o.Source.Name, f.Err)})
	}
}

// keepContainers keeps the received containers, byte for byte, when the user asked for it.
func (t *takeover) keepContainers(ctx context.Context) error {
	if !t.KeepContainers {
		return nil
	}
	for _, o := range t.fetching.Objects {
		if err := t.keepObject(ctx, o, "data/received/containers/"); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
