package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A trial is one contender meeting one risk, at a server of its own.
type trial struct {
	risk
	old, other version
	zipped     []byte // the old body with gzip

	mu       sync.Mutex    // guards what follows
	silent   chan struct{} // closed when the server falls silent in a run that is to be cut; nil in another
	second   bool          // the second run has begun
	requests int
	sent     int // bytes of bodies
}

func (t *trial) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t.mu.Lock()
	t.requests++
	a := asked{t, w, r, t.requests, t.second, t.sent}
	t.mu.Unlock()
	if r.Method != http.MethodGet { // a signed link is signed for GET
		http.Error(w, "GET only", http.StatusForbidden)
		return
	}
	t.answer(a)
}

// account counts n bytes that are to be sent now; false when the server has fallen silent.
func (t *trial) account(n int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.silent != nil && t.sent >= riskSize/2 {
		select {
		case <-t.silent:
		default:
			close(t.silent)
		}
		return false
	}
	t.sent += n
	return true
}

// try lets a contender meet a risk in dir.
func (b *bench) try(t *trial, name, dir string) (cell string, err error) {
	defer os.RemoveAll(dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	s := httptest.NewServer(t)
	defer s.Close()
	defer s.CloseClientConnections()
	args := b.careful(name, s.URL+"/export.zip", dir)
	begun := time.Now()
	if t.cut {
		if err := t.firstRun(args); err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, said, ended := attempt(ctx, args)
	switch {
	case ctx.Err() != nil:
		cell = "hangs"
	case ended != nil:
		cell = "refused"
	default:
		if cell, err = t.inspectOutput(name, dir, out); err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(os.Stderr, "  %s, %s: %s after %.1f s, %d requests, %.2f MiB sent (%v) %s\n", t.name, name,
		cell,
		time.Since(begun).Seconds(), t.requests, float64(t.sent)/mib, ended,
		said[strings.LastIndex(said, "\n")+1:])
	return cell, nil
}

// firstRun lets half of the object come, and then stops the contender.
func (t *trial) firstRun(args []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	silent := make(chan struct{})
	t.mu.Lock()
	t.silent = silent
	t.mu.Unlock()
	go func() {
		select {
		case <-silent:
			time.Sleep(time.Second) // what was sent arrives and is written
			cancel()
		case <-ctx.Done():
		}
	}()
	_, said, err := attempt(ctx, args)
	if !errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("the first run was not stopped half-way: %v\n%.2000s", err, said)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.silent, t.second = nil, true
	return nil
}

// attempt runs a command. When ctx ends it gets a SIGTERM, on which aria2c and axel note how far they are, so
// that they resume there; after a SIGKILL they would not. It is killed when it stays for 10 s more.
func attempt(ctx context.Context, args []string) (out []byte, said string, err error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	err = cmd.Run()
	return stdout.Bytes(), strings.TrimSpace(stderr.String()), err
}

// inspectOutput compares what a contender with exit code 0 has left. It may be in a file whose name goes on,
// as export.zip.0 does.
func (t *trial) inspectOutput(name, dir string, out []byte) (cell string, err error) {
	left, err := filepath.Glob(filepath.Join(dir, "export.zip*"))
	if err != nil {
		return "", err
	}
	if name == us {
		var told report
		if err := json.Unmarshal(out, &told); err != nil {
			return "", fmt.Errorf("the child's report: %w", err)
		}
		if told.Code != "" {
			return "refused", nil
		}
		left = []string{told.Path}
	}
	right := []version{t.old}
	if t.right != nil {
		right = t.risk.right(t)
	}
	for _, path := range left {
		got, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		for _, v := range right {
			if bytes.Equal(got, v.body) {
				return "right", nil
			}
		}
	}
	return wrongCell, nil
}
