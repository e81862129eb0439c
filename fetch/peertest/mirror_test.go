package peertest

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A mirror serves an export at so many bytes a second for each response, and counts what it sends. Its pace
// keeps the buffers between it and the client nearly empty, so that what is sent has nearly all been
// received.
type mirror struct {
	*httptest.Server
	dir  string // holds the files by their paths
	rate int

	mu      sync.Mutex // guards what follows
	objects int64      // bytes sent of the ZIP and the tar
	files   int64      // bytes sent of the listing's files
	pages   int64      // bytes sent of the listing itself
	open    int        // responses being sent
	peak    int        // the most at once since the last reset
}

func newMirror(t testing.TB, dir string, rate int) *mirror {
	m := &mirror{dir: dir, rate: rate}
	m.Server = httptest.NewUnstartedServer(m)
	m.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		c.(*net.TCPConn).SetWriteBuffer(16 << 10)
		return ctx
	}
	m.Start()
	t.Cleanup(m.Close)
	return m
}

func (m *mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, err := os.Open(filepath.Join(m.dir, filepath.FromSlash(r.URL.Path)))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.IsDir() {
		http.NotFound(w, r)
		return
	}
	counter := &m.objects
	switch {
	case strings.HasPrefix(r.URL.Path, "/files/"):
		counter = &m.files
	case strings.HasSuffix(r.URL.Path, ".csv"):
		counter = &m.pages
	}
	m.mu.Lock()
	m.open++
	m.peak = max(m.peak, m.open)
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.open--
	}()
	w.Header().Set("ETag", fmt.Sprintf(`"v1-%x"`, info.Size()))
	http.ServeContent(&pacedWriter{w, m, counter}, r, "", info.ModTime(), f)
}

type pacedWriter struct {
	http.ResponseWriter
	m       *mirror
	counter *int64
}

func (w *pacedWriter) Write(p []byte) (int, error) {
	total := 0
	for len(p) > 0 {
		n, err := w.ResponseWriter.Write(p[:min(len(p), 16<<10)])
		if err == nil {
			w.ResponseWriter.(http.Flusher).Flush()
		}
		total += n
		w.m.mu.Lock()
		*w.counter += int64(n)
		w.m.mu.Unlock()
		if err != nil {
			return total, err
		}
		time.Sleep(time.Duration(n) * time.Second / time.Duration(w.m.rate))
		p = p[n:]
	}
	return total, nil
}

// count returns the bytes sent of large objects, of listed files and of the listing.
func (m *mirror) count() (objects, files, pages int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.objects, m.files, m.pages
}

// waitIdle waits until no response is being sent any more, and returns the most there were at once.
func (m *mirror) waitIdle() int {
	for range 2000 {
		m.mu.Lock()
		if m.open == 0 {
			defer m.mu.Unlock()
			peak := m.peak
			m.peak = 0
			return peak
		}
		m.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
	panic("a response does not end")
}

// layExport writes a ZIP, a tar and a listing of files into dir, so many bytes in all, and returns the sizes
// of the first two together, and of the listing's files.
func layExport(t testing.TB, dir string, total int64) (objects, files int64) {
	t.Helper()
	write := func(name string, fill func(w io.Writer)) int64 {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		fill(f)
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	objects = write("data.zip", func(w io.Writer) { w.Write(exportZIP(t, 1, int(total*7/10))) })
	objects += write("attachments.tar", func(w io.Writer) {
		tw := tar.NewWriter(w)
		for i := range int(total / 10 >> 18) {
			tw.WriteHeader(&tar.Header{
				Name: fmt.Sprintf("attachments/%05d.bin", i), Size: 256 << 10, Mode: 0o600,
			})
			tw.Write(noise(uint64(i)+1<<40, 256<<10))
		}
		tw.Close()
	})
	if err := os.Mkdir(filepath.Join(dir, "files"), 0o755); err != nil {
		t.Fatal(err)
	}
	n := min(5000, int(total/5/(50<<10)))
	size := int(total / 5 / int64(n))
	write("cvs.csv", func(w io.Writer) {
		fmt.Fprintln(w, "Name,URL")
		for i := range n {
			fmt.Fprintf(w, "cv %05d.bin,BASE/files/%05d.bin?sig=%s\n", i, i, secret)
			files += write(
				fmt.Sprintf("files/%05d.bin", i),
				func(w io.Writer) { w.Write(noise(uint64(i)+1<<41, size-i%7)) },
			)
		}
	})
	return objects, files
}

// point makes the listing's links lead to base.
func point(t testing.TB, dir, base string) {
	t.Helper()
	path := filepath.Join(dir, "cvs.csv")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.ReplaceAll(b, []byte("BASE"), []byte(base)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func sizeEnv(t testing.TB, name string, otherwise int64) int64 {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n <= 0 {
		t.Fatalf("%s=%s: want a number", name, v)
	}
	return n
}
