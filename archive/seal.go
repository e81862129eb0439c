package archive

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdall/internal/digest"
)

// BagInfo is what bag-info.txt says.
type BagInfo struct {
	ID           string // External-Identifier
	Organization string // Source-Organization: the platform the export came from, and the tenant
	Started      time.Time
	Software     string // "holdall v0.1.0"
	Description  string
}

// Seal writes bag-info.txt, README.txt and the manifests, and reads every file back from the disk and
// compares it. Afterwards the staging directory is the whole bag except for bagit.txt. A bag that is
// sealed under the same ID stays as it is; one that is sealed under another is sealed anew unless its
// commit has begun.
func (b *Builder) Seal(ctx context.Context, info BagInfo) error {
	if !validID(info.ID) {
		return fmt.Errorf("seal: %q is not an ID of an export", info.ID)
	}
	done, err := b.startSeal(info.ID)
	if err != nil || done {
		return err
	}
	if err := b.checkComplete(ctx); err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	if err := b.writeSealFiles(info); err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	if err := b.readAllBack(ctx); err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	return b.recordSeal(info.ID)
}

// startSeal drops what an earlier seal wrote.
func (b *Builder) startSeal(id string) (done bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sealed != nil && b.sealed.ID == id {
		return true, nil
	}
	if b.delivering != "" && b.delivering != exportsDir+id {
		return false, fmt.Errorf("seal %s: files of this bag have gone to %s", id, b.delivering)
	}
	if err := b.unseal(); err != nil {
		return false, fmt.Errorf("seal: %w", err)
	}
	return false, b.dropSeal()
}

// checkComplete says what keeps the bag from being sealed.
func (b *Builder) checkComplete(ctx context.Context) error {
	if err := b.finishPacks(ctx); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range b.names {
		if _, ok := b.files[name]; !ok && !strings.HasSuffix(name, "/") {
			return fmt.Errorf("%s is not finished", name)
		}
	}
	index := slices.Index(b.order, indexName)
	for i, name := range b.order {
		if b.files[name].Pack != nil && i > index {
			return fmt.Errorf(
				"the index does not have the documents of %s: WriteIndex comes after the last pack", name,
			)
		}
	}
	return nil
}

func (b *Builder) writeSealFiles(info BagInfo) error {
	if err := b.writeFile(readmeName, bagReadme(info.ID)); err != nil {
		return err
	}
	if err := b.writeFile(profileName, profile); err != nil {
		return err
	}
	if list := b.partList(); list != nil {
		if err := b.writeFile(partListName, list); err != nil {
			return err
		}
	}
	if err := b.writeFile(fileListName, b.fileList()); err != nil {
		return err
	}
	if err := b.writeFile(bagInfoName, formatBagInfo(b.bagInfo(info))); err != nil {
		return err
	}
	payload, tags := b.manifests()
	if err := b.writeFile(manifestName, formatManifest(payload)); err != nil {
		return err
	}
	rec := b.recordOf(manifestName)
	tags = append(
		tags, manifestLine{manifestName, rec.SHA256}, manifestLine{bagitName, digest.Of([]byte(bagit))},
	)
	return b.writeFile(tagManifestName, formatManifest(tags))
}

func (b *Builder) writeFile(name string, content []byte) error {
	f, err := b.create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(content); err != nil {
		return err
	}
	_, err = f.Commit()
	return err
}

func (b *Builder) recordOf(name string) fileRecord {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.files[name]
}

// records returns the finished files ordered by name.
func (b *Builder) records() []fileRecord {
	b.mu.Lock()
	defer b.mu.Unlock()
	var recs []fileRecord
	for _, rec := range b.files {
		recs = append(recs, rec)
	}
	slices.SortFunc(recs, func(x, y fileRecord) int { return strings.Compare(x.Name, y.Name) })
	return recs
}

// manifests returns the lines for the payload, which is what lies under data/, and for the rest.
func (b *Builder) manifests() (payload, tags []manifestLine) {
	for _, rec := range b.records() {
		line := manifestLine{rec.Name, rec.SHA256}
		if strings.HasPrefix(rec.Name, payloadDir) {
			payload = append(payload, line)
		} else {
			tags = append(tags, line)
		}
	}
	return payload, tags
}

// fileColumns are those of custody/files.csv.
var fileColumns = []string{"path", "bytes", "sha256", "content_bytes", "content_sha256", "rows"}

// fileList returns custody/files.csv: what the manifests cannot say of each file.
func (b *Builder) fileList() []byte {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	w.Write(fileColumns)
	for _, rec := range b.records() {
		line := []string{rec.Name, strconv.FormatInt(rec.Size, 10), rec.SHA256.String(), "", "", ""}
		if rec.Content != nil {
			line[3], line[4] = strconv.FormatInt(rec.Content.Size, 10), rec.Content.SHA256.String()
		}
		if rec.Pack != nil {
			line[5] = strconv.Itoa(rec.Pack.Rows)
		}
		w.Write(line)
	}
	w.Flush()
	return out.Bytes()
}

// Labels of bag-info.txt that are not in RFC 8493.
const (
	labelProfile   = "BagIt-Profile-Identifier" // of BagIt Profiles
	labelFormat    = "Holdall-Format"
	labelStarted   = "Holdall-Started"
	labelDocuments = "Holdall-Documents"
)

func (b *Builder) bagInfo(info BagInfo) []label {
	files, size, documents := b.payload()
	return []label{
		{labelProfile, profileID},
		{"Source-Organization", info.Organization},
		{"External-Description", info.Description},
		{"External-Identifier", info.ID},
		{"Bagging-Date", time.Now().UTC().Format(time.DateOnly)},
		{"Payload-Oxum", fmt.Sprintf("%d.%d", size, files)},
		{"Bag-Software-Agent", info.Software},
		{labelFormat, FormatVersion},
		{labelStarted, info.Started.UTC().Format(time.RFC3339)},
		{labelDocuments, strconv.Itoa(documents)},
	}
}

// payload counts the files under data/, their bytes, and the documents.
func (b *Builder) payload() (files int, size int64, documents int) {
	for _, rec := range b.records() {
		if strings.HasPrefix(rec.Name, payloadDir) {
			files++
			size += rec.Size
		}
		if rec.Pack != nil {
			documents += rec.Pack.Rows
		}
	}
	return files, size, documents
}

// readAllBack returns when every file has been read from the disk and is as it was written.
func (b *Builder) readAllBack(ctx context.Context) error {
	if err := b.readBack.wait(ctx); err != nil {
		return err
	}
	for _, rec := range b.records() {
		if !b.verified(rec) {
			b.readBack.add(rec)
		}
	}
	if err := b.readBack.wait(ctx); err != nil {
		return err
	}
	for _, rec := range b.records() {
		if !b.verified(rec) {
			return fmt.Errorf("%s has not been read back", rec.Name)
		}
	}
	return nil
}

// verified reports whether a file has read back, here or before an earlier process delivered it.
func (b *Builder) verified(rec fileRecord) bool {
	return b.isDelivered(rec.Name) || b.readBack.verified(rec)
}

// recordSeal ends Seal, unless something was added meanwhile that the manifests do not have.
func (b *Builder) recordSeal(id string) error {
	_, size, documents := b.payload()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.order) == 0 || b.order[len(b.order)-1] != tagManifestName {
		return errors.New("seal: files were added meanwhile")
	}
	rec := &sealRecord{ID: id, Documents: documents, Payload: size}
	if err := b.journal.append(entry{Sealed: rec}); err != nil {
		return err
	}
	b.sealed = rec
	return nil
}
