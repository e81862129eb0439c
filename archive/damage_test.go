package archive_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdall/archive"
	"holdall/archive/storetest"
)

// damagedBag is the sample bag in small packs, one document a file of its own, in a store that tests can
// damage.
func damagedBag(t *testing.T) (*storetest.Memory, *archive.Bag, []archive.Row) {
	t.Helper()
	ctx := context.Background()
	b, err := archive.NewSmallBuilder(t.TempDir(), 16000, 100, 4000, 19000)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	fill(t, b)
	if err := b.Seal(ctx, testInfo); err != nil {
		t.Fatal(err)
	}
	s := &storetest.Memory{}
	if err := b.Commit(ctx, s); err != nil {
		t.Fatal(err)
	}
	bag, err := archive.Open(ctx, s, testID)
	if err != nil {
		t.Fatal(err)
	}
	rows := rowsOf(t, bag)
	if n := len(packsOf(rows)); n < 4 {
		t.Fatalf("the sample fills %d packs, want several", n)
	}
	return s, bag, rows
}

func packsOf(rows []archive.Row) []string {
	set := map[string]bool{}
	for _, r := range rows {
		set[r.Pack] = true
	}
	return slices.Sorted(maps.Keys(set))
}

const bagPrefix = "exports/" + testID + "/"

// hurtAt returns the documents whose bytes are at a place.
func hurtAt(rows []archive.Row, path string, pos int64) []string {
	hurt := []string{}
	for _, r := range rows {
		if r.Pack == path && r.Offset <= pos && pos < r.Offset+r.StoredSize {
			hurt = append(hurt, r.ID)
		}
	}
	return hurt
}

// positions are the ends of a file and places spread over it.
func positions(n int) []int {
	step := max(1, n/11)
	set := map[int]bool{0: true, n - 1: true}
	for i := 0; i < n; i += step {
		set[i] = true
	}
	return slices.Sorted(maps.Keys(set))
}

func TestVerifyNamesEveryFlippedBit(t *testing.T) {
	s, _, rows := damagedBag(t)
	objects := s.Objects()
	ledger := map[bool]string{true: "", false: " without a ledger"}
	for _, withLedger := range []bool{true, false} {
		if !withLedger {
			for name := range objects {
				if strings.HasPrefix(name, "ledger/") {
					s.Replace(name, nil)
				}
			}
		}
		for _, name := range slices.Sorted(maps.Keys(objects)) {
			path, ok := strings.CutPrefix(name, bagPrefix)
			if !ok || !withLedger && strings.Contains(path, "/") { // of the others the ledger says nothing
				continue
			}
			t.Run(path+ledger[withLedger], func(t *testing.T) {
				content := objects[name]
				for i, pos := range positions(len(content)) {
					bad := bytes.Clone(content)
					bad[pos] ^= 1 << (i % 8)
					s.Replace(name, bad)
					checkNamed(t, s, path, pos, hurtAt(rows, path, int64(pos)), rows)
				}
				s.Replace(name, content)
			})
		}
	}
}

// checkNamed verifies a bag in which one bit of path was flipped.
func checkNamed(t *testing.T, s archive.Store, path string, pos int, hurt []string, rows []archive.Row) {
	t.Helper()
	ctx := context.Background()
	bag, err := archive.Open(ctx, s, testID)
	if err != nil {
		t.Fatalf("bit flipped at %d: open: %v", pos, err)
	}
	// deep always, full every other time
	for _, level := range []archive.Level{archive.Full, archive.Deep}[pos%2:] {
		r, err := bag.Verify(ctx, level, nil)
		if err != nil {
			t.Fatalf("bit flipped at %d: verify: %v", pos, err)
		}
		if r.Valid || len(r.Faults) != 1 || r.Faults[0].Path != path ||
			r.Faults[0].Code != archive.FaultHash {
			t.Errorf(
				"%s, bit flipped at %d: report\n%s\nwant one hash-mismatch of %s", level, pos, show(r), path,
			)
			continue
		}
		f := r.Faults[0]
		if diff := cmp.Diff(f.Documents, hurt); diff != "" {
			t.Errorf("%s, bit flipped at %d: documents hurt (-got +want):\n%s", level, pos, diff)
		}
		checkOwners(t, f, hurt, rows)
		if strings.HasSuffix(path, ".zip") && len(hurt) == 0 && !strings.Contains(f.Detail, "damaged") &&
			!strings.Contains(f.Detail, "differs") {
			t.Errorf("%s, bit flipped at %d: detail does not say which structure: %s", level, pos, f.Detail)
		}
	}
}

func checkOwners(t *testing.T, f archive.Fault, hurt []string, rows []archive.Row) {
	t.Helper()
	for _, r := range rows {
		if !slices.Contains(hurt, r.ID) {
			continue
		}
		owner := "no known owner"
		if r.OwnerID != "" {
			owner = r.OwnerType + " " + r.OwnerID
		}
		want := fmt.Sprintf("document %s (%q, of %s)", r.ID, r.OriginalName, owner)
		if !strings.Contains(f.Detail, want) {
			t.Errorf("detail %q does not have %q", f.Detail, want)
		}
	}
}

func show(r *archive.Report) string {
	var b strings.Builder
	for _, f := range r.Faults {
		fmt.Fprintf(&b, "%s %s %v %s\n", f.Code, f.Path, f.Documents, f.Detail)
	}
	return b.String()
}

// TestVerifyListsEveryFault: long because it is one table of cases.
func TestVerifyListsEveryFault(t *testing.T) {
	s, bag, rows := damagedBag(t)
	objects := s.Objects()
	flip := func(name string, pos int) []byte {
		b := bytes.Clone(objects[bagPrefix+name])
		if pos < 0 {
			pos += len(b)
		}
		b[pos] ^= 0x10
		return b
	}
	const (
		pack1   = "data/documents/attachments-00001.zip"
		receipt = "custody/receipts.jsonl"
		index   = "data/documents/index.csv.zst"
	)
	var large archive.Row // the document that is a file of its own
	for _, r := range rows {
		if strings.HasPrefix(r.Pack, "data/documents/large/") {
			large = r
		}
	}
	first := rows[0]
	inPack1 := []string{}
	for _, r := range rows {
		if r.Pack == pack1 {
			inPack1 = append(inPack1, r.ID)
		}
	}
	firstHurt := hurtAt(rows, pack1, first.Offset)
	if large.ID == "" || first.Pack != pack1 || len(firstHurt) < 3 {
		t.Fatalf("the sample is not as this test needs it: %+v, %v", large, firstHurt)
	}
	for _, tc := range []struct {
		name    string
		level   archive.Level
		damage  map[string][]byte // nil removes
		want    []string          // code, path, documents
		details []string
		others  int // files under data/ that no manifest names any more
	}{
		{"a pack is gone", archive.Quick, map[string][]byte{pack1: nil},
			[]string{fmt.Sprint("missing ", pack1, inPack1)}, []string{"CAND1"}, 0},
		{"a pack is cut short", archive.Quick, map[string][]byte{pack1: objects[bagPrefix+pack1][:200]},
			[]string{
				fmt.Sprint("hash-mismatch ", pack1, inPack1), fmt.Sprint("size-mismatch ", pack1, "[]"),
			}, nil, 0},
		{"a pack is cut short, in full", archive.Full,
			map[string][]byte{pack1: objects[bagPrefix+pack1][:first.Offset+10]},
			[]string{
				fmt.Sprint("hash-mismatch ", pack1, inPack1), fmt.Sprint("size-mismatch ", pack1, "[]"),
			}, []string{"it ends after"}, 0},
		{"bytes follow a pack", archive.Full,
			map[string][]byte{pack1: append(bytes.Clone(objects[bagPrefix+pack1]), "more"...)},
			[]string{fmt.Sprint("hash-mismatch ", pack1, "[]"), fmt.Sprint("size-mismatch ", pack1, "[]")},
			[]string{"4 bytes follow its end"}, 0},
		{"a document that is a file of its own is damaged", archive.Full,
			map[string][]byte{large.Pack: flip(large.Pack, 500)},
			[]string{fmt.Sprint("hash-mismatch ", large.Pack, []string{large.ID})}, []string{large.OwnerID},
			0},
		{"index and pack are damaged", archive.Full,
			map[string][]byte{index: flip(index, 90), pack1: flip(pack1, int(first.Offset))},
			[]string{
				fmt.Sprint("hash-mismatch ", pack1, firstHurt), fmt.Sprint("hash-mismatch ", index, "[]"),
			}, []string{"CAND1"}, 0},
		{"index and the directory of a pack are damaged", archive.Deep,
			map[string][]byte{index: flip(index, 90), pack1: flip(pack1, -30)},
			[]string{fmt.Sprint("hash-mismatch ", pack1, "[]"), fmt.Sprint("hash-mismatch ", index, "[]")},
			[]string{"directory's line for _pack.csv"}, 0},
		{"index is gone and a pack damaged", archive.Full,
			map[string][]byte{index: nil, pack1: flip(pack1, int(first.Offset))},
			[]string{fmt.Sprint("hash-mismatch ", pack1, firstHurt), fmt.Sprint("missing ", index, "[]")},
			[]string{"CAND1"}, 0},
		{"files were added, changed and removed", archive.Full,
			map[string][]byte{
				"data/extra.txt": []byte("x"), "bagit.txt.part": []byte("x"), receipt: flip(receipt, 0),
				"README.txt": nil, "datapackage.json": flip("datapackage.json", 1),
			},
			[]string{
				"missing README.txt[]", "unexpected bagit.txt.part[]",
				"hash-mismatch custody/receipts.jsonl[]", "unexpected data/extra.txt[]",
				"hash-mismatch datapackage.json[]",
			}, nil, 0},
		{"the manifests are gone", archive.Full,
			map[string][]byte{"manifest-sha256.txt": nil, "custody/files.csv": nil},
			[]string{"missing custody/files.csv[]", "missing manifest-sha256.txt[]"}, nil, 9},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for name, content := range tc.damage {
				s.Replace(bagPrefix+name, content)
				defer s.Replace(bagPrefix+name, objects[bagPrefix+name])
			}
			bag, err := archive.Open(context.Background(), s, bag.ID())
			if err != nil {
				t.Fatal(err)
			}
			r, err := bag.Verify(context.Background(), tc.level, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range tc.want {
				if !slices.ContainsFunc(
					r.Faults,
					func(f archive.Fault) bool { return fmt.Sprint(f.Code, " ", f.Path, f.Documents) == w },
				) {
					t.Errorf("no fault %q in\n%s", w, show(r))
				}
			}
			unnamed := 0
			for _, f := range r.Faults {
				if tc.others > 0 && f.Code == archive.FaultUnexpected && strings.HasPrefix(f.Path, "data/") {
					unnamed++
				}
			}
			if unnamed != tc.others || len(r.Faults) != len(tc.want)+tc.others {
				t.Errorf(
					"%d faults, %d of them files without a manifest, want %d and %d:\n%s", len(r.Faults),
					unnamed, len(tc.want)+tc.others, tc.others, show(r),
				)
			}
			for _, w := range tc.details {
				if !strings.Contains(show(r), w) {
					t.Errorf("no detail has %q:\n%s", w, show(r))
				}
			}
		})
	}
}

func TestNoDamageVerifiesAndNoneStopsVerify(t *testing.T) {
	s, _, _ := damagedBag(t)
	objects := s.Objects()
	names := slices.DeleteFunc(
		slices.Sorted(maps.Keys(objects)),
		func(name string) bool {
			return !strings.HasPrefix(name, bagPrefix) || name == bagPrefix+"bagit.txt"
		},
	)
	random := rand.New(rand.NewPCG(3, 4))
	for round := range 150 {
		var damaged []string
		for range 1 + random.IntN(3) {
			name := names[random.IntN(len(names))]
			s.Replace(name, damagedCopy(random, objects[name]))
			damaged = append(damaged, name)
		}
		level := []archive.Level{archive.Full, archive.Deep}[round%2]
		bag, err := archive.Open(context.Background(), s, testID)
		if err != nil {
			t.Fatalf("damage to %v: open: %v", damaged, err)
		}
		r, err := bag.Verify(context.Background(), level, nil)
		if err != nil {
			t.Fatalf("damage to %v: verify: %v", damaged, err)
		}
		for _, name := range damaged {
			path := strings.TrimPrefix(name, bagPrefix)
			if !slices.ContainsFunc(r.Faults, func(f archive.Fault) bool {
				return f.Path == path || strings.Contains(
					f.Detail, path+", which therefore cannot be checked",
				)
			}) {
				t.Errorf(
					"round %d, %s: %v were damaged, no fault names %s:\n%s", round, level, damaged, path,
					show(r),
				)
			}
		}
		for _, name := range damaged {
			s.Replace(name, objects[name])
		}
	}
}

// damagedCopy returns a copy of b, damaged in one of the ways of disks and lines.
func damagedCopy(random *rand.Rand, b []byte) []byte {
	at := random.IntN(len(b))
	before := b[at]
	b = bytes.Clone(b)
	switch random.IntN(4) {
	case 0: // a page of zeros
		clear(b[at:min(len(b), at+4096)])
		b[at] = ^before
	case 1: // truncated
		b = b[:at]
	case 2: // garbage
		for range 1 + random.IntN(40) {
			b[random.IntN(len(b))] ^= byte(1 + random.IntN(255))
		}
		b[0] ^= 1
	case 3: // a piece taken out
		b = append(b[:at], b[min(len(b), at+1+random.IntN(500)):]...)
	}
	return b
}

func TestAStoreThatFailsNeverVerifies(t *testing.T) {
	s, _, _ := damagedBag(t)
	for n := 1; ; n++ {
		f := &storetest.Faulty{Store: s, FailAt: n}
		bag, err := archive.Open(context.Background(), f, testID)
		if err != nil {
			continue
		}
		r, err := bag.Verify(context.Background(), archive.Deep, nil)
		if !f.Failed() {
			if err != nil || !r.Valid {
				t.Errorf("without a fault: %v\n%s", err, show(r))
			}
			return
		}
		if err == nil && r.Valid {
			t.Errorf("the store failed at operation %d, and the bag is called valid", n)
		}
	}
}
