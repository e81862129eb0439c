package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"holdall/internal/digest"
	"holdall/internal/s3test"
)

// copiedToS3 brings the demo's archive into S3 and returns its URL, its ID and the IDs of some documents.
func copiedToS3(t *testing.T) (proxy *s3test.Proxy, at string, docs []string) {
	t.Helper()
	server := s3test.Start(t)
	proxy = server.NewProxy(t)
	root, id, _ := demo(t)
	s3test.Setenv(t, proxy.URL, s3test.Writer)
	must(t, good[:1], "copy", root, s3Root)
	sql := "select doc_id from documents where state = 'ok' order by 1 limit 2"
	out := must(t, good[:1], "query", root, sql, "--format", "tsv").stdout
	s3test.Setenv(t, proxy.URL, s3test.Reader)
	proxy.Take()
	return proxy, s3Root + "/exports/" + id, strings.Fields(out)[1:]
}

func TestOneDocumentCostsOneRangedReadOnceTheIndexIsHere(t *testing.T) {
	proxy, at, docs := copiedToS3(t)
	for i, want := range []int{3, 1, 1} {
		must(t, good[:1], "cat", at, docs[i%2])
		log := proxy.Take()
		if len(log) != want {
			t.Errorf("cat number %d: %d requests, want %d: %+v", i+1, len(log), want, log)
		}
		last := log[len(log)-1]
		if last.Op != "GetObject" || last.Header.Get("Range") == "" || !strings.HasSuffix(last.Key, ".zip") {
			t.Errorf("cat number %d ends with %s %s, want a ranged read in a pack", i+1, last.Op, last.Key)
		}
	}
}

func TestQuickVerificationReadsNoContentAndOneHeadAFile(t *testing.T) {
	proxy, at, _ := copiedToS3(t)
	var v verification
	o := must(t, good[:1], "verify", at, "--level", "quick", "--json")
	if err := json.Unmarshal([]byte(o.stdout), &v); err != nil {
		t.Fatal(err)
	}
	log := proxy.Take()
	for _, r := range log {
		if r.Op == "GetObject" && strings.Contains(r.Key, "/data/") {
			t.Errorf("%s was read", r.Key)
		}
	}
	// A million documents are some 800 packs and 40 other files; with what does not grow that is fewer
	// than 1,000.
	ops, _ := s3test.Count(log)
	if rest := len(log) - v.Files; rest > 20 || ops["HeadObject"] > v.Files+2 {
		t.Errorf("%d requests for %d files, want at most 20 more than files: %v", len(log), v.Files, ops)
	}
}

func TestAQuickVerificationSeesWhatS3KeepsOfAChangedFile(t *testing.T) {
	proxy, at, _ := copiedToS3(t)
	server := strings.TrimPrefix(at, "s3://"+s3test.Bucket+"/")
	var pack string
	must(t, good[:1], "verify", at, "--level", "full")
	for _, r := range proxy.Take() {
		if strings.HasSuffix(r.Key, "-00001.zip") && r.Op == "GetObject" {
			pack = r.Key
		}
	}
	if !strings.HasPrefix(pack, server) {
		t.Fatalf("no pack was read")
	}
	proxy.Overwrite(t, pack, func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
	o := must(t, []int{exitFindings}, "verify", at, "--level", "quick", "--json")
	var v verification
	if err := json.Unmarshal([]byte(o.stdout), &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Faults) != 1 || v.Faults[0].Code != "hash-mismatch" || len(v.Faults[0].Documents) == 0 {
		t.Errorf("faults: %+v, want the pack, and the documents that are hurt", v.Faults)
	}
	if len(v.Faults) == 1 && len(v.Faults[0].About) != len(v.Faults[0].Documents) {
		t.Errorf("names of documents: %+v, want one of each", v.Faults[0].About)
	}
}

func TestAQueryFetchesTheTablesThatItNeedsOnce(t *testing.T) {
	proxy, at, _ := copiedToS3(t)
	for _, tt := range []struct {
		sql  string
		want string // what is fetched of the payload
	}{
		{"select 1", ""},
		{"select count(*) from candidates", "candidates"},
		{"select count(*) from candidates join companies on true", "companies"},
		{"select count(*) from candidates join companies on true", ""},
		{"select count(*) from task_link; select count(*) from jobs", "jobs tasks"},
	} {
		must(t, good[:1], "query", at, tt.sql)
		var got []string
		for _, r := range proxy.Take() {
			if _, name, ok := strings.Cut(r.Key, "/data/"); ok {
				name = strings.TrimPrefix(name, "tables/")
				got = append(got, strings.TrimSuffix(name, "/part-00000.parquet"))
			}
		}
		slices.Sort(got)
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: fetched %q, want %q", tt.sql, got, tt.want)
		}
	}
	proxy.SetFault(func(r s3test.Request) s3test.Fault {
		if strings.Contains(r.Key, "/data/") {
			return s3test.Fault{Status: 400, Code: "ExpiredToken"}
		}
		return s3test.Fault{}
	})
	must(t, []int{exitNotFinished}, "query", at, "select count(*) from contacts")
	proxy.SetFault(nil)
	must(t, good[:1], "query", at, "select count(*) from contacts")
}

func TestListingAHundredArchivesDoesNotWalkTheirObjects(t *testing.T) {
	server, proxy := bucketBehindProxy(t)
	const archives = 100
	for i := range archives {
		putBareExport(server, fmt.Sprintf("recruitly-acme-20261122T01%02d%02dZ-abcd", i/60, i%60), i)
	}
	proxy.Take()
	var all []listed
	if err := json.Unmarshal([]byte(must(t, good[:1], "list", s3Root, "--json").stdout), &all); err != nil {
		t.Fatal(err)
	}
	if len(all) != archives || all[7].State != "complete" || all[7].Documents.CVs != 7 {
		t.Errorf("%d archives are listed, want %d", len(all), archives)
	}
	log := proxy.Take()
	ops, _ := s3test.Count(log)
	if ops["ListObjectsV2"] > 2 || len(log) > 6*archives+10 {
		t.Errorf("%d requests, %v; want six for each archive, and none that walks them", len(log), ops)
	}
}

// putBareExport puts what an archive consists of but for its payload, of which there are a few objects
// that nobody reads.
func putBareExport(server *s3test.Server, id string, cvs int) {
	path := strings.TrimPrefix(s3Root, "s3://") + "/exports/" + id + "/"
	record := fmt.Sprintf(`{"export":%q,"state":"complete","documents":{"cvs":%d}}`, id, cvs)
	files := map[string]string{
		"bagit.txt":                 "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
		"bag-info.txt":              "External-Identifier: " + id + "\n",
		"custody/completeness.json": record,
		"manifest-sha256.txt":       "",
	}
	for i := range 12 {
		files[fmt.Sprintf("data/documents/cvs-%05d.zip", i+1)] = "PK"
	}
	tags := ""
	const tagFiles = "bag-info.txt bagit.txt custody/completeness.json manifest-sha256.txt"
	for _, name := range strings.Fields(tagFiles) {
		tags += digest.Of([]byte(files[name])).String() + "  " + name + "\n"
	}
	files["tagmanifest-sha256.txt"] = tags
	for name, content := range files {
		sum := digest.Of([]byte(content))
		server.Do("PUT", path+name, "", map[string]string{
			"x-amz-checksum-sha256": base64.StdEncoding.EncodeToString(sum[:]),
		}, []byte(content))
	}
}
