package archive

import (
	"path"
	"strings"
)

// What file managers and storage devices leave in folders that they show or keep, in lower case.
var (
	litterFiles = map[string]string{
		".ds_store": "macOS", ".localized": "macOS", ".volumeicon.icns": "macOS",
		"thumbs.db": "Windows", "ehthumbs.db": "Windows", "desktop.ini": "Windows",
		".directory": "KDE", ".hidden": "a file manager of Linux",
	}
	litterFolders = map[string]string{
		"__macosx": "macOS", ".spotlight-v100": "macOS", ".trashes": "macOS", ".fseventsd": "macOS",
		"$recycle.bin": "Windows", "system volume information": "Windows",
		"@eadir": "a storage device (Synology)", ".snapshot": "a storage device",
		".trash-1000": "a file manager of Linux",
	}
)

// LeftBy names the system that left a file in an archive's folder; "" for a file that none is known to leave.
func LeftBy(name string) string {
	name = strings.ToLower(name)
	for folder := range strings.SplitSeq(path.Dir(name), "/") {
		if who := litterFolders[folder]; who != "" {
			return who
		}
	}
	if base := path.Base(name); litterFiles[base] == "" && strings.HasPrefix(base, "._") {
		return "macOS"
	}
	return litterFiles[path.Base(name)]
}
