package archive_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"holdall/archive"
	"holdall/archive/dirstore"
	"holdall/internal/testneed"
)

// onDisk returns the directory of the sample bag.
func onDisk(t *testing.T) (*archive.Bag, string) {
	t.Helper()
	s, err := dirstore.Open(t.TempDir(), true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	bag := committed(t, s)
	return bag, bag.Location()
}

// run runs a program in dir and returns what it prints.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestSha256sumAcceptsTheManifests(t *testing.T) {
	sha256sum := testneed.Command(t, "sha256sum", "coreutils")
	_, dir := onDisk(t)
	for _, manifest := range []string{"tagmanifest-sha256.txt", "manifest-sha256.txt"} {
		out := run(t, dir, sha256sum, "--strict", "-c", manifest)
		listed, err := os.ReadFile(filepath.Join(dir, manifest))
		if err != nil {
			t.Fatal(err)
		}
		if ok, want := strings.Count(out, ": OK\n"), strings.Count(string(listed), "\n"); ok != want ||
			ok == 0 {
			t.Errorf("%s: %d files are OK, want %d:\n%s", manifest, ok, want, out)
		}
	}
}

func TestTheReferenceToolAcceptsTheBag(t *testing.T) {
	bagit := testneed.Command(t, "bagit.py", "PyPI bagit")
	_, dir := onDisk(t)
	if out := run(t, dir, bagit, "--validate", "."); !strings.Contains(out, "is valid") {
		t.Errorf("bagit.py says:\n%s", out)
	}
	// And it is a tool that can say no.
	if err := flipBit(filepath.Join(dir, "data/documents/attachments-00001.zip"), 100); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(bagit, "--validate", dir).CombinedOutput(); err == nil {
		t.Errorf("bagit.py accepts a damaged bag:\n%s", out)
	}
}

func packFiles(t *testing.T, dir string) []string {
	t.Helper()
	packs, err := filepath.Glob(filepath.Join(dir, "data/documents/*.zip"))
	if err != nil || len(packs) != 2 {
		t.Fatalf("packs %v, %v; want two", packs, err)
	}
	return packs
}

func TestUnzipAcceptsThePacks(t *testing.T) {
	unzip := testneed.Command(t, "unzip", "Debian package unzip")
	bag, dir := onDisk(t)
	for _, pack := range packFiles(t, dir) {
		if out := run(t, dir, unzip, "-t", pack); !strings.Contains(out, "No errors detected") {
			t.Errorf("unzip -t %s:\n%s", pack, out)
		}
	}
	for _, r := range rowsOf(t, bag) {
		if r.ID != "a1-000002" {
			continue
		}
		got := run(t, dir, unzip, "-p", packFiles(t, dir)[0], archive.EntryName(&r))
		if want := string(samples()["attachments"][1].content); got != want {
			t.Errorf("unzip -p %s: %d bytes, want %d", archive.EntryName(&r), len(got), len(want))
		}
	}
}

func TestPythonReadsThePacks(t *testing.T) {
	python := testneed.Command(t, "python3", "Debian package python3")
	_, dir := onDisk(t)
	const script = `
import sys, zipfile, zlib, csv, io, hashlib
z = zipfile.ZipFile(sys.argv[1])
assert z.testzip() is None
rows = list(csv.DictReader(io.TextIOWrapper(z.open('_pack.csv'), 'utf-8', newline='')))
raw = open(sys.argv[1], 'rb').read()
here = 0
for r in rows:
    if r['pack'] != sys.argv[2]: continue
    here += 1
    data = raw[int(r['offset']):int(r['offset']) + int(r['stored_size'])]
    if r['method'] == 'deflated': data = zlib.decompress(data, -15)
    assert len(data) == int(r['size']) and hashlib.sha256(data).hexdigest() == r['sha256'], r
    assert '%08x' % zlib.crc32(data) == r['crc32'], r
assert len(z.namelist()) == len({r['offset'] for r in rows if r['pack'] == sys.argv[2]}) + 1, z.namelist()
assert z.namelist()[-1] == '_pack.csv'
print(here, 'documents')`
	for _, pack := range packFiles(t, dir) {
		if out := run(t, dir, python, "-c", script, pack, "data/documents/"+
			filepath.Base(pack)); strings.HasPrefix(out, "0") {
			t.Errorf("python finds %s", out)
		}
	}
}

func TestZstdGivesTheReceivedBytes(t *testing.T) {
	zstd := testneed.Command(t, "zstd", "Debian package zstd")
	_, dir := onDisk(t)
	if got := run(t, dir, zstd, "-dcq", "data/received/tables/Candidates.csv.zst"); got != tableCSV {
		t.Errorf("zstd -dc: %q, want %q", got, tableCSV)
	}
	if got := run(t, dir, zstd, "-dcq", "data/documents/index.csv.zst"); strings.Count(got, "\n") != 12 {
		t.Errorf("the index has %d lines, want a header and 11 rows:\n%s", strings.Count(got, "\n"), got)
	}
}

func TestTheCommandsOfTheReadmesWork(t *testing.T) {
	for _, name := range []string{"sha256sum", "zstd", "unzip", "tail", "head", "sh"} {
		testneed.Command(t, name, "coreutils, zstd, unzip")
	}
	bag, dir := onDisk(t)
	for _, script := range []string{
		"sha256sum -c tagmanifest-sha256.txt && sha256sum -c manifest-sha256.txt",
		`zstd -dc data/documents/index.csv.zst | grep -i "lebenslauf"`,
		"unzip -l data/documents/attachments-00001.zip && unzip -q data/documents/attachments-00001.zip " +
			"'CAND1/*' -d " + t.TempDir(),
		`test "$(sha256sum < tagmanifest-sha256.txt | cut -c1-64)" = ` +
			`"$(grep -h tagmanifest-sha256 ../../ledger/*-taken.json | grep -o '[0-9a-f]\{64\}')"`,
	} {
		run(t, dir, "sh", "-ec", script)
	}
	index := run(t, dir, "sh", "-ec", "zstd -dcq data/documents/index.csv.zst | tail -n +2 | sort")
	rebuilt := run(
		t, dir, "sh", "-ec",
		`for p in data/documents/*-[0-9]*.zip; do unzip -p "$p" _pack.csv | tail -n +2; done | sort`,
	)
	if index != rebuilt {
		t.Errorf("the index rebuilt as README.txt says:\n%s\nwant\n%s", rebuilt, index)
	}
	for _, r := range rowsOf(t, bag) {
		if r.Method != "stored" {
			continue
		}
		cut := run(t, dir, "sh", "-ec", `tail -c +$(($1 + 1)) "$2" | head -c "$3" | sha256sum | cut -c1-64`,
			"sh",
			itoa(r.Offset), r.Pack, itoa(r.StoredSize))
		if strings.TrimSpace(cut) != r.SHA256.String() {
			t.Errorf("document %s cut out with tail and head has sha256 %s, want %s", r.ID, cut, r.SHA256)
		}
	}
}

func TestOpenNeedsNothingButTheBag(t *testing.T) {
	_, dir := onDisk(t)
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "exports"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(root, "exports", filepath.Base(dir)), os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	s, err := dirstore.Open(root, false)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	bag, err := archive.Open(context.Background(), s, "")
	if err != nil {
		t.Fatal(err)
	}
	if r, err := bag.Verify(context.Background(), archive.Deep, nil); err != nil || !r.Valid {
		t.Errorf("verify of a bag that was copied alone: %v\n%s", err, show(r))
	}
}
