package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdall/internal/testneed"
)

// reader is a reader of archives that was written from FORMAT.md alone.
func reader(t *testing.T, args ...string) (code int, out string) {
	t.Helper()
	python := testneed.Command(t, "python3", "Debian python3")
	testneed.Command(t, "zstd", "Debian zstd")
	script, err := filepath.Abs("../../archive/testdata/read_archive.py")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, append([]string{script}, args...)...)
	b, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(b)
}

// copyTree copies a directory, without what is made anew on the way.
func copyTree(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// exportIn returns the one export of a root.
func exportIn(t *testing.T, root string) string {
	t.Helper()
	all := glob(t, root, "exports", "*")
	if len(all) != 1 {
		t.Fatalf("exports %v, want one", all)
	}
	return all[0]
}

func TestAReaderWrittenFromTheFormatReadsEverything(t *testing.T) {
	s := undisturbed.get(t)
	root := filepath.Dir(filepath.Dir(s.bag))
	if code, out := reader(t, "verify", s.bag, root); code != 0 || !strings.HasPrefix(out, "valid: ") {
		t.Fatalf("exit code %d: %s", code, out)
	}
	_, out := reader(t, "documents", s.bag)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if want := len(documents(t, s.bag)); len(lines) != want {
		t.Errorf("%d documents, want %d", len(lines), want)
	}
	for _, line := range lines[:3] {
		id, _, _ := strings.Cut(line, "\t")
		_, got := reader(t, "extract", s.bag, id)
		if want := holdall(t, 0, "cat", s.bag, id).stdout; got != want {
			t.Errorf("%s: %d bytes, want the %d of cat", id, len(got), len(want))
		}
	}
	if _, out := reader(t, "tables", s.bag); strings.Count(out, "\n") != len(s.truth.Tables) {
		t.Errorf("tables:\n%s", out)
	}
}

// goldenRoot is a root that an early program wrote. It must be readable for ever.
const goldenRoot = "../../archive/testdata/golden-1.0"

func TestAnArchiveOfVersionOneOpensForEver(t *testing.T) {
	root := copyTree(t, goldenRoot)
	bag := exportIn(t, root)
	if code, out := reader(t, "verify", bag, root); code != 0 {
		t.Errorf("the reader of the format: exit code %d: %s", code, out)
	}
	for level, code := range map[string]int{"quick": 0, "full": 0, "deep": 5} { // deep repeats the findings
		holdall(t, code, "verify", root, "--level", level)
	}
	for sql, want := range map[string]string{
		"select reference, surname, current_salary, created_on from candidates order by 1": "" +
			"reference,surname,current_salary,created_on\n" +
			"CA-501,Varga,41250.50,2024-02-03 09:15:00\nCA-502,Łyko,38000.00,2023-07-28 17:40:11\n" +
			"CA-503,de Wit,,2022-11-14 08:00:00\n",
		"select current_salary from raw.candidates order by row_number": "current_salary\n" +
			"\"41,250.50\"\n\"38,000.00\"\nn/a\n",
		"select original_name, state, owner_id[-1:] as owner, matched_by from documents order by doc_id": "" +
			"original_name,state,owner,matched_by\n" +
			"birk00000000000000000000000000001f01/offer letter.txt,ok,1,path\n" +
			"birk00000000000000000000000000001f02/Zeugnis übersetzt.pdf,ok,2,path\n" +
			"co-1/terms.pdf,ok,1,path\n../../escape.txt,ok,,\n" +
			"CA-501 Ilse Varga.pdf,ok,1,id\nCA-502 Tome Lyko.pdf,damaged-in-source,2,id\n",
		"select code, count(*) as n from findings where severity = 'error' group by 1 order by 1": "code,n\n" +
			"attachment-missing,1\ndamaged-in-source,1\n",
		"select count(*) as n from companies join jobs using (company_id)": "n\n1\n",
	} {
		if d := cmp.Diff(want, holdall(t, 0, "query", root, sql, "--format", "csv").stdout); d != "" {
			t.Errorf("%s:\n%s", sql, d)
		}
	}
	letter := holdall(t, 0, "cat", root, "a2-000000").stdout
	if want := strings.Repeat("Dear Ilse,\nwe are glad to offer you the post. ", 12); letter != want {
		t.Errorf("the letter has %d bytes, want %d", len(letter), len(want))
	}
	type event struct{ Type, Status string }
	log := decode[[]event](t, holdall(t, 0, "log", root, "--json"))
	want := []event{{"verify", "valid"}, {"take", "complete"}} // after those of this test
	if n := len(log); n < 2 || !cmp.Equal(log[n-2:], want) {
		t.Errorf("the log has %+v, want %+v at its end", log, want)
	}
}

// Every file of an archive is damaged in turn: by a flipped bit, by being cut, and by being gone. Whoever
// checks it must find that, be it holdall or the reader of the format.
func TestEveryDamageIsFoundByHoldallAndByTheReaderOfTheFormat(t *testing.T) {
	root := copyTree(t, goldenRoot)
	bag := exportIn(t, root)
	damages := []struct {
		name string
		do   func(b []byte) []byte
	}{
		{"a bit is another one", func(b []byte) []byte { b[len(b)/2] ^= 4; return b }},
		{"the last byte is missing", func(b []byte) []byte { return b[:len(b)-1] }},
		{"a byte is added", func(b []byte) []byte { return append(b, 'x') }},
	}
	for i, path := range files(t, bag) {
		whole, err := os.ReadFile(path)
		if err != nil || len(whole) == 0 {
			t.Fatalf("%s has %d bytes: %v", path, len(whole), err)
		}
		damage := damages[i%len(damages)] // each of them for every third file
		if err := os.WriteFile(path, damage.do(append([]byte(nil), whole...)), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, out := reader(t, "verify", bag, root); code != 1 {
			t.Errorf("%s: %s: the reader of the format: exit code %d: %s", path, damage.name, code, out)
		}
		holdall(t, 5, "verify", bag, "--level", "full")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if code, out := reader(t, "verify", bag, root); code != 1 {
			t.Errorf("%s is gone: the reader of the format: exit code %d: %s", path, code, out)
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if code, out := reader(t, "verify", bag, root); code != 0 {
		t.Errorf("after all is as it was: exit code %d: %s", code, out)
	}
}

// Whatever of the ledger is damaged or, where something else tells of it, gone: both find it. Each copy of
// the root is verified once, since that adds an event.
func TestEveryDamageOfTheLedgerIsFound(t *testing.T) {
	names := slices.Concat(
		glob(t, goldenRoot, "ledger", "*.json"), glob(t, goldenRoot, "ledger", "numbers", "*.json"),
		glob(t, goldenRoot, "ledger", "records", "*"),
	)
	if len(names) != 7 {
		t.Fatalf("the ledger has %q, want seven files", names)
	}
	for _, name := range names {
		root := copyTree(t, goldenRoot)
		path, err := filepath.Rel(goldenRoot, name)
		if err != nil {
			t.Fatal(err)
		}
		damaged := filepath.Join(root, path)
		whole, err := os.ReadFile(damaged)
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.Replace(string(whole), "2026", "2025", 1)
		if changed == string(whole) {
			whole[len(whole)/2] ^= 4
			changed = string(whole)
		}
		if err := os.WriteFile(damaged, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, out := reader(t, "verify", exportIn(t, root), root); code != 1 {
			t.Errorf("%s was changed: the reader of the format: exit code %d: %s", path, code, out)
		}
		if o := holdall(t, 5, "verify", root, "--json"); !strings.Contains(o.stdout, "ledger-broken") {
			t.Errorf("%s was changed: %s", path, o.stdout)
		}
	}
	root := copyTree(t, goldenRoot)
	if err := os.RemoveAll(filepath.Join(root, "ledger", "records")); err != nil {
		t.Fatal(err)
	}
	if o := holdall(t, 5, "verify", root, "--json"); !strings.Contains(o.stdout, "is gone") {
		t.Errorf("the records are gone: %s", o.stdout)
	}
}
