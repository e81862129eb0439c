package archive

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// FORMAT.md is what somebody would write another reader from: what it says and what the code does must not
// part.
func TestTheFormatIsDescribed(t *testing.T) {
	b, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	var wanted []string
	last := strings.Index(text, "## 7. Index")
	for _, c := range columns { // in this order
		i := strings.Index(text[last:], "\n| `"+c+"` |")
		if i < 0 {
			t.Errorf("the column %s is not described in its place", c)
			continue
		}
		last += i
	}
	for _, c := range fileColumns {
		wanted = append(wanted, "| `"+c+"` |")
	}
	for _, s := range []State{StateOK, StateDamaged, StateLocked, StateEmpty, StateErrorPage} {
		wanted = append(wanted, "`"+string(s)+"`")
	}
	for _, l := range (&Builder{}).bagInfo(BagInfo{}) {
		wanted = append(wanted, "| `"+l.name+"` |")
	}
	lim := defaultLimits()
	wanted = append(wanted, "version "+FormatVersion, strings.ReplaceAll(bagit, "\n", `\n`), factTagManifest,
		fmt.Sprintf("at most %d characters of `A-Z", maxName), fmt.Sprintf("at most %d characters |", maxID),
		grouped(lim.packBytes)+" bytes or "+grouped(int64(lim.packEntries))+" rows",
		grouped(lim.ownFile)+" bytes")
	for _, w := range wanted {
		if !strings.Contains(text, w) {
			t.Errorf("FORMAT.md does not have %q", w)
		}
	}
}

func grouped(n int64) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", grouped(n/1000), n%1000)
}
