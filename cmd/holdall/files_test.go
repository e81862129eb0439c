package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdall/internal/digest"
)

// Documents are copied out under names that say whose they are, with a list that says what each one is; cat
// gives the same bytes. Long because it follows one copy from the list to the last byte.
func TestFilesAreCopiedOut(t *testing.T) {
	root, _, bag := demo(t)
	out := filepath.Join(t.TempDir(), "copies")
	o := holdall(t, "files", root, "--to", out, "--where", "part = 'cvs' -- a comment", "--json")
	var said struct {
		Documents, Damaged int
	}
	if err := json.Unmarshal([]byte(o.stdout), &said); err != nil || o.code != 0 || said.Documents < 3 ||
		said.Damaged != 0 {
		t.Fatalf("exit %d, %v\n%s%s", o.code, err, o.stdout, o.stderr)
	}
	index, err := os.Open(filepath.Join(out, "index.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer index.Close()
	rows, err := csv.NewReader(index).ReadAll()
	if err != nil || len(rows) != said.Documents+1 {
		t.Fatalf("the index has %d lines for %d documents, %v", len(rows), said.Documents, err)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	for _, row := range rows[1:] {
		b, err := os.ReadFile(filepath.Join(out, row[column["file"]]))
		if sum := digest.Of(b).String(); err != nil || sum != row[column["sha256"]] {
			t.Errorf("%s: %v, sha256 %s, want %s", row[column["file"]], err, sum, row[column["sha256"]])
		}
		if owner := row[column["owner_name"]]; owner == "" || !strings.HasPrefix(row[column["file"]], owner+
			" ") {
			t.Errorf("%s does not lie in a directory of its owner %q", row[column["file"]], owner)
		}
		if c := holdall(t, "cat", root, row[column["doc_id"]]); c.code != 0 || c.stdout != string(b) {
			t.Errorf(
				"cat %s: exit %d, %d bytes, want the %d copied", row[column["doc_id"]], c.code, len(c.stdout),
				len(b),
			)
		}
	}
	if o := holdall(t, "files", root, "--to", out); o.code != 2 ||
		!strings.Contains(o.stderr, "is not empty") {
		t.Errorf("into the same directory again: %+v", o)
	}

	// One byte of a document is damaged: the others are copied, and it is said which one is not right.
	pack := filepath.Join(bag, "data", "documents", "cvs-00001.zip")
	b, err := os.ReadFile(pack)
	if err != nil {
		t.Fatal(err)
	}
	b[2000] ^= 1 // in the middle of the first document
	if err := os.Chmod(pack, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(pack, b, 0o600); err != nil {
		t.Fatal(err)
	}
	o = holdall(t, "files", root, "--to", out+"2", "--where", "part = 'cvs'", "--json")
	if err := json.Unmarshal([]byte(o.stdout), &said); err != nil || o.code != 5 ||
		said.Documents != len(rows)-1 || said.Damaged != 1 ||
		!strings.Contains(o.stderr, "is damaged in the archive") {
		t.Errorf("with a damaged document: exit %d, %v\n%s%s", o.code, err, o.stdout, o.stderr)
	}
}

func TestACutResultSaysSo(t *testing.T) {
	root, _, _ := demo(t)
	for _, tc := range []struct {
		limit string
		lines int
		said  bool
	}{{"3", 4, true}, {"10", 11, false}, {"0", 11, false}} {
		o := holdall(t, "query", root, "from candidates select candidate_id", "--limit", tc.limit)
		if n := strings.Count(o.stdout, "\n"); o.code != 0 || n != tc.lines ||
			strings.Contains(o.stderr, "only the first 3 rows are shown") != tc.said {
			t.Errorf("--limit %s: exit %d, %d lines, want %d; %s", tc.limit, o.code, n, tc.lines, o.stderr)
		}
	}
}

func TestSizesAndNumbers(t *testing.T) {
	for text, want := range map[string]int64{
		"500": 500, "500k": 500_000, "10M": 10_000_000, "1.5G": 1_500_000_000, "2Gi": 2 << 30,
		"10MB": 10_000_000, "1 KiB": 1024, "0": 0,
	} {
		var s byteSize
		if err := s.Set(text); err != nil || int64(s) != want {
			t.Errorf("%q is %d, %v; want %d", text, s, err, want)
		}
	}
	for _, text := range []string{"", "-5", "many", "10T", "1e99", "NaN", "Inf"} {
		var s byteSize
		if err := s.Set(text); err == nil {
			t.Errorf("%q is %d, want an error", text, s)
		}
	}
	for n, want := range map[int64]string{
		0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567", 12345: "12,345",
	} {
		if got := group(n); got != want {
			t.Errorf("group(%d) = %s, want %s", n, got, want)
		}
	}
}
