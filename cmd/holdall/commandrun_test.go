package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An outcome is how a command ended.
type outcome struct {
	code           int
	stdout, stderr string
}

// holdall runs a command line in this process, with nothing on stdin.
func holdall(t testing.TB, args ...string) outcome {
	t.Helper()
	var out, talk bytes.Buffer
	e := &env{
		stdin: strings.NewReader(""), stdout: &out, stderr: &talk, console: newConsole(&talk),
		lookup: func(string) (string, bool) { return "", false },
	}
	code := run(t.Context(), e, args)
	return outcome{code, out.String(), talk.String()}
}

// demo returns a root of the test's own, the ID of the archive in it, and that archive's directory.
func demo(t *testing.T) (root, id, bag string) {
	t.Helper()
	made, err := demoRoot()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	root = filepath.Join(t.TempDir(), "archives")
	if err := os.CopyFS(root, os.DirFS(made)); err != nil {
		t.Fatal(err)
	}
	all, err := filepath.Glob(filepath.Join(root, "exports", "*"))
	if err != nil || len(all) != 1 {
		t.Fatalf("exports: %q, %v", all, err)
	}
	return root, filepath.Base(all[0]), all[0]
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// verified is what verify prints.
type verified struct {
	Valid  bool
	Files  int
	Faults []struct{ Export, Code, Path, Detail string }
	Notes  []string
	// Exports have the same fields again.
	Exports []struct {
		Export, Location string
		Valid            bool
	}
}

func verify(t *testing.T, wantExit int, path string) (verified, string) {
	t.Helper()
	o := holdall(t, "verify", path, "--level", "quick", "--json")
	var v verified
	if err := json.Unmarshal([]byte(o.stdout), &v); err != nil || o.code != wantExit ||
		v.Valid != (wantExit == 0) {
		t.Fatalf("verify %s: exit %d, want %d; %v\n%s%s", path, o.code, wantExit, err, o.stdout, o.stderr)
	}
	var codes []string
	for _, f := range v.Faults {
		codes = append(codes, f.Code+" "+f.Path)
	}
	return v, strings.Join(codes, ", ")
}

// written returns the names of everything below a directory.
func written(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, _ fs.DirEntry, err error) error {
		names = append(names, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}
