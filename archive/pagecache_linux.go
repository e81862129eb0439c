package archive

import (
	"os"

	"golang.org/x/sys/unix"
)

// dropCache asks the kernel to forget f's clean pages, so that the next read comes from the disk. It is
// advice: a kernel that does not follow it only makes the read-back prove less.
func dropCache(f *os.File) { unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) }

// startWriteback asks the kernel to begin writing a range, so that the sync at the end is short. It promises
// nothing.
func startWriteback(f *os.File, off, n int64) {
	unix.SyncFileRange(int(f.Fd()), off, n, unix.SYNC_FILE_RANGE_WRITE)
}
