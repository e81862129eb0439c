package unpack

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A member's size that cannot be true, a number of 2^62, hid all members behind it.
func TestWhatFollowsAMemberOfImpossibleSizeIsFound(t *testing.T) {
	b := []byte(makeTar(
		t, file("good.txt", "good"), file("odd.txt", strings.Repeat("\x00odd", 700)), file("last.txt", "last"),
	))
	h := b[1024:1536]
	copy(h[124:136], "\x80\x00\x00\x00\x40\x00\x00\x00\x00\x00\x00\x00")
	copy(h[148:156], "        ")
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:156], fmt.Sprintf("%06o\x00 ", sum))
	want := []seen{{"good.txt", "", "good"}, {"odd.txt", RefusedLimit, ""}, {"last.txt", "", "last"}}
	for _, k := range tarKinds {
		t.Run(string(k.kind), func(t *testing.T) {
			packed := k.pack(t, string(b))
			c, err := Recover(strings.NewReader(packed), int64(len(packed)), k.kind, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, readAll(t, c)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			acc, err := c.Rest(nil)
			if err != nil || acc.Unaccounted != 3072 || len(acc.Contradictions) != 1 ||
				!strings.Contains(acc.Contradictions[0], "says that it has 4611686018427387904 bytes") {
				t.Errorf("%+v, %v", acc, err)
			}
		})
	}
}
