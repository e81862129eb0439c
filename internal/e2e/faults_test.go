package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"holdall/internal/testneed"
)

func TestAFaultIsToldByItsOwnersNameAndFile(t *testing.T) {
	root := copyTree(t, goldenRoot)
	bag := exportIn(t, root)
	pack := filepath.Join(bag, "data/documents/attachments-00001.zip")
	whole, err := os.ReadFile(pack)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(whole), "Dear Ilse") // not there if the letter is deflated: then its name is
	if at < 0 {
		at = strings.Index(string(whole), "offer-letter.txt") + 40
	}
	whole[at] ^= 1
	if err := os.WriteFile(pack, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	got := decode[verifyOutcome](t, holdall(t, 5, "verify", bag, "--json"))
	if len(got.Faults) != 1 || len(got.Faults[0].About) != 1 || len(got.Faults[0].Documents) != 1 {
		t.Fatalf("faults %+v, want one of one document", got.Faults)
	}
	if a := got.Faults[0].About[0]; a.Owner != "Ilse Varga" || filepath.Base(a.File) != "offer letter.txt" ||
		a.ID != got.Faults[0].Documents[0] {
		t.Errorf("it is about %+v", a)
	}
	if o := holdall(t, 5, "verify", bag); !strings.Contains(o.stdout, "Ilse Varga: birk") {
		t.Errorf("as text: %s", o.stdout)
	}
	// When the tables that name the owner are damaged as well, the faults are there all the same.
	flip(t, filepath.Join(bag, "data/tables/candidates/part-00000.parquet"))
	flip(t, filepath.Join(bag, "data/documents/index.parquet"))
	if got = decode[verifyOutcome](t, holdall(t, 5, "verify", bag, "--json")); len(got.Faults) != 3 {
		t.Errorf("faults %+v, want three", got.Faults)
	}
}

// onTerminal runs the program with a terminal as its output, and returns what is on it.
func onTerminal(t *testing.T, args ...string) string {
	t.Helper()
	script := testneed.Command(t, "script", "Debian bsdutils")
	line := "'" + program + "'"
	for _, a := range args {
		line += " '" + a + "'"
	}
	cmd := exec.Command(script, "-qec", line, "/dev/null")
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + shared, "LC_ALL=C.UTF-8", "TERM=xterm", "TMPDIR=" + os.TempDir(),
	}
	out, _ := cmd.Output()
	return string(out)
}

func TestHundredsOfFaultsAreCountedAndListedInAFile(t *testing.T) {
	bag := copyTree(t, undisturbed.get(t).bag)
	if err := os.Remove(filepath.Join(bag, "data/documents/attachments-00001.zip")); err != nil {
		t.Fatal(err)
	}
	few := onTerminal(t, "verify", bag)
	if !regexp.MustCompile(`missing +data/documents/attachments-00001.zip +\d{2,}  .*: .*; and \d+ more`).
		MatchString(few) {
		t.Errorf("one fault of many documents:\n%s", few)
	}
	for i := range 150 {
		if err := os.WriteFile(filepath.Join(bag, "data", fmt.Sprintf("._%d", i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	many := onTerminal(t, "verify", bag)
	if !regexp.MustCompile(`unexpected +150 +0 +data/\._0\s`).MatchString(many) || strings.Contains(many,
		"._77") {
		t.Errorf("150 files that are none of the archive:\n%s", many)
	}
	m := regexp.MustCompile(`are in (\S+\.tsv)`).FindStringSubmatch(many)
	if m == nil {
		t.Fatalf("no file is named:\n%s", many)
	}
	list, err := os.ReadFile(m[1])
	if err != nil || strings.Count(string(list), "\n") != 152 || !strings.Contains(string(list),
		"macOS left it") {
		t.Errorf("%s has %d lines, %v", m[1], strings.Count(string(list), "\n"), err)
	}
	if o := holdall(t, 0, "clean"); !strings.Contains(o.stdout, m[1]) {
		t.Errorf("clean does not list %s: %s", m[1], o.stdout)
	}
	if o := holdall(t, 5, "verify", bag); strings.Count(o.stdout, "\n") != 152 {
		t.Errorf("elsewhere than on a terminal: %d lines, want all", strings.Count(o.stdout, "\n"))
	}
}
