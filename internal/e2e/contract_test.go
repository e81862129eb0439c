package e2e

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What other people's scripts rely on: exit codes, and the fields of --json. Fields may be added, none may
// go.

var takeFields = []string{
	"export", "location", "state", "tables", "documents", "fetched_bytes", "reused_bytes", "seconds",
	"findings",
}

func TestJSONFields(t *testing.T) {
	s := undisturbed.get(t)
	for _, tc := range []struct {
		name string
		args []string
		want []string
	}{
		{"status", []string{"status", s.root}, append([]string{"created", "objects"}, takeFields...)},
		{
			"list", []string{"list", s.root},
			[]string{"export", "location", "state", "tables", "documents", "created"},
		},
		{
			"verify", []string{"verify", s.root, "--level", "quick"},
			[]string{"valid", "level", "files", "bytes", "faults"},
		},
		{
			"tables", []string{"tables", s.root},
			[]string{"table", "rows", "file", "columns", "rejected_cells", "description"},
		},
		{
			"columns of a table", []string{"tables", s.root, "candidates"},
			[]string{"column", "type", "heading", "description", "nulls", "rejected", "sensitive"},
		},
		{
			"files", []string{"files", s.root},
			[]string{"doc_id", "part", "owner_type", "owner_id", "original_name", "size", "sha256", "state"},
		},
		{"query", []string{"query", s.root, "select 1 as one, 'two' as two"}, []string{"one", "two"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			checkFields(t, holdall(t, 0, append(tc.args, "--json")...), tc.want)
		})
	}
}

// checkFields looks into an object, or into each of a list of them.
func checkFields(t *testing.T, o outcome, want []string) {
	t.Helper()
	var list []map[string]any
	if strings.HasPrefix(strings.TrimSpace(o.stdout), "{") {
		list = append(list, decode[map[string]any](t, o))
	} else {
		list = decode[[]map[string]any](t, o)
	}
	if len(list) == 0 {
		t.Fatalf("an empty list:\n%s", o)
	}
	for _, object := range list {
		for _, field := range want {
			if _, ok := object[field]; !ok {
				t.Errorf("no field %q in %v", field, object)
			}
		}
	}
}

func TestTakeTwiceChangesNothing(t *testing.T) {
	dir := t.TempDir()
	p, _ := simulate(t, dir, "--people", "20")
	root := filepath.Join(dir, "archives")
	first := holdall(t, 0, "take", p.master, "--to", root, "--allow-private", "--json")
	checkFields(t, first, takeFields)
	before := digestsOf(t, root)
	second := decode[taken](t, holdall(t, 0, "take", p.master, "--to", root, "--allow-private", "--json"))
	if got := decode[taken](t, first); got.Export != second.Export ||
		second.FetchedBytes > got.FetchedBytes/10 {
		t.Errorf(
			"the second run made %s and fetched %d bytes; the first made %s of %d", second.Export,
			second.FetchedBytes, got.Export, got.FetchedBytes,
		)
	}
	if diff := cmp.Diff(before, digestsOf(t, root)); diff != "" {
		t.Errorf("files (-first +second):\n%s", diff)
	}
}

// digestsOf hashes the files below root that are kept forever.
func digestsOf(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, path := range files(t, filepath.Join(root, "exports")) {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		all[path] = sha256Of(t, f)
		f.Close()
	}
	return all
}

func TestCountsMatchTheTruth(t *testing.T) {
	s := undisturbed.get(t)
	for _, table := range s.truth.Tables {
		name := strings.ToLower(strings.TrimSuffix(table.File, ".csv"))
		if got := s.taken.Tables[name]; got.Rows != int64(table.Rows) || got.File != table.File {
			t.Errorf("%s: got %+v, want %d rows", name, got, table.Rows)
		}
	}
	attachments, cvs := s.truth.Documents["attachments"], s.truth.Documents["cvs"]
	got := s.taken.Documents
	if got.Attachments != int64(attachments.Documents) || got.CVs != int64(cvs.Documents) ||
		got.Bytes != attachments.Bytes+cvs.Bytes {
		t.Errorf("documents %+v, want %+v and %+v", got, attachments, cvs)
	}
	for _, f := range s.taken.Findings {
		if f.Severity != "info" {
			t.Errorf("an export without mistakes has the finding %+v", f)
		}
	}
	for _, d := range s.truth.Files[:20] {
		rows := decode[[]struct {
			DocID string `json:"doc_id"`
		}](t, holdall(t, 0, "files", s.root, "--json", "--where", "sha256 = '"+d.SHA256.String()+"'"))
		if len(rows) == 0 {
			t.Errorf("%s is not among the files", d.Entry)
			continue
		}
		o := holdall(t, 0, "cat", s.root, rows[0].DocID)
		if sha256Of(t, strings.NewReader(o.stdout)) != d.SHA256.String() {
			t.Errorf("cat %s gave other bytes", rows[0].DocID)
		}
	}
}

func TestExitCodes(t *testing.T) {
	s := undisturbed.get(t)
	dir := t.TempDir()
	page, two := filepath.Join(dir, "page.csv"), filepath.Join(dir, "empty.csv")
	writeFile(t, page, "<!DOCTYPE html><html><title>Sign in</title></html>")
	writeFile(t, two, "Name,Link\n")
	for _, tc := range []struct {
		name string
		args []string
		exit int
		code string // of the error in JSON
	}{
		{"an unknown command", []string{"tkae"}, 2, "usage"},
		{"an unknown flag", []string{"take", "--nonsense"}, 2, "usage"},
		{"no place to put the archive", []string{"take", page}, 2, "usage"},
		{
			"a master CSV that does not exist", []string{"take", filepath.Join(dir, "none.csv"), "--to", dir},
			2, "usage",
		},
		{"a directory as master CSV", []string{"take", dir, "--to", dir}, 2, "usage"},
		{"a sign-in page as master CSV", []string{"take", page, "--to", dir}, 4, "not-the-export"},
		{"a master CSV without links", []string{"take", two, "--to", dir}, 4, "not-the-export"},
		{"an export that does not exist", []string{"status", filepath.Join(dir, "none")}, 1, "internal"},
		{"SQL with an error", []string{"query", s.root, "selekt 1"}, 1, "internal"},
		{"bytes as JSON", []string{"cat", s.root, "no-such-document"}, 2, "usage"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := holdall(t, tc.exit, append(tc.args, "--json")...)
			got := decode[struct{ Error failure }](t, o).Error
			if got.Code != tc.code || got.Message == "" || got.Retryable == nil {
				t.Errorf("error %+v, want code %q, a message and whether it may be tried again", got, tc.code)
			}
			if tc.args[0] == "cat" {
				tc.exit = 1 // without --json it is the document that is missing
			}
			plain := holdall(t, tc.exit, tc.args...)
			if plain.stdout != "" || !strings.HasPrefix(plain.stderr, "holdall: ") {
				t.Errorf("want talk on stderr alone:\n%s", plain)
			}
		})
	}
}

// Links that died end in exit 4; a fresh master CSV of the same export goes on and fetches nothing twice.
func TestFreshMasterGoesOn(t *testing.T) {
	dir := t.TempDir()
	kept := filepath.Join(dir, "platform")
	p, stop := simulate(
		t, dir, "--people", "60", "--dir", kept, "--fault", "expire=6", "--fault", "drop=1000000",
	)
	root := filepath.Join(dir, "archives")
	o := holdall(t, 4, "take", p.master, "--to", root, "--allow-private", "--json")
	dead := decode[taken](t, o)
	if dead.State != "expired" || dead.Error == nil || dead.Error.Code != "link-expired" ||
		dead.Error.Hint == "" || *dead.Error.Retryable {
		t.Errorf("want state expired and an error that says so:\n%s", o)
	}
	stop()
	p, _ = simulate(t, dir, "--people", "60", "--dir", kept)
	got := decode[taken](t, holdall(t, 0, "take", p.master, "--to", root, "--allow-private", "--json"))
	var size int64
	for _, object := range readTruth(t, p.truth).Objects {
		size += object.Size
	}
	if got.State != "complete" || got.ReusedBytes == 0 || got.FetchedBytes > size-got.ReusedBytes+64<<10 {
		t.Errorf(
			"state %s, %d bytes fetched and %d reused of %d", got.State, got.FetchedBytes, got.ReusedBytes,
			size,
		)
	}
	holdall(t, 0, "verify", root, "--level", "deep")
}

// A second run at the same time does not disturb the first.
func TestTwoRunsAtOnce(t *testing.T) {
	dir := t.TempDir()
	p, _ := simulate(t, dir, "--people", "30")
	root := filepath.Join(dir, "archives")
	first := start(t, "take", p.master, "--to", root, "--allow-private", "--max-rate", "2M", "--json")
	time.Sleep(time.Second)
	o := holdall(t, 3, "take", p.master, "--to", root, "--allow-private", "--json")
	if got := decode[struct{ Error failure }](t, o).Error; got.Code != "busy" || got.Retryable == nil ||
		!*got.Retryable {
		t.Errorf("want busy:\n%s", o)
	}
	if o := first.wait(); o.code != 0 {
		t.Errorf("the first run was disturbed:\n%s", o)
	}
}

// Ctrl-C stops within two seconds and says how to go on; the same command does.
func TestInterruptedTakeoverGoesOn(t *testing.T) {
	dir := t.TempDir()
	p, _ := simulate(t, dir, "--people", "40")
	var root string
	best := time.Hour
	for try := 0; try < 3 && best > 2*time.Second; try++ { // a busy machine gets another chance
		root = filepath.Join(dir, fmt.Sprint("archives", try))
		r := start(t, "take", p.master, "--to", root, "--allow-private", "--max-rate", "2M")
		time.Sleep(1500 * time.Millisecond)
		asked := time.Now()
		r.cmd.Process.Signal(syscall.SIGINT)
		o := r.wait()
		best = min(best, time.Since(asked))
		if o.code != 130 || !strings.Contains(o.stderr, "hint: ") {
			t.Fatalf("want exit 130 and a hint:\n%s", o)
		}
	}
	if best > 2*time.Second {
		t.Errorf("it took %s to stop", best)
	}
	got := decode[taken](t, holdall(t, 0, "take", p.master, "--to", root, "--allow-private", "--json"))
	if got.ReusedBytes == 0 {
		t.Errorf("nothing was reused: %+v", got)
	}
}

// verified is what verify prints.
type verified struct {
	Valid  bool
	Faults []fault
}

type fault struct {
	Code, Path, Detail string
	Documents          []string
}

// One flipped bit, in any kind of file, is found, and tied to the documents that it hurts.
func TestVerifyFindsFlippedBit(t *testing.T) {
	s := undisturbed.get(t)
	for _, kind := range []string{
		"data/received/master.csv", "data/received/tables/*.zst", "data/tables/*/*.parquet",
		"data/documents/*.zip", "data/documents/index.parquet",
		"data/documents/index.csv.zst", "datapackage.json", "README.txt", "bag-info.txt",
		"manifest-sha256.txt", "custody/receipts.jsonl", "custody/completeness.json",
	} {
		t.Run(kind, func(t *testing.T) {
			path := glob(t, s.bag, kind)[0]
			name, _ := filepath.Rel(s.bag, path)
			flip(t, path)
			defer flip(t, path)
			o := holdall(t, 5, "verify", s.bag, "--json")
			got := decode[verified](t, o)
			at := slices.IndexFunc(got.Faults, func(f fault) bool { return f.Path == name })
			if got.Valid || at < 0 || len(got.Faults) != 1 || got.Faults[0].Code != "hash-mismatch" {
				t.Fatalf("want one hash-mismatch, of %s:\n%s", name, o)
			}
			if strings.HasSuffix(name, ".zip") && len(got.Faults[at].Documents) == 0 {
				t.Errorf("no document is named:\n%s", o)
			}
		})
	}
	holdall(t, 0, "verify", s.bag)
}

// flip inverts one bit in the middle of a file, whatever its permissions.
func flip(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(path, info.Mode())
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, info.Size()/2); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	b[0] ^= 4
	if _, err := f.WriteAt(b, info.Size()/2); err != nil {
		t.Fatal(err)
	}
}
