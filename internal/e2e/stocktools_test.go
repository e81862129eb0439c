package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdall/internal/testneed"
)

// An archive must be readable when holdall is gone. These tests use none of its code.

func TestChecksumsWithSha256sum(t *testing.T) {
	tool := testneed.Command(t, "sha256sum", "Debian coreutils")
	bag := undisturbed.get(t).bag
	for _, manifest := range []string{"manifest-sha256.txt", "tagmanifest-sha256.txt"} {
		command(t, bag, tool, "--check", "--strict", "--quiet", manifest)
	}
	listed, err := os.ReadFile(filepath.Join(bag, "manifest-sha256.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Count(string(listed), "\n"), len(files(
		t, filepath.Join(bag, "data"),
	)); got != want {
		t.Errorf("the manifest has %d lines for %d files", got, want)
	}
}

func TestBagWithBagit(t *testing.T) {
	tool := testneed.Command(t, "bagit.py", "PyPI bagit")
	command(t, shared, tool, "--validate", undisturbed.get(t).bag)
}

// The profile is asked for by the name that the bag gives it, and read from the bag.
const validateProfile = `
import bagit, bagit_profile, json, logging, sys
logging.disable(logging.CRITICAL)
bag = bagit.Bag(sys.argv[1])
url = bag.info["BagIt-Profile-Identifier"]
profile = bagit_profile.Profile(url, profile=json.load(open(sys.argv[1] + "/bagit-profile.json")))
ok = profile.validate(bag)
print("valid" if ok else profile.report)
`

func TestBagWithItsProfile(t *testing.T) {
	python := pythonWith(t, "bagit_profile")
	bag := copyTree(t, undisturbed.get(t).bag)
	if got := command(t, shared, python, "-c", validateProfile, bag); got != "valid\n" {
		t.Errorf("the profile: %s", got)
	}
	// And it is a tool that can say no.
	if err := os.WriteFile(filepath.Join(bag, "fetch.txt"), []byte("http://a.example/ 1 data/a\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	if got := command(t, shared, python, "-c", validateProfile, bag); got == "valid\n" {
		t.Error("a bag with a fetch.txt is valid by the profile")
	}
}

func TestPacksWithUnzip(t *testing.T) {
	tool := testneed.Command(t, "unzip", "Debian unzip")
	text := testneed.Command(t, "pdftotext", "Debian poppler-utils")
	found := 0
	for _, pack := range glob(t, undisturbed.get(t).bag, "data/documents/*.zip") {
		command(t, shared, tool, "-tqq", pack)
		out := t.TempDir()
		command(t, out, tool, "-qq", pack)
		for _, path := range files(t, out) {
			if strings.HasSuffix(path, ".pdf") && found < 5 &&
				strings.TrimSpace(command(t, out, text, path, "-")) != "" {
				found++
			}
		}
	}
	if found == 0 {
		t.Error("no PDF with text came out of the packs")
	}
}

func TestTablesWithZstd(t *testing.T) {
	tool := testneed.Command(t, "zstd", "Debian zstd")
	s := undisturbed.get(t)
	for _, table := range s.truth.Tables {
		got := command(t, s.bag, tool, "-dcq", filepath.Join("data/received/tables", table.File+".zst"))
		if int64(len(got)) != table.Size || sha256Of(t, strings.NewReader(got)) != table.SHA256.String() {
			t.Errorf(
				"%s has %d bytes, or others, than the %d that were served", table.File, len(got), table.Size,
			)
		}
	}
}

func TestParquetWithOtherEngines(t *testing.T) {
	s := undisturbed.get(t)
	want := map[string]int{}
	for _, table := range s.truth.Tables {
		want[strings.ToLower(strings.TrimSuffix(table.File, ".csv"))] = table.Rows
	}
	for _, tc := range []struct{ module, script string }{
		{"pyarrow", `
import json, sys, os, pyarrow.parquet as pq
print(json.dumps({t: pq.read_table(os.path.join(sys.argv[1], t)).num_rows
	for t in os.listdir(sys.argv[1])}))`},
		{"duckdb", `
import json, sys, os, duckdb
print(json.dumps({t: duckdb.sql(f"select count(*) from '{sys.argv[1]}/{t}/*.parquet'").fetchall()[0][0]
	for t in os.listdir(sys.argv[1])}))`},
	} {
		t.Run(tc.module, func(t *testing.T) {
			python := pythonWith(t, tc.module)
			var got map[string]int
			if err := json.Unmarshal(
				[]byte(command(t, shared, python, "-c", tc.script, filepath.Join(s.bag, "data/tables"))),
				&got,
			); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("rows (-served +read):\n%s", diff)
			}
		})
	}
}

func TestDescriptionWithFrictionless(t *testing.T) {
	python := pythonWith(t, "frictionless")
	s := undisturbed.get(t)
	out := command(t, s.bag, python, "-c", `
import json, frictionless
report = frictionless.Package.validate_descriptor("datapackage.json")
print(json.dumps({"valid": report.valid, "errors": report.flatten(["message"]),
	"resources": len(frictionless.Package("datapackage.json").resources)}))`)
	var got struct {
		Valid     bool
		Errors    [][]string
		Resources int
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if !got.Valid || got.Resources < len(s.truth.Tables) {
		t.Errorf("frictionless says %+v; want it valid, with %d resources or more", got, len(s.truth.Tables))
	}
}

// pythonWith returns a Python that has a module.
func pythonWith(t *testing.T, module string) string {
	t.Helper()
	python := testneed.Command(t, "python3", "Debian python3")
	if err := exec.Command(python, "-c", "import "+module).Run(); err != nil {
		testneed.Missing(t, "python3 has no module "+module+" (PyPI "+module+")")
	}
	return python
}
