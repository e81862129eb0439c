package archive_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"holdall/archive"
	"holdall/archive/storetest"
	"holdall/internal/digest"
)

// An openLog notes what is opened in a store.
type openLog struct {
	archive.Store
	mu     sync.Mutex // guards opened
	opened []string
}

func (s *openLog) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	s.mu.Lock()
	s.opened = append(s.opened, name)
	s.mu.Unlock()
	return s.Store.Open(ctx, name, off, n)
}

// take returns what was opened below data/ since the last call.
func (s *openLog) take() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range s.opened {
		if _, payload, ok := strings.Cut(name, "/data/"); ok {
			names = append(names, payload)
		}
	}
	s.opened = nil
	return names
}

// The same table in two archives of one root, a year's and the next one's, is fetched once: the cache knows
// files by their digest alone.
func TestTheCacheHasEachContentOnceUnderItsDigest(t *testing.T) {
	ctx := context.Background()
	s := &openLog{Store: &storetest.Memory{}}
	committed(t, s)
	const secondID = "recruitly-acme-20271122T013300Z-efgh"
	for name, content := range bagObjects(t, s) {
		again := strings.Replace(name, testID, secondID, 1)
		sum := digest.Of([]byte(content))
		if err := s.Put(ctx, again, strings.NewReader(content), int64(len(content)), sum); err != nil {
			t.Fatal(err)
		}
	}
	cache := &archive.Cache{Dir: filepath.Join(t.TempDir(), "cache")}
	const file = "data/documents/index.csv.zst"
	var first string
	for i, id := range []string{testID, secondID, testID} {
		s.take()
		bag, err := archive.OpenPayload(ctx, s, id, cache)
		if err != nil {
			t.Fatal(err)
		}
		local, err := bag.LocalFile(ctx, file)
		if err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(local)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := filepath.Base(local), digest.Of(content).String(); got != want {
			t.Errorf("%s: kept as %s, want its digest %s", id, got, want)
		}
		if fetched := s.take(); i == 0 && len(fetched) != 1 || i > 0 && len(fetched) != 0 {
			t.Errorf("%s, time %d: fetched %q, want one file the first time and none later", id, i+1, fetched)
		}
		if first == "" {
			first = local
		}
	}
	damageCopy(t, first)
	bag, err := archive.OpenPayload(ctx, s, testID, cache)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readFile(ctx, bag, file); err == nil {
		t.Error("a damaged copy in the cache is read without an error")
	}
	if _, err := os.Stat(first); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the damaged copy is still there: %v", err)
	}
	if _, err := readFile(ctx, bag, file); err != nil {
		t.Errorf("read again, after the damaged copy was removed: %v", err)
	}
}

func damageCopy(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func readFile(ctx context.Context, bag *archive.Bag, name string) ([]byte, error) {
	f, err := bag.FS(ctx).Open(name)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(f)
	return b, errors.Join(err, f.Close())
}
