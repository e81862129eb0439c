package fetch

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdall/internal/testneed"
)

var diskFaults = []faultCase{
	{name: "not enough disk at the start", test: insideOwnDisk("TestInsideDiskTooSmall"), outcome: "`disk-full` before anything is fetched: free space, then run again"},
	{name: "the disk fills up half-way", test: insideOwnDisk("TestInsideDiskFillsUp"), outcome: "`disk-full`: free space, then run again"},
	{name: "the disk fills up while the files of a listing arrive", test: insideOwnDisk("TestInsideDiskFillsUpWithFiles"), outcome: "`disk-full`: free space, then run again"},
	{name: "a quota is used up, a disk fails, whatever is being written", test: testDiskErrors, outcome: "`disk-full` for a quota, `internal` for a disk that fails"},
	{name: "the disk is read-only", test: insideOwnDisk("TestInsideDiskReadOnly"), outcome: "`usage`: choose another directory"},
}

// insideOwnDisk runs another test of this binary in namespaces of its own, where it may mount a small disk.
func insideOwnDisk(name string) func(*testing.T) {
	return func(t *testing.T) {
		cmd := exec.Command(os.Args[0], "-test.run=^"+name+"$", "-test.v")
		cmd.Env = append(os.Environ(), "HOLDALL_FETCH_OWN_DISK=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		}
		out, err := cmd.CombinedOutput()
		if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOSPC) || strings.Contains(string(out), "cannot mount") {
			testneed.Missing(t, "this machine does not let its users make namespaces with a disk of their own")
		}
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		if !strings.Contains(string(out), "--- PASS: "+name) {
			t.Errorf("%s did not run:\n%s", name, out)
		}
	}
}

// ownDisk mounts a disk of so many bytes.
func ownDisk(t *testing.T, size string) string {
	t.Helper()
	if os.Getenv("HOLDALL_FETCH_OWN_DISK") == "" {
		t.Skip("runs inside of another test, in namespaces of its own")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatalf("cannot mount: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, 0) })
	return dir
}

// slowObject serves an object of 4 MiB at 4 MiB/s.
func slowObject(t *testing.T) (*faultServer, *Master, []byte) {
	s := newFaultServer(t)
	body := zipLike(4<<20, 1)
	s.put("/attachments.zip", body).fault = func(_ int, o *served, w http.ResponseWriter, r *http.Request) bool {
		o.serve(throttle(w, 4<<20), r)
		return true
	}
	return s, s.master(t, "", "/attachments.zip", ""), body
}

// takeUntil fetches m into dir and calls then once so many bytes are here.
func takeUntil(t *testing.T, f *Fetcher, m *Master, dir string, bytes int64, then func()) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	p, err := f.Plan(ctx, m)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Start(ctx, p, dir)
	if err != nil {
		return err
	}
	defer r.Close()
	for r.Progress().Done < bytes {
		time.Sleep(time.Millisecond)
	}
	then()
	return r.Wait()
}

func wantCodeOf(t *testing.T, err error, want Code) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Code != want || e.Hint == "" {
		t.Errorf("got %v, want %s and a hint", err, want)
	}
}

func TestInsideDiskTooSmall(t *testing.T) {
	dir := ownDisk(t, "3m")
	s, m, _ := slowObject(t)
	f := newTestFetcher(t, nil)
	err := takeUntil(t, f, m, dir, 0, func() {})
	wantCodeOf(t, err, DiskFull)
	if n := len(s.log()); n != 1 {
		t.Errorf("%d requests, want the probe only", n)
	}
}

func TestInsideDiskFillsUp(t *testing.T) {
	dir := ownDisk(t, "6m")
	_, m, body := slowObject(t)
	f := newTestFetcher(t, nil)
	ballast := dir + "/ballast"
	err := takeUntil(t, f, m, dir, 1<<20, func() { os.WriteFile(ballast, make([]byte, 8<<20), 0o600) })
	wantCodeOf(t, err, DiskFull)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	r, err := take(t, f, m, dir)
	if err != nil {
		t.Fatal(err)
	}
	wantBytes(t, r.Objects[0], body)
	if p := r.Progress(); p.Reused == 0 {
		t.Errorf("nothing was reused: %+v", p)
	}
	r.Close()
}

func TestInsideDiskReadOnly(t *testing.T) {
	dir := ownDisk(t, "6m")
	_, m, _ := slowObject(t)
	f := newTestFetcher(t, nil)
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	err := takeUntil(t, f, m, dir, 0, func() {})
	wantCodeOf(t, err, Usage)
}

func TestInsideDiskFillsUpWithFiles(t *testing.T) {
	dir := ownDisk(t, "6m")
	s := newFaultServer(t)
	l := serveListing(s, "csv", 200, 1000, func(i int) int { return 20_000 })
	for _, n := range l.names {
		s.objects[n].fault = func(_ int, o *served, w http.ResponseWriter, r *http.Request) bool {
			time.Sleep(50 * time.Millisecond)
			return false
		}
	}
	m := s.master(t, "", "", "/list")
	f := newTestFetcher(t, nil)
	ballast := dir + "/ballast"
	err := takeUntil(t, f, m, dir, 200_000, func() { os.WriteFile(ballast, make([]byte, 8<<20), 0o600) })
	wantCodeOf(t, err, DiskFull)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	r, err := take(t, f, m, dir)
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, r, l)
	r.Close()
}

func testDiskErrors(t *testing.T) {
	for errno, want := range map[syscall.Errno]Code{
		syscall.ENOSPC: DiskFull, syscall.EDQUOT: DiskFull, syscall.EROFS: Usage, syscall.EACCES: Usage, syscall.EIO: Internal,
	} {
		err := diskError(&os.PathError{Op: "write", Path: "x", Err: errno}, "write fetched bytes to the spool")
		wantCodeOf(t, err, want)
	}
}
