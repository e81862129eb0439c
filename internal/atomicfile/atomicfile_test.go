package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestCommitReplacesWhole(t *testing.T) {
	target := filepath.Join(t.TempDir(), "state.json")
	for _, want := range []string{"first", "second, longer"} {
		if err := WriteFile(target, []byte(want)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(target)
		if err != nil || string(got) != want {
			t.Fatalf("read %q, %v; want %q", got, err, want)
		}
	}
}

func TestCloseWithoutCommitLeavesTheOldFile(t *testing.T) {
	target := filepath.Join(t.TempDir(), "state.json")
	if err := WriteFile(target, []byte("old")); err != nil {
		t.Fatal(err)
	}
	f, err := Create(target)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("half of the ne"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(target)
	if err != nil || string(got) != "old" {
		t.Fatalf("read %q, %v; want the old content", got, err)
	}
	if _, err := os.Stat(target + Suffix); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("stat of the part file: %v; want it gone", err)
	}
	if err := f.Commit(); !errors.Is(err, os.ErrClosed) {
		t.Fatalf("Commit after Close: %v; want os.ErrClosed", err)
	}
}
