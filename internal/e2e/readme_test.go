package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdall/internal/testneed"
)

// documentsByReadme runs the commands of an archive's README, as they are there, for a candidate, and returns the
// digests of the documents that they bring. Each has to be what the index says.
func documentsByReadme(t *testing.T, bag, owner string) (digests []string) {
	t.Helper()
	for _, tool := range []string{"zstd", "awk", "gzip", "sha256sum"} {
		testneed.Command(t, tool, "Debian "+tool)
	}
	readme, err := os.ReadFile(filepath.Join(bag, "README.txt"))
	if err != nil {
		t.Fatal(err)
	}
	_, recipe, ok := strings.Cut(string(readme), "\n  mkdir -p /tmp/person\n")
	recipe, _, ok2 := strings.Cut(recipe, "\n  done\n")
	if !ok || !ok2 {
		t.Fatalf("the README has no such commands:\n%s", readme)
	}
	dir := t.TempDir()
	script := "set -e\n" + recipe + "\n  done\n"
	cmd := exec.Command("sh", "-c", strings.NewReplacer("/tmp/person", dir, "PERSON", owner).Replace(script))
	cmd.Dir = bag
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", owner, err, out)
	}
	for _, path := range files(t, dir) {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, sha256Of(t, f))
		f.Close()
	}
	if n := strings.Count(string(out), ": OK\n"); n != len(digests) {
		t.Errorf("%s: %d documents, of which %d are as the index says: %s", owner, len(digests), n, out)
	}
	return digests
}

// The README of an archive says how to get all documents of a person with ordinary tools. Its commands, as they
// are there, must bring exactly those that the platform says are theirs.
func TestTheReadmeLeadsToAllDocumentsOfAPerson(t *testing.T) {
	s := undisturbed.get(t)
	want := map[string][]string{} // digests by owner
	for _, f := range s.truth.Files {
		if f.OwnerType == "CANDIDATE" && f.OwnerID != "" {
			want[f.OwnerID] = append(want[f.OwnerID], f.SHA256.String())
		}
	}
	people := 0
	for owner, digests := range want {
		known := holdall(t, 0, "query", s.bag, "select count(*) from documents where owner_id = '"+owner+"'",
			"--format", "tsv").stdout
		if len(digests) < 2 || !strings.HasSuffix(known, "\n"+strconv.Itoa(len(digests))+"\n") {
			continue // the export does not say whose all of them are
		}
		if people++; people > 8 {
			break
		}
		got := documentsByReadme(t, s.bag, owner)
		slices.Sort(got)
		slices.Sort(digests)
		if d := cmp.Diff(digests, got); d != "" {
			t.Errorf("%s: %s", owner, d)
		}
	}
	if people < 3 {
		t.Errorf("only %d people have documents to compare", people)
	}
}
