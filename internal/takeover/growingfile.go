package takeover

import (
	"io"
	"os"
	"sync"
)

// A growingFile is a file that is read while it is written.
type growingFile struct {
	f *os.File

	mu    sync.Mutex // guards what follows
	more  *sync.Cond
	size  int64
	ended error // why no more is to come: io.EOF for a whole file; nil while it is written
}

func newGrowingFile(f *os.File) *growingFile {
	g := &growingFile{f: f}
	g.more = sync.NewCond(&g.mu)
	return g
}

// Write adds to the file.
func (g *growingFile) Write(p []byte) (int, error) {
	n, err := g.f.Write(p)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.size += int64(n)
	g.more.Broadcast()
	return n, err
}

// end says that no more is to come. The first one counts: a file that was given up stays so.
func (g *growingFile) end(why error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended == nil {
		g.ended = why
	}
	g.more.Broadcast()
}

// ReadAt waits until all that it is asked for has been written, or no more is to come.
func (g *growingFile) ReadAt(p []byte, off int64) (int, error) {
	g.mu.Lock()
	for g.size < off+int64(len(p)) && g.ended == nil {
		g.more.Wait()
	}
	size, ended := g.size, g.ended
	g.mu.Unlock()
	if ended != nil && ended != io.EOF {
		return 0, ended
	}
	if room := max(size-off, 0); int64(len(p)) > room {
		n, err := g.f.ReadAt(p[:room], off)
		if err == nil {
			err = io.EOF
		}
		return n, err
	}
	return g.f.ReadAt(p, off)
}
