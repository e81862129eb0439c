//go:build !unix

package fetch

import "os"

// lockFile opens path. Where there is no flock, the caller's own lock has to do.
func lockFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
}

func freeSpace(string) (int64, bool) { return 0, false }
