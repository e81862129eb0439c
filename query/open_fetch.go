package query

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
)

// parts are the local paths of the files that a catalog's views read. Those that are elsewhere are
// fetched when a statement first reads them: the engine, which looks at a view's file only when the view
// is used, says which one it misses.
type parts struct {
	paths []string
	fetch func(ctx context.Context, path string) error // nil: all are here

	mu sync.Mutex // one file at a time is fetched
}

// retryFetching carries out what binds a statement, and fetches what it misses.
func (p *parts) retryFetching(ctx context.Context, bind func() error) error {
	fetched := map[string]bool{}
	for {
		err := bind()
		path := p.missing(err)
		if path == "" || fetched[path] {
			return err
		}
		fetched[path] = true
		if err := p.fetchOnce(ctx, path); err != nil {
			return fmt.Errorf("fetch a table: %w", err)
		}
	}
}

// missing returns the file that an error is about, if it is one that can be fetched.
func (p *parts) missing(err error) string {
	if err == nil || p.fetch == nil {
		return ""
	}
	for _, path := range p.paths {
		if strings.Contains(err.Error(), path) {
			return path
		}
	}
	return ""
}

func (p *parts) fetchOnce(ctx context.Context, path string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	return p.fetch(ctx, path)
}
