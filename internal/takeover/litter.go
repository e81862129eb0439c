package takeover

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"holdall/internal/unpack"
	"holdall/query"
)

// refusedLitter is the reason for what operating systems and office programs leave alongside people's files.
const refusedLitter unpack.Refusal = "system-litter"

// litterFolders hold nothing that people put there, whatever it is.
var litterFolders = map[string]bool{
	"@eadir": true, "#recycle": true, "$recycle.bin": true, "system volume information": true,
	".spotlight-v100": true, ".trashes": true,
	".fseventsd": true, ".temporaryitems": true, ".documentrevisions-v100": true, ".appledouble": true,
	".appledesktop": true, "@tmp": true,
}

// litterNames are files that programs write; content gives them away.
var litterNames = map[string]func(first []byte, size int64) bool{
	".ds_store":         hasPrefix("\x00\x00\x00\x01Bud1"),
	"thumbs.db":         hasPrefix("\xd0\xcf\x11\xe0"),
	"ehthumbs.db":       hasPrefix("\xd0\xcf\x11\xe0"),
	"ehthumbs_vista.db": hasPrefix("\xd0\xcf\x11\xe0"),
	"desktop.ini":       isINI,
	".directory":        isINI,
	"icon\r":            func([]byte, int64) bool { return true },
	".localized":        func(_ []byte, size int64) bool { return size == 0 },
	".apdisk":           hasPrefix("<?xml"),
}

func hasPrefix(magic string) func([]byte, int64) bool {
	return func(first []byte, size int64) bool { return size == 0 || bytes.HasPrefix(first, []byte(magic)) }
}

func isINI(first []byte, size int64) bool {
	for _, b := range first {
		if !bytes.Contains([]byte("\xff\xfe\xef\xbb\xbf\x00 \r\n"), []byte{b}) { // a mark, or blank
			return b == '['
		}
	}
	return size == 0
}

// mayBeLitter reports whether a name is one that programs give. Whether it is litter, its content says: see
// isLitter.
func mayBeLitter(name string) bool {
	folders, base := litterPath(name)
	return folders || strings.HasPrefix(base, "._") || strings.HasPrefix(base, "~$") ||
		litterNames[base] != nil ||
		inMacFolder(name)
}

// isLitter judges by the name and the first bytes. A person's file that merely has such a name is not litter.
func isLitter(name string, first []byte, size int64) bool {
	folders, base := litterPath(name)
	appleDouble := bytes.HasPrefix(first, []byte("\x00\x05\x16\x07")) ||
		bytes.HasPrefix(first, []byte("\x00\x05\x16\x00"))
	switch known := litterNames[base]; {
	case folders:
		return true
	case known != nil:
		return known(first, size) || appleDouble
	case strings.HasPrefix(base, "._"), inMacFolder(name):
		return appleDouble || size == 0
	case strings.HasPrefix(base, "~$"): // who has a document open: a name of a fixed length
		return size <= 1024 && !bytes.HasPrefix(first, []byte("PK")) &&
			!bytes.HasPrefix(first, []byte("%PDF")) &&
			!bytes.HasPrefix(first, []byte("\xd0\xcf\x11\xe0"))
	}
	return false
}

func litterPath(name string) (folder bool, base string) {
	name = strings.ToLower(strings.ReplaceAll(name, `\`, "/"))
	dir, base := path.Split(name)
	for elem := range strings.SplitSeq(dir, "/") {
		if litterFolders[elem] {
			return true, base
		}
	}
	return false, base
}

func inMacFolder(name string) bool {
	return strings.HasPrefix(name, "__MACOSX/") || strings.Contains(name, "/__MACOSX/")
}

// litterCount counts litter by what it is, over all parts.
type litterCount struct {
	mu    sync.Mutex
	kinds map[string]int // guarded by mu
}

func (l *litterCount) add(name string) {
	_, base := litterPath(name)
	kind := base
	switch {
	case strings.HasPrefix(base, "._") || inMacFolder(name):
		kind = "AppleDouble twins (._NAME)"
	case strings.HasPrefix(base, "~$"):
		kind = "owner files of Office (~$NAME)"
	case litterNames[base] == nil:
		kind = "files in folders of the system"
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kinds == nil {
		l.kinds = map[string]int{}
	}
	l.kinds[kind]++
}

// finding reports all litter at once; false where there is none.
func (l *litterCount) finding() (query.Finding, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	total := 0
	var each []string
	for _, kind := range slices.Sorted(maps.Keys(l.kinds)) {
		total += l.kinds[kind]
		each = append(each, fmt.Sprintf("%d %s", l.kinds[kind], strings.TrimSpace(kind)))
	}
	return query.Finding{Code: query.SystemLitter, Severity: query.SeverityInfo,
		Detail: fmt.Sprintf("%d files that operating systems and office programs leave behind are not "+
			"documents: %s; "+
			"their bytes are kept in data/documents/refused", total, strings.Join(each, ", "))}, total > 0
}
