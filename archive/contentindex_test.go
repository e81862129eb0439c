package archive

import (
	"fmt"
	"runtime"
	"testing"

	"holdall/internal/digest"
)

// A million documents must fit into a laptop: 250 MB for the whole process, of which the garbage collector
// takes half.
func TestALibraryNeedsLittleMemory(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	l := newContentIndex()
	pack := l.addPack("p", "attachments", true)
	for n := 1; n <= 240_000; n++ {
		id := fmt.Sprintf("a1-%06d", n)
		l.add(digest.Of([]byte(id)), location{pack: pack, offset: uint32(n)})
		l.setPack(id, pack)
		// The tables have just doubled at 229,376; in between they are less loaded than then.
		if n%60_000 != 0 {
			continue
		}
		if each := (heap() - before) / uint64(n); each > 128 {
			t.Errorf("%d documents take %d bytes each, want at most 128", n, each)
		}
	}
	if !l.has("a1-000001") || l.has("a1-999999") {
		t.Error("the library does not know what it has")
	}
}
