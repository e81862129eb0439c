package diskspace

import (
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"
)

func of(dir string) (Space, bool) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return Space{}, false
	}
	var free uint64
	if windows.GetDiskFreeSpaceEx(name, &free, nil, nil) != nil {
		return Space{}, false
	}
	return Space{Free: int64(free), Device: strings.ToUpper(filepath.VolumeName(dir))}, true
}
