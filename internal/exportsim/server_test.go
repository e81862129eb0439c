package exportsim

import (
	"bytes"
	"crypto/tls"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdall/internal/digest"
)

func TestLinksServeTheObjectsOfTheTruth(t *testing.T) {
	for _, shape := range []Shape{ShapeZIP, ShapeParts, ShapeTar} {
		t.Run(string(shape), func(t *testing.T) {
			e, s := serve(t, Config{Seed: 3, Shape: shape})
			m := links(t, get(t, s.MasterURL()).body)
			if len(m) != len(e.Truth().Objects) {
				t.Errorf("the master has %d links, want %d", len(m), len(e.Truth().Objects))
			}
			for _, o := range e.Truth().Objects {
				r := get(t, m[o.Name])
				if r.StatusCode != 200 || digest.Of(r.body) != o.SHA256 || r.ContentLength != o.Size {
					t.Errorf(
						"%s: status %d, %d bytes, digest %v; want 200, %d, %v", o.Name, r.StatusCode,
						len(r.body), digest.Of(r.body), o.Size, o.SHA256,
					)
				}
			}
			st := s.Stats()
			if got, want := st.Requests, int64(len(m)+1); got != want {
				t.Errorf("counted %d requests, want %d", got, want)
			}
			want := Count{1, e.Truth().Objects[0].Size}
			// Bytes are counted when the answer has ended, of which a client may know first.
			for end := time.Now().Add(10 * time.Second); s.Stats().Paths["data.zip"] != want &&
				time.Now().Before(end); {
				time.Sleep(time.Millisecond)
			}
			if c := s.Stats().Paths["data.zip"]; c != want {
				t.Errorf("counted %+v for data.zip, want %+v", c, want)
			}
		})
	}
}

func TestOnlyRightAndLivingLinksAreAnswered(t *testing.T) {
	_, s := serve(t, Config{})
	good := links(t, s.MasterCSV())["cvs.zip"]
	path := mustParse(t, good).EscapedPath()
	old := s.base + path + "?" + s.signer.sign(path, time.Now().Add(-time.Hour), 30*time.Minute)
	swap := func(from, to string) string { return strings.Replace(good, from, to, 1) }
	for _, tc := range []struct {
		name, method, url, code string
		status                  int
	}{
		{"a good link", "GET", good, "", 200},
		{"HEAD with a link signed for GET", "HEAD", good, "", 403},
		{
			"another file with this file's signature", "GET", swap("cvs.zip", "data.zip"),
			"SignatureDoesNotMatch", 403,
		},
		{
			"a longer life than was signed", "GET", swap("X-Amz-Expires=604800", "X-Amz-Expires=604801"),
			"SignatureDoesNotMatch", 403,
		},
		{
			"a damaged signature", "GET",
			good[:len(good)-40] + "0123456789012345678901234567890123456789"[:40], "SignatureDoesNotMatch",
			403,
		},
		{"no signature", "GET", s.base + path, "AccessDenied", 403},
		{"an HTML-escaped link", "GET", strings.ReplaceAll(good, "&", "&amp;"), "AccessDenied", 403},
		{"an expired link", "GET", old, "Request has expired", 403},
		{"a file that is not there", "GET", s.base + s.root() + "nothing.zip", "NoSuchKey", 404},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := do(t, client(t), tc.method, tc.url)
			if r.StatusCode != tc.status || !strings.Contains(string(r.body), tc.code) {
				t.Errorf("got %d %.300s, want %d %s", r.StatusCode, r.body, tc.status, tc.code)
			}
		})
	}
}

func TestLinksReallyExpire(t *testing.T) {
	_, s := serve(t, Config{Expire: time.Second})
	link := links(t, s.MasterCSV())["data.zip"]
	if r := get(t, link); r.StatusCode != 200 {
		t.Fatalf("a new link gets %d", r.StatusCode)
	}
	time.Sleep(2100 * time.Millisecond)
	if r := get(t, link); r.StatusCode != 403 || !strings.Contains(
		string(r.body), "<Message>Request has expired</Message>",
	) {
		t.Errorf("an old link gets %d %s", r.StatusCode, r.body)
	}
	if r := get(t, links(t, s.MasterCSV())["data.zip"]); r.StatusCode != 200 {
		t.Errorf("a link of a fresh master gets %d", r.StatusCode)
	}
}

func TestRanges(t *testing.T) {
	e, s := serve(t, Config{})
	o := e.Truth().Objects[0]
	link := links(t, s.MasterCSV())[o.Name]
	whole := get(t, link)
	n, etag := len(whole.body), whole.Header.Get("ETag")
	if !regexp.MustCompile(`^"[0-9a-f]{32}"$`).MatchString(etag) {
		t.Fatalf("ETag %s is not a strong one", etag)
	}
	all := func(from, to int) string { return fmt.Sprintf("bytes %d-%d/%d", from, to-1, n) }
	for _, tc := range []struct {
		name     string
		header   []string
		status   int
		from, to int
		want     string // Content-Range
	}{
		{"from the start", []string{"Range", "bytes=0-"}, 206, 0, n, all(0, n)},
		{"the middle", []string{"Range", "bytes=10-19"}, 206, 10, 20, all(10, 20)},
		{"one byte", []string{"Range", "bytes=7-7"}, 206, 7, 8, all(7, 8)},
		{
			"beyond the end", []string{"Range", fmt.Sprintf("bytes=%d-%d", n-5, n+100)}, 206, n - 5, n,
			all(n-5, n),
		},
		{"the last bytes", []string{"Range", "bytes=-22"}, 206, n - 22, n, all(n-22, n)},
		{
			"more last bytes than there are", []string{"Range", fmt.Sprintf("bytes=-%d", n+9)}, 206, 0, n,
			all(0, n),
		},
		{
			"wholly beyond the end", []string{"Range", fmt.Sprintf("bytes=%d-", n)}, 416, 0, 0,
			fmt.Sprintf("bytes */%d", n),
		},
		{"two ranges", []string{"Range", "bytes=0-1,5-6"}, 200, 0, n, ""},
		{"nonsense", []string{"Range", "bytes=b-a"}, 200, 0, n, ""},
		{"another unit", []string{"Range", "lines=1-2"}, 200, 0, n, ""},
		{"backwards", []string{"Range", "bytes=9-3"}, 200, 0, n, ""},
		{"If-Range that fits", []string{"Range", "bytes=3-", "If-Range", etag}, 206, 3, n, all(3, n)},
		{"If-Range of another version", []string{"Range", "bytes=3-", "If-Range", `"other"`}, 200, 0, n, ""},
		{
			"If-Range with the date",
			[]string{"Range", "bytes=3-", "If-Range", whole.Header.Get("Last-Modified")}, 206, 3, n,
			all(3, n),
		},
		{"If-Match of another version", []string{"If-Match", `"other"`}, 412, 0, 0, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := get(t, link, tc.header...)
			if r.StatusCode != tc.status || r.Header.Get("Content-Range") != tc.want {
				t.Errorf(
					"got %d, Content-Range %q; want %d, %q", r.StatusCode, r.Header.Get("Content-Range"),
					tc.status, tc.want,
				)
			}
			if tc.status < 300 && !bytes.Equal(r.body, whole.body[tc.from:tc.to]) {
				t.Errorf("got %d bytes that are not %d to %d", len(r.body), tc.from, tc.to)
			}
		})
	}
}

func TestRateAndLatencyAreKept(t *testing.T) {
	e, s := serve(t, Config{Rate: 400_000, Latency: 150 * time.Millisecond})
	link := links(t, s.MasterCSV())["cvs.zip"]
	if e.Truth().Objects[2].Size < 200_000 {
		t.Fatal("the object is too small to tell")
	}
	start := time.Now()
	get(t, link, "Range", "bytes=0-199999")
	if d := time.Since(start); d < 600*time.Millisecond || d > 5*time.Second {
		t.Errorf("200,000 bytes at 400,000 a second after 150 ms took %v", d)
	}
}

func TestTLS(t *testing.T) {
	e := prepare(t, Config{People: 10})
	ts := httptest.NewUnstartedServer(nil)
	ts.StartTLS() // for its certificate
	defer ts.Close()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", ts.TLS)
	if err != nil {
		t.Fatal(err)
	}
	s, err := e.ServeTLS(ln)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if r := get(t, s.MasterURL()); r.StatusCode != 200 || !strings.HasPrefix(s.MasterURL(), "https://") {
		t.Errorf("%s gets %d", s.MasterURL(), r.StatusCode)
	}
}

func TestLinksOutliveTheServer(t *testing.T) {
	cfg := Config{People: 10, Dir: t.TempDir()}
	e := prepare(t, cfg)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := e.Serve(ln)
	if err != nil {
		t.Fatal(err)
	}
	link := links(t, s.MasterCSV())["cvs.zip"]
	s.Close()
	if ln, err = net.Listen("tcp", ln.Addr().String()); err != nil {
		t.Skip("somebody else took the port: ", err)
	}
	again, err := prepare(t, cfg).Serve(ln)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if r := get(t, link); r.StatusCode != 200 {
		t.Errorf("the link gets %d after a restart", r.StatusCode)
	}
}

// A listedLink is a name and a link as a listing has them.
type listedLink struct{ name, link string }

func readListing(t *testing.T, form, base string, b []byte) []listedLink {
	t.Helper()
	var all []listedLink
	switch form {
	case "csv":
		rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows[1:] {
			all = append(all, listedLink{r[0], r[2]})
		}
	case "json":
		var v struct {
			Files []struct{ Name, URL string }
		}
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		for _, f := range v.Files {
			all = append(all, listedLink{f.Name, f.URL})
		}
	case "html":
		for _, m := range regexp.MustCompile(`<a href="([^"]*X-Amz[^"]*)">`).FindAllSubmatch(b, -1) {
			all = append(all, listedLink{"", strings.ReplaceAll(string(m[1]), "&amp;", "&")})
		}
	case "xml":
		var p bucketPage
		if err := xml.Unmarshal(b, &p); err != nil {
			t.Fatal(err)
		}
		for _, k := range p.Contents {
			all = append(all, listedLink{k.Key, base + (&url.URL{Path: k.Key}).EscapedPath()})
		}
		if p.IsTruncated {
			all = append(
				all,
				readListing(t, form, base, get(t, base+"?list-type=2&continuation-token="+p.Next).body)...,
			)
		}
	}
	return all
}

func TestEveryListingLeadsToEveryDocument(t *testing.T) {
	for _, form := range []string{"csv", "json", "html", "xml"} {
		t.Run(form, func(t *testing.T) {
			e, s := serve(t, Config{Seed: 13, Shape: ShapeListing, Listing: form, Mistakes: true})
			var got []digest.Sum
			for _, part := range []string{"attachments", "cvs"} {
				for name, link := range links(t, s.MasterCSV()) {
					if !strings.Contains(name, part) {
						continue
					}
					for _, l := range readListing(t, form, link, get(t, link).body) {
						r := get(t, l.link)
						if r.StatusCode != 200 {
							t.Errorf("%s gets %d", l.name, r.StatusCode)
						}
						got = append(got, digest.Of(r.body))
					}
				}
			}
			var want []digest.Sum
			for _, d := range documents(t, e) {
				want = append(want, d.SHA256)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("documents (-truth +served):\n%s", d)
			}
		})
	}
}

func TestAListingOfManyPages(t *testing.T) {
	e, s := serve(t, Config{People: 30, Shape: ShapeListing, Listing: "xml"})
	s.pageSize = 7
	base := links(t, s.MasterCSV())["attachments.xml"]
	got := readListing(t, "xml", base, get(t, base).body)
	if want := e.Truth().Documents["attachments"].Documents; len(got) != want || want <= 2*s.pageSize {
		t.Errorf("got %d keys, want %d on more than one page", len(got), want)
	}
	if r := get(t, strings.Replace(base, "/bucket/", "/bucket/0", 1)); r.StatusCode != 404 {
		t.Errorf("a bucket with a wrong token gets %d", r.StatusCode)
	}
}
