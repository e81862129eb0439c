// Package storetest holds what every archive.Store must do, a store in memory, and a store that fails.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"holdall/archive"
	"holdall/internal/digest"
)

// Run tests the stores that open makes, each of them empty. An archive.Adopter is tested as one.
func Run(t *testing.T, open func(t *testing.T) archive.Store) {
	for _, tc := range []struct {
		name string
		test func(t *testing.T, s archive.Store)
	}{
		{"an object reads back as it was put", testRoundTrip},
		{"a range reads what it names", testRange},
		{"a missing object is fs.ErrNotExist", testMissing},
		{"the same content again is a success", testSameAgain},
		{"other content under a taken name is fs.ErrExist", testTaken},
		{"content that is not what was announced does not appear", testWrongContent},
		{"a reader that fails leaves nothing", testFailingReader},
		{"a cancelled put leaves nothing", testCancelled},
		{"names outside the alphabet are refused", testNames},
		{"the list is in the order of the names", testList},
		{"folders are what has objects below it", testFolders},
		{"of several writers of one name one wins", testRace},
		{"a directory is adopted whole", testAdopt},
		{"nothing is adopted where something is", testAdoptTaken},
	} {
		t.Run(tc.name, func(t *testing.T) { tc.test(t, open(t)) })
	}
}

func put(s archive.Store, name, content string) error {
	return s.Put(
		context.Background(), name, strings.NewReader(content), int64(len(content)),
		digest.Of([]byte(content)),
	)
}

func mustPut(t *testing.T, s archive.Store, name, content string) {
	t.Helper()
	if err := put(s, name, content); err != nil {
		t.Fatal(err)
	}
}

func read(s archive.Store, name string, off, n int64) (string, error) {
	r, err := s.Open(context.Background(), name, off, n)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(r)
	return string(b), errors.Join(err, r.Close())
}

func checkContent(t *testing.T, s archive.Store, name, want string) {
	t.Helper()
	if got, err := read(s, name, 0, -1); err != nil || got != want {
		t.Errorf("read %s: %.80q, %v; want %.80q", name, got, err, want)
	}
}

func checkMissing(t *testing.T, s archive.Store, name string) {
	t.Helper()
	if _, err := s.Stat(context.Background(), name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("stat %s: %v, want fs.ErrNotExist", name, err)
	}
	for _, left := range list(t, s, "") {
		t.Errorf("%s is listed, want nothing", left)
	}
}

func list(t *testing.T, s archive.Store, prefix string) []string {
	t.Helper()
	names := []string{}
	for info, err := range s.List(context.Background(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, info.Name)
	}
	return names
}

func testRoundTrip(t *testing.T, s archive.Store) {
	for _, content := range []string{"", "x", strings.Repeat("0123456789abcdef", 100_000)} {
		name := fmt.Sprintf("exports/some-id/data/%d.bin", len(content))
		mustPut(t, s, name, content)
		checkContent(t, s, name, content)
		info, err := s.Stat(context.Background(), name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Name != name || info.Size != int64(len(content)) {
			t.Errorf("stat: %+v, want name %s and size %d", info, name, len(content))
		}
		if want := digest.Of([]byte(content)); !info.SHA256.IsZero() && info.SHA256 != want {
			t.Errorf("stat: sha256 %s, want %s or none", info.SHA256, want)
		}
	}
}

func testRange(t *testing.T, s archive.Store) {
	mustPut(t, s, "a/object", "0123456789")
	for _, tc := range []struct {
		off, n int64
		want   string
	}{
		{0, 10, "0123456789"}, {0, -1, "0123456789"}, {3, 4, "3456"}, {3, -1, "3456789"}, {9, 1, "9"},
		{0, 0, ""},
	} {
		if got, err := read(s, "a/object", tc.off, tc.n); err != nil || got != tc.want {
			t.Errorf("read %d bytes from %d: %q, %v; want %q", tc.n, tc.off, got, err, tc.want)
		}
	}
	r, err := s.Open(context.Background(), "a/object", 2, 5)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := iotest.TestReader(struct{ io.Reader }{r}, []byte("23456")); err != nil {
		t.Error(err)
	}
}

func testMissing(t *testing.T, s archive.Store) {
	mustPut(t, s, "a/b", "x")
	for _, name := range []string{"a", "a/c", "a/b/c", "b"} {
		if _, err := s.Stat(context.Background(), name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("stat %s: %v, want fs.ErrNotExist", name, err)
		}
		if _, err := read(s, name, 0, -1); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("open %s: %v, want fs.ErrNotExist", name, err)
		}
	}
	if got := list(t, s, "nothing/here"); len(got) != 0 {
		t.Errorf("list of nothing: %v", got)
	}
}

func testSameAgain(t *testing.T, s archive.Store) {
	for range 2 {
		mustPut(t, s, "a/object", "the same")
	}
	checkContent(t, s, "a/object", "the same")
}

func testTaken(t *testing.T, s archive.Store) {
	mustPut(t, s, "a/object", "first")
	for _, content := range []string{"other", "longer than the first", ""} {
		if err := put(s, "a/object", content); !errors.Is(err, fs.ErrExist) {
			t.Errorf("put %q over it: %v, want fs.ErrExist", content, err)
		}
	}
	checkContent(t, s, "a/object", "first")
}

func testWrongContent(t *testing.T, s archive.Store) {
	ctx := context.Background()
	sum := digest.Of([]byte("content"))
	for _, got := range []string{"contenT", "conten", "content and more", ""} {
		if err := s.Put(ctx, "a/object", strings.NewReader(got), 7, sum); err == nil {
			t.Errorf("put %q as %q succeeded", got, "content")
		}
	}
	checkMissing(t, s, "a/object")
}

func testFailingReader(t *testing.T, s archive.Store) {
	failure := errors.New("the source failed")
	r := io.MultiReader(strings.NewReader("conte"), iotest.ErrReader(failure))
	if err := s.Put(
		context.Background(), "a/object", r, 7, digest.Of([]byte("content")),
	); !errors.Is(err, failure) {
		t.Errorf("put: %v, want the reader's error", err)
	}
	checkMissing(t, s, "a/object")
}

func testCancelled(t *testing.T, s archive.Store) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Put(
		ctx, "a/object", strings.NewReader("content"), 7, digest.Of([]byte("content")),
	); !errors.Is(err, context.Canceled) {
		t.Errorf("put: %v, want context.Canceled", err)
	}
	checkMissing(t, s, "a/object")
}

func testNames(t *testing.T, s archive.Store) {
	for _, name := range []string{
		"", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", ".hidden", "a b", "ä", "a\x00b", `a\b`,
		"a:b", "a%20b", "x.part", "con", "a/nul.txt", "a./b", strings.Repeat("x", 300),
	} {
		if err := put(s, name, "x"); err == nil {
			t.Errorf("put %q succeeded", name)
		}
		if _, err := s.Stat(context.Background(), name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("stat %q: %v, want fs.ErrNotExist", name, err)
		}
	}
}

func testList(t *testing.T, s archive.Store) {
	// "-" and "." sort before "/", so the order is not that of a walk through directories.
	want := []string{"a-b/x", "a.b", "a/b/c", "a/b-c", "a/c", "ab", "b/a"}
	for _, name := range []string{"b/a", "a/c", "ab", "a/b/c", "a.b", "a/b-c", "a-b/x"} {
		mustPut(t, s, name, name)
	}
	want = sorted(want)
	if diff := cmp.Diff(list(t, s, ""), want); diff != "" {
		t.Errorf("list (-got +want):\n%s", diff)
	}
	if diff := cmp.Diff(list(t, s, "a"), sorted([]string{"a/b/c", "a/b-c", "a/c"})); diff != "" {
		t.Errorf("list a (-got +want):\n%s", diff)
	}
	if diff := cmp.Diff(list(t, s, "a/c"), []string{}); diff != "" {
		t.Errorf("list a/c, which is an object (-got +want):\n%s", diff)
	}
	for info := range s.List(context.Background(), "") {
		if info.Size != int64(len(info.Name)) {
			t.Errorf("%s is listed with size %d, want %d", info.Name, info.Size, len(info.Name))
		}
		break // a list can be left early
	}
}

func testFolders(t *testing.T, s archive.Store) {
	for _, name := range []string{"a/x/1", "a/x/2", "a/x-y/1", "a/file", "a/z/deep/1", "b/1"} {
		mustPut(t, s, name, name)
	}
	for prefix, want := range map[string][]string{
		"": {"a", "b"}, "a": {"x", "x-y", "z"}, "a/x": {}, "a/file": {}, "nothing": {},
	} {
		got := []string{}
		for name, err := range s.Folders(context.Background(), prefix) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, name)
		}
		if diff := cmp.Diff(sorted(got), want); diff != "" {
			t.Errorf("folders of %q (-got +want):\n%s", prefix, diff)
		}
	}
}

func testRace(t *testing.T, s archive.Store) {
	const writers = 8
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() { errs[i] = put(s, "a/object", fmt.Sprint("writer ", i)) })
	}
	wg.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner < 0:
			winner = i
		case err == nil:
			t.Errorf("writers %d and %d both succeeded", winner, i)
		case !errors.Is(err, fs.ErrExist):
			t.Errorf("writer %d: %v, want fs.ErrExist", i, err)
		}
	}
	checkContent(t, s, "a/object", fmt.Sprint("writer ", winner))
}

// staged makes a directory for adoption, next to the one that t.TempDir would make for a store.
func staged(t *testing.T) (dir string, content map[string]string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "staged")
	content = map[string]string{
		"top.txt": "top", "data/a.bin": "a", "data/sub/b.bin": strings.Repeat("b", 100_000),
	}
	for name, c := range content {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(c), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, content
}

func testAdopt(t *testing.T, s archive.Store) {
	a, ok := s.(archive.Adopter)
	if !ok {
		t.Skip("the store is not an Adopter")
	}
	dir, content := staged(t)
	if err := a.Adopt(context.Background(), dir, "exports/some-id"); err != nil {
		t.Fatal(err)
	}
	for name, c := range content {
		checkContent(t, s, "exports/some-id/"+name, c)
	}
	if got := list(t, s, ""); len(got) != len(content) {
		t.Errorf("list: %v, want %d objects", got, len(content))
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("stat of the staging directory: %v, want it gone", err)
	}
}

func testAdoptTaken(t *testing.T, s archive.Store) {
	a, ok := s.(archive.Adopter)
	if !ok {
		t.Skip("the store is not an Adopter")
	}
	mustPut(t, s, "exports/some-id/top.txt", "first")
	dir, content := staged(t)
	if err := a.Adopt(context.Background(), dir, "exports/some-id"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("adopt: %v, want fs.ErrExist", err)
	}
	checkContent(t, s, "exports/some-id/top.txt", "first")
	for name, c := range content {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(b, []byte(c)) {
			t.Errorf("staged %s: %v, want it as it was", name, err)
		}
	}
}

func sorted(names []string) []string {
	slices.Sort(names)
	return names
}
