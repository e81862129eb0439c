package dirstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"holdall/archive"
	"holdall/archive/dirstore"
	"holdall/archive/storetest"
	"holdall/internal/digest"
)

func open(t *testing.T, dir string) *dirstore.Store {
	t.Helper()
	s, err := dirstore.Open(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestDirectoryIsAStore(t *testing.T) {
	storetest.Run(
		t, func(t *testing.T) archive.Store { return open(t, filepath.Join(t.TempDir(), "new", "root")) },
	)
}

func TestOpenDoesNotMakeADirectoryUnasked(t *testing.T) {
	if _, err := dirstore.Open(
		filepath.Join(t.TempDir(), "missing"), false,
	); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open: %v, want fs.ErrNotExist", err)
	}
}

func put(s *dirstore.Store, name, content string) error {
	return s.Put(
		context.Background(), name, strings.NewReader(content), int64(len(content)),
		digest.Of([]byte(content)),
	)
}

func TestNamesThatDifferOnlyInCaseAreRefused(t *testing.T) {
	s := open(t, t.TempDir())
	if err := put(s, "data/Table.csv", "x"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"data/table.csv", "Data/other.csv", "DATA/Table.csv"} {
		if err := put(s, name, "x"); !errors.Is(err, fs.ErrExist) {
			t.Errorf("put %s: %v, want fs.ErrExist", name, err)
		}
	}
}

func TestASymbolicLinkDoesNotLeadOutside(t *testing.T) {
	outside, root := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(root, "exports")); err != nil {
		t.Skip("no symbolic links here")
	}
	s := open(t, root)
	if err := put(s, "exports/file", "x"); err == nil {
		t.Error("put through the link succeeded")
	}
	if r, err := s.Open(context.Background(), "exports/secret", 0, -1); err == nil {
		r.Close()
		t.Error("open through the link succeeded")
	}
	for _, err := range s.List(context.Background(), "exports/") {
		if err == nil || !strings.Contains(err.Error(), "symbolic link") {
			t.Errorf("list through the link: %v, want an error that names the link", err)
		}
	}
	if left, _ := os.ReadDir(outside); len(left) != 1 {
		t.Errorf("outside there are %d files, want the one from before", len(left))
	}
}

func TestLocalFilesAreNotListed(t *testing.T) {
	root := t.TempDir()
	s := open(t, root)
	unlock, err := s.Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	for _, name := range []string{".work/run/spool", "exports/id/.DS_Store"} {
		path := filepath.Join(root, name)
		if err := errors.Join(
			os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600),
		); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for info, err := range s.List(context.Background(), "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, info.Name)
	}
	if fmt.Sprint(got) != "[exports/id/.DS_Store]" {
		t.Errorf("list: %v, want only what lies in an export, strange as it is", got)
	}
}

func TestTheLockNamesItsOwner(t *testing.T) {
	root := t.TempDir()
	unlock, err := open(t, root).Lock()
	if err != nil {
		t.Fatal(err)
	}
	_, err = open(t, root).Lock()
	if !errors.Is(err, dirstore.ErrLocked) || !strings.Contains(
		err.Error(), "process "+strconv.Itoa(os.Getpid()),
	) {
		t.Errorf("second lock: %v, want ErrLocked naming process %d", err, os.Getpid())
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	again, err := open(t, root).Lock()
	if err != nil {
		t.Fatalf("lock after unlock: %v", err)
	}
	again()
}

// TestMain lets the test binary be the process that dies with the lock.
func TestMain(m *testing.M) {
	if root := os.Getenv("DIRSTORE_TEST_LOCK"); root != "" {
		s, err := dirstore.Open(root, true)
		if err == nil {
			_, err = s.Lock()
		}
		fmt.Println("locked:", err)
		io.Copy(io.Discard, os.Stdin) // until killed
		return
	}
	os.Exit(m.Run())
}

func TestTheLockOfADeadProcessIsTakenOver(t *testing.T) {
	root := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "DIRSTORE_TEST_LOCK="+root)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "locked: <nil>\n" {
		t.Fatalf("the child says %q", line)
	}
	if _, err := open(t, root).Lock(); !errors.Is(err, dirstore.ErrLocked) ||
		!strings.Contains(err.Error(), fmt.Sprint("process ", cmd.Process.Pid)) {
		t.Errorf("lock while the child lives: %v, want ErrLocked naming process %d", err, cmd.Process.Pid)
	}
	cmd.Process.Kill()
	cmd.Wait()
	if record, _ := os.ReadFile(filepath.Join(root, ".lock")); !strings.Contains(
		string(record), fmt.Sprint(cmd.Process.Pid),
	) {
		t.Errorf("the dead owner's record is %q", record)
	}
	unlock, err := open(t, root).Lock()
	if err != nil {
		t.Fatalf("lock after the child died: %v", err)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
}

func TestWhatAKilledPutLeftIsRemovedByTheNextWriter(t *testing.T) {
	root := t.TempDir()
	s := open(t, root)
	left := filepath.Join(root, ".part", "left")
	if err := errors.Join(put(s, "a", "x"), os.WriteFile(left, []byte("half of an obj"), 0o600)); err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	done := make(chan error)
	go func() {
		done <- s.Put(context.Background(), "b", r, 7, digest.Of([]byte("content")))
	}()
	io.WriteString(w, "cont") // from here on the put is under way
	unlock, err := s.Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("stat of what was left: %v, want it gone", err)
	}
	io.WriteString(w, "ent")
	w.Close()
	if err := <-done; err != nil {
		t.Errorf("the put that was under way: %v", err)
	}
	if left, _ := os.ReadDir(filepath.Join(root, ".part")); len(left) != 0 {
		t.Errorf("%d part files are left", len(left))
	}
}
