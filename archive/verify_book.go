package archive

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"holdall/internal/digest"
)

// A book is what the bag's own descriptions say should be there, and how far they can be believed.
type book struct {
	sums  map[string]digest.Sum // every file that should be there
	files map[string]fileLine   // of custody/files.csv, where that is intact
	parts map[string][]digest.Sum

	ownFaults map[string]bool // files whose damage is told already
	certain   map[string]bool // manifests that are known to be intact
}

// A fileLine is one line of custody/files.csv.
type fileLine struct {
	size       int64
	sum        digest.Sum
	content    digest.Sum // of zstd content; zero for others
	contentLen int64
	rows       int // of a pack; -1 for others
}

// mayBeDamaged reports whether a manifest is not known to be intact.
func (b *book) mayBeDamaged(manifest string) bool { return !b.certain[manifest] }

// openBooks reads the manifests and the list of files, and finds out what is wrong with them. The tag
// manifest vouches for the manifest and the list of files, and the ledger for the tag manifest.
func (v *verifier) openBooks(ctx context.Context) (*book, error) {
	b := &book{
		sums: map[string]digest.Sum{}, files: map[string]fileLine{}, ownFaults: map[string]bool{},
		certain: map[string]bool{},
	}
	v.book = b
	contents := map[string][]byte{}
	for _, name := range []string{tagManifestName, manifestName, fileListName, partListName, bagitName} {
		if name == partListName && v.book.sums[name].IsZero() && !v.lists(name) {
			continue // as in most bags
		}
		content, err := v.bag.readTag(ctx, name)
		if err != nil {
			if err := v.unreadable(ctx, name, err); err != nil {
				return nil, err
			}
		}
		contents[name] = content
	}
	for _, name := range []string{tagManifestName, manifestName, fileListName, bagInfoName, bagitName} {
		b.sums[name] = digest.Sum{} // so that their absence is a fault whatever the manifests say
	}
	b.sums[bagitName] = digest.Of([]byte(bagit))
	b.sums[tagManifestName] = digest.Of(contents[tagManifestName])
	b.certain[tagManifestName] = v.askLedger(ctx, contents[tagManifestName])
	v.readManifest(tagManifestName, contents[tagManifestName])
	v.vouch(manifestName, contents[manifestName])
	v.readManifest(manifestName, contents[manifestName])
	v.vouch(fileListName, contents[fileListName])
	if b.certain[fileListName] {
		v.readFileList(contents[fileListName])
	}
	v.pairLostNames()
	return b, v.readPartList(contents[partListName])
}

// askLedger compares the tag manifest with what the root's ledger says of it, and reports whether they agree.
func (v *verifier) askLedger(ctx context.Context, content []byte) bool {
	var want string
	for e, err := range Events(ctx, v.bag.s) {
		if err != nil {
			v.add(FaultLedger, ledgerDir, "%v", err)
			return false
		}
		if e.Export == v.bag.id && e.Facts[factTagManifest] != "" {
			want = e.Facts[factTagManifest]
		}
	}
	if want == "" || content == nil {
		return false // a bag that was copied alone
	}
	if got := digest.Of(content).String(); got != want {
		v.add(FaultHash, tagManifestName, "sha256 %s, the ledger says %s", got, want)
		return false
	}
	return true
}

// vouch notes whether a file is what the tag manifest says, before its content is used.
func (v *verifier) vouch(name string, content []byte) {
	want, got := v.book.sums[name], digest.Of(content)
	v.book.certain[name] = content != nil && got == want
	if content == nil || got == want {
		return
	}
	v.book.ownFaults[name] = true
	if !want.IsZero() && v.book.mayBeDamaged(tagManifestName) && nearlySame(got, want) {
		v.book.certain[name] = true
		v.add(FaultHash, tagManifestName, "its line for %s is damaged", name)
		return
	}
	if want.IsZero() {
		v.add(
			FaultHash, tagManifestName, "it does not name %s any more, which therefore cannot be checked",
			name,
		)
		return
	}
	v.add(FaultHash, name, "sha256 %s instead of %s", got, want)
}

// readManifest takes the lines of a manifest into the book, and says which are not as Seal writes them.
func (v *verifier) readManifest(name string, content []byte) {
	if content == nil {
		return
	}
	lines, faults := parseManifest(content)
	for _, f := range faults {
		v.add(FaultHash, name, "%s", f)
	}
	if len(faults) == 0 && !bytes.Equal(formatManifest(slices.Clone(lines)), content) {
		v.add(FaultHash, name, "it is not written as a manifest of this format is")
	}
	for _, l := range lines {
		if l.name == bagitName {
			if l.sum != v.book.sums[bagitName] {
				v.add(FaultHash, name, "its line for %s is damaged", bagitName)
			}
			continue
		}
		if l.name == tagManifestName || (bookOf(l.name) == manifestName) != (name == manifestName) {
			v.add(FaultHash, name, "it names %s, which does not belong there", l.name)
			continue
		}
		v.book.sums[l.name] = l.sum
	}
}

// readFileList takes custody/files.csv, which is intact, into the book, and with it files that a damaged
// manifest no longer names.
func (v *verifier) readFileList(content []byte) {
	r := csv.NewReader(bytes.NewReader(content))
	r.FieldsPerRecord = len(fileColumns)
	header, err := r.Read()
	if err == nil && !slices.Equal(header, fileColumns) {
		err = fmt.Errorf("its header is %q", header)
	}
	for err == nil {
		var rec []string
		if rec, err = r.Read(); err == nil {
			err = v.takeFileLine(rec)
		}
	}
	if !errors.Is(err, io.EOF) {
		v.add(FaultContent, fileListName, "%v", err)
	}
}

// lists reports whether a file lies in the store.
func (v *verifier) lists(name string) bool {
	_, ok := v.present[name]
	return ok
}

// readPartList takes custody/parts.csv into the book, if it is what the tag manifest says.
func (v *verifier) readPartList(content []byte) error {
	v.book.parts = map[string][]digest.Sum{}
	if content == nil || digest.Of(content) != v.book.sums[partListName] {
		return nil // what that means the digests say
	}
	parts, err := parsePartList(content)
	if err != nil {
		v.add(FaultContent, partListName, "%v", err)
		return nil
	}
	v.book.parts = parts
	return nil
}

func (v *verifier) takeFileLine(rec []string) error {
	p := fieldParser{}
	line := fileLine{size: p.number("bytes", rec[1]), sum: p.sum("sha256", rec[2]), rows: -1}
	if rec[4] != "" {
		line.contentLen, line.content = p.number("content_bytes", rec[3]), p.sum("content_sha256", rec[4])
	}
	if rec[5] != "" {
		n, err := strconv.Atoi(rec[5])
		p.keep("rows", err)
		line.rows = n
	}
	if p.err != nil {
		return p.err
	}
	v.book.files[rec[0]] = line
	if _, ok := v.book.sums[rec[0]]; !ok && v.book.mayBeDamaged(bookOf(rec[0])) {
		v.book.sums[rec[0]] = line.sum
		v.add(FaultHash, bookOf(rec[0]), "it does not name %s", rec[0])
	}
	return nil
}

// pairLostNames takes names that only a damaged manifest has out of the book, and gives their digests to the
// files meant.
func (v *verifier) pairLostNames() {
	for name, sum := range v.book.sums {
		_, there := v.present[name]
		_, listed := v.book.files[name]
		manifest := bookOf(name)
		if there || listed || isOwnTag(name) || !v.book.mayBeDamaged(manifest) {
			continue
		}
		meant := v.nearName(name)
		if meant == "" && len(v.book.files) == 0 {
			continue // nothing says that the name is wrong
		}
		delete(v.book.sums, name)
		v.add(FaultHash, manifest, "it names %s, which was never there", name)
		if meant != "" {
			v.book.sums[meant] = sum
		}
	}
}

// nearName returns the file without a digest whose name differs from name in one character, "" where there is
// none.
func (v *verifier) nearName(name string) string {
	for there := range v.present {
		if sum, ok := v.book.sums[there]; ok && !sum.IsZero() || len(there) != len(name) {
			continue
		}
		differ := 0
		for i := range there {
			if there[i] != name[i] {
				differ++
			}
		}
		if differ == 1 {
			return there
		}
	}
	return ""
}

// isOwnTag reports whether Seal writes the file after custody/files.csv, which therefore does not list it.
func isOwnTag(name string) bool {
	switch name {
	case bagitName, bagInfoName, manifestName, tagManifestName, fileListName:
		return true
	}
	return false
}
