package peertest

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdall/fetch"
	"holdall/fetch/link"
	"holdall/fetch/master"
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

// settle waits until no response is being sent any more, and returns the most there were at once.
func (m *mirror) settle() int {
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

// A ZIP, a listing and a tar are fetched by a process that is killed at random moments, as often as
// HOLDALL_TEST_KILLS says (6), of HOLDALL_TEST_KILL_BYTES in all (30,000,000). When everything is here before
// that many kills, it is compared and the next fetch begins from nothing.
func TestKilledAThousandTimes(t *testing.T) {
	kills := int(sizeEnv(t, "HOLDALL_TEST_KILLS", 6))
	total := sizeEnv(t, "HOLDALL_TEST_KILL_BYTES", 30_000_000)
	www := t.TempDir()
	objects, files := layExport(t, www, total)
	m := newMirror(t, www, 4<<20)
	point(t, www, m.URL)
	parts := []part{
		{link.PartData, m.URL + "/data.zip?sig=" + secret},
		{link.PartAttachments, m.URL + "/attachments.tar?sig=" + secret},
		{link.PartCVs, m.URL + "/cvs.csv?sig=" + secret},
	}
	torture := &torture{t: t, m: m, master: masterOf(t, parts...), most: 600 * time.Millisecond}
	for torture.kills < kills {
		torture.cycle(kills, objects, files)
	}
	t.Logf("%d kills over %d whole fetches of %d bytes; again: %d bytes of large objects, %d of listed "+
		"files; at worst %d KiB a connection in one kill",
		torture.kills, torture.cycles, objects+files, torture.againObjects, torture.againFiles,
		torture.worst>>10)
}

type torture struct {
	t      *testing.T
	m      *mirror
	master *master.CSV
	most   time.Duration // between a start and its kill

	kills, cycles            int
	againObjects, againFiles int64
	worst                    int64 // bytes of large objects lost by kills, for each connection then open
}

// cycle fetches everything once, with kills on the way while there are some left, and compares it.
func (k *torture) cycle(kills int, objects, files int64) {
	k.t.Helper()
	dir := filepath.Join(k.t.TempDir(), "spool")
	objects0, files0, _ := k.m.count()
	// of large objects: sent by the processes before, of that not here when last known, and may be lost since
	var sent, lost, allowed int64
	var ever int64 // bytes that all kills together may cost
	for ended := false; !ended; {
		var said string
		said, ended = k.child(dir, kills)
		if here, ok := hereOf(said); ok {
			now := sent - here
			if now-lost > allowed {
				k.t.Errorf(
					"%d bytes of large objects were lost; kills may cost %d with the connections there were",
					now-lost, allowed,
				)
			}
			if allowed > 0 {
				k.worst = max(k.worst, (now-lost)/(allowed>>20))
			}
			lost, allowed = now, 0
		}
		peak := int64(k.m.settle()) << 20
		allowed, ever = allowed+peak, ever+peak
		all, _, _ := k.m.count()
		sent = all - objects0
	}
	k.cycles++
	allObjects, allFiles, _ := k.m.count()
	k.againObjects += allObjects - objects0 - objects
	k.againFiles += allFiles - files0 - files
	if again := allFiles - files0 - files; again > ever {
		k.t.Errorf("%d bytes of the listing's files were fetched again; the kills may cost %d", again, ever)
	}
	k.compare(dir)
	if got, _, _ := k.m.count(); got-allObjects > 2<<20 {
		k.t.Errorf("a run over a complete spool was sent %d bytes of large objects", got-allObjects)
	}
	if _, got, _ := k.m.count(); got != allFiles {
		k.t.Errorf("a run over a complete spool was sent %d bytes of the listing's files", got-allFiles)
	}
}

// hereOf reads what a process has said of the bytes here at its beginning.
func hereOf(said string) (int64, bool) {
	_, rest, ok := strings.Cut(said, "here ")
	text, _, whole := strings.Cut(rest, "\n")
	n, err := strconv.ParseInt(text, 10, 64)
	return n, ok && whole && err == nil
}

// child runs one process, and kills it after a random time unless there have been enough kills. It reports
// what the process said, and whether it came to its end.
func (k *torture) child(dir string, kills int) (said string, ended bool) {
	k.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), spoolEnv+"="+dir)
	cmd.Stdin = bytes.NewReader(k.master.Raw)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	if k.kills < kills {
		timer := time.AfterFunc(rand.N(k.most), func() { cmd.Process.Signal(syscall.SIGKILL) })
		defer timer.Stop()
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		k.kills++
		return out.String(), false
	}
	if err != nil || !strings.Contains(out.String(), "done") {
		k.t.Fatalf("a process that was not killed ended without success: %v\n%s", err, out.String())
	}
	if strings.Contains(out.String(), secret) {
		k.t.Error("the output shows the secret")
	}
	return out.String(), true
}

// compare goes over a complete spool, which needs nothing more, and compares every byte with what was served.
func (k *torture) compare(dir string) {
	t := k.t
	t.Helper()
	f, err := fetch.New(fetch.Options{AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := f.Plan(t.Context(), k.master)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Start(t.Context(), p, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Wait(); err != nil {
		t.Fatal(err)
	}
	names := map[link.Part]string{link.PartData: "data.zip", link.PartAttachments: "attachments.tar"}
	for _, o := range r.Objects {
		if o.Source.Listing {
			k.compareFiles(o)
			continue
		}
		want, got := hashFile(t, filepath.Join(k.m.dir, names[o.Source.Part])), hashFile(t, o.Path())
		v, err := o.Wait(t.Context())
		if err != nil || got != want || v.SHA256.String() != want {
			t.Errorf(
				"%s: has SHA-256 %s, recorded as %s (%v); want %s", o.Source.Part, got, v.SHA256, err, want,
			)
		}
	}
	(outcome{}).wantNoSecret(t, dir, secret)
}

func (k *torture) compareFiles(o *fetch.Object) {
	n := 0
	for file, err := range o.Files(k.t.Context()) {
		if err != nil || file.Err != nil {
			k.t.Fatalf("file %d: %v, %v", n, err, file.Err)
		}
		in, err := o.OpenFile(file)
		if err != nil {
			k.t.Fatal(err)
		}
		got, err := io.ReadAll(in)
		in.Close()
		want, readErr := os.ReadFile(filepath.Join(k.m.dir, "files", fmt.Sprintf("%05d.bin", n)))
		if err != nil || readErr != nil || !bytes.Equal(got, want) ||
			file.Name != fmt.Sprintf("cv %05d.bin", n) {
			k.t.Errorf(
				"file %d, %q: %d bytes that differ from the %d served (%v, %v)", n, file.Name, len(got),
				len(want), err, readErr,
			)
		}
		n++
	}
	if want, err := os.ReadDir(filepath.Join(k.m.dir, "files")); err != nil || n != len(want) {
		k.t.Errorf("%d files of %d (%v)", n, len(want), err)
	}
}

func hashFile(t testing.TB, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}
