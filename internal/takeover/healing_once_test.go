package takeover

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"holdall/fetch/failure"
	"holdall/query"
)

// A link that works once cannot be asked again about damage. The next link's one answer is the second fetch:
// it heals what was damaged on the way, and proves what is damaged at its source. Where that answer is not to
// be had either, the takeover ends all the same, and says what it does not know.
func TestDamageBehindALinkThatWorksOnce(t *testing.T) {
	all := damagedObjects(t)
	for _, x := range []damaged{all[0], all[2], all[4], all[6], all[8]} {
		for _, c := range []struct {
			name                  string
			times                 int // answers that are damaged
			breaks, whole, doubts bool
		}{
			{name: "on the way", times: 1, whole: true},
			{name: "at its source", times: -1},
			{name: "nobody knows where", times: -1, breaks: true, doubts: true},
		} {
			t.Run(x.name+" "+c.name, func(t *testing.T) {
				t.Parallel()
				file := "a" + x.name[len(x.name)-4:]
				d := only(file, x.content)
				d.once, d.breaks, d.damage = file, c.breaks, damageTo(
					file, &flipper{at: int64(x.at), times: c.times},
				)
				root, raw := t.TempDir(), d.serve(t)
				first, err := Take(t.Context(), MasterCSV{Raw: raw}, options(t, root))
				var fe *failure.Error
				if !errors.As(err, &fe) || fe.Code != failure.LinkGone {
					t.Fatalf("the first run ends with %v, %+v; want a request for a new link", err, first)
				}
				r, err := Take(
					t.Context(), MasterCSV{Raw: bytes.ReplaceAll(raw, []byte("hush"), []byte("whist"))},
					options(t, root),
				)
				if err != nil {
					t.Fatalf("the second run: %v", err)
				}
				if c.whole {
					checkDelivered(t, root, r, whole())
					return
				}
				doubts := slices.ContainsFunc(r.Findings, func(f FindingCount) bool {
					return f.Code == query.DamagedUnproven && f.Severity == query.SeverityError
				})
				if !r.Faulty() || doubts != c.doubts {
					t.Errorf(
						"%+v; want findings, %s among them: %t", r.Findings, query.DamagedUnproven, c.doubts,
					)
				}
				kept, err := os.ReadFile(filepath.Join(
					root, "exports", r.Export, "data/received/containers", "02-"+file,
				))
				if c.doubts && (err != nil || len(kept) != len(x.content)) {
					t.Errorf("what came is not kept whole: %d bytes, %v", len(kept), err)
				}
				mustVerify(t, root, r)
			})
		}
	}
}

// The finding of an archive with bytes that nobody could ask for again tells the user to come back with a
// better link. That link is followed, though by all that its headers and samples show it serves what is
// archived.
func TestADoubtfulArchiveIsNoAnswerToABetterLink(t *testing.T) {
	t.Parallel()
	scan := make([]byte, 6<<20)
	rand.NewChaCha8([32]byte{7}).Read(scan)
	content := zipped(t, append(letters(), handmadeFile{name: personA + "/scan.tif", content: string(scan)}))
	d := only("a.zip", content)
	d.once, d.breaks, d.damage = "a.zip", true, damageTo(
		"a.zip", &flipper{at: int64(len(content))*2/5 + 99, times: -1},
	)
	root, raw := t.TempDir(), d.serve(t)
	if _, err := Take(t.Context(), MasterCSV{Raw: raw}, options(t, root)); err == nil {
		t.Fatal("the first run does not ask for a new link")
	}
	r, err := Take(
		t.Context(), MasterCSV{Raw: bytes.ReplaceAll(raw, []byte("hush"), []byte("whist"))}, options(t, root),
	)
	unproven := func(f FindingCount) bool { return f.Code == query.DamagedUnproven }
	if err != nil || !slices.ContainsFunc(r.Findings, unproven) {
		t.Fatalf("the second run: %v, %+v; want the finding %s", err, r, query.DamagedUnproven)
	}
	healed, err := Take(t.Context(), MasterCSV{Raw: only("a.zip", content).serve(t)}, options(t, root))
	if err != nil || healed.Export == r.Export || slices.ContainsFunc(healed.Findings, unproven) {
		t.Errorf(
			"with a link that gives the bytes again: %v, %+v; want an archive without %s", err, healed,
			query.DamagedUnproven,
		)
	}
}
