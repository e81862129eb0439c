package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The results of several statements are all printed, in the way of the format.
func TestAllResultsArePrinted(t *testing.T) {
	root, _, _ := demo(t)
	const two = "select 1 as a; select 'x' as b where $p = 'yes';"
	for _, tc := range []struct{ format, want string }{
		{"tsv", "a\n1\n\nb\nx\n"},
		{"csv", "a\n1\n\nb\nx\n"},
		{"json", "[[\n{\"a\":1}\n]\n,[\n{\"b\":\"x\"}\n]\n]\n"},
		{"jsonl", "{\"a\":1}\n{\"b\":\"x\"}\n"},
	} {
		o := holdall(t, "query", root, two, "--param", "p=yes", "--format", tc.format)
		if o.code != 0 || strings.ReplaceAll(o.stdout, " ", "") != strings.ReplaceAll(tc.want, " ", "") {
			t.Errorf("%s: exit %d, %q, want %q\n%s", tc.format, o.code, o.stdout, tc.want, o.stderr)
		}
	}
	for _, name := range []string{"both.xlsx", "both.parquet"} {
		path := filepath.Join(t.TempDir(), name)
		o := holdall(t, "query", root, two, "--param", "p=yes", "-o", path)
		if _, err := os.Stat(path); o.code != 2 || !strings.Contains(o.stderr, "there are 2") || err == nil {
			t.Errorf("%s: exit %d, %s; want 2, and no file", name, o.code, o.stderr)
		}
	}
	// What cannot be run keeps the others from being run.
	if o := holdall(t, "query", root, "select 1 as a; selec 2"); o.code != 1 || o.stdout != "" ||
		!strings.Contains(o.stderr, "did you mean SELECT?") {
		t.Errorf("a mistyped statement: %+v", o)
	}
}

// -o says what it wrote, and never takes the place of a file that nobody has given up.
func TestOutputFilesAreNotOverwritten(t *testing.T) {
	root, _, _ := demo(t)
	path := filepath.Join(t.TempDir(), "answer.csv")
	put(t, path, "mine")
	ask := func(args ...string) outcome {
		t.Helper()
		return holdall(
			t, append([]string{"query", root, "select '=1+1' as \"=a\", 'ü' as b", "-o", path}, args...)...,
		)
	}
	if o := ask(); o.code != 2 || !strings.Contains(o.stderr, " exists") ||
		!strings.Contains(o.stderr, "--force") || read(t, path) != "mine" {
		t.Errorf("over a file: %+v; it holds %q", o, read(t, path))
	}
	for _, tc := range []struct {
		flags          []string
		content, talks string
	}{
		{nil, "=a,b\n=1+1,ü\n", "--no-formulas makes them harmless"},
		{[]string{"--bom"}, "\uFEFF=a,b\n=1+1,ü\n", "wrote " + path},
		{[]string{"--no-formulas"}, "'=a,b\n'=1+1,ü\n", "got an apostrophe in front"},
	} {
		if o := ask(append(tc.flags, "--force")...); o.code != 0 || read(t, path) != tc.content ||
			!strings.Contains(o.stderr, tc.talks) {
			t.Errorf("%q: %+v; it holds %q", tc.flags, o, read(t, path))
		}
	}
	if o := holdall(t, "query", root, "select 1", "-o", t.TempDir()+"/"); o.code != 2 ||
		!strings.Contains(o.stderr, "is a directory") {
		t.Errorf("a directory: %+v", o)
	}
	book := filepath.Join(t.TempDir(), "book.xlsx")
	o := holdall(t, "query", root, "select '=1+1' as a, repeat('x', 40000) as b", "-o", book, "-q")
	if o.code != 0 || !strings.Contains(o.stderr, "1 text is longer than an Excel cell can be") {
		t.Errorf("a text that is cut, with -q: %+v", o)
	}
	if o := holdall(
		t, "query", root, "from range(3)", "-o", filepath.Join(t.TempDir(), "x.parquet"), "--limit", "2", "-q",
	); o.code != 0 || !strings.Contains(o.stderr, "only the first 2 rows") {
		t.Errorf("a cut in Parquet: %+v", o)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
