package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdall/fetch/failure"
	"holdall/fetch/master"
	"holdall/internal/testneed"
)

var diskFaults = []faultCase{
	{
		name: "not enough disk at the start", test: insideOwnDisk("TestInsideDiskTooSmall"),
		outcome: "`disk-full` before anything is fetched: free space, then run again",
	},
	{
		name: "the disk fills up half-way", test: insideOwnDisk("TestInsideDiskFillsUp"),
		outcome: "`disk-full`: free space, then run again",
	},
	{
		name:    "the disk fills up while the files of a listing arrive",
		test:    insideOwnDisk("TestInsideDiskFillsUpWithFiles"),
		outcome: "`disk-full`: free space, then run again",
	},
	{
		name:    "the disk fills up when the journal must grow",
		test:    insideOwnDisk("TestInsideDiskFillsUpAtTheJournal"),
		outcome: "`disk-full`: free space, then run again",
	},
	{
		name:    "the disk has no room for the file that would replace the journal (by renaming it)",
		test:    insideOwnDisk("TestInsideDiskHasNoRoomForAName"),
		outcome: "`disk-full`: free space, then run again",
	},
	{
		name: "a quota is used up, a disk fails, whatever is being written", test: testDiskErrors,
		outcome: "`disk-full` for a quota, `internal` for a disk that fails",
	},
	{
		name: "the disk is read-only", test: insideOwnDisk("TestInsideDiskReadOnly"),
		outcome: "`usage`: choose another directory",
	},
}

// insideOwnDisk runs another test of this binary in namespaces of its own, where it may mount a small disk.
func insideOwnDisk(name string) func(*testing.T) {
	return func(t *testing.T) {
		cmd := exec.Command(os.Args[0], "-test.run=^"+name+"$", "-test.v", "-test.timeout=2m")
		cmd.Env = append(os.Environ(), "HOLDALL_FETCH_OWN_DISK=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		}
		out, err := cmd.CombinedOutput()
		if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EINVAL) ||
			errors.Is(err, syscall.ENOSPC) || strings.Contains(string(out), "cannot mount") {
			testneed.Missing(
				t, "this machine does not let its users make namespaces with a disk of their own",
			)
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
func slowObject(t *testing.T) (*faultServer, *master.CSV, []byte) {
	s := newFaultServer(t)
	body := zipLike(4<<20, 1)
	s.put("/attachments.zip", body).fault = func(
		_ int, o *served, w http.ResponseWriter, r *http.Request,
	) bool {
		o.serve(throttle(w, 4<<20), r)
		return true
	}
	return s, s.master(t, "", "/attachments.zip", ""), body
}

// takeUntil fetches m into dir and calls then once so many bytes have been received.
func takeUntil(t *testing.T, f *Fetcher, m *master.CSV, dir string, bytes int64, then func()) error {
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

func wantCodeOf(t *testing.T, err error, want failure.Code) {
	t.Helper()
	var e *failure.Error
	if !errors.As(err, &e) || e.Code != want || e.Hint == "" {
		t.Errorf("got %v, want %s and a hint", err, want)
	}
}

func TestInsideDiskTooSmall(t *testing.T) {
	dir := ownDisk(t, "3m")
	s, m, _ := slowObject(t)
	f := newTestFetcher(t, nil)
	err := takeUntil(t, f, m, dir, 0, func() {})
	wantCodeOf(t, err, failure.DiskFull)
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
	wantCodeOf(t, err, failure.DiskFull)
	goOn(t, f, m, dir, ballast, body)
}

func TestInsideDiskReadOnly(t *testing.T) {
	dir := ownDisk(t, "6m")
	_, m, _ := slowObject(t)
	f := newTestFetcher(t, nil)
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	err := takeUntil(t, f, m, dir, 0, func() {})
	wantCodeOf(t, err, failure.Usage)
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
	wantCodeOf(t, err, failure.DiskFull)
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
	for errno, want := range map[syscall.Errno]failure.Code{
		syscall.ENOSPC: failure.DiskFull, syscall.EDQUOT: failure.DiskFull, syscall.EROFS: failure.Usage,
		syscall.EACCES: failure.Usage, syscall.EIO: failure.Internal,
	} {
		err := failure.Disk(
			&os.PathError{Op: "write", Path: "x", Err: errno}, "write fetched bytes to the spool",
		)
		wantCodeOf(t, err, want)
	}
}

// TestInsideDiskFillsUpAtTheJournal leaves room for the data, and none for the journal.
func TestInsideDiskFillsUpAtTheJournal(t *testing.T) {
	dir := ownDisk(t, "96m")
	s := newFaultServer(t)
	body := zipLike(64<<20, 2) // so that the journal takes more than the page that it has
	s.put("/attachments.zip", body)
	m := s.master(t, "", "/attachments.zip", "")
	f := newTestFetcher(t, func(o *Options) { o.MaxRate = 48 << 20 })
	ballast := dir + "/ballast"
	err := takeUntil(t, f, m, dir, 1<<20, func() {
		data, err := os.OpenFile(dataPath(dir, "object-01"), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer data.Close()
		if err := unix.Fallocate(int(data.Fd()), 0, 0, int64(len(body))); err != nil {
			t.Fatal(err)
		}
		os.WriteFile(ballast, make([]byte, 96<<20), 0o600)
	})
	wantCodeOf(t, err, failure.DiskFull)
	if !strings.Contains(err.Error(), "journal") {
		t.Errorf("%v; want that the journal had no room", err)
	}
	goOn(t, f, m, dir, ballast, body)
}

// TestInsideDiskHasNoRoomForAName leaves no room for a file that would replace another one of the spool.
func TestInsideDiskHasNoRoomForAName(t *testing.T) {
	dir := ownDisk(t, "8m,nr_inodes=100")
	_, m, body := slowObject(t)
	f := newTestFetcher(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p, err := f.Plan(ctx, m)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Start(ctx, p, dir)
	if err != nil {
		t.Fatal(err)
	}
	for r.Progress().Done < 1<<20 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	r.Wait()
	r.Close()
	ballast := dir + "/ballast"
	if err := os.Mkdir(ballast, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ {
		if err := os.WriteFile(fmt.Sprintf("%s/%d", ballast, i), nil, 0o600); errors.Is(err, syscall.ENOSPC) {
			break
		} else if err != nil || i > 200 {
			t.Fatal(i, err)
		}
	}
	_, err = take(t, f, m, dir)
	wantCodeOf(t, err, failure.DiskFull)
	if err == nil || !strings.Contains(err.Error(), ".part") {
		t.Errorf("%v; want that there was no room for a new file", err)
	}
	goOn(t, f, m, dir, ballast, body)
}

// goOn makes room on the disk, and wants the next run to end well and to use what has been received.
func goOn(t *testing.T, f *Fetcher, m *master.CSV, dir, ballast string, body []byte) {
	t.Helper()
	if err := os.RemoveAll(ballast); err != nil {
		t.Fatal(err)
	}
	r, err := take(t, f, m, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	wantBytes(t, r.Objects[0], body)
	if p := r.Progress(); p.Reused == 0 {
		t.Errorf("nothing was reused: %+v", p)
	}
}
