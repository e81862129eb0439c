package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"time"
)

// The kinds of events by which an export arrives in a root: Commit and Copy add them to the ledger.
const (
	KindTaken  = "taken"
	KindCopied = "copied"
)

func addsExport(kind string) bool { return kind == KindTaken || kind == KindCopied }

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

// startCommit records that nothing in the bag may change from now on.
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
		b.resumed.Store(true)
		return prefix, nil
	}
	if err := b.journal.append(entry{Committing: prefix}); err != nil {
		return "", err
	}
	b.committing = prefix
	return prefix, nil
}

// factTagManifest is the fact of an event that ties the whole bag to the ledger.
const factTagManifest = "tagmanifest-sha256"

// recordTaken adds the event of a commit.
func (b *Builder) recordTaken(ctx context.Context, s Store) error {
	files, size, documents := b.payload()
	facts := map[string]string{
		factTagManifest: b.recordOf(tagManifestName).SHA256.String(),
		"payload-files": strconv.Itoa(files),
		"payload-bytes": strconv.FormatInt(size, 10),
		"documents":     strconv.Itoa(documents),
	}
	maps.Copy(facts, b.storeFacts)
	return recordArrival(ctx, s, Event{Kind: KindTaken, Export: b.sealed.ID, Time: time.Now(), Facts: facts})
}

// recordArrival adds the event of an export's arrival, unless the ledger has one already.
func recordArrival(ctx context.Context, s Store, e Event) error {
	if _, err := completeLedger(ctx, s); err != nil {
		return err
	}
	known, err := hasArrival(ctx, s, e.Export)
	if known || err != nil {
		return err
	}
	_, err = AppendEvent(ctx, s, e)
	return err
}

// hasArrival reports whether the ledger has an event of the export's arrival.
func hasArrival(ctx context.Context, s Store, id string) (bool, error) {
	names, err := eventNames(ctx, s)
	if err != nil {
		return false, err
	}
	for _, name := range slices.Backward(names) {
		// An older event that was changed or lost must not keep this one from being written: Events reports
		// the damage.
		var e Event
		if content, err := readAll(ctx, s, name, maxEvent); err != nil || json.Unmarshal(content, &e) != nil {
			continue
		}
		if addsExport(e.Kind) && e.Export == id {
			return true, nil
		}
	}
	return false, nil
}
