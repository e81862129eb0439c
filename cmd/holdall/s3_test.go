package main

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"holdall/internal/exportsim"
	"holdall/internal/s3test"
)

// served serves an invented export and returns the link to its master CSV.
func served(t *testing.T, people int) string {
	t.Helper()
	x, err := exportsim.Prepare(t.Context(), exportsim.Config{People: people, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, err := x.Serve(ln)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return server.MasterURL()
}

const s3Root = "s3://" + s3test.Bucket + "/agency/archives"

// bucketBehindProxy starts a server and a proxy, and makes them the process's S3, for the user that may
// write.
func bucketBehindProxy(t *testing.T) (*s3test.Server, *s3test.Proxy) {
	t.Helper()
	server := s3test.Start(t)
	proxy := server.NewProxy(t)
	s3test.Setenv(t, proxy.URL, s3test.Writer)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	return server, proxy
}

// must runs a command line that must end in one of the codes.
func must(t *testing.T, codes []int, args ...string) outcome {
	t.Helper()
	o := holdall(t, args...)
	for _, c := range codes {
		if o.code == c {
			return o
		}
	}
	t.Fatalf("holdall %s: exit %d\n%.2000s\n%.4000s", strings.Join(args, " "), o.code, o.stdout, o.stderr)
	return o
}

var good = []int{exitDone, exitFindings}

// takeInto takes an export into the root and returns its location.
func takeInto(t *testing.T, master, root, work string) string {
	t.Helper()
	o := must(t, good, "take", master, "--to", root, "--work", work, "--allow-private", "--json")
	var got struct{ Location, State string }
	if err := json.Unmarshal([]byte(o.stdout), &got); err != nil || got.State != "complete" {
		t.Fatalf("take: %v: %s", err, o.stdout)
	}
	if !strings.HasPrefix(got.Location, root+"/exports/recruitly-export-") {
		t.Errorf("location %s, want one in %s", got.Location, root)
	}
	return got.Location
}

func TestARootInS3(t *testing.T) {
	server, proxy := bucketBehindProxy(t)
	work := t.TempDir()
	at := takeInto(t, served(t, 30), s3Root, work)
	for _, r := range proxy.Take() {
		creates := r.Op == "PutObject" || r.Op == "CompleteMultipartUpload"
		if r.Method == "DELETE" || creates && r.Header.Get("If-None-Match") != "*" {
			t.Errorf("%s %s: a writer may neither delete nor overwrite", r.Method, r.Key)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(work, "*", "runs", "*")); len(left) > 0 {
		t.Errorf("%v is left of a takeover that is finished", left)
	}
	for _, level := range []string{"quick", "full", "deep"} {
		must(t, good[:1], "verify", s3Root, "--work", work, "--level", level)
	}
	s3test.Setenv(t, server.URL, s3test.Reader) // from here on nothing is written
	var list []struct{ Export, State string }
	if err := json.Unmarshal([]byte(must(t, good[:1], "list", s3Root, "--json").stdout), &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || list[0].State != "complete" || !strings.HasSuffix(at, list[0].Export) {
		t.Errorf("list: %+v, want %s", list, at)
	}
	var runs []struct{ Type, Export string }
	if err := json.Unmarshal([]byte(must(t, good[:1], "log", s3Root, "--json").stdout), &runs); err != nil {
		t.Fatal(err)
	}
	if len(runs) != 4 || runs[0].Type != "verify" || runs[3].Type != "take" ||
		runs[3].Export != list[0].Export {
		t.Errorf("log: %+v, want the takeover and three verifications", runs)
	}
	if got := must(t, good[:1], "status", at).stdout; !strings.Contains(got, "Candidates.csv") {
		t.Errorf("status: %s", got)
	}
	sql := "select count(*) as n from candidates"
	answer := must(t, good[:1], "query", s3Root, sql, "--work", work, "--format", "csv").stdout
	if answer != "n\n30\n" {
		t.Errorf("query: %q", answer)
	}
	id := must(t, good[:1], "query", at, "select doc_id from documents where state = 'ok' order by 1 limit 1",
		"--work", work, "--format", "jsonl").stdout
	var doc struct {
		ID string `json:"doc_id"`
	}
	if err := json.Unmarshal([]byte(id), &doc); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	must(t, good[:1], "files", at, "--work", work, "--where", "doc_id = '"+doc.ID+"'", "--to", out)
	copies, _ := filepath.Glob(filepath.Join(out, "*", doc.ID+" *"))
	if len(copies) != 1 {
		t.Fatalf("files: %v", copies)
	}
	want, err := os.ReadFile(copies[0])
	if got := must(t, good[:1], "cat", at, doc.ID).stdout; err != nil || got != string(want) {
		t.Errorf("cat: %d bytes, files: %d bytes, %v", len(got), len(want), err)
	}
}

// tree returns the files below a directory.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		all[filepath.ToSlash(rel)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestACopyToS3AndBackIsByteIdentical(t *testing.T) {
	_, proxy := bucketBehindProxy(t)
	root, id, bag := demo(t)
	s3test.Setenv(t, proxy.URL, s3test.Writer)
	must(t, good[:1], "copy", root, s3Root)
	o := must(t, good[:1], "copy", root, s3Root, "--json")
	var again copiedJSON
	err := json.Unmarshal([]byte(o.stdout), &again)
	if err != nil || again.CopiedBytes != 0 || again.Location != s3Root+"/exports/"+id {
		t.Errorf("again: %+v, %v; want nothing copied", again, err)
	}
	must(t, good[:1], "verify", s3Root, "--level", "deep")
	back := filepath.Join(t.TempDir(), "back")
	must(t, good[:1], "copy", s3Root+"/exports/"+id, back)
	before, after := tree(t, bag), tree(t, filepath.Join(back, "exports", id))
	if len(before) != len(after) {
		t.Errorf("%d files, after the way there and back %d", len(before), len(after))
	}
	for name, content := range before {
		if after[name] != content {
			t.Errorf("%s differs", name)
		}
	}
	must(t, good[:1], "verify", back)
}

func TestCredentialsThatExpireInTheMiddle(t *testing.T) {
	_, proxy := bucketBehindProxy(t)
	work, master := t.TempDir(), served(t, 30)
	puts := 0
	proxy.SetFault(func(r s3test.Request) s3test.Fault {
		if r.Op == "PutObject" {
			puts++
		}
		if puts > 6 {
			return s3test.Fault{Status: 400, Code: "ExpiredToken"}
		}
		return s3test.Fault{}
	})
	o := must(t, []int{exitNotFinished},
		"take", master, "--to", s3Root, "--work", work, "--allow-private", "--json")
	var got struct {
		KeptBytes int64 `json:"kept_bytes"`
		Error     errorReport
	}
	err := json.Unmarshal([]byte(o.stdout), &got)
	if err != nil || got.Error.Code != codeCredentials || got.KeptBytes == 0 {
		t.Errorf("%v: %s", err, o.stdout)
	}
	proxy.SetFault(nil)
	began := must(t, good[:1], "list", s3Root, "--work", work, "--json").stdout
	var list []struct{ Export, State string }
	err = json.Unmarshal([]byte(began), &list)
	if err != nil || len(list) != 1 || list[0].State != "incomplete" {
		t.Fatalf("list: %v: %s", err, began)
	}
	at := takeInto(t, master, s3Root, work)
	if !strings.HasSuffix(at, list[0].Export) {
		t.Errorf("it went on as %s, having begun as %s", at, list[0].Export)
	}
	must(t, good[:1], "verify", s3Root, "--work", work)
}

func TestTwoWritersInDifferentPlacesDoNoHarm(t *testing.T) {
	bucketBehindProxy(t)
	master := served(t, 20)
	var wg sync.WaitGroup
	codes := make([]outcome, 2)
	for i := range codes {
		work := t.TempDir()
		wg.Go(func() {
			codes[i] = holdall(t, "take", master, "--to", s3Root, "--work", work, "--allow-private", "--new")
		})
	}
	wg.Wait()
	for _, o := range codes {
		if o.code != exitDone && o.code != exitFindings {
			t.Fatalf("exit %d: %s", o.code, o.stderr)
		}
	}
	var v verification
	if err := json.Unmarshal([]byte(must(t, good[:1], "verify", s3Root, "--json").stdout), &v); err != nil {
		t.Fatal(err)
	}
	if !v.Valid || len(v.Exports) != 2 || len(v.Notes) > 0 {
		t.Errorf("verify: %+v, want two exports and a ledger that knows both", v)
	}
}

func TestAnAbandonedExportIsListed(t *testing.T) {
	_, proxy := bucketBehindProxy(t)
	work, master := t.TempDir(), served(t, 20)
	proxy.SetFault(func(r s3test.Request) s3test.Fault {
		if strings.HasSuffix(r.Key, "/bagit.txt") && r.Method == "PUT" {
			return s3test.Fault{Status: 403, Code: "AccessDenied"}
		}
		return s3test.Fault{}
	})
	must(t, []int{exitFailed}, "take", master, "--to", s3Root, "--work", work, "--allow-private")
	proxy.SetFault(nil)
	if err := os.RemoveAll(work); err != nil { // the machine is gone
		t.Fatal(err)
	}
	o := must(t, good[:1], "list", s3Root, "--work", work)
	if !strings.Contains(o.stdout, "\tincomplete\t") || !strings.Contains(o.stderr, "no bagit.txt") {
		t.Errorf("list: %s%s", o.stdout, o.stderr)
	}
	takeInto(t, master, s3Root, work)
	o = must(t, good[:1], "list", s3Root, "--work", work)
	if strings.Count(o.stdout, "recruitly-export-") != 2 {
		t.Errorf("list: %s", o.stdout)
	}
}

func TestFlagsOfS3AreForRootsInS3(t *testing.T) {
	for _, flag := range []string{"--legal-hold", "--retain-until=2999-01-01", "--storage-class=GLACIER_IR"} {
		o := must(t, []int{exitUsage}, "take", "master.csv", "--to", t.TempDir(), flag)
		if !strings.Contains(o.stderr, "s3://bucket/prefix") {
			t.Errorf("%s: %s", flag, o.stderr)
		}
	}
	for _, date := range []string{"2001-01-01", "soon"} {
		must(t, []int{exitUsage}, "take", "master.csv", "--to", s3Root, "--retain-until", date)
	}
}

func TestAProviderThatSupportsLessIsSaidAndRecorded(t *testing.T) {
	_, proxy := bucketBehindProxy(t)
	proxy.SetFault(func(r s3test.Request) s3test.Fault {
		if r.Header.Get("If-None-Match") != "" {
			return s3test.Fault{Status: 501, Code: "NotImplemented"}
		}
		return s3test.Fault{Hide: []string{"X-Amz-Checksum-Sha256", "X-Amz-Checksum-Type"}}
	})
	work := t.TempDir()
	o := must(t, good, "take", served(t, 20), "--to", s3Root, "--work", work, "--allow-private")
	if !strings.Contains(o.stderr, "no conditional writes, no kept SHA-256") {
		t.Errorf("take says: %s", o.stderr)
	}
	for _, level := range []string{"quick", "full"} {
		must(t, good[:1], "verify", s3Root, "--work", work, "--level", level)
	}
	recorded := false
	for _, r := range proxy.Take() {
		if !strings.HasSuffix(r.Key, "-taken.json") || r.Method != "PUT" {
			continue
		}
		event := proxy.Read(t, r.Key)
		recorded = recorded || strings.Contains(event, `"store": "no conditional writes, no kept SHA-256"`)
	}
	if !recorded {
		t.Error("the ledger does not say what the provider lacks")
	}
}
