package s3store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdall/archive"
	"holdall/archive/storetest"
	"holdall/internal/digest"
	"holdall/internal/s3test"
)

// roots numbers the prefixes of tests, so that each has an empty one in a bucket that nobody may delete
// from.
var roots atomic.Int64

// open opens an empty root on a server, as the user that may write and not delete.
func open(t testing.TB, endpoint string, o Options) *Store {
	t.Helper()
	s3test.Setenv(t, endpoint, s3test.Writer)
	return openAt(t, s3test.Bucket, fmt.Sprintf("some/root-%d", roots.Add(1)), o)
}

func openAt(t testing.TB, bucket, prefix string, o Options) *Store {
	t.Helper()
	if o.Patience == 0 {
		o.Patience = 10 * time.Second
	}
	o.Scratch, o.pause = t.TempDir(), 5*time.Millisecond
	s, err := Open(context.Background(), "s3://"+bucket+"/"+prefix, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(s *Store, name string, content []byte) error {
	size, sum := int64(len(content)), digest.Of(content)
	return s.Put(context.Background(), name, bytes.NewReader(content), size, sum)
}

func read(s *Store, name string, off, n int64) ([]byte, error) {
	r, err := s.Open(context.Background(), name, off, n)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	return b, errors.Join(err, r.Close())
}

func random(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	r.Read(b)
	return b
}

func TestS3IsAStore(t *testing.T) {
	server := s3test.Start(t)
	storetest.Run(t, func(t *testing.T) archive.Store { return open(t, server.URL, Options{}) })
}

// Every third answer is lost after the server has acted, every fourth request is refused for now, some are
// slow, and bodies end early: none of it may show.
func TestS3IsAStoreBehindABadLine(t *testing.T) {
	server := s3test.Start(t)
	proxy := server.NewProxy(t)
	n := 0
	proxy.SetFault(func(r s3test.Request) s3test.Fault {
		n++
		switch {
		case n%3 == 0:
			return s3test.Fault{Drop: true}
		case n%8 == 1:
			return s3test.Fault{Status: 503, Code: "SlowDown"}
		case n%8 == 5 && r.Method == "PUT":
			return s3test.Fault{Status: 409, Code: "ConditionalRequestConflict"}
		case n%11 == 0:
			return s3test.Fault{Delay: 200 * time.Millisecond}
		case r.Op == "GetObject" && n%2 == 0:
			return s3test.Fault{CutBody: 3}
		}
		return s3test.Fault{}
	})
	const patience = 30 * time.Second // a busy machine makes the line worse
	storetest.Run(t, func(t *testing.T) archive.Store {
		return open(t, proxy.URL, Options{Patience: patience})
	})
	storetest.Run(t, func(t *testing.T) archive.Store {
		return open(t, proxy.URL, Options{Patience: patience, partLimit: 1, partSize: 5 << 20})
	})
	for _, r := range proxy.Take() {
		if r.Method == "DELETE" {
			t.Errorf("%s %s?%s: nothing may be deleted", r.Method, r.Key, r.Query)
		}
		creates := r.Op == "PutObject" || r.Op == "CompleteMultipartUpload"
		if creates && r.Header.Get("If-None-Match") != "*" {
			t.Errorf("%s %s without If-None-Match: *", r.Op, r.Key)
		}
	}
}

func TestTheServerChecksAndKeepsTheDigest(t *testing.T) {
	server := s3test.Start(t)
	proxy := server.NewProxy(t)
	s := open(t, proxy.URL, Options{})
	content := random(100_000)
	if err := put(s, "data/file", content); err != nil {
		t.Fatal(err)
	}
	log := proxy.Take()
	if len(log) != 1 || log[0].Header.Get("X-Amz-Checksum-Sha256") != *base64Of(digest.Of(content)) ||
		log[0].Header.Get("X-Amz-Content-Sha256") != digest.Of(content).String() {
		t.Errorf("requests: %+v, want one that names the digest twice", log)
	}
	info, err := s.Stat(context.Background(), "data/file")
	if err != nil || info.SHA256 != digest.Of(content) || info.Claimed != digest.Of(content) {
		t.Errorf("stat: %+v, %v", info, err)
	}
}

func TestAnObjectInParts(t *testing.T) {
	server := s3test.Start(t)
	proxy := server.NewProxy(t)
	s := open(t, proxy.URL, Options{partLimit: 6 << 20, partSize: 5 << 20})
	content := random(17 << 20)
	seen := map[string]bool{}
	proxy.SetFault(func(r s3test.Request) s3test.Fault {
		// The first answer to each kind of request is lost, that to the completion too.
		key := r.Op + strings.Split(r.Query, "&uploadId")[0]
		if first := !seen[key]; first && r.Method != "HEAD" {
			seen[key] = true
			return s3test.Fault{Drop: true}
		}
		return s3test.Fault{}
	})
	if err := put(s, "data/large/file", content); err != nil {
		t.Fatal(err)
	}
	proxy.SetFault(nil)
	if got, err := read(s, "data/large/file", 0, -1); err != nil || !bytes.Equal(got, content) {
		t.Errorf("read: %d bytes, %v", len(got), err)
	}
	info, err := s.Stat(context.Background(), "data/large/file")
	parts, _ := archive.PartDigests(bytes.NewReader(content), 5<<20)
	want := archive.Info{Name: info.Name, Size: int64(len(content)), Modified: info.Modified,
		Claimed: digest.Of(content), Parts: archive.PartsDigest(parts)}
	if err != nil || info != want {
		t.Errorf("stat: %+v, %v; want the digest of the parts, and that of the whole as a claim", info, err)
	}
	proxy.Take()
	if err := put(s, "data/large/file", content); err != nil {
		t.Errorf("the same again: %v", err)
	}
	if ops, _ := s3test.Count(proxy.Take()); ops["UploadPart"] != 0 || ops["GetObject"] != 0 {
		t.Errorf("the same again took %v, want no content sent or read", ops)
	}
	content[9<<20] ^= 1
	if err := put(s, "data/large/file", content); !errors.Is(err, fs.ErrExist) {
		t.Errorf("other content: %v, want fs.ErrExist", err)
	}
}

func TestWhatIsAskedForIsAskedOfTheServer(t *testing.T) {
	server := s3test.Start(t)
	proxy := server.NewProxy(t)
	s3test.Setenv(t, proxy.URL, s3test.Writer)
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	s := openAt(t, s3test.LockBucket, "root", Options{
		RetainUntil: until, RetainMode: "governance", LegalHold: true, StorageClass: "STANDARD_IA",
		KMSKey: "alias/archive", partLimit: 6 << 20, partSize: 5 << 20,
	})
	if err := put(s, "data/small", []byte("content")); err != nil {
		t.Fatal(err)
	}
	if err := put(s, "data/large", random(7<<20)); err != nil {
		t.Fatal(err)
	}
	for _, r := range proxy.Take() {
		if r.Op != "PutObject" && r.Op != "CreateMultipartUpload" {
			continue
		}
		for name, want := range map[string]string{
			"X-Amz-Object-Lock-Mode": "GOVERNANCE", "X-Amz-Object-Lock-Legal-Hold": "ON",
			"X-Amz-Object-Lock-Retain-Until-Date": until.Format("2006-01-02T15:04:05Z"),
			"X-Amz-Server-Side-Encryption":        "aws:kms", "X-Amz-Storage-Class": "STANDARD_IA",
			"X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "alias/archive",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s %s: %s is %q, want %q", r.Op, r.Key, name, got, want)
			}
		}
	}
	for _, key := range []string{"small", "large"} {
		h, _ := server.Do("HEAD", s3test.LockBucket+"/root/data/"+key, "", nil, nil)
		if h.Get("X-Amz-Object-Lock-Mode") != "GOVERNANCE" || h.Get("X-Amz-Object-Lock-Legal-Hold") != "ON" {
			t.Errorf("%s is kept with %v, want the lock and the hold", key, h)
		}
	}
}

func TestTheProbe(t *testing.T) {
	server := s3test.Start(t)
	proxy := server.NewProxy(t)
	has := map[string]bool{}
	for _, tt := range []struct {
		name  string
		fault func(r s3test.Request) s3test.Fault
		want  Support
	}{
		{"a provider that does it all", nil, Support{true, true}},
		{"one that refuses conditions", func(r s3test.Request) s3test.Fault {
			if r.Header.Get("If-None-Match") != "" {
				return s3test.Fault{Status: 501, Code: "NotImplemented"}
			}
			return s3test.Fault{}
		}, Support{false, true}},
		{"one that does not heed them", func(r s3test.Request) s3test.Fault {
			if r.Op == "PutObject" && has[r.Key] {
				return s3test.Fault{Status: 200}
			}
			has[r.Key] = has[r.Key] || r.Op == "PutObject"
			return s3test.Fault{}
		}, Support{false, true}},
		{"one that keeps no digests", func(s3test.Request) s3test.Fault {
			return s3test.Fault{Hide: []string{"X-Amz-Checksum-Sha256", "X-Amz-Checksum-Type"}}
		}, Support{true, false}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, proxy.URL, Options{})
			proxy.SetFault(tt.fault)
			defer proxy.SetFault(nil)
			for range 2 { // the second time the object is there
				got, err := s.Probe(context.Background(), "README.txt", []byte("how to read this\n"))
				if got != tt.want || err != nil {
					t.Errorf("probe: %+v, %v; want %+v", got, err, tt.want)
				}
			}
			if err := put(s, "data/file", []byte("content")); err != nil {
				t.Error(err)
			}
			if err := put(s, "data/file", []byte("content")); err != nil {
				t.Errorf("the same again: %v", err)
			}
			if err := put(s, "data/file", []byte("other")); !errors.Is(err, fs.ErrExist) {
				t.Errorf("other content: %v, want fs.ErrExist", err)
			}
		})
	}
}

func TestURLs(t *testing.T) {
	for url, want := range map[string][2]string{
		"s3://bucket": {"bucket", ""}, "s3://bucket/": {"bucket", ""}, "s3://bucket/a/b/": {"bucket", "a/b/"},
		"s3://bucket/ä b": {"bucket", "ä b/"}, "s3://": {}, "bucket/a": {}, "s3://bucket//a": {},
		"s3://bucket/../a": {}, "s3://user:secret@bucket/a": {}, "s3://bucket/a\nb": {},
	} {
		bucket, prefix, err := parseURL(url)
		if bucket != want[0] || prefix != want[1] || (err == nil) != (want[0] != "") {
			t.Errorf("parse %q: %q, %q, %v; want %q", url, bucket, prefix, err, want)
		}
	}
}

// Nothing else of holdall may link the SDK, so that this package can be left out or replaced.
func TestOnlyThisPackageImportsTheSDK(t *testing.T) {
	const format = `{{.ImportPath}} {{.Imports}} {{.TestImports}} {{.XTestImports}}`
	out, err := exec.Command("go", "list", "-f", format, "holdall/...").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	seen := false
	for line := range strings.Lines(string(out)) {
		if !strings.Contains(line, "github.com/aws/") {
			continue
		}
		pkg, _, _ := strings.Cut(line, " ")
		seen = seen || pkg == "holdall/archive/s3store"
		if pkg != "holdall/archive/s3store" {
			t.Errorf("%s imports the SDK", pkg)
		}
	}
	if !seen {
		t.Error("this package does not import the SDK: the test looks at nothing")
	}
}
