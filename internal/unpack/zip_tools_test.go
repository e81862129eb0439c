package unpack

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdall/internal/testneed"
)

type programCase struct {
	name          string
	program, from string
	args          []string
}

var programCases = []programCase{
	{
		name: "Info-ZIP", program: "zip", from: "Debian zip",
		args: []string{"-q", "-r", "out.zip", "files"},
	},
	{
		name: "Info-ZIP, stored", program: "zip", from: "Debian zip",
		args: []string{"-q", "-0", "-r", "out.zip", "files"},
	},
	{
		name: "Info-ZIP, bzip2", program: "zip", from: "Debian zip",
		args: []string{"-q", "-Z", "bzip2", "-r", "out.zip", "files"},
	},
	{
		name: "Info-ZIP, into a pipe", program: "sh", from: "any system",
		args: []string{"-c", "zip -q -r - files | cat > out.zip"},
	},
	{
		name: "Info-ZIP, 64 bits", program: "zip", from: "Debian zip",
		args: []string{"-q", "-fz", "-r", "out.zip", "files"},
	},
	{
		name: "Info-ZIP, with a stub in front", program: "sh", from: "any system",
		args: []string{"-c", "zip -q -r in.zip files && (echo stub; cat in.zip) > out.zip"},
	},
	{
		name: "Info-ZIP, with a stub in front and offsets mended", program: "sh", from: "any system",
		args: []string{
			"-c", "zip -q -r in.zip files && (echo stub; cat in.zip) > out.zip && zip -q -A out.zip",
		},
	},
	{
		name: "Python zipfile", program: "python3", from: "Debian python3",
		args: []string{"-m", "zipfile", "-c", "out.zip", "files"},
	},
	{
		name: "Python zipfile, unseekable", program: "python3", from: "Debian python3",
		args: []string{"-c", pythonStream},
	},
	{
		name: "7-Zip", program: "7z", from: "Debian p7zip-full",
		args: []string{"a", "-tzip", "-bso0", "-bd", "out.zip", "files"},
	},
}

// TestZipsOfOtherPrograms takes ZIPs as the programs make them that people use, of the same files each.
func TestZipsOfOtherPrograms(t *testing.T) {
	for _, tc := range programCases {
		t.Run(tc.name, func(t *testing.T) {
			if tc.program == "sh" {
				testneed.Command(t, "zip", "Debian zip")
			}
			program := testneed.Command(t, tc.program, tc.from)
			dir := t.TempDir()
			want := writeFiles(t, filepath.Join(dir, "files"))
			cmd := exec.Command(program, tc.args...)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			f, err := os.Open(filepath.Join(dir, "out.zip"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			info, _ := f.Stat()
			c, err := OpenZIP(f, info.Size(), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			checkFiles(t, c, want)
		})
	}
}

// pythonStream writes to what cannot seek, so that sizes follow the data.
const pythonStream = `
import sys, zipfile, pathlib
class Pipe:
    def __init__(self, f): self.f = f
    def write(self, b): return self.f.write(b)
    def flush(self): self.f.flush()
with open("out.zip", "wb") as f, zipfile.ZipFile(Pipe(f), "w", zipfile.ZIP_DEFLATED) as z:
    for p in sorted(pathlib.Path("files").rglob("*")):
        if p.is_file(): z.write(p)
`

// writeFiles makes files of several kinds and returns their contents by name.
func writeFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	random := rand.NewChaCha8([32]byte{1})
	noise := make([]byte, 300<<10)
	random.Read(noise)
	files := map[string]string{
		"empty.txt":                "",
		"text.csv":                 strings.Repeat("Id,Name\n1,Someone\n", 5000),
		"noise.jpg":                string(noise),
		"Zoë Åström – CV (2).docx": "a name beyond ASCII",
		"deep/er/名前.txt":           "a name in Japanese",
		"deep/er/" + strings.Repeat("long", 22) + ".txt": "a long name",
	}
	for i := range 300 {
		files[fmt.Sprintf("many/%03d.txt", i)] = fmt.Sprint(i)
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// checkFiles compares what a container holds below files/ with what was put into it.
func checkFiles(t *testing.T, c Container, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	for e, err := range c.Entries() {
		if err != nil {
			t.Fatal(err)
		}
		if e.Refused == RefusedDirectory {
			continue
		}
		if e.Refused != "" || e.Modified.IsZero() {
			t.Errorf("%q: refused as %q, modified %v", e.Name, e.Refused, e.Modified)
			continue
		}
		got[strings.TrimPrefix(e.Name, "files/")] = content(t, c, e)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%.2000s", diff)
	}
}

// An entry encrypted by zip is known by its flag; its ciphertext is kept.
func TestZipEncryptedByInfoZip(t *testing.T) {
	zip := testneed.Command(t, "zip", "Debian zip")
	dir := t.TempDir()
	writeFiles(t, filepath.Join(dir, "files"))
	cmd := exec.Command(zip, "-q", "-P", "secret", "out.zip", "files/text.csv")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b, err := os.ReadFile(filepath.Join(dir, "out.zip"))
	if err != nil {
		t.Fatal(err)
	}
	c := openBytes(t, b, Limits{})
	var names []string
	for e, err := range c.Entries() {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, e.Name)
		r, err := c.OpenRaw(e)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		var raw bytes.Buffer
		raw.ReadFrom(r)
		if e.Refused != RefusedEncrypted || int64(raw.Len()) != e.CompressedSize || raw.Len() < 12 {
			t.Errorf("refused as %q, %d raw bytes of %d", e.Refused, raw.Len(), e.CompressedSize)
		}
	}
	if !slices.Equal(names, []string{"files/text.csv"}) {
		t.Errorf("names %q", names)
	}
}
