package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"

	"holdall/archive"
	"holdall/internal/digest"
)

// ErrFault is the failure that a Faulty store makes up.
var ErrFault = errors.New("made-up fault")

// Faulty passes operations on to a store until the FailAt-th, counted from 1, and fails from then on, as a
// store does whose machine has died. With LostAnswer the failing operation takes effect first. It is an
// archive.Adopter if its store is.
type Faulty struct {
	archive.Store
	FailAt     int
	LostAnswer bool

	mu    sync.Mutex // guards count
	count int
}

// Adopter returns the store as one that can adopt too. The store below must be able to.
func (f *Faulty) Adopter() archive.Store { return adopter{f} }

// Failed reports whether a fault has been made up.
func (f *Faulty) Failed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count >= f.FailAt
}

// do counts an operation and runs it, unless the store is dead.
func (f *Faulty) do(what string, op func() error) error {
	f.mu.Lock()
	f.count++
	n := f.count
	f.mu.Unlock()
	if n > f.FailAt || n == f.FailAt && !f.LostAnswer {
		return fmt.Errorf("operation %d, %s: %w", n, what, ErrFault)
	}
	err := op()
	if n == f.FailAt {
		return fmt.Errorf("operation %d, %s: %w", n, what, ErrFault)
	}
	return err
}

// Put implements archive.Store.
func (f *Faulty) Put(ctx context.Context, name string, r io.Reader, size int64, sum digest.Sum) error {
	return f.do("put "+name, func() error { return f.Store.Put(ctx, name, r, size, sum) })
}

// Open implements archive.Store.
func (f *Faulty) Open(ctx context.Context, name string, off, n int64) (r io.ReadCloser, err error) {
	err = f.do("open "+name, func() error {
		r, err = f.Store.Open(ctx, name, off, n)
		return err
	})
	if err != nil && r != nil {
		r.Close()
		r = nil
	}
	return r, err
}

// Stat implements archive.Store.
func (f *Faulty) Stat(ctx context.Context, name string) (info archive.Info, err error) {
	err = f.do("stat "+name, func() error {
		info, err = f.Store.Stat(ctx, name)
		return err
	})
	return info, err
}

// List implements archive.Store.
func (f *Faulty) List(ctx context.Context, prefix string) iter.Seq2[archive.Info, error] {
	return func(yield func(archive.Info, error) bool) {
		if err := f.do("list "+prefix, func() error { return nil }); err != nil {
			yield(archive.Info{}, err)
			return
		}
		for info, err := range f.Store.List(ctx, prefix) {
			if !yield(info, err) {
				return
			}
		}
	}
}

// Folders implements archive.Store.
func (f *Faulty) Folders(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := f.do("list the folders of "+prefix, func() error { return nil }); err != nil {
			yield("", err)
			return
		}
		for name, err := range f.Store.Folders(ctx, prefix) {
			if !yield(name, err) {
				return
			}
		}
	}
}

type adopter struct{ *Faulty }

// Adopt implements archive.Adopter.
func (a adopter) Adopt(ctx context.Context, dir, prefix string) error {
	return a.do("adopt "+prefix, func() error { return a.Store.(archive.Adopter).Adopt(ctx, dir, prefix) })
}
