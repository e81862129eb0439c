package fetch

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"holdall/fetch/failure"
	"holdall/internal/digest"
)

var encodingFaults = []faultCase{
	{
		name: "the store keeps the object compressed, and serves it so (gzip, x-gzip, deflate, zstd, " +
			"twice)",
		test:    testEncodings,
		outcome: "it is decoded; every byte is right, and the digest told is compared with what was received",
	},
	{
		name: "the server compresses on the way, without length or ranges, and a connection breaks",
		test: testCompressedOnTheWay, outcome: "every byte is right",
	},
	{
		name: "a ZIP is called gzip", test: testCalledGzip,
		outcome: "its bytes say what it is; every byte is right",
	},
	{
		name: "a bit flips in the compressed form on its way", test: testFlippedInGzip,
		outcome: "it is fetched again; every byte is right",
	},
	{
		name: "the compressed form is damaged at its source", test: testDamagedGzip,
		outcome: "damaged at its source, after two fetches that brought the same: it is kept whole and " +
			"told, and what can be read of it is taken",
	},
	{
		name: "it is compressed in a way that holdall does not read (br)", test: testBrotli,
		outcome: "`not-the-export`, which names the encoding: new export",
	},
	{
		name: "a listing, and the files that it names, come compressed", test: testEncodedListing,
		outcome: "every file is right",
	},
}

func encoded(t *testing.T, w io.WriteCloser, out *bytes.Buffer, b []byte) []byte {
	t.Helper()
	_, err := w.Write(b)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// encodedAs adds headers to every answer that is not otherwise dealt with.
func encodedAs(o *served, headers ...string) {
	before := o.fault
	o.fault = func(n int, now *served, w http.ResponseWriter, r *http.Request) bool {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		return before != nil && before(n, now, w, r)
	}
}

func testEncodings(t *testing.T) {
	body := zipOf(t, 20_000)
	var z, d bytes.Buffer
	zw, err := zstd.NewWriter(&z)
	if err != nil {
		t.Fatal(err)
	}
	twice := gzipped(t, gzipped(t, body))
	for _, tc := range []struct {
		header string
		form   []byte
	}{
		{"gzip", gzipped(t, body)}, {"x-gzip", gzipped(t, body)}, {"aws-chunked,gzip", gzipped(t, body)},
		{"gzip, gzip", twice},
		{"zstd", encoded(t, zw, &z, body)}, {"deflate", encoded(t, zlib.NewWriter(&d), &d, body)},
	} {
		s := newFaultServer(t)
		o := s.put("/attachments.zip", tc.form)
		o.fault = func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
			return n == 1 && broken(300_000)(o, w, r) // ranges are those of the compressed form
		}
		sum := sha256.Sum256(tc.form)
		encodedAs(o, "Content-Encoding", tc.header, "X-Amz-Checksum-Sha256", base64Of(sum[:]))
		dir := t.TempDir()
		m := s.master(t, "", "/attachments.zip", "")
		r, err := take(t, newTestFetcher(t, nil), m, dir)
		if err != nil {
			t.Errorf("%s: %v", tc.header, err)
			continue
		}
		wantPlain(t, r, body, tc.form)
		if v, _ := r.Objects[0].Wait(t.Context()); v.Check != "x-amz-checksum-sha256" {
			t.Errorf("%s: verified by %q", tc.header, v.Check)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		// The spool answers for it when the link is dead.
		f := newTestFetcher(t, nil)
		again, err := f.Start(t.Context(), f.offline(t, m, dir), dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Wait(); err != nil {
			t.Error(err)
		}
		wantPlain(t, again, body, tc.form)
		if err := again.Close(); err != nil {
			t.Error(err)
		}
	}
}

// wantPlain checks that a run's only object reads as body, and was received as form.
func wantPlain(t *testing.T, r *Run, body, form []byte) {
	t.Helper()
	o := r.Objects[0]
	wantBytes(t, o, body)
	size, err := o.Size(t.Context())
	if err != nil || size != int64(len(body)) || o.Source.Kind != "zip" {
		t.Errorf("size %d, kind %s, %v", size, o.Source.Kind, err)
	}
	tail := make([]byte, 200)
	if n, err := o.ReadAt(tail, size-100); n != 100 || err != io.EOF ||
		!bytes.Equal(tail[:100], body[len(body)-100:]) {
		t.Errorf("read %d bytes at the end, %v", n, err)
	}
	v, err := o.Wait(t.Context())
	if err != nil || v.SHA256 != digest.Of(body) || v.ReceivedSHA256 != digest.Of(form) ||
		v.Received != int64(len(form)) || v.Encoding == "" {
		t.Errorf("verified %+v, %v", v, err)
	}
}

func testCompressedOnTheWay(t *testing.T) {
	body := zipOf(t, 20_000)
	s := newFaultServer(t)
	o := s.put("/attachments.zip", gzipped(t, body))
	o.fault = func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("ETag", `W/"weak"`)
		w.(http.Flusher).Flush()
		if n <= 2 {
			w.Write(o.body[:n*len(o.body)/3])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		w.Write(o.body)
		return true
	}
	r, err := take(t, newTestFetcher(t, nil), s.master(t, "", "/attachments.zip", ""), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	wantPlain(t, r, body, o.body)
}

func testCalledGzip(t *testing.T) {
	body := zipOf(t, 500)
	s := newFaultServer(t)
	encodedAs(s.put("/attachments.zip", body), "Content-Encoding", "gzip")
	r, err := take(t, newTestFetcher(t, nil), s.master(t, "", "/attachments.zip", ""), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	wantBytes(t, r.Objects[0], body)
}

func testFlippedInGzip(t *testing.T) {
	body := zipOf(t, 20_000)
	s := newFaultServer(t)
	o := s.put("/attachments.zip", gzipped(t, body))
	o.fault = func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
		if n == 1 {
			bad := bytes.Clone(o.body)
			bad[len(bad)/2] ^= 16
			(&served{body: bad, etag: o.etag, mod: o.mod}).serve(w, r)
		}
		return n == 1
	}
	encodedAs(o, "Content-Encoding", "gzip")
	r, err := take(t, newTestFetcher(t, nil), s.master(t, "", "/attachments.zip", ""), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	wantPlain(t, r, body, o.body)
}

func testDamagedGzip(t *testing.T) {
	form := gzipped(t, zipOf(t, 20_000))
	form[len(form)/2] ^= 16
	s := newFaultServer(t)
	encodedAs(s.put("/attachments.zip", form), "Content-Encoding", "gzip")
	dir := t.TempDir()
	r, err := take(t, newTestFetcher(t, nil), s.master(t, "", "/attachments.zip", ""), dir)
	if err != nil || len(s.log()) != 2 {
		t.Fatalf("Wait = %v after %d requests", err, len(s.log()))
	}
	if v, err := r.Objects[0].Wait(t.Context()); err != nil || v.Check != CheckDamaged ||
		v.Contradicts != brokenEncoding || v.Received != int64(len(form)) {
		t.Errorf("verified %+v, %v; want that it is damaged", v, err)
	}
	if kept, err := os.ReadFile(dir + "/object-01.data"); err != nil || !bytes.Equal(kept, form) {
		t.Errorf("what was received is not kept: %v", err)
	}
}

func testBrotli(t *testing.T) {
	s := newFaultServer(t)
	encodedAs(
		s.put("/attachments.zip", bytes.Repeat([]byte("\x8b\x02\x80\x93\xd1\x07"), 1000)), "Content-Encoding",
		"br",
	)
	_, err := take(t, newTestFetcher(t, nil), s.master(t, "", "/attachments.zip", ""), t.TempDir())
	var e *failure.Error
	if !errors.As(err, &e) || e.Code != failure.NotTheExport || !strings.Contains(e.Message, "br") {
		t.Errorf("Wait = %v, want that br is named", err)
	}
}

func testEncodedListing(t *testing.T) {
	s := newFaultServer(t)
	var list strings.Builder
	list.WriteString("name,url\n")
	bodies := map[string][]byte{}
	for i := range 30 {
		path := fmt.Sprintf("/cv/%02d.txt", i)
		body := bytes.Repeat([]byte(fmt.Sprintf("curriculum vitae %d. ", i)), 10+i*i)
		if i == 29 {
			body = zipLike(largeFile+7777, 29)
		}
		bodies[path] = body
		encodedAs(s.put(path, gzipped(t, body)), "Content-Encoding", "gzip")
		fmt.Fprintf(&list, "%02d.txt,%s\n", i, s.link(path))
	}
	encodedAs(s.put("/list.csv", gzipped(t, []byte(list.String()))), "Content-Encoding", "gzip")
	r, err := take(t, newTestFetcher(t, nil), s.master(t, "", "", "/list.csv"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for f, err := range r.Objects[0].Files(t.Context()) {
		if err != nil || f.Err != nil {
			t.Fatalf("%s: %v, %v", f.Name, err, f.Err)
		}
		in, err := r.Objects[0].OpenFile(f)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(in)
		in.Close()
		if err != nil || !bytes.Equal(got, bodies["/cv/"+f.Name]) {
			t.Errorf("%s: %d bytes, %v", f.Name, len(got), err)
		}
		n++
	}
	if n != len(bodies) {
		t.Errorf("%d files, want %d", n, len(bodies))
	}
}
