package e2e

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdall/internal/testneed"
	"holdall/schemas"
)

// TestExportMadeByOtherPrograms takes over an export of which nothing was made by us: CSVs of Python's csv,
// ZIPs of Info-ZIP and of Python's zipfile, served by nginx over https, with documents of LibreOffice and of
// Debian. Every byte is found again by sha256sum. Long because it is one takeover from making the input
// to the last check.
func TestExportMadeByOtherPrograms(t *testing.T) {
	for _, need := range [][2]string{
		{"zip", "Debian zip"}, {"python3", "Debian python3"}, {"sha256sum", "Debian coreutils"},
		{"zstd", "Debian zstd"}, {"nginx", "Debian nginx"}, {"soffice", "Debian libreoffice-writer-nogui"},
	} {
		testneed.Command(t, need[0], need[1])
	}
	dir := t.TempDir()
	www, made := filepath.Join(dir, "www"), filepath.Join(dir, "made")
	for _, d := range []string{
		www, filepath.Join(made, "attachments"), filepath.Join(made, "cvs"), filepath.Join(made, "data"),
	} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	writeOffice(t, filepath.Join(made, "cvs"))
	copyFromDebian(t, filepath.Join(made, "attachments"))
	writeTables(t, made)

	command(t, made, "zip", "-q", "-r", filepath.Join(www, "attachments.zip"), "attachments")
	command(t, made, "python3", "-m", "zipfile", "-c", filepath.Join(www, "cvs.zip"), "cvs")
	command(t, made, "python3", "-m", "zipfile", "-c", filepath.Join(www, "data.zip"), "data")
	site := serve(t, www)
	master := filepath.Join(dir, "master.csv")
	writeFile(t, master, fmt.Sprintf("Name,Download link\r\nData files,%[1]s/data.zip?token=first\r\n"+
		"Attachments,%[1]s/attachments.zip?token=second\r\n"+
		"Internal CVs,%[1]s/cvs.zip?token=third\r\n", site.url))

	root := filepath.Join(dir, "archives")
	got := decode[taken](t, holdall(t, 0, "take", master, "--to", root, "--allow-private",
		"--ca-file", site.ca, "--tenant", "example", "--json"))
	if got.State != "complete" || len(got.Tables) != 10 {
		t.Errorf("state %s, %d tables; want complete, 10", got.State, len(got.Tables))
	}
	holdall(t, 0, "verify", root, "--level", "deep")

	out := filepath.Join(dir, "out")
	holdall(t, 0, "files", root, "--to", out)
	want := append(digests(t, filepath.Join(made, "attachments")), digests(t, filepath.Join(made, "cvs"))...)
	if err := os.Rename(filepath.Join(out, "index.csv"), filepath.Join(dir, "index.csv")); err != nil {
		t.Fatal(err)
	}
	found := digests(t, out)
	slices.Sort(want)
	slices.Sort(found)
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("digests of documents (-made +archived):\n%s", diff)
	}
	checkNames(t, filepath.Join(dir, "index.csv"), made)
	for _, path := range glob(t, made, "data/*.csv") {
		stored := command(
			t, dir, "zstd", "-dcq",
			filepath.Join(got.Location, "data/received/tables", filepath.Base(path)+".zst"),
		)
		if original, err := os.ReadFile(path); err != nil || string(original) != stored {
			t.Errorf("%s is not as it was received (%v)", filepath.Base(path), err)
		}
	}
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// digests runs sha256sum over all files below dir.
func digests(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	for line := range strings.Lines(command(
		t, dir, "sha256sum", append([]string{"--zero", "--"}, files(t, dir)...)...,
	)) {
		for entry := range strings.SplitSeq(strings.TrimSuffix(line, "\x00"), "\x00") {
			all = append(all, entry[:64])
		}
	}
	return all
}

// checkNames finds each file's own name in the index, alongside its digest.
func checkNames(t *testing.T, index, made string) {
	t.Helper()
	f, err := os.Open(index)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	name, sum := slices.Index(rows[0], "original_name"), slices.Index(rows[0], "sha256")
	listed := map[string]bool{}
	for _, row := range rows[1:] {
		listed[filepath.Base(row[name])+" "+row[sum]] = true
	}
	for _, part := range []string{"attachments", "cvs"} {
		for _, path := range files(t, filepath.Join(made, part)) {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if want := filepath.Base(path) + " " + sha256Of(t, strings.NewReader(string(b))); !listed[want] {
				t.Errorf("the index lacks %s", want)
			}
		}
	}
}

// candidates are people who do not exist.
var candidates = []struct{ id, first, last string }{
	{"exmp0001", "Zoë", "Åström"}, {"exmp0002", "Nnamdi", "Okafor-Example"}, {"exmp0003", "美咲", "見本"},
	{"exmp0004", "Jörg", "Muster"},
}

// writeOffice has LibreOffice write each candidate's CV as PDF and as DOCX, with a profile of its own.
func writeOffice(t *testing.T, dir string) {
	t.Helper()
	work := t.TempDir()
	for _, c := range candidates {
		writeFile(
			t, filepath.Join(work, c.id+".html"),
			fmt.Sprintf(
				"<html><head><meta charset=utf-8></head><body><h1>%s %s</h1><p>Ten years of example work "+
					"&amp; more.</p></body></html>",
				c.first, c.last,
			),
		)
	}
	for _, format := range []string{"pdf", "docx:MS Word 2007 XML"} {
		args := []string{
			"-env:UserInstallation=file://" + filepath.Join(work, "profile"), "--headless", "--norestore",
			"--infilter=HTML (StarWriter)", "--convert-to", format, "--outdir", dir,
		}
		cmd := exec.Command("soffice", append(args, glob(t, work, "*.html")...)...)
		cmd.Env = append(os.Environ(), "HOME="+work)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("soffice: %v\n%s", err, out)
		}
	}
	for _, c := range candidates {
		for _, ext := range []string{".pdf", ".docx"} {
			if err := os.Rename(
				filepath.Join(dir, c.id+ext), filepath.Join(dir, c.id+" "+c.first+" "+c.last+ext),
			); err != nil {
				t.Fatalf("LibreOffice made no %s: %v", ext, err)
			}
		}
	}
}

// copyFromDebian copies files that every Debian has, under one folder a package.
func copyFromDebian(t *testing.T, dir string) {
	t.Helper()
	var found []string
	for _, pattern := range []string{"/usr/share/common-licenses/*", "/usr/share/doc/[a-d]*/*"} {
		some, _ := filepath.Glob(pattern)
		found = append(found, some...)
	}
	copied := 0
	for _, path := range found {
		info, err := os.Lstat(path)
		if err != nil || !info.Mode().IsRegular() || info.Size() > 300_000 || copied == 60 {
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		folder := filepath.Join(dir, filepath.Base(filepath.Dir(path)))
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(folder, filepath.Base(path)), string(b))
		copied++
	}
	if copied < 10 {
		testneed.Missing(t, "this machine has no files in /usr/share/doc and /usr/share/common-licenses")
	}
}

// writeTables has Python's csv write the ten tables. Candidates and Attachments describe what is there; each
// of the others has one row.
func writeTables(t *testing.T, made string) {
	t.Helper()
	tables := map[string][][]string{}
	for _, table := range schemas.Recruitly() {
		var headings []string
		for _, c := range table.Columns {
			headings = append(headings, c.Heading)
		}
		rows := [][]string{headings}
		switch table.Name {
		case "candidates":
			for _, c := range candidates {
				rows = append(
					rows,
					row(
						table,
						map[string]string{
							"candidate_id": c.id, "first_name": c.first, "last_name": c.last,
							"summary": "Says \"hello\",\nin two lines; and more",
						},
					),
				)
			}
		case "attachments":
			for i, path := range files(t, filepath.Join(made, "attachments")) {
				info, _ := os.Stat(path)
				within, _ := filepath.Rel(made, path)
				rows = append(rows, row(table, map[string]string{
					"attachment_id": fmt.Sprintf("att%04d", i),
					"record_id":     candidates[i%len(candidates)].id, "record_type": "CANDIDATE",
					"file_name": filepath.Base(path), "file_path": within,
					"file_size": fmt.Sprint(info.Size()),
				}))
			}
		default:
			key, _ := table.PrimaryKey()
			rows = append(rows, row(table, map[string]string{key.Name: "exmp9999"}))
		}
		tables[table.File] = rows
	}
	given := filepath.Join(t.TempDir(), "rows.json")
	b, err := json.Marshal(tables)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, given, string(b))
	command(t, made, "python3", "-c", `
import csv, json, sys
for name, rows in json.load(open(sys.argv[1], encoding="utf-8")).items():
    with open("data/" + name, "w", newline="", encoding="utf-8-sig") as f:
        csv.writer(f).writerows(rows)`, given)
}

func row(table schemas.Table, values map[string]string) []string {
	var cells []string
	for _, c := range table.Columns {
		cells = append(cells, values[c.Name])
	}
	return cells
}
