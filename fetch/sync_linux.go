package fetch

import (
	"os"

	"golang.org/x/sys/unix"
)

// datasync makes the file's content durable, and of its metadata what is needed to read it back.
func datasync(f *os.File) error {
	return retrySignal(func() error { return unix.Fdatasync(int(f.Fd())) })
}

// startSync lets the disk begin with bytes that will be synced later, so that the sync finds less to wait
// for. It promises nothing.
func startSync(f *os.File, off, n int64) {
	_ = unix.SyncFileRange(int(f.Fd()), off, n, unix.SYNC_FILE_RANGE_WRITE)
}

func retrySignal(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}
