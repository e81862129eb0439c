package archive_test

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"holdall/archive"
	"holdall/archive/storetest"
	"holdall/internal/digest"
)

// otherID is an ID that differs from testID in its last letter.
var otherID = testID[:len(testID)-1] + map[bool]string{true: "b", false: "a"}[testID[len(testID)-1] == 'a']

// rewrite changes a tag file of the sample bag, and the tag manifest so that it agrees.
func rewrite(t *testing.T, s *storetest.Memory, name string, content []byte) {
	t.Helper()
	tags := s.Objects()[bagPrefix+"tagmanifest-sha256.txt"]
	line := regexp.MustCompile(`(?m)^[0-9a-f]{64}  ` + regexp.QuoteMeta(name) + `$`)
	changed := line.ReplaceAll(tags, fmt.Appendf(nil, "%s  %s", digest.Of(content), name))
	if bytes.Equal(tags, changed) {
		t.Fatalf("the tag manifest has no line for %s:\n%s", name, tags)
	}
	s.Replace(bagPrefix+name, content)
	s.Replace(bagPrefix+"tagmanifest-sha256.txt", changed)
}

func withoutLedger(s *storetest.Memory) {
	for name := range s.Objects() {
		if strings.HasPrefix(name, "ledger/") {
			s.Replace(name, nil)
		}
	}
}

// A bag whose description was changed, digests included, still has to add up.
func TestThePayloadMustAddUp(t *testing.T) {
	s, _, _ := damagedBag(t)
	withoutLedger(s)
	info := s.Objects()[bagPrefix+"bag-info.txt"]
	oxum := regexp.MustCompile(`(?m)^Payload-Oxum: .*$`)
	rewrite(t, s, "bag-info.txt", oxum.ReplaceAll(info, []byte("Payload-Oxum: 12.3")))
	bag, err := archive.Open(context.Background(), s, testID)
	if err != nil {
		t.Fatal(err)
	}
	r, err := bag.Verify(context.Background(), archive.Full, nil)
	if err != nil || len(r.Faults) != 1 || r.Faults[0].Code != archive.FaultPayload ||
		!strings.Contains(r.Faults[0].Detail, `"12.3"`) {
		t.Errorf("%v, want one payload-mismatch:\n%s", err, show(r))
	}
}

// A bag is what its description says, wherever it lies; but a description that was changed does not rename an
// export that the ledger knows.
func TestABagsIDIsTheOneOfItsDescription(t *testing.T) {
	ctx := context.Background()
	s, _, _ := damagedBag(t)
	for name, content := range s.Objects() {
		if rest, ok := strings.CutPrefix(name, bagPrefix); ok {
			s.Replace("exports/"+otherID+"/"+rest, content)
			s.Replace("elsewhere/"+rest, content)
		}
	}
	for _, folder := range []string{"exports/" + testID, "exports/" + otherID, "elsewhere"} {
		if bag, err := archive.OpenFolder(ctx, s, folder); err != nil || bag.ID() != testID {
			t.Errorf("%s is %v, %v; want %s", folder, bag, err, testID)
		}
	}
	changed := bytes.ReplaceAll(s.Objects()[bagPrefix+"bag-info.txt"], []byte(testID), []byte(otherID))
	s.Replace(bagPrefix+"bag-info.txt", changed)
	bag, err := archive.Open(ctx, s, testID)
	if err != nil || bag.ID() != testID {
		t.Fatalf(
			"with another ID in bag-info.txt it is %s, %v; want %s, as the ledger knows it", bag.ID(), err,
			testID,
		)
	}
	if r, err := bag.Verify(ctx, archive.Full, nil); err != nil || len(r.Faults) != 1 ||
		r.Faults[0].Path != "bag-info.txt" {
		t.Errorf("%v, want one fault of bag-info.txt:\n%s", err, show(r))
	}
}

func TestARootIsHeldAgainstItsLedger(t *testing.T) {
	ctx := context.Background()
	s, _, _ := damagedBag(t)
	check := func(faults, notes string) {
		t.Helper()
		r, err := archive.CheckRoot(ctx, s)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range r.Faults {
			got = append(got, string(f.Code)+" "+f.Path)
		}
		if strings.Join(got, ", ") != faults || strings.Join(r.Notes, "\n") != notes {
			t.Errorf("faults %q and notes %q, want %q and %q", got, r.Notes, faults, notes)
		}
	}
	check("", "")
	events := s.Objects()
	withoutLedger(s)
	check("ledger-broken ledger/", "")
	s.Replace("README.txt", nil) // the bag was copied here, and no commit has ever been
	check("", "no ledger here: whether an export is missing cannot be known")
	for name, content := range events {
		if strings.HasPrefix(name, "ledger/numbers/") {
			// the event of a writer that died between its two writes
			s.Replace(name, content)
		}
	}
	check("", "")
	for name := range events {
		if strings.HasPrefix(name, bagPrefix) {
			s.Replace(name, nil)
		}
	}
	check("export-missing exports/"+testID, "")
}

// One letter of a name in a manifest is damaged: the manifest is at fault, and neither a file of that name is
// missing nor the file meant unexpected.
func TestADamagedNameInAManifestIsTheManifestsFault(t *testing.T) {
	s, _, rows := damagedBag(t)
	for _, manifest := range []string{"tagmanifest-sha256.txt", "manifest-sha256.txt"} {
		content := s.Objects()[bagPrefix+manifest]
		// the ends of the lines
		for at := len(content) - 1; at > 0; at = bytes.LastIndexByte(content[:at], '\n') {
			bad := bytes.Clone(content)
			bad[at-3] ^= 1
			s.Replace(bagPrefix+manifest, bad)
			checkNamed(t, s, manifest, at-3, []string{}, rows)
		}
		s.Replace(bagPrefix+manifest, content)
	}
}

// What lies where a bag is to be committed, and is none of its files, stops the commit.
func TestACommitDoesNotMixWithWhatIsThere(t *testing.T) {
	ctx := context.Background()
	b, err := archive.NewBuilder(copyTree(t, sealedTiny(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	s := &storetest.Memory{}
	if err := s.Put(
		ctx, bagPrefix+"data/somebody-elses.txt", strings.NewReader("x"), 1, digest.Of([]byte("x")),
	); err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(ctx, s); err == nil || !strings.Contains(err.Error(), "data/somebody-elses.txt") {
		t.Errorf("commit: %v, want an error about what lies there", err)
	}
	if _, err := archive.Open(ctx, s, testID); err == nil {
		t.Error("the bag was committed all the same")
	}
}
