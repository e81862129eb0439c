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

// An expectation is what the bag's own descriptions say should be there, and how far they can be believed.
type expectation struct {
	sums  map[string]digest.Sum // every file that should be there
	files map[string]fileLine   // of custody/files.csv, where that is intact
	parts map[string][]digest.Sum

	reported map[string]bool // files whose damage has been reported
	intact   map[string]bool // manifests that are known to be intact
}

// A fileLine is one line of custody/files.csv.
type fileLine struct {
	size        int64
	sum         digest.Sum
	content     digest.Sum // of zstd content; zero for others
	contentSize int64
	rows        int // of a pack; -1 for others
}

// mayBeDamaged reports whether a manifest is not known to be intact.
func (b *expectation) mayBeDamaged(manifest string) bool { return !b.intact[manifest] }

// readManifests reads the manifests and the list of files, and records what is wrong with them. The tag
// manifest proves the manifest and the list of files, and the ledger proves the tag manifest.
func (v *verifier) readManifests(ctx context.Context) (*expectation, error) {
	b := &expectation{
		sums: map[string]digest.Sum{}, files: map[string]fileLine{}, reported: map[string]bool{},
		intact: map[string]bool{},
	}
	v.expected = b
	contents := map[string][]byte{}
	for _, name := range []string{tagManifestName, manifestName, fileListName, partListName, bagitName} {
		if name == partListName && v.expected.sums[name].IsZero() && !v.isPresent(name) {
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
	b.intact[tagManifestName] = v.checkAgainstLedger(ctx, contents[tagManifestName])
	v.addManifest(tagManifestName, contents[tagManifestName])
	v.checkTagFile(manifestName, contents[manifestName])
	v.addManifest(manifestName, contents[manifestName])
	v.checkTagFile(fileListName, contents[fileListName])
	if b.intact[fileListName] {
		v.addFileList(contents[fileListName])
	}
	v.repairNames()
	return b, v.addPartList(contents[partListName])
}

// checkAgainstLedger compares the tag manifest with its digest in the root's ledger, and reports whether they
// agree.
func (v *verifier) checkAgainstLedger(ctx context.Context, content []byte) bool {
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

// checkTagFile records whether a file is what the tag manifest says, before its content is used.
func (v *verifier) checkTagFile(name string, content []byte) {
	want, got := v.expected.sums[name], digest.Of(content)
	v.expected.intact[name] = content != nil && got == want
	if content == nil || got == want {
		return
	}
	v.expected.reported[name] = true
	if !want.IsZero() && v.expected.mayBeDamaged(tagManifestName) && fewDigitsDiffer(got, want) {
		v.expected.intact[name] = true
		v.add(FaultHash, tagManifestName, "its line for %s is damaged", name)
		return
	}
	if want.IsZero() {
		v.add(
			FaultHash, tagManifestName, "it no longer names %s, which therefore cannot be checked",
			name,
		)
		return
	}
	v.add(FaultHash, name, "sha256 %s instead of %s", got, want)
}

// addManifest adds the lines of a manifest to v.expected, and records which are not as Seal writes them.
func (v *verifier) addManifest(name string, content []byte) {
	if content == nil {
		return
	}
	lines, faults := parseManifest(content)
	for _, f := range faults {
		v.add(FaultHash, name, "%s", f)
	}
	if len(faults) == 0 && !bytes.Equal(formatManifest(slices.Clone(lines)), content) {
		v.add(FaultHash, name, "its lines are not in the order and form of this format")
	}
	for _, l := range lines {
		if l.name == bagitName {
			if l.sum != v.expected.sums[bagitName] {
				v.add(FaultHash, name, "its line for %s is damaged", bagitName)
			}
			continue
		}
		if l.name == tagManifestName || (manifestOf(l.name) == manifestName) != (name == manifestName) {
			v.add(FaultHash, name, "it names %s, which does not belong there", l.name)
			continue
		}
		v.expected.sums[l.name] = l.sum
	}
}

// addFileList adds custody/files.csv, which is intact, to v.expected, and with it files that a damaged
// manifest no longer names.
func (v *verifier) addFileList(content []byte) {
	r := csv.NewReader(bytes.NewReader(content))
	r.FieldsPerRecord = len(fileColumns)
	header, err := r.Read()
	if err == nil && !slices.Equal(header, fileColumns) {
		err = fmt.Errorf("its header is %q", header)
	}
	for err == nil {
		var rec []string
		if rec, err = r.Read(); err == nil {
			err = v.addFileLine(rec)
		}
	}
	if !errors.Is(err, io.EOF) {
		v.add(FaultContent, fileListName, "%v", err)
	}
}

// isPresent reports whether a file is in the store.
func (v *verifier) isPresent(name string) bool {
	_, ok := v.present[name]
	return ok
}

// addPartList adds custody/parts.csv to v.expected, if it is what the tag manifest says.
func (v *verifier) addPartList(content []byte) error {
	v.expected.parts = map[string][]digest.Sum{}
	if content == nil || digest.Of(content) != v.expected.sums[partListName] {
		return nil // comparing digests reports it
	}
	parts, err := parsePartList(content)
	if err != nil {
		v.add(FaultContent, partListName, "%v", err)
		return nil
	}
	v.expected.parts = parts
	return nil
}

func (v *verifier) addFileLine(rec []string) error {
	p := fieldParser{}
	line := fileLine{size: p.number("bytes", rec[1]), sum: p.sum("sha256", rec[2]), rows: -1}
	if rec[4] != "" {
		line.contentSize, line.content = p.number("content_bytes", rec[3]), p.sum("content_sha256", rec[4])
	}
	if rec[5] != "" {
		n, err := strconv.Atoi(rec[5])
		p.fail("rows", err)
		line.rows = n
	}
	if p.err != nil {
		return p.err
	}
	v.expected.files[rec[0]] = line
	if _, ok := v.expected.sums[rec[0]]; !ok && v.expected.mayBeDamaged(manifestOf(rec[0])) {
		v.expected.sums[rec[0]] = line.sum
		v.add(FaultHash, manifestOf(rec[0]), "it does not name %s", rec[0])
	}
	return nil
}

// repairNames removes names from v.expected that only a damaged manifest has, and gives their digests to the
// files meant. Without it one damaged character in a manifest would be reported as one file missing and
// another unexpected, although all are there.
func (v *verifier) repairNames() {
	for name, sum := range v.expected.sums {
		_, there := v.present[name]
		_, listed := v.expected.files[name]
		manifest := manifestOf(name)
		if there || listed || isOwnTag(name) || !v.expected.mayBeDamaged(manifest) {
			continue
		}
		meant := v.oneLetterAway(name)
		if meant == "" && len(v.expected.files) == 0 {
			continue // nothing says that the name is wrong
		}
		delete(v.expected.sums, name)
		v.add(FaultHash, manifest, "it names %s, which was never there", name)
		if meant != "" {
			v.expected.sums[meant] = sum
		}
	}
}

// oneLetterAway returns the file without a digest whose name differs from name in one character, "" where
// there is none.
func (v *verifier) oneLetterAway(name string) string {
	for there := range v.present {
		if sum, ok := v.expected.sums[there]; ok && !sum.IsZero() || len(there) != len(name) {
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
