package bagit_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"holdall/internal/bagit"
	"holdall/internal/testneed"
)

// A bag is the files of one, by name. An empty content of "data/" makes the directory alone.
type bag map[string]string

const (
	declared10 = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
	declared97 = "BagIt-Version: 0.97\nTag-File-Character-Encoding: UTF-8\n"
	letter     = "Dear Ilse,\n"
)

// sum is a checksum in the hexadecimal digits of a manifest.
func sum(algorithm, content string) string {
	h := map[string]func() hash.Hash{
		"md5": md5.New, "sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New,
	}[algorithm]()
	h.Write([]byte(content))
	return hex.EncodeToString(h.Sum(nil))
}

// line is one line of a manifest, with two spaces.
func line(algorithm, content, name string) string {
	return sum(algorithm, content) + "  " + name + "\n"
}

// simple is a valid bag of one document.
func simple(change func(b bag)) bag {
	b := bag{
		"bagit.txt": declared10, "data/a.txt": letter, "manifest-sha256.txt": line("sha256", letter,
			"data/a.txt"),
	}
	if change != nil {
		change(b)
	}
	return b
}

// old is simple of version 0.97.
func old(change func(b bag)) bag {
	b := simple(nil)
	b["bagit.txt"] = declared97
	if change != nil {
		change(b)
	}
	return b
}

// with is simple with further files.
func with(files ...string) bag {
	return simple(func(b bag) {
		for i := 0; i < len(files); i += 2 {
			b[files[i]] = files[i+1]
		}
	})
}

// named is a bag whose one document is called name, and listed as entry.
func named(name, entry string) bag {
	return bag{
		"bagit.txt":           declared10,
		"data/" + name:        letter,
		"manifest-sha256.txt": line("sha256", letter, entry),
	}
}

func utf16le(s string) string {
	b, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(s)
	if err != nil {
		panic(err)
	}
	return b
}

func latin1(s string) string {
	b, err := charmap.ISO8859_1.NewEncoder().String(s)
	if err != nil {
		panic(err)
	}
	return b
}

// place is the bag on disk.
func (b bag) place(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "bag")
	for name, content := range b {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(path, 0o700); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func check(t *testing.T, dir string) (faults, notes []string) {
	t.Helper()
	r, err := bagit.Check(context.Background(), dir, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	faults = []string{}
	for _, f := range r.Faults {
		faults = append(faults, string(f.Code)+" "+f.Path)
		if f.Detail == "" {
			t.Errorf("the fault %s of %s has no detail", f.Code, f.Path)
		}
	}
	return faults, r.Notes
}

// A verdict is what a bag is, in a sentence, and what must be said of it.
type verdict struct {
	name   string
	bag    bag
	faults []string // code and path of each; none: the bag is valid
	note   string   // that is among the notes
	// why the reference tool (PyPI bagit) says otherwise; "": it agrees
	tool string
}

func TestABagIsJudgedByTheRFC(t *testing.T) {
	all := slices.Concat(declarations, names, manifests, infos, fetches)
	for _, v := range all {
		t.Run(v.name, func(t *testing.T) {
			faults, notes := check(t, v.bag.place(t))
			if d := cmp.Diff(faults, append([]string{}, v.faults...)); d != "" {
				t.Errorf("faults, got before want:\n%s", d)
			}
			if v.note != "" && !strings.Contains(strings.Join(notes, "\n"), v.note) {
				t.Errorf("notes %q, want %q", notes, v.note)
			}
			if v.note == "" && len(v.faults) == 0 && len(notes) > 0 {
				t.Errorf("notes %q, want none", notes)
			}
		})
	}
}

const askTool = `
import sys, logging, bagit
logging.disable(logging.CRITICAL)
for path in sys.argv[1:]:
    try:
        bagit.Bag(path).validate()
        print("valid")
    except Exception as e:
        print("invalid", str(e).replace("\n", " "))
`

// The reference tool is asked about the same bags: where it says otherwise, the table says why.
func TestTheReferenceToolAgreesOrTheTableSaysWhyNot(t *testing.T) {
	python := pythonWithBagit(t)
	all := slices.Concat(declarations, names, manifests, infos, fetches)
	args := []string{"-c", askTool}
	for _, v := range all {
		args = append(args, v.bag.place(t))
	}
	cmd := exec.Command(python, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	said := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil || len(said) != len(all) {
		t.Fatalf("%v: %d answers of %d\n%s", err, len(said), len(all), &stderr)
	}
	for i, v := range all {
		agrees := (said[i] == "valid") == (len(v.faults) == 0)
		if agrees != (v.tool == "") {
			t.Errorf(
				"%s: the tool says %q, the faults are %q, and the table: %q",
				v.name,
				said[i],
				v.faults,
				v.tool,
			)
		}
	}
}

func pythonWithBagit(t *testing.T) string {
	t.Helper()
	python := testneed.Command(t, "python3", "Debian python3")
	if err := exec.Command(python, "-c", "import bagit").Run(); err != nil {
		testneed.Missing(t, "the Python package bagit (from PyPI) is not installed")
	}
	return python
}

func TestABagWithTheChecksumsOfManyAlgorithms(t *testing.T) {
	b := bag{"bagit.txt": declared10, "data/a.txt": letter, "data/b/c.txt": "c"}
	for _, algorithm := range []string{"md5", "sha1", "sha256", "sha512"} {
		b["manifest-"+algorithm+".txt"] = line(
			algorithm,
			letter,
			"data/a.txt",
		) + line(
			algorithm,
			"c",
			"data/b/c.txt",
		)
	}
	if faults, notes := check(t, b.place(t)); len(faults)+len(notes) > 0 {
		t.Errorf("faults %q, notes %q", faults, notes)
	}
	for _, algorithm := range []string{"md5", "sha1", "sha256", "sha512"} {
		one := maps.Clone(b)
		name := "manifest-" + algorithm + ".txt"
		one[name] = strings.Replace(one[name], sum(algorithm, "c"), sum(algorithm, "d"), 1)
		r, err := bagit.Check(context.Background(), one.place(t), true, nil)
		if err != nil || len(r.Faults) != 1 || r.Faults[0].Code != bagit.Hash ||
			r.Faults[0].Path != "data/b/c.txt" ||
			!strings.Contains(r.Faults[0].Detail, name) ||
			!strings.Contains(r.Faults[0].Detail, "more likely the manifest was changed") {
			t.Errorf("%s changed: %+v, %v", name, r, err)
		}
	}
}

func TestWithoutContentsNoPayloadIsRead(t *testing.T) {
	dir := simple(func(b bag) { b["data/a.txt"] = strings.ToUpper(letter) }).place(t)
	for contents, want := range map[bool]int{false: 0, true: 1} {
		r, err := bagit.Check(context.Background(), dir, contents, nil)
		if err != nil || len(r.Faults) != want || r.Files != 3 {
			t.Errorf("contents %t: %+v, %v; want %d faults", contents, r, err, want)
		}
	}
}

func TestProgressEndsWithAllThatIsCompared(t *testing.T) {
	var last, total int64
	dir := simple(nil).place(t)
	_, err := bagit.Check(context.Background(), dir, true, func(d, n int64) { last, total = max(last, d), n })
	if err != nil || last != int64(len(letter)) || total != last {
		t.Errorf("%d of %d, %v; want %d", last, total, err, len(letter))
	}
}

func TestSymbolicLinksDoNotLeadOutOfTheBag(t *testing.T) {
	dir := simple(nil).place(t)
	outside := filepath.Join(t.TempDir(), "b.txt")
	if err := os.WriteFile(outside, []byte(letter), 0o600); err != nil {
		t.Fatal(err)
	}
	for to, name := range map[string]string{outside: "data/out.txt", "a.txt": "data/in.txt"} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	faults, _ := check(t, dir)
	if d := cmp.Diff(faults, []string{"unexpected data/in.txt", "path-unsafe data/out.txt"}); d != "" {
		t.Error(d)
	}
}

func TestADirectoryThatIsNotThereIsAnError(t *testing.T) {
	if r, err := bagit.Check(context.Background(), filepath.Join(t.TempDir(), "gone"), true,
		nil); err == nil {
		t.Errorf("got %+v", r)
	}
}

func TestTheDetailOfAFaultNamesTheFile(t *testing.T) {
	for _, v := range []struct {
		bag  bag
		want string
	}{
		{with("manifest-sha256.txt", line("sha256", letter, "data/../../etc/passwd")),
			"data/../../etc/passwd"},
		{with("fetch.txt", "http://a.example/?token=s3cr3t - ../x\n"), "../x"},
	} {
		r, err := bagit.Check(context.Background(), v.bag.place(t), true, nil)
		if err != nil || !strings.Contains(fmt.Sprint(r.Faults), v.want) {
			t.Errorf("%+v, %v; want %s", r, err, v.want)
		}
		if strings.Contains(fmt.Sprint(r), "s3cr3t") {
			t.Errorf("a link's secret is told: %+v", r)
		}
	}
}
