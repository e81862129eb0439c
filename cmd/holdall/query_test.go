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
	if o := holdall(t, "query", root, "select 1 as a; selec 2"); o.code != 1 || o.stdout != "" || !strings.Contains(o.stderr, "did you mean SELECT?") {
		t.Errorf("a mistyped statement: %+v", o)
	}
}
