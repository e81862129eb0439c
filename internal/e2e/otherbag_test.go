package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdall/internal/testneed"
)

// madeWithBagit returns a bag that the reference tool has made of two files.
func madeWithBagit(t *testing.T) string {
	t.Helper()
	tool := testneed.Command(t, "bagit.py", "PyPI bagit")
	dir := filepath.Join(t.TempDir(), "from [elsewhere]")
	for name, content := range map[string]string{"offer letter.txt": "Dear Ilse", "cv/50% done\n.txt": "CV"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command(t, shared, tool, "--md5", "--sha512", "--contact-name", "Ilse Varga", dir)
	return dir
}

func TestABagThatAnotherProgramMadeIsVerified(t *testing.T) {
	bag := madeWithBagit(t)
	for _, level := range []string{"quick", "full", "deep"} {
		o := holdall(t, 0, "verify", bag, "--level", level)
		if !strings.Contains(o.stdout, "valid ("+level) || !strings.Contains(o.stderr, "RFC 8493") {
			t.Errorf("%s: %s%s", level, o.stdout, o.stderr)
		}
	}
	inside := decode[verifyOutcome](t, holdall(t, 0, "verify", filepath.Join(bag, "data", "cv"), "--json"))
	if !inside.Valid || inside.Files != 8 {
		t.Errorf("from inside of it: %+v", inside)
	}
	letter := filepath.Join(bag, "data", "offer letter.txt")
	flip(t, letter)
	o := holdall(t, 5, "verify", bag, "--json")
	got := decode[verifyOutcome](t, o)
	if len(got.Faults) != 1 || got.Faults[0].Code != "hash-mismatch" || got.Faults[0].Path != "data/offer letter.txt" {
		t.Errorf("a changed file: %s", o.stdout)
	}
	holdall(t, 0, "verify", bag, "--level", "quick")
	if err := os.Remove(letter); err != nil {
		t.Fatal(err)
	}
	o = holdall(t, 5, "verify", bag, "--level", "quick")
	if !strings.Contains(o.stdout, "missing") || !strings.Contains(o.stderr, "not a valid bag: 1 fault") {
		t.Errorf("a file that is gone: %s%s", o.stdout, o.stderr)
	}
	if err := os.Remove(filepath.Join(bag, "bagit.txt")); err != nil {
		t.Fatal(err)
	}
	if o := holdall(t, 5, "verify", bag, "--json"); !strings.Contains(o.stdout, `"path":"bagit.txt"`) {
		t.Errorf("without bagit.txt: %s", o.stdout)
	}
	holdall(t, 2, "verify", bag, "--max-duration", "1h")
}

// An archive of ours stays one, whatever it has lost: it is not judged by the less that the RFC demands.
func TestADamagedArchiveIsNotTakenForABagOfAnotherMaker(t *testing.T) {
	for _, lost := range []string{"bag-info.txt", "bagit.txt", "custody", "data/received",
		"manifest-sha256.txt"} {
		bag := filepath.Join(t.TempDir(), "copy")
		if err := os.CopyFS(bag, os.DirFS(exportIn(t, goldenRoot))); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Join(bag, lost)); err != nil {
			t.Fatal(err)
		}
		if o := holdall(t, 5, "verify", bag); strings.Contains(o.stderr, "another maker") {
			t.Errorf("without %s: %s", lost, o.stderr)
		}
	}
}

// A root that is kept inside of another maker's bag is a root all the same.
func TestARootInABagOfAnotherMakerIsARoot(t *testing.T) {
	bag := madeWithBagit(t)
	root := filepath.Join(bag, "data", "archives")
	if err := os.CopyFS(root, os.DirFS(goldenRoot)); err != nil {
		t.Fatal(err)
	}
	if o := holdall(t, 0, "verify", root); strings.Contains(o.stderr, "another maker") {
		t.Errorf("the root: %s", o.stderr)
	}
	if o := holdall(t, 5, "verify", bag); !strings.Contains(o.stdout, "unexpected") {
		t.Errorf("the bag: %s", o.stdout)
	}
}
