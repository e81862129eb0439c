package fetch

import (
	"os"

	"golang.org/x/sys/unix"
)

// datasync makes the file's content durable, and of its metadata what is needed to read it back.
func datasync(f *os.File) error {
	return retrySignal(func() error { return unix.Fdatasync(int(f.Fd())) })
}

func retrySignal(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}
