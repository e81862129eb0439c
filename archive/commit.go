package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"time"

	"holdall/internal/digest"
)

// The kinds of events that bring an export: Commit adds one to the ledger, and Copy the other.
const (
	KindTaken  = "taken"
	KindCopied = "copied"
)

func brings(kind string) bool { return kind == KindTaken || kind == KindCopied }

// Commit puts a sealed bag into the store as exports/<ID>, bagit.txt last, and adds a line "taken" to the
// root's ledger. It may be repeated after a failure at any point, also by another process: the bag must
// then go to the same store.
func (b *Builder) Commit(ctx context.Context, s Store) error {
	prefix, err := b.startCommit()
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	if err := b.deliver(ctx, s, prefix); err != nil {
		return fmt.Errorf("commit to %s: %w", s.Location(prefix), err)
	}
	if err := putNew(ctx, s, readmeName, RootReadme()); err != nil && !errors.Is(err, fs.ErrExist) {
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
		b.again.Store(true)
		return prefix, nil
	}
	if err := b.journal.append(entry{Committing: prefix}); err != nil {
		return "", err
	}
	b.committing = prefix
	return prefix, nil
}

// deliver brings every file but bagit.txt into the store, and makes sure that it holds the bag's files,
// as they were sealed, and no others.
func (b *Builder) deliver(ctx context.Context, s Store, prefix string) error {
	if a, ok := s.(Adopter); ok && !b.moved && b.delivering == "" {
		err := a.Adopt(ctx, b.bagDir(), prefix)
		b.moved = err == nil
		if err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	if err := b.checkNoOthers(ctx, s, prefix); err != nil {
		return err
	}
	if b.moved {
		return b.checkAll(ctx, s, prefix, b.records())
	}
	return b.bringAll(ctx, s, prefix)
}

// factTagManifest is the fact of an event that ties the whole bag to the ledger.
const factTagManifest = "tagmanifest-sha256"

// recordTaken adds the event, unless an earlier attempt did.
func (b *Builder) recordTaken(ctx context.Context, s Store) error {
	if _, err := settleLedger(ctx, s); err != nil {
		return err
	}
	known, err := recorded(ctx, s, b.sealed.ID)
	if known || err != nil {
		return err
	}
	files, size, documents := b.payload()
	facts := map[string]string{
		factTagManifest: b.recordOf(tagManifestName).SHA256.String(),
		"payload-files": strconv.Itoa(files),
		"payload-bytes": strconv.FormatInt(size, 10),
		"documents":     strconv.Itoa(documents),
	}
	maps.Copy(facts, b.storeFacts)
	_, err = AppendEvent(ctx, s, Event{Kind: KindTaken, Export: b.sealed.ID, Time: time.Now(), Facts: facts})
	return err
}

// recorded reports whether the ledger says that the export was brought here.
func recorded(ctx context.Context, s Store, id string) (bool, error) {
	names, err := eventNames(ctx, s)
	if err != nil {
		return false, err
	}
	for _, name := range slices.Backward(names) {
		// An older event that was changed, or is lost, is no reason not to write this one: Events names the
		// damage.
		var e Event
		if content, err := readAll(ctx, s, name, maxEvent); err != nil || json.Unmarshal(content, &e) != nil {
			continue
		}
		if brings(e.Kind) && e.Export == id {
			return true, nil
		}
	}
	return false, nil
}
