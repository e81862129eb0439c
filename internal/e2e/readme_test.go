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

// documentsByReadme runs the commands of an archive's README, as they are there, for a candidate, and returns
// the digests of the documents that they bring. Each has to be what the index says.
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

// The README of an archive says how to get all documents of a person with ordinary tools. Its commands, as
// they are there, must bring exactly those that the platform says are theirs.
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

// readmeCommands are the commands of one line in an archive's README, without what is said of them.
func readmeCommands(t *testing.T, bag string) (commands []string) {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(bag, "README.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(readme), "\n") {
		text, indented := strings.CutPrefix(line, "  ")
		text, _, _ = strings.Cut(text, "   ")
		first, _, _ := strings.Cut(text, " ")
		known := []string{"sha256sum", "bagit.py", "zstd", "unzip", "for"}
		if indented && slices.Contains(known, first) && !strings.HasSuffix(text, "|") {
			commands = append(commands, text)
		}
	}
	return commands
}

// Whoever has nothing but the README types what is there, a name in place of "some name". Each command has to
// say something, and none may write into the archive, which never changes.
func TestTheCommandsOfTheReadmeSaySomethingAndChangeNothing(t *testing.T) {
	for tool, from := range map[string]string{"bagit.py": "PyPI bagit", "unzip": "Debian unzip",
		"zstd": "Debian zstd"} {
		testneed.Command(t, tool, from)
	}
	bag := copyTree(t, undisturbed.get(t).bag)
	columns := strings.Split(strings.TrimSpace(holdall(t, 0, "query", bag, "select owner_id, owner_name, "+
		"parse_filename(original_name) from documents where owner_type = 'CANDIDATE' and pack like "+
		"'%attachments-00001.zip' order by doc_id limit 1", "--format", "tsv").stdout), "\n")
	person := strings.Split(columns[1], "\t")
	elsewhere := t.TempDir()
	before := files(t, bag)
	commands := readmeCommands(t, bag)
	if len(commands) < 12 {
		t.Fatalf("the README has only these commands: %q", commands)
	}
	for _, text := range commands {
		text = strings.NewReplacer("some name", person[2], "name or e-mail address", person[1],
			"<owner>", person[0], "/tmp/", elsewhere+"/").Replace(text)
		script := "set -eo pipefail; { " + text + "; } 2>&1"
		if strings.Contains(text, "| head") { // which ends before zstd does
			script = text
		}
		out := command(t, bag, "bash", "-c", script)
		if _, writes, ok := strings.Cut(text, "> "+elsewhere); ok {
			b, err := os.ReadFile(elsewhere + writes)
			if err != nil {
				t.Errorf("%s: %v", text, err)
			}
			out = string(b)
		}
		if out == "" {
			t.Errorf("%s: says nothing", text)
		}
		if strings.Contains(text, "andidates.*.zst | grep") && !strings.Contains(out, person[0]) {
			t.Errorf("%s: does not lead to %s:\n%s", text, person[0], out)
		}
	}
	if d := cmp.Diff(before, files(t, bag)); d != "" {
		t.Errorf("the archive's files, before and after:\n%s", d)
	}
	holdall(t, 0, "verify", bag)
}
