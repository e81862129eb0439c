package storetest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"holdall/archive"
	"holdall/internal/digest"
)

// Memory is a store in memory that keeps digests, as an object store does. The zero value is empty and
// ready.
type Memory struct {
	// PartLimit imitates S3, which keeps of a longer object the digest of its parts only; 0: no object is
	// too long.
	PartLimit int64

	mu      sync.Mutex // guards objects
	objects map[string][]byte
}

// Put implements archive.Store.
func (m *Memory) Put(ctx context.Context, name string, r io.Reader, size int64, sum digest.Sum) error {
	if err := archive.CheckStoreName(name); err != nil {
		return err
	}
	b, err := io.ReadAll(digest.NewReader(r, size, sum))
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("put %s: %w", name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if old, ok := m.objects[name]; ok {
		if bytes.Equal(old, b) {
			return nil
		}
		return &fs.PathError{Op: "put", Path: name, Err: fs.ErrExist}
	}
	if m.objects == nil {
		m.objects = map[string][]byte{}
	}
	m.objects[name] = b
	return nil
}

// Open implements archive.Store.
func (m *Memory) Open(_ context.Context, name string, off, n int64) (io.ReadCloser, error) {
	b, err := m.get(name)
	if err != nil {
		return nil, err
	}
	b = b[min(off, int64(len(b))):]
	if n >= 0 {
		b = b[:min(n, int64(len(b)))]
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

func (m *Memory) get(name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.objects[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return b, nil
}

// Stat implements archive.Store.
func (m *Memory) Stat(_ context.Context, name string) (archive.Info, error) {
	b, err := m.get(name)
	if err != nil {
		return archive.Info{}, err
	}
	info := archive.Info{Name: name, Size: int64(len(b)), SHA256: digest.Of(b), Modified: time.Unix(0, 0)}
	if m.PartLimit > 0 && info.Size > m.PartLimit {
		parts, err := archive.PartDigests(bytes.NewReader(b), archive.PartSize(info.Size))
		if err != nil {
			return archive.Info{}, err
		}
		info.Claimed, info.SHA256, info.Parts = info.SHA256, digest.Sum{}, archive.PartsDigest(parts)
	}
	return info, nil
}

// List implements archive.Store.
func (m *Memory) List(ctx context.Context, prefix string) iter.Seq2[archive.Info, error] {
	return func(yield func(archive.Info, error) bool) {
		m.mu.Lock()
		names := slices.Sorted(maps.Keys(m.objects))
		m.mu.Unlock()
		for _, name := range names {
			if prefix != "" && !strings.HasPrefix(name, prefix+"/") {
				continue
			}
			if info, err := m.Stat(ctx, name); !yield(info, err) {
				return
			}
		}
	}
}

// Folders implements archive.Store.
func (m *Memory) Folders(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		last := ""
		for info, err := range m.List(ctx, prefix) {
			if err != nil {
				yield("", err)
				return
			}
			name := info.Name
			if prefix != "" {
				name = strings.TrimPrefix(name, prefix+"/")
			}
			folder, _, ok := strings.Cut(name, "/")
			if ok && folder != last && !yield(folder, nil) {
				return
			}
			if ok {
				last = folder
			}
		}
	}
}

// Location implements archive.Store.
func (m *Memory) Location(name string) string { return "memory:" + name }

// Objects returns a copy of everything in the store.
func (m *Memory) Objects() map[string][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.objects)
}

// Replace puts content under name whatever was there, as only a damaged disk or an intruder would; nil
// removes the object.
func (m *Memory) Replace(name string, content []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if content == nil {
		delete(m.objects, name)
		return
	}
	m.objects[name] = content
}
