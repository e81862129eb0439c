package peertest

import (
	"archive/zip"
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"holdall/fetch"
	"holdall/fetch/link"
	"holdall/internal/unpack"
)

// The first document of a ZIP of HOLDALL_TEST_ENTRIES entries (100,000) can be read and is verified within
// five requests with the connections that a fetch begins with, though its directory alone is many megabytes.
func TestTheFirstDocumentOfALargeZIP(t *testing.T) {
	entries := int(sizeEnv(t, "HOLDALL_TEST_ENTRIES", 100_000))
	path := filepath.Join(t.TempDir(), "many.zip")
	layZIP(t, path, entries)
	for try := 1; ; try++ {
		n := requestsToTheFirstDocument(t, path)
		if n <= 5 {
			return
		}
		// A connection is kept for the reader for a moment only, so a machine that is busy elsewhere may cost
		// one more.
		if try == 3 {
			t.Fatalf("%d requests until the first document was verified, want 5", n)
		}
	}
}

func requestsToTheFirstDocument(t *testing.T, path string) int64 {
	var requests atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		f, err := os.Open(path)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		defer f.Close()
		info, _ := f.Stat()
		w.Header().Set("ETag", `"v1"`)
		http.ServeContent(w, r, "", info.ModTime(), f)
	}))
	defer s.Close()
	// slow, so that the ZIP takes its time
	f, err := fetch.New(fetch.Options{AllowPrivate: true, Connections: 4, MaxRate: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := f.Plan(t.Context(), masterOf(t, part{link.PartAttachments, s.URL + "/many.zip?sig=" + secret}))
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Start(t.Context(), p, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	o := r.Objects[0]
	size, err := o.Size(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	z, err := unpack.OpenZIP(o, size, unpack.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range z.Entries() {
		if err != nil {
			t.Fatal(err)
		}
		content, err := z.Open(e)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(content) // its end is reached only when the CRC-32 fits
		if string(got) != "document 0" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
		break
	}
	n := requests.Load()
	t.Logf("%d requests, %d of %d bytes", n, r.Progress().Done, size)
	return n
}

func layZIP(t *testing.T, path string, entries int) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	buf := bufio.NewWriterSize(f, 1<<20)
	w := zip.NewWriter(buf)
	for i := range entries {
		e, err := w.CreateHeader(&zip.FileHeader{
			Name: fmt.Sprintf("documents/candidate %07d.txt", i), Method: zip.Store,
		})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(e, "document %d", i)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := buf.Flush(); err != nil {
		t.Fatal(err)
	}
}
