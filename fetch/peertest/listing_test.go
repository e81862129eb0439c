package peertest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdall/fetch"
	"holdall/fetch/failure"
	"holdall/fetch/link"
)

// takeFiles fetches a listing and the files it leads to. For each name it returns what came, or the code of
// what went wrong.
func takeFiles(t testing.TB, href, dir string) (outcome, map[string]string) {
	t.Helper()
	files := map[string]string{}
	out := takeAnd(t, fetch.Options{RetryBudget: 5 * time.Second}, masterOf(t, part{link.PartCVs, href}),
		dir, func(r *fetch.Run) {
			if len(r.Objects) != 1 || !r.Objects[0].Source.Listing {
				t.Fatalf("not recognised as a listing: %v", r.Objects)
			}
			for f, err := range r.Objects[0].Files(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				files[f.Name] = content(t, r.Objects[0], f)
			}
		})
	return out, files
}

func content(t testing.TB, o *fetch.Object, f fetch.File) string {
	t.Helper()
	if f.Err != nil {
		return string(f.Err.Code)
	}
	in, err := o.OpenFile(f)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	b, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// wantFiles compares the files that came with those that were served.
func wantFiles(t testing.TB, got, want map[string]string) {
	t.Helper()
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	for name, w := range want {
		if g, ok := got[name]; ok && g != w {
			t.Errorf("%q: %d bytes %.40q that differ from the %d served", name, len(g), g, len(w))
		}
	}
}

// oddFiles are files whose names servers and their indexes bend.
func oddFiles() map[string]string {
	files := map[string]string{
		"empty.txt": "", "two words.txt": "b", "50% & more.txt": "c",
		"Zo\u00eb & Andr\u00e9 \u2013 CV.txt": "d", "plus+plus.txt": "e", "semi;colon,comma.txt": "f",
		"a name so long that the index of the server cuts it short before its end.txt": "g",
		"quo'te.txt": "h", "#1.txt": "i", "what?.txt": "j",
		"large.bin": string(noise(3, 3<<20+7)),
	}
	for i := range 100 {
		files[fmt.Sprintf("cv %03d.txt", i)] = strings.Repeat(fmt.Sprint(i), i*50)
	}
	return files
}

func TestTheIndexThatNginxMakesOfAFolder(t *testing.T) {
	t.Parallel()
	files := oddFiles()
	served := map[string][]byte{}
	for name, body := range files {
		served[name] = []byte(body)
	}
	s := serve(
		t, served,
		`server { listen 127.0.0.1:PORT0; location / { root ROOT; autoindex on; charset utf-8; } }`,
	)
	dir := t.TempDir()
	out, got := takeFiles(t, s.url+"/?sig="+secret, dir)
	if out.err != nil {
		t.Fatalf("%v\n%s", out.err, out.log)
	}
	wantFiles(t, got, files)
	out.wantNoSecret(t, dir, secret)
	again, got := takeFiles(t, s.url+"/?sig="+secret, dir)
	wantFiles(t, got, files)
	if again.progress.Fetched != 0 {
		t.Errorf("a second run fetched %d bytes", again.progress.Fetched)
	}
}

func TestAListingOfPresignedLinks(t *testing.T) {
	t.Parallel()
	b := newBucket(t)
	files := oddFiles()
	for name, body := range files {
		if name == "large.bin" {
			body = string(noise(3, 11<<20))
			files[name] = body
			b.putInParts("cvs/"+name, []byte(body), 5<<20)
			continue
		}
		b.put("cvs/"+name, []byte(body), nil)
	}
	var list strings.Builder
	list.WriteString("Name,Link\n")
	row := func(name, link string) { fmt.Fprintf(&list, "%q,%s\n", name, link) }
	for _, name := range slices.Sorted(maps.Keys(files)) {
		row(name, b.link("cvs/"+name, time.Hour))
	}
	row("two words.txt", b.link("cvs/two words.txt", time.Hour)) // twice
	row("gone.txt", b.link("cvs/gone.txt", time.Hour))
	files["gone.txt"] = string(failure.LinkGone)
	b.put("cvs.csv", []byte(list.String()), nil)

	dir := t.TempDir()
	link := b.link("cvs.csv", time.Hour)
	out, got := takeFiles(t, link, dir)
	if out.err != nil {
		t.Fatalf("%v\n%s", out.err, out.log)
	}
	wantFiles(t, got, files)
	var secrets []string
	for _, line := range strings.Split(list.String(), "\n") {
		if _, sig, ok := strings.Cut(line, "X-Amz-Signature="); ok {
			secrets = append(secrets, sig)
		}
	}
	out.wantNoSecret(t, dir, append(secrets, signatureOf(t, link), secretKey)...)

	// The next day's listing has other signatures for the same files, and the lost one is back.
	b.put("cvs/gone.txt", []byte("found"), nil)
	files["gone.txt"] = "found"
	list.Reset()
	list.WriteString("Name,Link\n")
	for _, name := range slices.Sorted(maps.Keys(files)) {
		row(
			name,
			b.presign("GET", b.base, "/export/cvs/"+name, nil, nil, time.Hour, time.Now().Add(-time.Minute)),
		)
	}
	b.put("cvs.csv", []byte(list.String()), nil)
	again, got := takeFiles(t, b.link("cvs.csv", time.Hour), dir)
	wantFiles(t, got, files)
	if again.progress.Fetched > int64(len("found")) {
		t.Errorf("with new links to the same files %d bytes were fetched", again.progress.Fetched)
	}
}

func TestTheListingOfAPublicBucketPageByPage(t *testing.T) {
	t.Parallel()
	b := newBucket(t)
	want := map[string]string{}
	for name, body := range oddFiles() {
		if name != "large.bin" {
			b.put("cvs/"+name, []byte(body), nil)
			want["cvs/"+name] = body
		}
	}
	policy, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
		"Effect": "Allow", "Principal": "*", "Action": []string{"s3:GetObject", "s3:ListBucket"},
		"Resource": []string{"arn:aws:s3:::export", "arn:aws:s3:::export/*"},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	b.do("PUT", "", url.Values{"policy": {""}}, nil, policy)
	for _, query := range []string{
		"list-type=2&prefix=cvs/&max-keys=17", "prefix=cvs/&max-keys=17",
		"list-type=2&prefix=cvs/&max-keys=17&encoding-type=url",
	} {
		t.Run(query, func(t *testing.T) {
			out, got := takeFiles(t, b.base+"/export?"+query, t.TempDir())
			if out.err != nil {
				t.Fatalf("%v\n%s", out.err, out.log)
			}
			wantFiles(t, got, want)
		})
	}
}

// A file that the listing says is another one by now must not be taken from what an earlier run left.
func TestAListedFileReplacedBetweenTwoRuns(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, heading string
		told          [2]string // before and after
	}{
		{
			"told by its date", "Name,Link,Last Modified",
			[2]string{"2026-03-01T10:00:00Z", "2026-03-02T10:00:00Z"},
		},
		{
			"told by its ETag", "Name,Link,ETag",
			[2]string{`"00000000000000000000000000000001-2"`, `"00000000000000000000000000000002-2"`},
		},
		{"told by its size", "Name,Link,Size", [2]string{"6", "5"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, nil, `server { listen 127.0.0.1:PORT0; root DIR/www; }`)
			www := filepath.Join(s.dir, "www")
			if err := os.MkdirAll(www, 0o755); err != nil {
				t.Fatal(err)
			}
			lay := func(body, told string) {
				list := fmt.Sprintf(
					"%s\ncv.txt,%s/cv.txt,%q\nother.txt,%s/other.txt,\n", tt.heading, s.url, told, s.url,
				)
				list = strings.ReplaceAll(list, `\"`, `""`)
				for name, b := range map[string]string{
					"cv.txt": body, "other.txt": "other", "list.csv": list,
				} {
					if err := os.WriteFile(filepath.Join(www, name), []byte(b), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			dir := t.TempDir()
			lay("before", tt.told[0])
			_, got := takeFiles(t, s.url+"/list.csv", dir)
			wantFiles(t, got, map[string]string{"cv.txt": "before", "other.txt": "other"})
			after := "after!"
			if tt.told[1] == "5" {
				after = "after"
			}
			lay(after, tt.told[1])
			_, got = takeFiles(t, s.url+"/list.csv", dir)
			wantFiles(t, got, map[string]string{"cv.txt": after, "other.txt": "other"})
		})
	}
}
