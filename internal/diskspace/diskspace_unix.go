//go:build unix

package diskspace

import (
	"fmt"

	"golang.org/x/sys/unix"
)

func of(dir string) (Space, bool) {
	var fs unix.Statfs_t
	var st unix.Stat_t
	if unix.Statfs(dir, &fs) != nil || unix.Stat(dir, &st) != nil {
		return Space{}, false
	}
	return Space{Free: int64(fs.Bavail) * int64(fs.Bsize), Device: fmt.Sprint(st.Dev)}, true
}
