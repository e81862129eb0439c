package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"holdall/internal/digest"
)

// KindTaken is the kind of the event that Commit adds to the ledger.
const KindTaken = "taken"

// uploads is how many files are put into a store at once.
const uploads = 4

// Commit puts a sealed bag into the store as exports/<ID>, bagit.txt last, and adds a line "taken" to the root's ledger.
// It may be repeated after a failure at any point, also by another process: the bag must then go to the same store.
func (b *Builder) Commit(ctx context.Context, s Store) error {
	prefix, err := b.startCommit()
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	if err := b.deliver(ctx, s, prefix); err != nil {
		return fmt.Errorf("commit to %s: %w", s.Location(prefix), err)
	}
	if err := b.checkDelivered(ctx, s, prefix); err != nil {
		return fmt.Errorf("commit to %s: %w", s.Location(prefix), err)
	}
	if err := putNew(ctx, s, readmeName, rootReadme()); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("commit: write %s: %w", s.Location(readmeName), err)
	}
	if err := putNew(ctx, s, prefix+"/"+bagitName, []byte(bagit)); err != nil {
		return fmt.Errorf("commit: write %s: %w", s.Location(prefix+"/"+bagitName), err)
	}
	return b.recordTaken(ctx, s)
}

func putNew(ctx context.Context, s Store, name string, content []byte) error {
	return s.Put(ctx, name, bytes.NewReader(content), int64(len(content)), digest.Of(content))
}

// startCommit records that from now on nothing in the bag may change.
func (b *Builder) startCommit() (prefix string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return "", fs.ErrClosed
	}
	if b.sealed == nil {
		return "", errors.New("the bag is not sealed")
	}
	prefix = exportsDir + b.sealed.ID
	if b.committing != "" {
		return prefix, nil
	}
	if err := b.journal.append(entry{Committing: prefix}); err != nil {
		return "", err
	}
	b.committing = prefix
	return prefix, nil
}

// deliver brings every file but bagit.txt into the store.
func (b *Builder) deliver(ctx context.Context, s Store, prefix string) error {
	if b.moved {
		return nil
	}
	if a, ok := s.(Adopter); ok {
		err := a.Adopt(ctx, b.bagDir(), prefix)
		if err == nil {
			b.moved = true
			return nil
		}
		if !errors.Is(err, fs.ErrExist) && !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(uploads)
	for _, rec := range b.records() {
		g.Go(func() error { return b.upload(ctx, s, prefix+"/"+rec.Name, rec) })
	}
	return g.Wait()
}

// upload puts one file, unless an earlier attempt did and the store's digest says so.
func (b *Builder) upload(ctx context.Context, s Store, name string, rec fileRecord) error {
	info, err := s.Stat(ctx, name)
	if err == nil && info.Size == rec.Size && info.SHA256 == rec.SHA256 {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := b.Open(rec.Name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := s.Put(ctx, name, f, rec.Size, rec.SHA256); err != nil {
		return fmt.Errorf("put %s: %w", rec.Name, err)
	}
	return nil
}

// checkDelivered makes sure that the store holds the bag's files, and no others, as they were sealed.
func (b *Builder) checkDelivered(ctx context.Context, s Store, prefix string) error {
	recs := b.records()
	known := map[string]bool{prefix + "/" + bagitName: true}
	for _, rec := range recs {
		known[prefix+"/"+rec.Name] = true
	}
	for info, err := range s.List(ctx, prefix) {
		if err != nil {
			return err
		}
		if !known[info.Name] {
			return fmt.Errorf("%s lies there and is not of this bag", s.Location(info.Name))
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(uploads)
	for _, rec := range recs {
		g.Go(func() error { return b.checkOne(ctx, s, prefix+"/"+rec.Name, rec) })
	}
	return g.Wait()
}

// checkOne compares a file's digest as the store keeps it. Where it keeps none the file is read back, unless it is
// the staged one, moved: that has been read back before.
func (b *Builder) checkOne(ctx context.Context, s Store, name string, rec fileRecord) error {
	info, err := s.Stat(ctx, name)
	if err != nil {
		return err
	}
	if info.Size != rec.Size {
		return fmt.Errorf("%s has %d bytes instead of %d", s.Location(name), info.Size, rec.Size)
	}
	if !info.SHA256.IsZero() {
		if info.SHA256 != rec.SHA256 {
			return fmt.Errorf("%s has sha256 %s instead of %s", s.Location(name), info.SHA256, rec.SHA256)
		}
		return nil
	}
	if b.moved && rec.Name != tagManifestName {
		return nil
	}
	r, err := s.Open(ctx, name, 0, -1)
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := io.Copy(io.Discard, digest.NewReader(r, rec.Size, rec.SHA256)); err != nil {
		return fmt.Errorf("read %s back: %w", s.Location(name), err)
	}
	return nil
}

// factTagManifest is the fact of an event that ties the whole bag to the ledger.
const factTagManifest = "tagmanifest-sha256"

// recordTaken adds the event, unless an earlier attempt did.
func (b *Builder) recordTaken(ctx context.Context, s Store) error {
	if _, err := settleLedger(ctx, s); err != nil {
		return err
	}
	names, err := eventNames(ctx, s)
	if err != nil {
		return err
	}
	for _, name := range slices.Backward(names) {
		// An older event that was changed, or is lost, is no reason not to write this one: Events names the damage.
		var e Event
		if content, err := readAll(ctx, s, name, maxEvent); err != nil || json.Unmarshal(content, &e) != nil {
			continue
		}
		if e.Kind == KindTaken && e.Export == b.sealed.ID {
			return nil
		}
	}
	files, size, documents := b.payload()
	_, err = AppendEvent(ctx, s, Event{Kind: KindTaken, Export: b.sealed.ID, Time: time.Now(), Facts: map[string]string{
		factTagManifest: b.recordOf(tagManifestName).SHA256.String(),
		"payload-files": strconv.Itoa(files),
		"payload-bytes": strconv.FormatInt(size, 10),
		"documents":     strconv.Itoa(documents),
	}})
	return err
}
