package takeover

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"testing"
)

// structureOf returns places in a ZIP that no checksum covers: of the second entry, and of the end record.
func structureOf(z []byte) map[string]int {
	record := directoryOf(z)
	le := binary.LittleEndian
	record += 46 + int(le.Uint16(z[record+28:])) + int(le.Uint16(z[record+30:]))
	header := int(le.Uint32(z[record+42:]))
	return map[string]int{
		"a name in the directory":       record + 46 + len(personB) + 2,
		"a folder in the directory":     record + 46 + 5,
		"a name in an entry's header":   header + 30 + 5,
		"a time in the directory":       record + 12,
		"a time in an entry's header":   header + 12,
		"an encryption flag":            record + 8,
		"a method in the directory":     record + 10,
		"a place in the directory":      record + 42,
		"the offset in the end record":  endOf(z) + 16,
		"the number in the end record":  endOf(z) + 10,
		"the mark of an entry's header": header + 1,
	}
}

// What a container says against itself is fetched a second time before it is believed: names, places and
// times have no checksum.
func TestStructureThatArrivesChangedHeals(t *testing.T) {
	z := zipped(t, letters())
	for name, at := range structureOf(z) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := only("a.zip", z)
			f := &flipper{at: int64(at), times: 1}
			d.damage = damageTo("a.zip", f)
			root := t.TempDir()
			checkDelivered(t, root, d.take(t, root), whole())
			if f.seen < 2 {
				t.Errorf("the changed byte was fetched %d times: nothing had to heal", f.seen)
			}
		})
	}
}

// What comes the same from two separate fetches is how it was written: it is taken as it is, and not asked
// for a third time.
func TestStructureThatIsOddAtItsSourceIsBelieved(t *testing.T) {
	z := zipped(t, letters())
	second := bytes.Index(z, []byte(letters()[1].name))
	odd := bytes.Clone(z)
	copy(odd[second:], "x")
	d := only("a.zip", odd)
	f := &flipper{at: int64(second)}
	d.damage = damageTo("a.zip", f)
	root := t.TempDir()
	checkDelivered(t, root, d.take(t, root), whole())
	if f.seen != 2 {
		t.Errorf("the odd name was fetched %d times, want twice", f.seen)
	}
}

// A link that works once cannot be asked a second time. Then the structure is believed, and the doubt is
// reported.
func TestStructureInDoubtBehindALinkThatWorksOnce(t *testing.T) {
	z := zipped(t, letters())
	second := bytes.Index(z, []byte(letters()[1].name))
	d := only("a.zip", z)
	d.once, d.damage = "a.zip", damageTo("a.zip", &flipper{at: int64(second), times: -1})
	root := t.TempDir()
	checkDelivered(t, root, d.take(t, root), whole(), "warning names-differ")
}

// A process that is stopped between the second fetch and the rebuilding of the bag leaves a bag that the
// next does not trust.
func TestASuspectedBagIsMadeAgain(t *testing.T) {
	r := &run{dir: t.TempDir(), state: runState{BagInputs: "as it was", Suspected: map[int]bool{2: true}}}
	if err := os.MkdirAll(r.path("bag/data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := r.prepare("as it was"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(r.path("bag")); !errors.Is(err, os.ErrNotExist) || len(r.state.Suspected) > 0 {
		t.Errorf("the bag in the making is kept: %v, %+v", err, r.state)
	}
}
