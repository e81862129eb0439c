package peertest

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"holdall/fetch"
	"holdall/fetch/master"
)

// spoolEnv, where it is set, makes of the test binary a process that fetches into that directory, so that it
// can be killed.
const spoolEnv = "HOLDALL_PEERTEST_SPOOL"

func TestMain(m *testing.M) {
	if dir := os.Getenv(spoolEnv); dir != "" {
		if err := childTake(dir); err != nil {
			fmt.Println("failed:", err)
			os.Exit(9)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// childTake fetches the master CSV on standard input into dir. It prints "here N" with the bytes that the
// journals of its large objects know of, before it fetches anything, and "done" at its end.
func childTake(dir string) error {
	raw, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	m, err := master.Read(raw)
	if err != nil {
		return err
	}
	f, err := fetch.New(fetch.Options{
		AllowPrivate: true, Idle: 5 * time.Second, RetryBudget: 20 * time.Second,
	})
	if err != nil {
		return err
	}
	defer f.Close()
	ctx := context.Background()
	p, err := f.Plan(ctx, m)
	if err != nil {
		return err
	}
	for _, s := range p.Sources {
		if s.Err != nil {
			return s.Err
		}
	}
	match, err := fetch.MatchSpool(dir, p)
	if err != nil {
		return err
	}
	fmt.Println("here", match.Bytes)
	r, err := f.Start(ctx, p, dir)
	if err != nil {
		return err
	}
	if err := r.Wait(); err != nil {
		return err
	}
	if err := r.Close(); err != nil {
		return err
	}
	fmt.Println("done")
	return nil
}
