package archive_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdall/archive"
	"holdall/archive/dirstore"
	"holdall/archive/storetest"
)

func TestABuilderGoesOnFromEveryLineOfItsJournal(t *testing.T) {
	template := sealedTemplate(t)
	journal, err := os.ReadFile(filepath.Join(template, "journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range append(journal, 0) {
		if c != '\n' && i != len(journal) {
			continue
		}
		for _, cut := range []int{i + 1, i - 10} { // after the line, and with the line torn
			cut = max(0, min(cut, len(journal)))
			t.Run(fmt.Sprintf("%d bytes of it", cut), func(t *testing.T) {
				t.Parallel()
				dir := copyTree(t, template)
				if err := os.Truncate(filepath.Join(dir, "journal.jsonl"), int64(cut)); err != nil {
					t.Fatal(err)
				}
				goOn(t, dir)
			})
		}
	}
}

// goOn finishes the sample bag in dir, from wherever it is.
func goOn(t *testing.T, dir string) {
	t.Helper()
	ctx := context.Background()
	b := reopen(t, dir)
	defer b.Close()
	if _, ok := b.Sealed(); !ok {
		fill(t, b)
		if err := b.Seal(ctx, testInfo); err != nil {
			t.Fatal(err)
		}
	}
	s := &storetest.Memory{}
	if err := b.Commit(ctx, s); err != nil {
		t.Fatal(err)
	}
	checkCommitted(t, s, archive.Deep, samples())
}

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	if root := os.Getenv("ARCHIVE_TEST_TAKE"); root != "" {
		if err := takeSample(root); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// takeSample is a takeover of the sample export, as a process of its own.
func takeSample(root string) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	s, err := dirstore.Open(root, true)
	if err != nil {
		return err
	}
	b, err := archive.NewSmallBuilder(filepath.Join(root, ".work", "bag"), 16000, 100, 4000, 19000)
	if err != nil {
		return err
	}
	defer b.Close()
	if _, ok := b.Sealed(); !ok {
		fill(panicking{}, b)
		if err := b.Seal(context.Background(), testInfo); err != nil {
			return err
		}
	}
	return b.Commit(context.Background(), s)
}

// panicking stands in for a *testing.T in a process that runs no test.
type panicking struct{ testing.TB }

func (panicking) Helper() {}

func (panicking) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

func (panicking) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }

func TestATakeoverKilledAtAnyMomentGoesOn(t *testing.T) {
	root := t.TempDir()
	s, err := dirstore.Open(root, true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	random := rand.New(rand.NewPCG(1, 2))
	start := time.Now()
	run := func(limit time.Duration) error {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "ARCHIVE_TEST_TAKE="+root)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		kill := time.AfterFunc(limit, func() { cmd.Process.Kill() })
		defer kill.Stop()
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("%w: %s", err, stderr.String())
		}
		return nil
	}
	kills := 0
	for time.Since(start) < 3*time.Second {
		err := run(time.Duration(3+random.IntN(25)) * time.Millisecond)
		if err != nil && !strings.Contains(err.Error(), "killed") {
			t.Fatalf("after %d kills the takeover failed by itself: %v", kills, err)
		}
		if err == nil {
			break
		}
		kills++
		checkCompleteOrNot(t, s, kills)
	}
	if err := run(time.Minute); err != nil {
		t.Fatal(err)
	}
	if kills < 3 {
		t.Errorf("it was killed %d times, want three or more", kills)
	}
	checkCommitted(t, s, archive.Deep, samples())
}
